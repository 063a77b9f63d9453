/**
 * Sends the queue and reads the feed, one tab at a time. The feed is the only source of what the
 * server has; its sync token is stored with what came before it, in one transaction.
 */

import { ApiError, Unreachable } from "../net/api.js";
import { listen } from "../net/events.js";
import { SignedOut, request } from "../net/session.js";
import { brokenIndex, resolve } from "./conflicts.js";
import { KINDS, withIndexKeys } from "./db.js";
import { nextBatch, settle, unsend } from "./queue.js";

/**
 * @import {Store} from "./store.js"
 * @import {Changes, Kind, SentBatch, Task} from "./types.js"
 */

const PAGE = 200;
/** The state of the feed, in the store `meta`. */
const TOKEN = "token";
const LOAD = "load";
const LOADED = "loaded";
const VERSION = "version";

export class Sync {
  #stop = new AbortController();
  /** @type {Promise<boolean> | null} */
  #running = null;
  #isAgain = false;
  #notBefore = 0;
  /** @type {Changes | null} what the server has made of a batch, until the feed of it is read */
  #settled = null;
  /** How many operations go into a batch; one after a refusal that named none. */
  #limit = 100;

  /**
   * @param {Store} store
   * @param {object} on
   * @param {() => void} on.signedOut the session is over
   * @param {() => void} on.otherUser another account is signed in in this browser
   * @param {(taskId: string) => void} on.reminder a reminder has fired
   */
  constructor(store, on) {
    this.store = store;
    this.on = on;
    this.path = `/api/${store.userId}`;
  }

