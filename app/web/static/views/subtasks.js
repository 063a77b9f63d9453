/** The subtasks of a task. */

import { addTask, complete, step } from "../data/actions.js";
import { index } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { parseQuickAdd } from "../lang/quickadd.js";
import { useState } from "preact/hooks";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { withTask } from "../ui/router.js";

/** @import {Task} from "../data/types.js" */

const MAX_TITLE = 255;

/** @param {{task: Task}} props */
export function Subtasks({ task }) {
  const { store, user, route } = useApp();
  const [text, setText] = useState("");
  const { children, labels } = index(store);
  const subtasks = children.get(task.id) ?? [];
  const add = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const understood = parseQuickAdd(text, { zone: user.time_zone, lists: [], labels });
    if (!understood.title) return;
    setText("");
    const title = [...understood.title].slice(0, MAX_TITLE).join("");
    await addTask(store, { ...understood, title, list: null }, { parent_id: task.id, list_id: task.list_id });
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event, /** @type {Task} */ subtask) => {
    if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const focused = /** @type {HTMLElement} */ (event.target);
    // an element that is put elsewhere loses the focus
    void step(store, "task", subtask, event.key === "ArrowUp" ? -1 : 1).then(() => requestAnimationFrame(() => focused.focus()));
  };
  return html`
    <section class="subtasks" aria-label=${strings.task.subtasks}>
      <h2>${strings.task.subtasks}</h2>
      <ul role="list">
        ${subtasks.map(
          (subtask) => html`
            <li key=${store.keyOf(subtask.id)} class=${subtask.is_completed ? "done" : ""} onKeyDown=${(/** @type {KeyboardEvent} */ event) => onKeyDown(event, subtask)}>
              <input type="checkbox" class="check ${subtask.priority ? `p${subtask.priority}` : ""}" checked=${subtask.is_completed}
                aria-label=${subtask.is_completed ? strings.tasks.reopen(subtask.title) : strings.tasks.complete(subtask.title)}
                onChange=${() => void complete(store, subtask, !subtask.is_completed)} />
              <a class="title" dir="auto" href=${withTask(route, store.keyOf(subtask.id))}>${subtask.title}</a>
            </li>
          `,
        )}
      </ul>
      <form class="inline-add" onSubmit=${add}>
        <input type="text" dir="auto" value=${text} placeholder=${strings.task.addSubtask} aria-label=${strings.task.addSubtask} maxlength="1000" autocomplete="off" enterkeyhint="done"
          onInput=${(/** @type {InputEvent} */ event) => setText(/** @type {HTMLInputElement} */ (event.currentTarget).value)} />
        ${text.trim() && html`<button type="submit" class="quiet">${strings.add}</button>`}
      </form>
    </section>
  `;
}
