/**
 * Who is signed in. The access token is in memory only; the refresh token is in a cookie that no
 * script can read. Tabs refresh one after another, under a lock.
 */

import { ApiError, Unreachable, call, send } from "./api.js";

/**
 * @import {Answer, RequestOptions} from "./api.js"
 * @import {User} from "../data/types.js"
 */

const USER_KEY = "ownrow.user";
const SIGNED_OUT_KEY = "ownrow.signed-out";
const LOCK = "ownrow-refresh";
/** Refreshed when this many seconds are left. */
const MARGIN_S = 30;
const COOKIE = "?cookie=true";

/** @type {{token: string, until: number} | null} */
let access = null;
/** @type {User | null} */
let user = readUser();
/** @type {Set<(user: User | null) => void>} */
const listeners = new Set();

/** Nobody is signed in, or the session is over. */
export class SignedOut extends Error {}

/** The user of the last session, known before any request. */
export function currentUser() {
  return user;
}

/**
 * @param {(user: User | null) => void} listener called when somebody signs in or out
 * @returns {() => void} stop
 */
export function onUser(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * @param {string} email
 * @param {string} password
 * @param {string} [code] of the second factor
 */
export async function signIn(email, password, code) {
  const body = code ? { email, password, code } : { email, password };
  const { data } = await call("POST", `/api/auth/login${COOKIE}`, { body });
  localStorage.removeItem(SIGNED_OUT_KEY);
  take(data);
}

/**
 * @param {string} email
 * @param {string} password
 * @param {string} timeZone
 */
export async function signUp(email, password, timeZone) {
  await call("POST", "/api/auth/register", { body: { email, password, time_zone: timeZone } });
  await signIn(email, password);
}

/** Ends the session here at once, and on the server, cookie included, as soon as it can be reached. */
export async function signOut() {
  localStorage.setItem(SIGNED_OUT_KEY, "1");
  forget();
  await endOnServer();
}

/** Forgets the tokens and the user; the session on the server stays. */
export function forget() {
  access = null;
  setUser(null);
}

async function endOnServer() {
  try {
    await call("POST", `/api/auth/logout${COOKIE}`, { body: {} });
    localStorage.removeItem(SIGNED_OUT_KEY);
  } catch (error) {
    if (error instanceof ApiError && !error.isTemporary) localStorage.removeItem(SIGNED_OUT_KEY);
  }
}

/**
 * An access token for the next requests.
 * @returns {Promise<string>}
 * @throws {SignedOut | Unreachable | ApiError}
 */
export async function accessToken() {
  if (access && access.until > Date.now()) return access.token;
  return navigator.locks.request(LOCK, refresh);
}

/** @returns {Promise<string>} */
async function refresh() {
  if (access && access.until > Date.now()) return access.token;
  if (localStorage.getItem(SIGNED_OUT_KEY)) {
    await endOnServer();
    throw new SignedOut();
  }
  try {
    const { data } = await call("POST", `/api/auth/refresh${COOKIE}`, { body: {} });
    take(data);
    return data.access_token;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      access = null;
      throw new SignedOut("", { cause: error });
    }
    throw error;
  }
}

/**
 * A request with the user's access token, and once more with a new one if that is refused.
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<Response>}
 */
export async function authorized(method, path, options = {}) {
  const token = await accessToken();
  try {
    return await send(method, path, { ...options, token });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    if (access?.token === token) access = null;
    return send(method, path, { ...options, token: await accessToken() });
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestOptions} [options]
 * @returns {Promise<Answer>}
 */
export async function request(method, path, options = {}) {
  const response = await authorized(method, path, options);
  try {
    const envelope = response.status === 304 ? {} : await response.json();
    return { data: envelope.data, meta: envelope.meta, etag: response.headers.get("ETag") };
  } catch (error) {
    throw new Unreachable("", { cause: error });
  }
}

/**
 * @param {User} changed
 */
export function setUser(/** @type {User | null} */ changed) {
  user = changed;
  if (changed) localStorage.setItem(USER_KEY, JSON.stringify(changed));
  else localStorage.removeItem(USER_KEY);
  for (const listener of listeners) listener(changed);
}

/** @param {{access_token: string, expires_in: number, user: User}} answer */
function take(answer) {
  access = { token: answer.access_token, until: Date.now() + (answer.expires_in - MARGIN_S) * 1000 };
  setUser(answer.user);
}

/** @returns {User | null} */
function readUser() {
  const text = localStorage.getItem(USER_KEY);
  return text ? JSON.parse(text) : null;
}
