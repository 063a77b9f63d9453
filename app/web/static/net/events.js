/**
 * Tells when something has changed on the server: by its event stream, or, where it has none, by
 * asking again and again. Only a visible page listens.
 */

import { authorized } from "./session.js";

const POLL_MS = 2_000;
const SLOWEST_MS = 60_000;
/** The server sends something each 15 s; a stream that is silent for longer is dead. */
const SILENCE_MS = 40_000;

/**
 * @param {string} userId
 * @param {(version: number | null) => Promise<boolean>} onChange reads the feed: with the version
 *   that the stream told, or null where that is unknown; whether the server was reached
 * @param {AbortSignal} signal ends it
 */
export async function listen(userId, onChange, signal) {
  const [feed, events] = [new Backoff(), new Backoff()];
  while (!signal.aborted) {
    await visible(signal);
    if (signal.aborted) return;
    const isReached = await onChange(null);
    feed.count(isReached);
    if (isReached && events.isOver()) events.count((await stream(userId, onChange, signal)) === "ended");
    // without a stream the feed is asked each 2 s for as long as it answers
    await pause(feed.ms, signal);
  }
}

/** How long to wait before the next attempt: twice as long after each failure. */
class Backoff {
  ms = POLL_MS;
  #until = 0;

  /** @param {boolean} isSuccess */
  count(isSuccess) {
    this.ms = isSuccess ? POLL_MS : Math.min(SLOWEST_MS, this.ms * 2);
    this.#until = isSuccess ? 0 : Date.now() + this.ms;
  }

  isOver() {
    return Date.now() >= this.#until;
  }
}

/**
 * Follows the stream until it ends, or the page is hidden.
 * @param {string} userId
 * @param {(version: number | null) => Promise<boolean>} onChange
 * @param {AbortSignal} signal
 * @returns {Promise<"ended" | "failed">} failed: it did not begin, or broke
 */
async function stream(userId, onChange, signal) {
  const stop = new AbortController();
  const stopIfHidden = () => document.hidden && stop.abort();
  const abort = () => stop.abort();
  document.addEventListener("visibilitychange", stopIfHidden);
  signal.addEventListener("abort", abort);
  let silence = setTimeout(abort, SILENCE_MS);
  try {
    const headers = { Accept: "text/event-stream" };
    const response = await authorized("GET", `/api/${userId}/events`, { headers, signal: stop.signal });
    if (!response.body || !(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return "failed";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "ended";
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MS);
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      const versions = events.map(versionOf).filter((version) => version !== null);
      if (versions.length > 0) await onChange(Math.max(...versions));
    }
  } catch {
    // why, the next reading of the feed says
    return signal.aborted || document.hidden ? "ended" : "failed";
  } finally {
    clearTimeout(silence);
    stop.abort();
    document.removeEventListener("visibilitychange", stopIfHidden);
    signal.removeEventListener("abort", abort);
  }
}

/**
 * @param {string} event the lines of an event
 * @returns {number | null}
 */
function versionOf(event) {
  const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
  if (!data) return null;
  try {
    const { version } = JSON.parse(data);
    return typeof version === "number" ? version : null;
  } catch {
    return null;
  }
}

/** @param {AbortSignal} signal */
function visible(signal) {
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    if (!document.hidden || signal.aborted) return resolve();
    const done = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    document.addEventListener("visibilitychange", done);
    signal.addEventListener("abort", done);
  });
}

/**
 * Waits; ends early when the browser is online again or the page is shown again.
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const [target, name] of wakers) target.removeEventListener(name, done);
      resolve();
    };
    /** @type {[EventTarget, string][]} */
    const wakers = [[window, "online"], [document, "visibilitychange"], [signal, "abort"]];
    const timer = setTimeout(done, ms);
    for (const [target, name] of wakers) target.addEventListener(name, done);
  });
}
