/**
 * A saved filter. The server selects the tasks; their ids are kept in IndexedDB, so that the page
 * shows the last selection at once, and offline.
 */

import { useEffect, useState } from "preact/hooks";
import { create, remove, step, update } from "../data/actions.js";
import { rowsOf } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { ApiError, Unreachable, messageOf } from "../net/api.js";
import { SignedOut, request } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { go, href } from "../ui/router.js";
import { Editor } from "./editor.js";
import { Heading } from "./heading.js";
import { TaskList } from "./tasklist.js";

/**
 * @import {Store} from "../data/store.js"
 * @import {Filter} from "../data/types.js"
 * @import {Values} from "./editor.js"
 *
 * @typedef {{ids: string[], hasMore: boolean}} Selection
 */

const MAX_TITLE = 255;
const PAGE = 200;
/** Pages of a selection that are read at most. */
const MAX_PAGES = 5;

export function FilterPage() {
  const { store, user, route } = useApp();
  const [isEdited, setEdited] = useState(false);
  const filter = store.get("filter", route.id);
  const { selection, error, isOffline } = useSelection(store, filter, user.time_zone);
  if (!filter) return html`<${Heading} title=${strings.filters.missing} />`;

  const save = async (/** @type {Values} */ { name, query = "", sort = "due" }) => {
    const problem = await queryProblem(query);
    if (problem) return problem;
    await update(store, "filter", filter, { title: name, query, sort });
    setEdited(false);
    return "";
  };
  const rows = rowsOf(store, selection?.ids ?? []);
  return html`
    <${Heading} title=${filter.title} note=${filter.query}>
      <button type="button" class="quiet" aria-expanded=${isEdited ? "true" : "false"} onClick=${() => setEdited(!isEdited)}>${strings.filters.edit}</button>
    <//>
    ${isEdited &&
    html`
      <${Editor} values=${{ name: filter.title, query: filter.query, sort: filter.sort }} submit=${strings.save} maxLength=${MAX_TITLE} onSave=${save}>
        <button type="button" class="quiet" onClick=${() => void step(store, "filter", filter, -1)}>${strings.task.moveUp}</button>
        <button type="button" class="quiet" onClick=${() => void step(store, "filter", filter, 1)}>${strings.task.moveDown}</button>
        <button type="button" class="danger" onClick=${() => void remove(store, "filter", filter).then(() => go(href("inbox")))}>${strings.delete}</button>
      <//>
    `}
    <div role="status">
      ${error && html`<p class="error">${error}</p>`}
      ${isOffline && html`<p class="note">${selection ? strings.filters.stale : strings.filters.neverRead}</p>`}
      ${selection?.hasMore && html`<p class="note">${strings.filters.first(selection.ids.length)}</p>`}
    </div>
    ${selection && html`<${TaskList} rows=${rows} empty=${strings.tasks.empty.filter} />`}
  `;
}

export function NewFilterPage() {
  const { store } = useApp();
  const save = async (/** @type {Values} */ { name, query = "", sort = "due" }) => {
    const problem = await queryProblem(query);
    if (problem) return problem;
    go(href("filter", await create(store, "filter", { title: name, query, sort })));
    return "";
  };
  return html`
    <${Heading} title=${strings.filters.newTitle} />
    <${Editor} values=${{ name: "", query: "", sort: "due" }} submit=${strings.filters.create} maxLength=${MAX_TITLE} onSave=${save} />
  `;
}

/**
 * What the server says of a query; nothing while it can't be reached.
 * @param {string} query
 */
async function queryProblem(query) {
  try {
    await request("GET", `/api/me/tasks?limit=1&filter=${encodeURIComponent(query)}`);
    return "";
  } catch (error) {
    return error instanceof ApiError && error.status === 422 ? error.text : "";
  }
}

/**
 * @param {Store} store
 * @param {Filter | null} filter
 * @param {string} zone
 */
function useSelection(store, filter, zone) {
  const [state, setState] = useState({ selection: /** @type {Selection | null} */ (null), error: "", isOffline: false });
  const { id, query, sort } = filter ?? { id: "", query: "", sort: "" };
  const waiting = store.operations.length;
  useEffect(() => {
    if (!id) return;
    let isCurrent = true;
    const show = (/** @type {Partial<typeof state>} */ changed) => isCurrent && setState((known) => ({ ...known, ...changed }));
    const read = async () => {
      const key = `selection:${id}`;
      const known = /** @type {Selection | undefined} */ (await store.db.get("meta", key));
      if (known) show({ selection: known });
      try {
        const selection = await select(query, sort);
        await store.db.put("meta", selection, key);
        show({ selection, error: "", isOffline: false });
      } catch (error) {
        const isOffline = error instanceof Unreachable || error instanceof SignedOut;
        show({ error: isOffline ? "" : messageOf(error), isOffline });
      }
    };
    const timer = setTimeout(() => void read(), 100); // changes come in bursts
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [store, id, query, sort, zone, store.revision, waiting]);
  return state;
}

/**
 * @param {string} query
 * @param {string} sort
 * @returns {Promise<Selection>}
 */
async function select(query, sort) {
  /** @type {string[]} */
  const ids = [];
  let cursor = "";
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const path = `/api/me/tasks?limit=${PAGE}&sort=${sort}&filter=${encodeURIComponent(query)}`;
    const { data, meta } = await request("GET", cursor ? `${path}&cursor=${encodeURIComponent(cursor)}` : path);
    for (const task of data) ids.push(task.id);
    cursor = meta.next_cursor ?? "";
    if (!cursor) break;
  }
  return { ids, hasMore: cursor !== "" };
}
