/** What the operations in the queue make of the server's items, until the server has applied them. */

/** @import {Filter, Item, Kind, Label, List, Operation, Task} from "./types.js" */

/**
 * @typedef {object} Base
 * @property {(kind: Kind, id: string) => Item | undefined} read
 * @property {(parent: string) => Iterable<string>} children ids of subtasks
 *
 * @typedef {Record<Kind, Map<string, Item | null>>} Overlay null: in the trash
 */

const NEW_TASK = {
  description: null, is_completed: false, completed_at: null, list_id: null, parent_id: null, priority: 0,
  label_ids: [], due: null, start: null, time_zone: null, due_at: null, recurrence: null,
  recurrence_basis: "due", reminders: [], version: 0,
};
const NEW_LIST = { description: null, color: null, archived_at: null, version: 0 };
const NEW_LABEL = { color: null, version: 0 };
const NEW_FILTER = { sort: "-created_at", version: 0 };

/**
 * @param {Operation[]} operations
 * @param {Base} base
 * @returns {Overlay}
 */
export function overlayOf(operations, base) {
  /** @type {Overlay} */
  const overlay = { task: new Map(), list: new Map(), label: new Map(), filter: new Map() };
  for (const operation of operations) apply(operation, overlay, base);
  return overlay;
}

/**
 * @param {Operation} operation
 * @param {Overlay} overlay
 * @param {Base} base
 */
function apply(operation, overlay, base) {
  const { kind, op, id } = operation;
  const items = overlay[kind];
  const item = items.has(id) ? items.get(id) : base.read(kind, id);
  if (op === "create") items.set(id, made(operation));
  else if (op === "restore") for (const each of operation.snapshots) items.set(each.id, each);
  else if (item) APPLY[op]?.(operation, item, overlay, base); // else it was deleted elsewhere: the server will say so
}

/** @type {Partial<Record<import("./types.js").Verb, (operation: Operation, item: Item, overlay: Overlay, base: Base) => void>>} */
const APPLY = {
  update({ kind, id, fields }, item, overlay, base) {
    const next = changed(item, fields);
    overlay[kind].set(id, next);
    if ("list_id" in fields) moveDescendants(/** @type {Task} */ (next), overlay, base);
  },
  move({ kind, id, fields, position }, item, overlay, base) {
    const { after: _after, before: _before, ...place } = fields;
    const moved = /** @type {Item} */ ({ ...item, ...place, position: position ?? item.position });
    overlay[kind].set(id, moved);
    if (kind === "task") moveDescendants(/** @type {Task} */ (moved), overlay, base);
  },
  complete({ fields, at }, item, overlay, base) {
    complete(/** @type {Task} */ (item), fields["is_completed"] === true, at, overlay, base);
  },
  delete({ kind, id }, _item, overlay, base) {
    overlay[kind].set(id, null);
    if (kind === "task") for (const task of descendants(id, overlay, base)) overlay.task.set(task.id, null);
  },
  archive({ id, at }, item, overlay) {
    overlay.list.set(id, /** @type {List} */ ({ ...item, archived_at: at }));
  },
  unarchive({ id }, item, overlay) {
    overlay.list.set(id, /** @type {List} */ ({ ...item, archived_at: null }));
  },
};

/**
 * @param {Operation} operation
 * @returns {Item}
 */
function made({ kind, id, at, fields, position }) {
  const common = { id, created_at: at, updated_at: at, position: position ?? "zz", ...fields };
  if (kind === "task") return /** @type {Task} */ (/** @type {unknown} */ ({ ...NEW_TASK, ...common }));
  if (kind === "list") return /** @type {List} */ (/** @type {unknown} */ ({ ...NEW_LIST, ...common }));
  if (kind === "label") return /** @type {Label} */ (/** @type {unknown} */ ({ ...NEW_LABEL, ...common }));
  return /** @type {Filter} */ (/** @type {unknown} */ ({ ...NEW_FILTER, ...common }));
}

/**
 * @param {Item} item
 * @param {Record<string, unknown>} fields
 * @returns {Item}
 */
function changed(item, fields) {
  const next = /** @type {Item} */ ({ ...item, ...fields });
  if ("due" in fields || "time_zone" in fields) /** @type {Task} */ (next).due_at = null; // the server computes it
  return next;
}

/**
 * @param {Task} task
 * @param {boolean} isCompleted
 * @param {string} at
 * @param {Overlay} overlay
 * @param {Base} base
 */
function complete(task, isCompleted, at, overlay, base) {
  const concerned = isCompleted ? [task, ...descendants(task.id, overlay, base)] : [task, ...ancestors(task, overlay, base)];
  for (const each of concerned) {
    if (each.is_completed === isCompleted) continue;
    overlay.task.set(each.id, { ...each, is_completed: isCompleted, completed_at: isCompleted ? at : null });
  }
}

/**
 * @param {Task} task
 * @param {Overlay} overlay
 * @param {Base} base
 */
function moveDescendants(task, overlay, base) {
  for (const each of descendants(task.id, overlay, base)) {
    if (each.list_id !== task.list_id) overlay.task.set(each.id, { ...each, list_id: task.list_id });
  }
}

/**
 * @param {string} id
 * @param {Overlay} overlay
 * @param {Base} base
 * @returns {Task[]}
 */
function descendants(id, overlay, base) {
  /** @type {Task[]} */
  const found = [];
  const seen = new Set([id]);
  const open = [id];
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    const candidates = new Set(base.children(parent));
    for (const [child, task] of overlay.task) if (task && /** @type {Task} */ (task).parent_id === parent) candidates.add(child);
    for (const child of candidates) {
      const task = /** @type {Task | null | undefined} */ (overlay.task.has(child) ? overlay.task.get(child) : base.read("task", child));
      if (!task || task.parent_id !== parent || seen.has(child)) continue;
      seen.add(child);
      found.push(task);
      open.push(child);
    }
  }
  return found;
}

/**
 * @param {Task} task
 * @param {Overlay} overlay
 * @param {Base} base
 * @returns {Task[]}
 */
function ancestors(task, overlay, base) {
  /** @type {Task[]} */
  const found = [];
  for (let id = task.parent_id; id && found.length < 10; ) {
    const parent = /** @type {Task | null | undefined} */ (overlay.task.has(id) ? overlay.task.get(id) : base.read("task", id));
    if (!parent) break;
    found.push(parent);
    id = parent.parent_id;
  }
  return found;
}
