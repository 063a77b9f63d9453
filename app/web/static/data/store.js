/**
 * What the pages show: the items in IndexedDB with the operations in the queue applied, in memory.
 * It is only ever filled from IndexedDB, by this tab's changes and those of others.
 */

import { INBOX, KINDS, openDatabase } from "./db.js";
import { overlayOf } from "./overlay.js";
import { enqueue } from "./queue.js";

/**
 * @import {Database} from "./db.js"
 * @import {Overlay} from "./overlay.js"
 * @import {Changes, Conflict, Intent, Item, ItemOf, Kind, Operation, Task} from "./types.js"
 */

/** Tasks that are read at once at the start. */
const CHUNK = 1000;

/**
 * @typedef {object} Status
 * @property {"idle" | "syncing" | "loading" | "offline"} phase
 * @property {number} loaded items of a first load so far
 *
 * @typedef {{view: "list", id: string | null} | {view: "due", until: string | null} | null} FirstList
 *   what the first page shows
 */

export class Store {
  /** @type {Record<Kind, Map<string, Item>>} */
  #base = { task: new Map(), list: new Map(), label: new Map(), filter: new Map() };
  /** @type {Overlay} */
  #overlay = { task: new Map(), list: new Map(), label: new Map(), filter: new Map() };
  /** @type {Map<string, Set<string>>} subtasks by parent */
  #children = new Map();
  /** @type {Map<string, string>} */
  #aliases = new Map();
  /** @type {Map<string, string>} local ids that this tab has shown, by the server's */
  #names = new Map();
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Promise<unknown>} */
  #reading = Promise.resolve();
  #isTold = false;

  /** @type {Operation[]} */
  operations = [];
  /** @type {Conflict[]} */
  conflicts = [];
  /** Counts the changes: what is derived from the items is valid for one number. */
  revision = 0;
  /** Whether all items of IndexedDB are in memory. */
  isComplete = false;
  /** Whether the first load from the server has come to its end, ever. */
  isLoaded = false;
  /** @type {Status} */
  status = { phase: "idle", loaded: 0 };
  /** @type {() => void} called when there is something to send */
  onQueued = () => {};

  /**
   * @param {Database} db
   * @param {string} userId
   */
  constructor(db, userId) {
    this.db = db;
    this.userId = userId;
    this.channel = new BroadcastChannel(`ownrow-${userId}`);
    this.channel.onmessage = ({ data }) => void this.refresh(data);
  }

  /**
   * @param {string} userId
   * @param {() => void} onGone the account was signed out in another tab
   */
  static async open(userId, onGone) {
    return new Store(await openDatabase(userId, onGone), userId);
  }

  close() {
    this.channel.close();
    this.#listeners.clear();
    this.db.close();
  }

  /**
   * Reads everything: first what the page needs, then the rest.
   * @param {FirstList} first
   * @returns {Promise<void>} when the first list can be shown; the rest goes on
   */
  async start(first) {
    const [lists, labels, filters, operations, conflicts, aliases, loaded, tasks] = await Promise.all([
      this.db.getAll("list"), this.db.getAll("label"), this.db.getAll("filter"), this.db.getAll("outbox"),
      this.db.getAll("conflict"), this.db.getAll("alias"), this.db.get("meta", "loaded"), this.#firstTasks(first),
    ]);
    this.operations = operations;
    this.conflicts = conflicts;
    this.isLoaded = loaded === true;
    for (const { local, id } of aliases) this.#aliases.set(local, id);
    this.#put("list", lists);
    this.#put("label", labels);
    this.#put("filter", filters);
    this.#put("task", tasks);
    this.#changed();
    this.#reading = this.#readRest();
  }

  /**
   * @param {FirstList} first
   * @returns {Promise<Task[]>}
   */
  async #firstTasks(first) {
    if (first?.view === "list") return this.db.getAllFromIndex("task", "open_list", first.id ?? INBOX, CHUNK);
    if (first?.view === "due") {
      const range = first.until ? IDBKeyRange.upperBound(`${first.until}~`) : null;
      return this.db.getAllFromIndex("task", "open_due", range, CHUNK);
    }
    return [];
  }

  async #readRest() {
    let after = "";
    for (;;) {
      const chunk = await this.db.getAll("task", after ? IDBKeyRange.lowerBound(after, true) : null, CHUNK);
      this.#put("task", chunk);
      const lastOne = chunk.at(-1);
      if (!lastOne || chunk.length < CHUNK) break;
      after = lastOne.id;
    }
    this.isComplete = true;
    this.#changed();
  }

  /**
   * @param {Kind} kind
   * @param {Item[]} items
   */
  #put(kind, items) {
    for (const item of items) {
      const known = this.#base[kind].get(item.id);
      if (known && known.version > item.version) continue;
      if (kind === "task") this.#setParent(/** @type {Task | undefined} */ (known), /** @type {Task} */ (item));
      this.#base[kind].set(item.id, item);
    }
  }

  /**
   * @param {Task | undefined} known
   * @param {Task | undefined} task
   */
  #setParent(known, task) {
    if (known?.parent_id && known.parent_id !== task?.parent_id) this.#children.get(known.parent_id)?.delete(known.id);
    if (!task?.parent_id) return;
    const siblings = this.#children.get(task.parent_id) ?? new Set();
    this.#children.set(task.parent_id, siblings.add(task.id));
  }

  /**
   * Reads what this or another tab has changed in IndexedDB.
   * @param {Changes | "all"} changes
   */
  refresh(changes) {
    this.#reading = this.#reading.then(() => (changes === "all" ? this.#readAnew() : this.#readChanged(changes)));
    return this.#reading;
  }

  async #readAnew() {
    for (const kind of KINDS) this.#base[kind].clear();
    this.#children.clear();
    this.conflicts = await this.db.getAll("conflict");
    this.operations = await this.db.getAll("outbox");
    for (const kind of KINDS) this.#put(kind, await this.db.getAll(kind));
    this.isLoaded = (await this.db.get("meta", "loaded")) === true;
    this.#changed();
  }

  /** @param {Changes} changes */
  async #readChanged(changes) {
    for (const kind of KINDS) {
      const ids = changes.ids[kind] ?? [];
      if (ids.length === 0) continue;
      const store = this.db.transaction(kind).store;
      const found = await Promise.all(ids.map((id) => store.get(id)));
      for (const [index, item] of found.entries()) {
        if (item) this.#put(kind, [item]);
        else this.#remove(kind, /** @type {string} */ (ids[index]));
      }
    }
    if (changes.outbox) {
      const [operations, aliases] = await Promise.all([this.db.getAll("outbox"), this.db.getAll("alias")]);
      this.operations = operations;
      for (const { local, id } of aliases) {
        if (!this.#aliases.has(local)) this.#names.set(id, local);
        this.#aliases.set(local, id);
      }
    }
    if (changes.conflicts) this.conflicts = await this.db.getAll("conflict");
    if (!this.isLoaded) this.isLoaded = (await this.db.get("meta", "loaded")) === true;
    this.#changed();
  }

  /**
   * @param {Kind} kind
   * @param {string} id
   */
  #remove(kind, id) {
    const known = this.#base[kind].get(id);
    if (known && kind === "task") this.#setParent(/** @type {Task} */ (known), undefined);
    this.#base[kind].delete(id);
  }

  #changed() {
    this.#overlay = overlayOf(this.operations, {
      read: (kind, id) => this.#base[kind].get(id),
      children: (parent) => this.#children.get(parent) ?? [],
    });
    this.revision += 1;
    this.tell();
  }

  /** Tells the pages, once for all changes of a moment. */
  tell() {
    if (this.#isTold) return;
    this.#isTold = true;
    queueMicrotask(() => {
      this.#isTold = false;
      for (const listener of this.#listeners) listener();
    });
  }

  /** @param {Partial<Status>} status */
  setStatus(status) {
    const next = { ...this.status, ...status };
    const isChanged = next.phase !== this.status.phase || next.loaded !== this.status.loaded;
    this.status = next;
    if (isChanged) this.tell();
  }

  /**
   * @param {() => void} listener
   * @returns {() => void} stop
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * @template {Kind} K
   * @param {K} kind
   * @param {string} id the server's, or the local one that it was made with
   * @returns {ItemOf[K] | null}
   */
  get(kind, id) {
    const known = this.serverId(id);
    const overlay = this.#overlay[kind];
    const item = overlay.has(known) ? overlay.get(known) : this.#base[kind].get(known);
    return /** @type {ItemOf[K] | null} */ (item ?? null);
  }

  /** @param {string} id */
  serverId(id) {
    return this.#aliases.get(id) ?? id;
  }

  /**
   * A name that stays while the page is open: elements and addresses keep it when the server has made
   * the item, so that the focus stays.
   * @param {string} id
   */
  keyOf(id) {
    return this.#names.get(id) ?? id;
  }

  /**
   * @template {Kind} K
   * @param {K} kind
   * @returns {ItemOf[K][]} in no order
   */
  all(kind) {
    const overlay = this.#overlay[kind];
    /** @type {Item[]} */
    const found = [];
    for (const [id, item] of this.#base[kind]) if (!overlay.has(id)) found.push(item);
    for (const item of overlay.values()) if (item) found.push(item);
    return /** @type {ItemOf[K][]} */ (found);
  }

  /**
   * Puts operations into the queue; they are shown at once, and sent as soon as that is possible.
   * @param {Intent[]} intents
   */
  async queue(intents) {
    if (intents.length === 0) return;
    await enqueue(this.db, intents);
    /** @type {Changes} */
    const changes = { ids: {}, outbox: true, conflicts: false };
    this.channel.postMessage(changes);
    await this.refresh(changes);
    this.onQueued();
  }

  /** @param {string} key */
  async dropConflict(key) {
    await this.db.delete("conflict", key);
    /** @type {Changes} */
    const changes = { ids: {}, outbox: false, conflicts: true };
    this.channel.postMessage(changes);
    await this.refresh(changes);
  }
}
