/** IndexedDB: one database per account, so that rows of two accounts never meet. */

import { deleteDB, openDB } from "idb";

/** @import {Conflict, Kind, Label, List, Filter, Operation, Task} from "./types.js" */

/**
 * @template T
 * @typedef {{key: string, value: T & {load?: number}}} StoreOf `load`: the full load that it came with
 */

/**
 * A task, with keys for the two lists that a start shows first. Completed tasks have none of them.
 * @typedef {Task & {open_list?: string, open_due?: string}} StoredTask
 */

/**
 * @typedef {object} Schema
 * @property {StoreOf<StoredTask> & {indexes: {open_list: string, open_due: string}}} task
 * @property {StoreOf<List>} list
 * @property {StoreOf<Label>} label
 * @property {StoreOf<Filter>} filter
 * @property {{key: number, value: Operation}} outbox
 * @property {{key: string, value: {local: string, id: string}}} alias ids that the server gave
 * @property {{key: string, value: Conflict}} conflict
 * @property {{key: string, value: unknown}} meta
 */

/**
 * @typedef {import("idb").IDBPDatabase<Schema>} Database
 */

/** @type {Kind[]} */
export const KINDS = ["list", "label", "filter", "task"];
export const INBOX = "inbox";
const PREFIX = "ownrow-";

/**
 * @param {string} userId
 * @param {() => void} onGone the account was signed out in another tab
 * @returns {Promise<Database>}
 */
export async function openDatabase(userId, onGone) {
  /** @type {Database} */
  const db = await openDB(PREFIX + userId, 1, {
    upgrade(made) {
      const tasks = made.createObjectStore("task", { keyPath: "id" });
      tasks.createIndex("open_list", "open_list");
      tasks.createIndex("open_due", "open_due");
      for (const kind of /** @type {const} */ (["list", "label", "filter"])) {
        made.createObjectStore(kind, { keyPath: "id" });
      }
      made.createObjectStore("outbox", { keyPath: "seq", autoIncrement: true });
      made.createObjectStore("alias", { keyPath: "local" });
      made.createObjectStore("conflict", { keyPath: "key" });
      made.createObjectStore("meta");
    },
    blocking() {
      db.close();
      onGone();
    },
  });
  return db;
}

/** @param {string} userId */
export function deleteDatabase(userId) {
  return deleteDB(PREFIX + userId);
}

/**
 * @param {Task} task
 * @returns {StoredTask}
 */
export function withIndexKeys(task) {
  const { open_list, open_due, ...rest } = /** @type {StoredTask} */ (task);
  if (task.is_completed) return rest;
  const indexed = { ...rest, open_list: task.list_id ?? INBOX };
  return task.due ? { ...indexed, open_due: task.due } : indexed;
}
