/** The account of this tab: its store and its sync, from signing in to signing out. */

import { deleteDatabase } from "./db.js";
import { today } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { currentUser, forget, onUser, signOut as endSession } from "../net/session.js";
import { current } from "../ui/router.js";
import { forgetNotices, say } from "../ui/notices.js";
import { Store } from "./store.js";
import { Sync } from "./sync.js";

/**
 * @import {FirstList} from "./store.js"
 * @import {User} from "./types.js"
 */

/** @type {Store | null} */
let store = null;
/** @type {Sync | null} */
let sync = null;
let isSessionOver = false;
/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {() => void} listener */
export function onAccount(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @returns {{user: User | null, store: Store | null, isSessionOver: boolean}} */
export function account() {
  return { user: currentUser(), store, isSessionOver };
}

/** Opens the account of the last session, if there is one, and follows who signs in and out. */
export async function startAccount() {
  onUser((user) => void follow(user));
  addEventListener("storage", ({ key, newValue }) => {
    if (key === "ownrow.user" && idIn(newValue) !== (store?.userId ?? null)) location.reload();
  });
  await follow(currentUser());
}

/** @param {string | null} text */
function idIn(text) {
  return text ? JSON.parse(text).id : null;
}

/** @param {User | null} user */
async function follow(user) {
  if (user && user.id !== store?.userId) {
    close();
    const opened = await Store.open(user.id, close);
    await opened.start(firstList(user));
    if (currentUser()?.id !== user.id) return opened.close();
    store = opened;
  }
  if (user && store && (!sync || isSessionOver)) {
    isSessionOver = false;
    sync?.stop();
    sync = new Sync(store, { signedOut, otherUser: () => location.reload(), reminder });
    sync.start();
  }
  tell();
}

/**
 * What the page that is open shows first.
 * @param {User} user
 * @returns {FirstList}
 */
function firstList(user) {
  const { page, id } = current();
  if (page === "today") return { view: "due", until: today(user.time_zone) };
  if (page === "upcoming") return { view: "due", until: null };
  if (page === "inbox") return { view: "list", id: null };
  if (page === "list") return { view: "list", id };
  return null;
}

function signedOut() {
  isSessionOver = true;
  sync?.stop();
  tell();
}

/** @param {string} taskId */
function reminder(taskId) {
  const task = store?.get("task", taskId);
  if (task) say(strings.notices.reminder(task.title));
}

/** How many changes would be lost. */
export function waiting() {
  return store?.operations.length ?? 0;
}

/** Ends the session, and removes all of the account from this browser. */
export async function signOut() {
  await leave();
  await endSession();
}

/** The account is gone, or another one takes its place: removes all of it from this browser. */
export async function leave() {
  const id = store?.userId;
  close();
  forget();
  if (id) await deleteDatabase(id);
}

function close() {
  sync?.stop();
  sync = null;
  store?.close();
  store = null;
  isSessionOver = false;
  forgetNotices();
  tell();
}

function tell() {
  for (const listener of listeners) listener();
}
