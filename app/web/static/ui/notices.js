/** Short notices in a live region, and the stack of what can be undone. */

import { strings } from "../lang/strings.js";

/**
 * @typedef {object} Notice
 * @property {number} id
 * @property {string} text
 * @property {boolean} isError
 * @property {(() => Promise<unknown>) | null} undo
 */

const SHOWN_MS = 8_000;
const UNDO_DEPTH = 20;

/** @type {Notice[]} */
let notices = [];
/** @type {Notice[]} */
let undoable = [];
/** @type {Set<() => void>} */
const listeners = new Set();
let count = 0;

/** @param {() => void} listener */
export function onNotices(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function currentNotices() {
  return notices;
}

/**
 * @param {string} text
 * @param {{isError?: boolean, undo?: (() => Promise<unknown>) | null}} [options]
 */
export function say(text, { isError = false, undo = null } = {}) {
  count += 1;
  const notice = { id: count, text, isError, undo };
  notices = [...notices.slice(-2), notice];
  if (undo) undoable = [...undoable, notice].slice(-UNDO_DEPTH);
  setTimeout(() => closeUnlessUsed(notice.id), SHOWN_MS);
  tell();
}

/**
 * @param {string} text
 * @param {() => Promise<unknown>} undo
 */
export function offerUndo(text, undo) {
  say(text, { undo });
}

/** Undoes the last thing that can be undone. */
export async function undoLast() {
  const notice = undoable.at(-1);
  if (notice) await undoNotice(notice);
  else say(strings.notices.nothingToUndo);
}

/** @param {Notice} notice */
export async function undoNotice(notice) {
  if (!undoable.includes(notice)) return;
  undoable = undoable.filter((each) => each !== notice);
  closeNotice(notice.id);
  await notice.undo?.();
  say(strings.notices.undone);
}

/** Of another account nothing can be undone. */
export function forgetNotices() {
  notices = [];
  undoable = [];
  tell();
}

/** @param {number} id */
export function closeNotice(id) {
  notices = notices.filter((notice) => notice.id !== id);
  tell();
}

/**
 * A notice that somebody is about to use stays.
 * @param {number} id
 */
function closeUnlessUsed(id) {
  const element = document.getElementById(`notice-${id}`);
  if (element?.matches(":hover, :focus-within")) setTimeout(() => closeUnlessUsed(id), 1_000);
  else closeNotice(id);
}

function tell() {
  for (const listener of listeners) listener();
}
