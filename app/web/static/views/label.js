/** A label: the tasks that carry it, and its settings. */

import { useState } from "preact/hooks";
import { create, remove, step, update } from "../data/actions.js";
import { labelRows } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { go, href } from "../ui/router.js";
import { Editor } from "./editor.js";
import { CompletedSwitch, Heading } from "./heading.js";
import { QuickAdd } from "./quickadd.js";
import { TaskList } from "./tasklist.js";

/** @import {Values} from "./editor.js" */

const MAX_NAME = 100;

export function LabelPage() {
  const { store, user, route } = useApp();
  const [withCompleted, setWithCompleted] = useState(false);
  const [isEdited, setEdited] = useState(false);
  const label = store.get("label", route.id);
  if (!label) return html`<${Heading} title=${strings.labels.missing} />`;

  const save = async (/** @type {Values} */ { name, color }) => {
    await update(store, "label", label, { name, color: color ?? null });
    setEdited(false);
    return "";
  };
  return html`
    <${Heading} title=${label.name} color=${label.color}>
      <${CompletedSwitch} isOn=${withCompleted} onChange=${setWithCompleted} />
      <button type="button" class="quiet" aria-expanded=${isEdited ? "true" : "false"} onClick=${() => setEdited(!isEdited)}>${strings.labels.edit}</button>
    <//>
    ${isEdited &&
    html`
      <${Editor} values=${{ name: label.name, color: label.color }} submit=${strings.save} maxLength=${MAX_NAME} onSave=${save}>
        <button type="button" class="quiet" onClick=${() => void step(store, "label", label, -1)}>${strings.task.moveUp}</button>
        <button type="button" class="quiet" onClick=${() => void step(store, "label", label, 1)}>${strings.task.moveDown}</button>
        <button type="button" class="danger" onClick=${() => void remove(store, "label", label).then(() => go(href("inbox")))}>${strings.delete}</button>
      <//>
    `}
    <${QuickAdd} place=${{ label_ids: [label.id] }} />
    <${TaskList} rows=${labelRows(store, label.id, withCompleted, user.time_zone)} empty=${strings.tasks.empty.label} />
  `;
}

export function NewLabelPage() {
  const { store } = useApp();
  const save = async (/** @type {Values} */ { name, color }) => {
    go(href("label", await create(store, "label", { name, color: color ?? null })));
    return "";
  };
  return html`
    <${Heading} title=${strings.labels.newTitle} />
    <${Editor} values=${{ name: "", color: null }} submit=${strings.labels.create} maxLength=${MAX_NAME} onSave=${save} />
  `;
}
