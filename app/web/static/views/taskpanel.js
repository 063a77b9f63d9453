/** A task with everything in it, beside the page. */

import { useEffect, useRef } from "preact/hooks";
import { complete, moveToList, remove, step, update } from "../data/actions.js";
import { index } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { withTask } from "../ui/router.js";
import { Conflicts } from "./conflicts.js";
import { DraftField, SelectField } from "./fields.js";
import { TaskDates } from "./taskdates.js";
import { TaskHistory } from "./taskhistory.js";
import { TaskLabels } from "./tasklabels.js";
import { TaskReminders } from "./taskreminders.js";
import { TaskRepeat } from "./taskrepeat.js";
import { Subtasks } from "./subtasks.js";

/** @import {Task} from "../data/types.js" */

const MAX_TITLE = 255;
const MAX_DESCRIPTION = 5000;
const PAUSE_MS = 1_000;

/** @param {{id: string, onClose: () => void}} props */
export function TaskPanel({ id, onClose }) {
  const { store } = useApp();
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const task = store.get("task", id);
  useEffect(() => {
    panel.current?.focus();
  }, []);
  return html`
    <aside class="panel" aria-label=${strings.task.label} tabindex="-1" ref=${panel}>
      <div class="panel-top">
        <button type="button" class="icon close" aria-label=${strings.close} onClick=${onClose}></button>
      </div>
      ${task
        ? html`<${TaskForm} task=${task} onClose=${onClose} />`
        : html`<${Conflicts} itemId=${store.serverId(id)} /><p class="empty">${store.isComplete ? strings.task.missing : strings.loading}</p>`}
    </aside>
  `;
}

/** @param {{task: Task, onClose: () => void}} props */
function TaskForm({ task, onClose }) {
  const { store, route } = useApp();
  const save = (/** @type {Record<string, unknown>} */ fields) => void update(store, "task", task, fields);
  const parent = task.parent_id ? store.get("task", task.parent_id) : null;
  const check = task.is_completed ? strings.tasks.reopen(task.title) : strings.tasks.complete(task.title);
  const lists = index(store).lists.filter((list) => !list.archived_at || list.id === task.list_id);
  const discard = async () => {
    onClose();
    await remove(store, "task", task);
  };
  return html`
    ${parent && html`<p class="parent">${strings.task.parent} <a href=${withTask(route, store.keyOf(parent.id))} dir="auto">${parent.title}</a></p>`}
    <div class="panel-title ${task.is_completed ? "done" : ""}">
      <input type="checkbox" class="check ${task.priority ? `p${task.priority}` : ""}" checked=${task.is_completed} aria-label=${check} onChange=${() => void complete(store, task, !task.is_completed)} />
      <${DraftField} label=${strings.task.title} hidesLabel required className="title-field" value=${task.title} maxLength=${MAX_TITLE}
        onSave=${(/** @type {string} */ title) => save({ title: title.trim() })} />
    </div>
    <${Conflicts} itemId=${task.id} />
    <${DraftField} label=${strings.task.description} multiline value=${task.description ?? ""} maxLength=${MAX_DESCRIPTION} pause=${PAUSE_MS}
      onSave=${(/** @type {string} */ text) => save({ description: text || null })} />
    <${TaskDates} task=${task} onSave=${save} />
    <div class="pair">
      <${SelectField} label=${strings.task.priority} value=${String(task.priority)} onChange=${(/** @type {string} */ value) => save({ priority: Number(value) })}
        options=${Array.from({ length: 10 }, (_, priority) => [String(priority), priority ? strings.tasks.priorityName(priority) : strings.tasks.noPriority])} />
      <${SelectField} label=${strings.task.list} value=${task.list_id ?? ""} onChange=${(/** @type {string} */ value) => void moveToList(store, task, value || null)}
        options=${[["", strings.task.inbox], ...lists.map((list) => [list.id, list.title])]} />
    </div>
    <${TaskLabels} task=${task} onSave=${save} />
    <${TaskRepeat} task=${task} onSave=${save} />
    <${TaskReminders} task=${task} onSave=${save} />
    <${Subtasks} task=${task} />
    <p class="buttons">
      <button type="button" class="quiet" onClick=${() => void step(store, "task", task, -1)}>${strings.task.moveUp}</button>
      <button type="button" class="quiet" onClick=${() => void step(store, "task", task, 1)}>${strings.task.moveDown}</button>
      <button type="button" class="danger" onClick=${() => void discard()}>${strings.delete}</button>
    </p>
    <${TaskHistory} task=${task} />
  `;
}
