/** What each page shows of the store's items, and in which order. Each is computed once per revision. */

import { addDays, instantOf, localOf, today } from "../lang/dates.js";
import { byPosition } from "./order.js";

/**
 * @import {Store} from "./store.js"
 * @import {Filter, Label, List, Task} from "./types.js"
 *
 * @typedef {{type: "task", key: string, task: Task, depth: number, hidesDay: boolean}} TaskRow `hidesDay`: its heading names the day
 * @typedef {{type: "heading", key: string, day: string | null, count: number}} HeadingRow `day` null: overdue
 * @typedef {TaskRow | HeadingRow} Row
 *
 * @typedef {object} Index
 * @property {number} revision
 * @property {Task[]} shown tasks whose list is neither archived nor deleted
 * @property {Map<string, Task[]>} children in their order
 * @property {List[]} lists
 * @property {Label[]} labels
 * @property {Filter[]} filters
 */

/** @type {WeakMap<Store, Index>} */
const indexes = new WeakMap();

/**
 * @param {Store} store
 * @returns {Index}
 */
export function index(store) {
  const known = indexes.get(store);
  if (known?.revision === store.revision) return known;
  const lists = store.all("list").sort(byPosition);
  const hidden = new Set(lists.filter((list) => list.archived_at).map((list) => list.id));
  const ids = new Set(lists.map((list) => list.id));
  const tasks = store.all("task");
  const shown = tasks.filter((task) => task.list_id === null || (ids.has(task.list_id) && !hidden.has(task.list_id)));
  /** @type {Map<string, Task[]>} */
  const children = new Map();
  for (const task of tasks) {
    if (!task.parent_id) continue;
    const siblings = children.get(task.parent_id);
    if (siblings) siblings.push(task);
    else children.set(task.parent_id, [task]);
  }
  for (const siblings of children.values()) siblings.sort(byPosition);
  const made = {
    revision: store.revision,
    shown,
    children,
    lists,
    labels: store.all("label").sort(byPosition),
    filters: store.all("filter").sort(byPosition),
  };
  indexes.set(store, made);
  return made;
}

/**
 * The due of a task on the clock of the account's zone.
 * @param {Task} task
 * @param {string} zone
 * @returns {string | null}
 */
export function localDue(task, zone) {
  if (!task.due || !task.time_zone || task.due.length === 10 || task.time_zone === zone) return task.due;
  return localOf(instantOf(task.due, task.time_zone), zone);
}

/**
 * @param {Task} task
 * @param {string} zone
 * @param {string} now the local time in the zone
 */
export function isOverdue(task, zone, now) {
  const due = localDue(task, zone);
  if (!due || task.is_completed) return false;
  return due.length === 10 ? due < now.slice(0, 10) : due < now;
}

/**
 * Open tasks by due, priority and position.
 * @param {string} zone
 * @returns {(a: Task, b: Task) => number}
 */
function byDue(zone) {
  return (a, b) => {
    const [dueA, dueB] = [localDue(a, zone) ?? "9999", localDue(b, zone) ?? "9999"];
    if (dueA !== dueB) return dueA.slice(0, 10) === dueB.slice(0, 10) ? timeOf(dueA) - timeOf(dueB) || byPriority(a, b) : dueA < dueB ? -1 : 1;
    return byPriority(a, b);
  };
}

/** @param {string} due whole days come behind their times */
function timeOf(due) {
  return due.length === 10 ? 86_400 : Number(due.slice(11, 13)) * 3600 + Number(due.slice(14, 16)) * 60;
}

/**
 * @param {Task} a
 * @param {Task} b
 */
function byPriority(a, b) {
  return (a.priority || 10) - (b.priority || 10) || byPosition(a, b);
}

/**
 * Overdue tasks, then those of today.
 * @param {Store} store
 * @param {string} zone
 * @returns {Row[]}
 */
export function todayRows(store, zone) {
  const now = today(zone);
  const rows = groups(store, zone, (due) => due <= now, (due) => (due < now ? null : due));
  const isOnlyToday = rows[0]?.type === "heading" && rows[0].day !== null;
  return isOnlyToday ? rows.slice(1) : rows; // the page has the same heading
}

/**
 * The tasks from tomorrow on, by day.
 * @param {Store} store
 * @param {string} zone
 * @returns {Row[]}
 */
export function upcomingRows(store, zone) {
  const tomorrow = addDays(today(zone), 1);
  return groups(store, zone, (due) => due >= tomorrow, (due) => due);
}

/**
 * @param {Store} store
 * @param {string} zone
 * @param {(due: string) => boolean} isIn
 * @param {(due: string) => string | null} dayOf
 * @returns {Row[]}
 */
