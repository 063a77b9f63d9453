/** What people do, as operations for the queue, and how it is undone. */

import { strings } from "../lang/strings.js";
import { offerUndo, say } from "../ui/notices.js";
import { between, last } from "./order.js";
import { localId } from "./queue.js";
import { descendants, index } from "./select.js";

/**
 * @import {Understood} from "../lang/quickadd.js"
 * @import {Store} from "./store.js"
 * @import {Intent, Item, Kind, Task} from "./types.js"
 */

/**
 * @param {Kind} kind
 * @param {Intent["op"]} op
 * @param {string} id
 * @param {Partial<Intent>} [rest]
 * @returns {Intent}
 */
function intent(kind, op, id, rest = {}) {
  return { kind, op, id, fields: {}, was: {}, if_version: null, position: null, snapshots: [], ...rest };
}

/** @param {Item} item */
export function nameOf(item) {
  return "name" in item ? item.name : item.title;
}

/**
 * Makes a task, and the list and labels that it names and that do not exist yet.
 * @param {Store} store
 * @param {Understood} understood
 * @param {Record<string, unknown>} place fields that the page gives where the text says nothing
 * @returns {Promise<string>} its id
 */
export async function addTask(store, understood, place = {}) {
  const { list, labels, basis, ...said } = understood;
  /** @type {Intent[]} */
  const made = [];
  /** @type {Record<string, unknown>} */
  const fields = { ...place, title: said.title };
  if (said.due) fields["due"] = said.due;
  if (said.priority) fields["priority"] = said.priority;
  if (said.recurrence) Object.assign(fields, { recurrence: said.recurrence, recurrence_basis: basis });
  if (said.reminders.length > 0) fields["reminders"] = said.reminders;
  if (list) fields["list_id"] = list.id ?? make(made, "list", { title: list.name });
  if (list) delete fields["parent_id"];
  if (labels.length > 0) {
    const ids = labels.map((label) => label.id ?? make(made, "label", { name: label.name }));
    fields["label_ids"] = [...new Set([...ids, ...placeLabels(place)])];
  }
  const id = make(made, "task", fields);
  await store.queue(made);
  say(strings.notices.added(said.title));
  return id;
}

/** @param {Record<string, unknown>} place */
function placeLabels(place) {
  return /** @type {string[]} */ (place["label_ids"] ?? []);
}

/**
 * @param {Intent[]} made
 * @param {Kind} kind
 * @param {Record<string, unknown>} fields
 * @returns {string}
 */
function make(made, kind, fields) {
  const id = localId();
  made.push(intent(kind, "create", id, { fields, position: last() }));
  return id;
}

/**
 * @param {Store} store
 * @param {Kind} kind
 * @param {Record<string, unknown>} fields
 * @returns {Promise<string>} its id
 */
export async function create(store, kind, fields) {
  /** @type {Intent[]} */
  const made = [];
  const id = make(made, kind, fields);
  await store.queue(made);
  return id;
}

/**
 * Changes the fields that differ.
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item} item
 * @param {Record<string, unknown>} wanted
 */
export async function update(store, kind, item, wanted) {
  const values = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (item));
  /** @type {Record<string, unknown>} */
  const fields = {};
  /** @type {Record<string, unknown>} */
  const was = { title: values["title"], name: values["name"] };
  for (const [name, value] of Object.entries(wanted)) {
    if (JSON.stringify(values[name] ?? null) === JSON.stringify(value ?? null)) continue;
    fields[name] = value;
    was[name] = values[name] ?? null;
  }
  if (Object.keys(fields).length === 0) return;
  await store.queue([intent(kind, "update", item.id, { fields, was, if_version: item.version || null })]);
}

/**
 * @param {Store} store
 * @param {Task} task
 * @param {boolean} isCompleted
 */
export async function complete(store, task, isCompleted) {
  if (task.is_completed === isCompleted) return;
  const concerned = isCompleted ? descendants(store, task.id).filter((each) => !each.is_completed) : [];
  await store.queue([completion(task, isCompleted)]);
  const undo = isCompleted
    ? [task, ...concerned.filter((each) => !each.recurrence)].map((each) => completion(each, false))
    : [completion(task, true)];
  offerUndo(isCompleted ? strings.notices.completed(task.title) : strings.notices.reopened(task.title), () => store.queue(undo));
}

/**
 * @param {Task} task
 * @param {boolean} isCompleted
 */
function completion(task, isCompleted) {
  const occurrence = task.recurrence && task.due ? { occurrence: task.due } : {};
  return intent("task", "complete", task.id, { fields: { is_completed: isCompleted, ...occurrence }, was: { title: task.title } });
}

