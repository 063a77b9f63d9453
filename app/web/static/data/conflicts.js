/**
 * Operations that the server refused. Of a field that was changed here and elsewhere, the newer text
 * of the server stays, and the other one is kept to be offered; all else of the change is sent again.
 */

import { replaceByExisting, unsend } from "./queue.js";

/**
 * @import {ApiError} from "../net/api.js"
 * @import {Database} from "./db.js"
 * @import {Conflict, Item, Label, Operation, SentBatch} from "./types.js"
 */

/** Operations that carry what the user has written. */
const WRITTEN = ["create", "update"];
/** Operations that mean nothing any more when their item is gone. */
const MOOT = ["complete", "skip", "move", "delete", "archive", "unarchive"];

/**
 * The operation that broke the batch.
 * @param {SentBatch} sent
 * @param {ApiError} error
 * @returns {number | null} its place in the batch; null if the error does not name it
 */
export function brokenIndex(sent, error) {
  for (const { field } of error.details) {
    const found = /^operations\[(\d+)\]/.exec(field);
    if (found) return Number(found[1]);
  }
  return sent.seqs.length === 1 ? 0 : null;
}

/**
 * @param {Database} db
 * @param {SentBatch} sent
 * @param {number} index
 * @param {ApiError} error
 */
export async function resolve(db, sent, index, error) {
  const operation = await db.get("outbox", /** @type {number} */ (sent.seqs[index]));
  if (!operation) {
    await unsend(db, sent, null);
  } else if (error.status === 412) {
    await merge(db, sent, operation);
  } else {
    const label = error.code === "NAME_TAKEN" && operation.op === "create" ? await labelNamed(db, operation) : null;
    if (label) return replaceByExisting(db, sent, operation, label.id);
    const isMoot = error.status === 404 && MOOT.includes(operation.op);
    if (!isMoot) await keepConflicts(db, refusedTexts(operation, error.status === 404 ? "" : error.text));
    await unsend(db, sent, operation.seq);
  }
}

/**
 * A change of a version that is no longer the newest one; the newest one has been read.
 * @param {Database} db
 * @param {SentBatch} sent
 * @param {Operation} operation
 */
async function merge(db, sent, operation) {
  const item = await db.get(operation.kind, operation.id);
  if (!item) {
    await keepConflicts(db, refusedTexts(operation, ""));
    return unsend(db, sent, operation.seq);
  }
  const theirs = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (item));
  /** @type {Record<string, unknown>} */
  const fields = {};
  /** @type {Conflict[]} */
  const conflicts = [];
  for (const [field, mine] of Object.entries(operation.fields)) {
    if (isSame(theirs[field], mine)) continue;
    if (isSame(theirs[field], operation.was[field])) fields[field] = mine;
    else conflicts.push(conflict(operation, field, mine, titleOf(item), ""));
  }
  await keepConflicts(db, conflicts);
  if (Object.keys(fields).length === 0) await unsend(db, sent, operation.seq);
  else await unsend(db, sent, null, [{ ...operation, fields, if_version: versionToRequire(operation, item.version) }]);
}

/**
 * The newest version that is known, or none if just that one was refused: nothing is sent for ever.
 * @param {Operation} operation
 * @param {number} known
 */
function versionToRequire(operation, known) {
  return operation.if_version === known ? null : known;
}

/**
 * @param {Operation} operation
 * @param {string} reason
 * @returns {Conflict[]}
 */
function refusedTexts(operation, reason) {
  const { fields, was } = operation;
  const title = String(fields["title"] ?? fields["name"] ?? was["title"] ?? was["name"] ?? "");
  if (!WRITTEN.includes(operation.op)) return [conflict(operation, "", operation.op, title, reason)];
  if (operation.op === "create") return [conflict(operation, "", title, title, reason)];
  return Object.entries(fields).map(([field, mine]) => conflict(operation, field, mine, title, reason));
}

/**
 * @param {Operation} operation
 * @param {string} field
 * @param {unknown} mine
 * @param {string} title
 * @param {string} reason
 * @returns {Conflict}
 */
function conflict({ kind, id, op }, field, mine, title, reason) {
  return { key: `${kind}:${id}:${field || op}`, kind, id, field, mine, title, reason };
}

/**
 * @param {Database} db
 * @param {Conflict[]} conflicts
 */
async function keepConflicts(db, conflicts) {
  const tx = db.transaction("conflict", "readwrite");
  for (const each of conflicts) await tx.store.put(each);
  await tx.done;
}

/**
 * @param {Database} db
 * @param {Operation} create
 * @returns {Promise<Label | undefined>} the label that has the name already
 */
async function labelNamed(db, create) {
  if (create.kind !== "label") return undefined;
  const name = folded(String(create.fields["name"]));
  return (await db.getAll("label")).find((label) => folded(label.name) === name);
}

/** @param {string} text */
function folded(text) {
  return text.trim().normalize("NFKC").toLowerCase().replaceAll("ß", "ss");
}

/** @param {Item} item */
function titleOf(item) {
  return "name" in item ? item.name : item.title;
}

/**
 * @param {unknown} a
 * @param {unknown} b
 */
function isSame(a, b) {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