function groups(store, zone, isIn, dayOf) {
  const tasks = index(store).shown.filter((task) => !task.is_completed && task.due && isIn((localDue(task, zone) ?? "").slice(0, 10)));
  /** @type {Map<string | null, Task[]>} */
  const days = new Map();
  for (const task of tasks.sort(byDue(zone))) {
    const day = dayOf((localDue(task, zone) ?? "").slice(0, 10));
    const group = days.get(day);
    if (group) group.push(task);
    else days.set(day, [task]);
  }
  return [...days].flatMap(([day, group]) => [
    /** @type {Row} */ ({ type: "heading", key: `day ${day ?? "overdue"}`, day, count: group.length }),
    ...flat(store, group, day !== null),
  ]);
}

/**
 * The tasks of a list, or of the inbox, as a tree.
 * @param {Store} store
 * @param {string | null} listId
 * @param {boolean} withCompleted
 * @returns {TaskRow[]}
 */
export function listRows(store, listId, withCompleted) {
  const { children } = index(store);
  const isShown = (/** @type {Task} */ task) => withCompleted || !task.is_completed;
  const all = store.all("task").filter((task) => task.list_id === listId);
  const inList = new Set(all.map((task) => task.id));
  const roots = all.filter((task) => isShown(task) && !(task.parent_id && inList.has(task.parent_id))).sort(byPosition);
  /** @type {TaskRow[]} */
  const rows = [];
  /** @param {Task[]} tasks @param {number} depth */
  const add = (tasks, depth) => {
    for (const task of tasks) {
      rows.push({ type: "task", key: store.keyOf(task.id), task, depth, hidesDay: false });
      if (depth < 5) add((children.get(task.id) ?? []).filter(isShown), depth + 1);
    }
  };
  add(roots, 0);
  return rows;
}

/**
 * @param {Store} store
 * @param {string} labelId
 * @param {boolean} withCompleted
 * @param {string} zone
 * @returns {TaskRow[]}
 */
export function labelRows(store, labelId, withCompleted, zone) {
  const tasks = index(store).shown.filter((task) => task.label_ids.includes(labelId) && (withCompleted || !task.is_completed));
  return flat(store, tasks.sort(byDue(zone)));
}

/**
 * The tasks with these ids, in their order.
 * @param {Store} store
 * @param {string[]} ids
 * @returns {TaskRow[]}
 */
export function rowsOf(store, ids) {
  return flat(store, ids.map((id) => store.get("task", id)).filter((task) => task !== null));
}

/**
 * The tasks that have each word in the title or the description, open ones first.
 * @param {Store} store
 * @param {string} text
 * @returns {TaskRow[]}
 */
export function searchRows(store, text) {
  const words = folded(text).split(/\s+/u).filter(Boolean);
  if (words.length === 0) return [];
  const found = index(store).shown.filter((task) => {
    const content = folded(`${task.title}\n${task.description ?? ""}`);
    return words.every((word) => content.includes(word));
  });
  found.sort((a, b) => Number(a.is_completed) - Number(b.is_completed) || (a.updated_at < b.updated_at ? 1 : -1));
  return flat(store, found);
}

/** @param {string} text */
function folded(text) {
  return text.normalize("NFKC").toLowerCase();
}

/**
 * @param {Store} store
 * @param {Task[]} tasks
 * @param {boolean} [hidesDay]
 * @returns {TaskRow[]}
 */
function flat(store, tasks, hidesDay = false) {
  return tasks.map((task) => ({ type: "task", key: store.keyOf(task.id), task, depth: 0, hidesDay }));
}

/**
 * All tasks below a task.
 * @param {Store} store
 * @param {string} id
 * @returns {Task[]}
 */
export function descendants(store, id) {
  const { children } = index(store);
  /** @type {Task[]} */
  const found = [];
  const open = [id];
  for (let parent = open.pop(); parent !== undefined && found.length < 10_000; parent = open.pop()) {
    for (const child of children.get(parent) ?? []) {
      found.push(child);
      open.push(child.id);
    }
  }
  return found;
}

/**
 * How many open tasks the sidebar shows beside each page.
 * @param {Store} store
 * @param {string} zone
 * @returns {{today: number, inbox: number, lists: Map<string, number>}}
 */
export function counts(store, zone) {
  const now = today(zone);
  /** @type {Map<string, number>} */
  const lists = new Map();
  let [inbox, due] = [0, 0];
  for (const task of index(store).shown) {
    if (task.is_completed) continue;
    if (task.list_id === null) inbox += 1;
    else lists.set(task.list_id, (lists.get(task.list_id) ?? 0) + 1);
    if (task.due && (localDue(task, zone) ?? "").slice(0, 10) <= now) due += 1;
  }
  return { today: due, inbox, lists };
}