  start() {
    this.store.onQueued = () => void this.run();
    window.addEventListener("online", () => void this.run(), { signal: this.#stop.signal });
    void listen(this.store.userId, (version) => this.#hear(version), this.#stop.signal);
  }

  stop() {
    this.#stop.abort();
  }

  /**
   * @param {number | null} version
   * @returns {Promise<boolean>}
   */
  async #hear(version) {
    if (this.#stop.signal.aborted) return false;
    const known = /** @type {number | undefined} */ (await this.store.db.get("meta", VERSION));
    if (version !== null && known !== undefined && known >= version) return true;
    return this.run();
  }

  /**
   * Sends and reads everything that there is.
   * @returns {Promise<boolean>} whether the server was reached
   */
  run() {
    if (this.#running) this.#isAgain = true;
    this.#running ??= this.#runAll().finally(() => (this.#running = null));
    return this.#running;
  }

  async #runAll() {
    let isReached;
    do {
      this.#isAgain = false;
      isReached = await this.#runOnce();
    } while (this.#isAgain && isReached && !this.#stop.signal.aborted);
    return isReached;
  }

  /** @returns {Promise<boolean>} */
  async #runOnce() {
    if (Date.now() < this.#notBefore) return false;
    try {
      await navigator.locks.request(`ownrow-sync-${this.store.userId}`, { signal: this.#stop.signal }, async () => {
        await this.#sendAll();
        await this.#readFeed();
      });
      this.store.setStatus({ phase: "idle" });
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** @param {unknown} error */
  #failed(error) {
    if (this.#stop.signal.aborted) return;
    this.store.setStatus({ phase: "offline" });
    if (error instanceof SignedOut) {
      this.on.signedOut();
    } else if (error instanceof ApiError && error.status === 403) {
      this.on.otherUser();
    } else if (error instanceof ApiError && error.isTemporary) {
      this.#notBefore = Date.now() + error.retryAfter * 1000;
    } else if (!(error instanceof Unreachable)) {
      reportError(error);
    }
  }

  async #sendAll() {
    for (let batch = await nextBatch(this.store.db); batch; batch = await nextBatch(this.store.db, this.#limit)) {
      this.store.setStatus({ phase: "syncing" });
      await this.#send(batch);
    }
  }

  /** @param {SentBatch} batch */
  async #send(batch) {
    const { db } = this.store;
    let answer;
    try {
      answer = await request("POST", `${this.path}/batch`, { text: batch.body, headers: { "Idempotency-Key": batch.key } });
    } catch (error) {
      if (!(error instanceof ApiError) || error.isTemporary || [401, 403].includes(error.status)) throw error;
      const index = brokenIndex(batch, error);
      if (index === null) {
        this.#limit = 1;
        return unsend(db, batch, null);
      }
      if ([404, 409, 412].includes(error.status)) await this.#readFeed();
      await resolve(db, batch, index, error);
      return this.#publish({ ids: {}, outbox: true, conflicts: true });
    }
    if (batch.seqs.length === 1) this.#limit = 100;
    // What the operations have changed besides comes with the feed, and is shown together with this.
    this.#settled = await settle(db, batch, answer.data.results);
    try {
      await this.#readFeed();
    } finally {
      if (this.#settled) await this.#publish({ ids: {}, outbox: false, conflicts: false });
    }
  }

  async #readFeed() {
    for (let hasMore = true; hasMore && !this.#stop.signal.aborted; ) {
      const token = /** @type {string | undefined} */ (await this.store.db.get("meta", TOKEN));
      const since = token ? `&since=${encodeURIComponent(token)}` : "";
      let answer;
      try {
        answer = await request("GET", `${this.path}/changes?limit=${PAGE}${since}`);
      } catch (error) {
        if (token && error instanceof ApiError && [400, 410].includes(error.status)) {
          await this.#startOver();
          continue;
        }
        throw error;
      }
      hasMore = answer.meta.has_more;
      await this.#storePage(answer.data, answer.meta);
    }
  }

  /** The sync token is no longer valid: everything is read again, and what does not come is removed at the end. */
  async #startOver() {
    const tx = this.store.db.transaction("meta", "readwrite");
    const load = /** @type {number} */ ((await tx.store.get(LOAD)) ?? 0);
    await tx.store.put(load + 1, LOAD);
    await tx.store.put(false, LOADED);
    await tx.store.delete(TOKEN);
    await tx.done;
  }

  /**
   * @param {any[]} entries
   * @param {import("../net/api.js").Meta} meta
   */
  async #storePage(entries, meta) {
    const tx = this.store.db.transaction([...KINDS, "meta"], "readwrite");
    const metaStore = tx.objectStore("meta");
    const [load = 0, isLoaded] = /** @type {[number | undefined, boolean | undefined]} */ (
      await Promise.all([metaStore.get(LOAD), metaStore.get(LOADED)])
    );
    const ids = put(tx, entries, load);
    let isAnew = false;
    if (!meta.has_more && !isLoaded) {
      isAnew = await removeOlder(tx, load);
      void metaStore.put(true, LOADED);
    }
    void metaStore.put(meta.sync_token, TOKEN);
    void metaStore.put(meta.version, VERSION);
    await tx.done;
    if (!isLoaded) this.store.setStatus({ phase: "loading", loaded: this.store.status.loaded + entries.length });
    if (entries.length === 0 && isLoaded) return;
    await this.#publish(isAnew ? "all" : { ids, outbox: false, conflicts: false });
    if (isLoaded) for (const { kind, item } of entries) if (kind === "reminder" && item) this.on.reminder(item.task_id);
  }

  /** @param {Changes | "all"} changes */
  async #publish(changes) {
    const settled = this.#settled;
    this.#settled = null;
    if (changes !== "all" && settled) {
      for (const kind of KINDS) changes.ids[kind] = [...(changes.ids[kind] ?? []), ...(settled.ids[kind] ?? [])];
      changes.outbox = true;
    }
    this.store.channel.postMessage(changes);
    await this.store.refresh(changes);
  }
}

/**
 * @param {any} tx
 * @param {any[]} entries
 * @param {number} load
 * @returns {Partial<Record<Kind, string[]>>} what has changed
 */
function put(tx, entries, load) {
  /** @type {Partial<Record<Kind, string[]>>} */
  const ids = {};
  for (const { kind, id, deleted, item } of entries) {
    if (!isStored(kind)) continue;
    (ids[kind] ??= []).push(id);
    if (deleted) tx.objectStore(kind).delete(id);
    else tx.objectStore(kind).put({ ...(kind === "task" ? withIndexKeys(/** @type {Task} */ (item)) : item), load });
  }
  return ids;
}

/**
 * @param {string} kind
 * @returns {kind is Kind}
 */
function isStored(kind) {
  return KINDS.includes(/** @type {Kind} */ (kind));
}

/**
 * Removes the items that did not come with this load.
 * @param {any} tx
 * @param {number} load
 * @returns {Promise<boolean>} whether there were any
 */
async function removeOlder(tx, load) {
  if (load === 0) return false;
  let isAny = false;
  for (const kind of KINDS) {
    for (let cursor = await tx.objectStore(kind).openCursor(); cursor; cursor = await cursor.continue()) {
      if (cursor.value.load === load) continue;
      isAny = true;
      await cursor.delete();
    }
  }
  return isAny;
}
