/** The labels of a task. */

import { useId, useState } from "preact/hooks";
import { create } from "../data/actions.js";
import { index } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";

/** @import {Task} from "../data/types.js" */

const MAX_NAME = 100;

/** @param {{task: Task, onSave: (fields: Record<string, unknown>) => void}} props */
export function TaskLabels({ task, onSave }) {
  const { store } = useApp();
  const id = useId();
  const [name, setName] = useState("");
  const { labels } = index(store);
  const toggle = (/** @type {string} */ label) => {
    const others = task.label_ids.filter((each) => each !== label);
    onSave({ label_ids: others.length < task.label_ids.length ? others : [...others, label].sort() });
  };
  const add = async () => {
    const wanted = name.trim();
    if (!wanted) return;
    setName("");
    const known = labels.find((label) => label.name.toLowerCase() === wanted.toLowerCase());
    if (known && task.label_ids.includes(known.id)) return;
    toggle(known ? known.id : await create(store, "label", { name: wanted }));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    void add();
  };
  return html`
    <fieldset class="labels">
      <legend>${strings.task.labels}</legend>
      <div class="label-choices">
        ${labels.map(
          (label) => html`
            <label key=${label.id} class="choice">
              <input type="checkbox" checked=${task.label_ids.includes(label.id)} onChange=${() => toggle(label.id)} /><span dir="auto">${label.name}</span>
            </label>
          `,
        )}
      </div>
      <div class="inline-add">
        <label for=${id} class="hidden">${strings.task.newLabel}</label>
        <input id=${id} type="text" dir="auto" value=${name} placeholder=${strings.task.newLabel} maxlength=${MAX_NAME} autocomplete="off" onKeyDown=${onKeyDown}
          onInput=${(/** @type {InputEvent} */ event) => setName(/** @type {HTMLInputElement} */ (event.currentTarget).value)} />
        ${name.trim() && html`<button type="button" class="quiet" onClick=${() => void add()}>${strings.add}</button>`}
      </div>
    </fieldset>
  `;
}