/**
 * Goes on to the next date of a recurring task.
 * @param {Store} store
 * @param {Task} task
 */
export async function skip(store, task) {
  if (!task.recurrence || !task.due) return;
  await store.queue([intent("task", "skip", task.id, { fields: { occurrence: task.due }, was: { title: task.title } })]);
  say(strings.notices.skipped(task.title));
}

/**
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item} item
 */
export async function remove(store, kind, item) {
  const gone = kind === "task" ? [item, ...descendants(store, item.id)] : [item];
  await store.queue([intent(kind, "delete", item.id, { was: { title: nameOf(item) } })]);
  offerUndo(strings.notices.deleted(nameOf(item)), () => restore(store, kind, gone));
}

/**
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item[]} items the deleted one, and those that were deleted along with it
 */
export async function restore(store, kind, items) {
  const first = items[0];
  if (!first) return;
  const snapshots = items.map((item) => ({ ...item, id: store.serverId(item.id) }));
  await store.queue([intent(kind, "restore", store.serverId(first.id), { snapshots, was: { title: nameOf(first) } })]);
}

/**
 * @param {Store} store
 * @param {string} id of a list
 * @param {boolean} isArchived
 */
export async function archive(store, id, isArchived) {
  const list = store.get("list", id);
  if (!list) return;
  const operation = (/** @type {boolean} */ to) => [intent("list", to ? "archive" : "unarchive", id, { was: { title: list.title } })];
  await store.queue(operation(isArchived));
  if (isArchived) offerUndo(strings.notices.archived(list.title), () => store.queue(operation(false)));
}

/**
 * Puts an item behind another one of its siblings.
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item} item
 * @param {Item[]} siblings in their order, without the item
 * @param {number} place how many of them are before it
 */
export async function move(store, kind, item, siblings, place) {
  const before = siblingsOf(store, kind, item).findIndex((each) => each.id === item.id);
  await putAt(store, kind, item, siblings, place);
  offerUndo(strings.notices.moved(nameOf(item), place + 1, siblings.length + 1), async () => {
    const now = store.get(kind, item.id);
    if (now) await putAt(store, kind, now, siblingsOf(store, kind, now).filter((each) => each.id !== now.id), before);
  });
}

/**
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item} item
 * @param {Item[]} siblings
 * @param {number} place
 */
async function putAt(store, kind, item, siblings, place) {
  const [previous, next] = [siblings[place - 1], siblings[place]];
  const position = between(previous?.position ?? "", next?.position ?? "");
  const fields = next ? { before: next.id } : { after: previous?.id ?? null };
  await store.queue([intent(kind, "move", item.id, { fields, position, was: { title: nameOf(item) } })]);
}

/**
 * Moves an item up or down among its siblings.
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item} item
 * @param {number} by -1 up, 1 down
 */
export async function step(store, kind, item, by) {
  const all = siblingsOf(store, kind, item);
  const others = all.filter((each) => each.id !== item.id);
  const place = all.findIndex((each) => each.id === item.id) + by;
  if (place < 0 || place > others.length) return;
  await move(store, kind, item, others, place);
}

/**
 * @param {Store} store
 * @param {Kind} kind
 * @param {Item} item
 * @returns {Item[]} the open items beside it, itself included, in their order
 */
export function siblingsOf(store, kind, item) {
  const known = index(store);
  if (kind === "list") return known.lists.filter((list) => !list.archived_at);
  if (kind === "label") return known.labels;
  if (kind === "filter") return known.filters;
  const task = /** @type {Task} */ (item);
  const candidates = task.parent_id ? (known.children.get(task.parent_id) ?? []) : known.shown;
  return candidates
    .filter((each) => each.parent_id === task.parent_id && each.list_id === task.list_id && (!each.is_completed || each.id === task.id))
    .sort((a, b) => (a.position < b.position ? -1 : a.position > b.position ? 1 : a.id < b.id ? -1 : 1));
}

/**
 * Puts a task into another list, or the inbox.
 * @param {Store} store
 * @param {Task} task
 * @param {string | null} listId
 */
export async function moveToList(store, task, listId) {
  if (task.list_id === listId) return;
  const to = (/** @type {string | null} */ list_id, /** @type {string | null} */ parent_id) => {
    const fields = { list_id, parent_id, before: null };
    return [intent("task", "move", task.id, { fields, position: last(), was: { title: task.title } })];
  };
  await store.queue(to(listId, null));
  const list = listId ? store.get("list", listId)?.title : null;
  offerUndo(strings.notices.movedTo(task.title, list ?? strings.nav.inbox), () => store.queue(to(task.list_id, task.parent_id)));
}
