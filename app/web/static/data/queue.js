/**
 * The queue of operations that wait to be sent, in IndexedDB. A batch is written down before it is
 * sent, and sent again byte for byte with its idempotency key until there is a response: after a
 * crash, a reload or a lost connection the server applies it once.
 */

import { withIndexKeys } from "./db.js";

/**
 * @import {Database} from "./db.js"
 * @import {Changes, Intent, Item, Kind, Operation, SentBatch, Task} from "./types.js"
 */

const LOCAL = "local-";
const MAX_OPERATIONS = 100;
/** The server takes 1 MiB. */
const MAX_BYTES = 900_000;
const SENT = "sent";
/** Fields that name other items. */
const ID_FIELDS = ["list_id", "parent_id", "after", "before"];

/** An id for an item that the server has not made yet. */
export function localId() {
  return LOCAL + crypto.randomUUID();
}

/** @param {string} id */
export function isLocal(id) {
  return id.startsWith(LOCAL);
}

/**
 * Writes operations at the end of the queue. A change of an item that follows another change of the
 * same item, both unsent, becomes one with it.
 * @param {Database} db
 * @param {Intent[]} intents
 */
export async function enqueue(db, intents) {
  const tx = db.transaction(["outbox", "alias"], "readwrite");
  const outbox = tx.objectStore("outbox");
  for (const intent of intents) {
    /** @type {Map<string, string>} */
    const known = new Map();
    for (const id of idsIn(intent).filter(isLocal)) {
      const alias = await tx.objectStore("alias").get(id);
      if (alias) known.set(id, alias.id);
    }
    const resolved = renamed(intent, known);
    const previous = (await outbox.openCursor(null, "prev"))?.value;
    if (previous && isContinued(previous, resolved)) {
      await outbox.put({ ...previous, fields: { ...previous.fields, ...resolved.fields }, was: { ...resolved.was, ...previous.was } });
    } else {
      const operation = { ...resolved, batch: null, at: new Date().toISOString() };
      await outbox.add(/** @type {Operation} */ (operation)); // its `seq` is the store's
    }
  }
  await tx.done;
}

/**
 * @param {Operation} previous
 * @param {Intent} next
 */
function isContinued(previous, next) {
  return (
    previous.op === "update" && next.op === "update" && previous.batch === null &&
    previous.id === next.id && previous.kind === next.kind
  );
}

/**
 * The batch that was sent without a response, or the next one, written down as sent.
 * @param {Database} db
 * @param {number} [limit] how many operations at most
 * @returns {Promise<SentBatch | null>} null if nothing waits
 */
export async function nextBatch(db, limit = MAX_OPERATIONS) {
  const tx = db.transaction(["outbox", "meta"], "readwrite");
  const sent = /** @type {SentBatch | undefined} */ (await tx.objectStore("meta").get(SENT));
  if (sent) return sent;
  const waiting = await tx.objectStore("outbox").getAll(null, limit);
  if (waiting.length === 0) return null;
  const { operations, seqs } = fitting(waiting);
  const batch = { key: crypto.randomUUID(), body: `{"operations":[${operations.join(",")}]}`, seqs };
  await tx.objectStore("meta").put(batch, SENT);
  for (const operation of waiting.slice(0, seqs.length)) {
    await tx.objectStore("outbox").put({ ...operation, batch: batch.key });
  }
  await tx.done;
  return batch;
}

/** @param {Operation[]} waiting */
function fitting(waiting) {
  /** @type {string[]} */
  const operations = [];
  /** @type {Set<string>} */
  const made = new Set();
  /** @type {Map<string, number | null>} the versions of items that the batch changes if they have these */
  const required = new Map();
  let bytes = 0;
  for (const operation of waiting) {
    const { id, op, if_version: version } = operation;
    // behind a change of another version, or of whatever there is, it waits for the next batch
    if (op === "update" && version && required.has(id) && required.get(id) !== version) break;
    const text = JSON.stringify(asRequest(operation, made, required.has(id)));
    bytes += new TextEncoder().encode(text).length + 1;
    if (operations.length > 0 && bytes > MAX_BYTES) break;
    operations.push(text);
    if (!required.has(id)) required.set(id, op === "update" ? version : null);
    if (op === "create") made.add(id);
  }
  return { operations, seqs: waiting.slice(0, operations.length).map((each) => each.seq) };
}

/**
 * @param {Operation} operation
 * @param {Set<string>} made ids of what the operations before it make
 * @param {boolean} isTouched whether one of them changes the same item, so that its version is unknown
 */
function asRequest(operation, made, isTouched) {
  const reference = (/** @type {unknown} */ id) => (typeof id === "string" && made.has(id) ? `#${id}` : id);
  /** @type {Record<string, unknown>} */
  const request = { kind: operation.kind, op: operation.op };
  if (operation.op === "create") request["ref"] = operation.id;
  else request["id"] = reference(operation.id);
  if (operation.op === "update" && operation.if_version && !isTouched) request["if_version"] = operation.if_version;
  for (const [name, value] of Object.entries(operation.fields)) {
    if (ID_FIELDS.includes(name)) request[name] = reference(value);
    else if (name === "label_ids" && Array.isArray(value)) request[name] = value.map(reference);
    else request[name] = value;
  }
  return request;
}

/**
 * The server has applied the batch: its results are stored, and the operations removed.
 * @param {Database} db
 * @param {SentBatch} sent
 * @param {any[]} results
 * @returns {Promise<Changes>}
 */
