/** A list: its tasks in their order, and its settings. */

import { useState } from "preact/hooks";
import { archive, create, remove, step, update } from "../data/actions.js";
import { listRows } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { go, href } from "../ui/router.js";
import { Editor } from "./editor.js";
import { CompletedSwitch, Heading } from "./heading.js";
import { QuickAdd } from "./quickadd.js";
import { TaskList } from "./tasklist.js";

/** @import {Values} from "./editor.js" */

const MAX_TITLE = 255;

export function ListPage() {
  const { store, route } = useApp();
  const [withCompleted, setWithCompleted] = useState(false);
  const [isEdited, setEdited] = useState(false);
  const list = store.get("list", route.id);
  if (!list) return html`<${Heading} title=${strings.lists.missing} />`;

  const save = async (/** @type {Values} */ { name, color, description }) => {
    await update(store, "list", list, { title: name, color: color ?? null, description: description ?? null });
    setEdited(false);
    return "";
  };
  return html`
    <${Heading} title=${list.title} color=${list.color} note=${list.archived_at ? strings.lists.archivedNote : (list.description ?? "")}>
      <${CompletedSwitch} isOn=${withCompleted} onChange=${setWithCompleted} />
      <button type="button" class="quiet" aria-expanded=${isEdited ? "true" : "false"} onClick=${() => setEdited(!isEdited)}>${strings.lists.edit}</button>
    <//>
    ${isEdited &&
    html`
      <${Editor} values=${{ name: list.title, color: list.color, description: list.description }} submit=${strings.save} maxLength=${MAX_TITLE} onSave=${save}>
        <button type="button" class="quiet" onClick=${() => void step(store, "list", list, -1)}>${strings.task.moveUp}</button>
        <button type="button" class="quiet" onClick=${() => void step(store, "list", list, 1)}>${strings.task.moveDown}</button>
        <button type="button" class="quiet" onClick=${() => void archive(store, list.id, !list.archived_at)}>${list.archived_at ? strings.lists.unarchive : strings.lists.archive}</button>
        <button type="button" class="danger" onClick=${() => void remove(store, "list", list).then(() => go(href("inbox")))}>${strings.delete}</button>
      <//>
    `}
    <${QuickAdd} place=${{ list_id: list.id }} />
    <${TaskList} rows=${listRows(store, list.id, withCompleted)} isOrdered showsList=${false} empty=${strings.tasks.empty.list} />
  `;
}

export function NewListPage() {
  const { store } = useApp();
  const save = async (/** @type {Values} */ { name, color, description }) => {
    const id = await create(store, "list", { title: name, color: color ?? null, description: description ?? null });
    go(href("list", id));
    return "";
  };
  return html`
    <${Heading} title=${strings.lists.newTitle} />
    <${Editor} values=${{ name: "", color: null, description: null }} submit=${strings.lists.create} maxLength=${MAX_TITLE} onSave=${save} />
  `;
}