export async function settle(db, sent, results) {
  const tx = db.transaction(["outbox", "alias", "meta", "task", "list", "label", "filter"], "readwrite");
  const outbox = tx.objectStore("outbox");
  const load = /** @type {number} */ ((await tx.objectStore("meta").get("load")) ?? 0);
  /** @type {Map<string, string>} */
  const known = new Map();
  /** @type {Map<string, {from: number, to: number}>} */
  const versions = new Map();
  /** @type {Changes["ids"]} */
  const ids = {};
  for (const [index, seq] of sent.seqs.entries()) {
    const operation = await outbox.get(seq);
    const result = results[index];
    if (!operation || !result) continue;
    if (operation.op === "create") known.set(operation.id, result.id);
    (ids[operation.kind] ??= []).push(result.id);
    const change = versions.get(result.id);
    if (change) change.to = result.version;
    else if (operation.if_version) versions.set(result.id, { from: operation.if_version, to: result.version });
    await keep(tx.objectStore(operation.kind), operation.kind, result, load);
    await outbox.delete(seq);
  }
  for (const [local, id] of known) await tx.objectStore("alias").put({ local, id });
  for (const operation of await outbox.getAll()) {
    const next = renamed(operation, known);
    const version = versions.get(next.id);
    if (version && next.if_version === version.from) next.if_version = version.to;
    await outbox.put(next);
  }
  await tx.objectStore("meta").delete(SENT);
  await tx.done;
  return { ids, outbox: true, conflicts: false };
}

/**
 * @param {any} store
 * @param {Kind} kind
 * @param {any} result an item, or the id and version of a deleted one
 * @param {number} load
 */
async function keep(store, kind, result, load) {
  const stored = await store.get(result.id);
  if (!("created_at" in result)) {
    if (stored) await store.delete(result.id);
  } else if (!stored || stored.version <= result.version) {
    await store.put({ ...(kind === "task" ? withIndexKeys(/** @type {Task} */ (result)) : result), load });
  }
}

/**
 * The server has refused the batch: its operations wait again, except those that are removed, with
 * all that depend on an item that will not be made.
 * @param {Database} db
 * @param {SentBatch} sent
 * @param {number | null} removed the `seq` of the refused operation
 * @param {Operation[]} replaced
 */
export async function unsend(db, sent, removed, replaced = []) {
  const tx = db.transaction(["outbox", "meta"], "readwrite");
  const outbox = tx.objectStore("outbox");
  /** @type {Set<string>} */
  const missing = new Set();
  for (const operation of await outbox.getAll()) {
    const waiting = { ...operation, batch: operation.batch === sent.key ? null : operation.batch };
    if (operation.seq === removed || idsIn(operation).some((id) => missing.has(id))) {
      if (operation.op === "create") missing.add(operation.id);
      await outbox.delete(operation.seq);
    } else {
      await outbox.put(withoutLabels(waiting, missing));
    }
  }
  for (const operation of replaced) await outbox.put({ ...operation, batch: null });
  await tx.objectStore("meta").delete(SENT);
  await tx.done;
}

/**
 * A label that will not be made is left out, and the task stays.
 * @param {Operation} operation
 * @param {Set<string>} missing
 */
function withoutLabels(operation, missing) {
  const labels = operation.fields["label_ids"];
  if (!Array.isArray(labels) || !labels.some((id) => missing.has(id))) return operation;
  return { ...operation, fields: { ...operation.fields, label_ids: labels.filter((id) => !missing.has(id)) } };
}

/**
 * An item that was to be made exists already: what refers to it refers to that one.
 * @param {Database} db
 * @param {SentBatch} sent
 * @param {Operation} create
 * @param {string} id
 */
export async function replaceByExisting(db, sent, create, id) {
  const tx = db.transaction(["outbox", "alias", "meta"], "readwrite");
  const outbox = tx.objectStore("outbox");
  await tx.objectStore("alias").put({ local: create.id, id });
  for (const operation of await outbox.getAll()) {
    const waiting = { ...operation, batch: operation.batch === sent.key ? null : operation.batch };
    if (operation.seq === create.seq) await outbox.delete(operation.seq);
    else await outbox.put(renamed(waiting, new Map([[create.id, id]])));
  }
  await tx.objectStore("meta").delete(SENT);
  await tx.done;
}

/**
 * Every id without which the operation is impossible.
 * @param {Intent | Operation} operation
 * @returns {string[]}
 */
function idsIn(operation) {
  const others = ID_FIELDS.map((name) => operation.fields[name]);
  const labels = "batch" in operation ? [] : operation.fields["label_ids"];
  return [operation.id, ...others, ...(Array.isArray(labels) ? labels : [])].filter((id) => typeof id === "string");
}

/**
 * The same operation with the server's ids in the place of local ones.
 * @template {Intent | Operation} T
 * @param {T} operation
 * @param {Map<string, string>} known
 * @returns {T}
 */
function renamed(operation, known) {
  const name = (/** @type {unknown} */ id) => (typeof id === "string" ? (known.get(id) ?? id) : id);
  const fields = { ...operation.fields };
  for (const field of ID_FIELDS) if (field in fields) fields[field] = name(fields[field]);
  const labels = fields["label_ids"];
  if (Array.isArray(labels)) fields["label_ids"] = labels.map(name);
  const snapshots = operation.snapshots.map((item) => renamedItem(item, known));
  return { ...operation, id: /** @type {string} */ (name(operation.id)), fields, snapshots };
}

/**
 * @param {Item} item
 * @param {Map<string, string>} known
 * @returns {Item}
 */
function renamedItem(item, known) {
  const name = (/** @type {string} */ id) => known.get(id) ?? id;
  if (!("list_id" in item)) return { ...item, id: name(item.id) };
  return {
    ...item,
    id: name(item.id),
    list_id: item.list_id && name(item.list_id),
    parent_id: item.parent_id && name(item.parent_id),
    label_ids: item.label_ids.map(name),
  };
}
