/** The reminders of a task. */

import { useId, useState } from "preact/hooks";
import { instantOf } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { reminderText } from "./reminders.js";

/** @import {Task} from "../data/types.js" */

const MAX_REMINDERS = 10;

/** @param {{task: Task, onSave: (fields: Record<string, unknown>) => void}} props */
export function TaskReminders({ task, onSave }) {
  const { user } = useApp();
  const id = useId();
  const [at, setAt] = useState("");
  const canAdd = task.reminders.length < MAX_REMINDERS;
  const addOffset = (/** @type {Event} */ event) => {
    const select = /** @type {HTMLSelectElement} */ (event.currentTarget);
    const offset = select.value;
    select.value = "";
    if (offset) onSave({ reminders: [...task.reminders, { offset, relative_to: "due" }] });
  };
  const addInstant = () => {
    if (!at) return;
    onSave({ reminders: [...task.reminders, { at: instantOf(`${at}:00`, user.time_zone).toISOString().replace(".000", "") }] });
    setAt("");
  };
  return html`
    <fieldset class="reminders">
      <legend>${strings.task.reminders}</legend>
      <ul role="list" class="things">
        ${task.reminders.map((reminder, place) => {
          const text = reminderText(reminder, user.time_zone);
          const others = task.reminders.filter((_, other) => other !== place);
          return html`
            <li key=${text}>
              <span>${text}</span>
              <button type="button" class="icon close" aria-label=${strings.task.reminderRemove(text)} onClick=${() => onSave({ reminders: others })}></button>
            </li>
          `;
        })}
      </ul>
      ${canAdd &&
      html`
        <div class="pair">
          <div class="field">
            <label for="${id}-offset">${strings.task.addReminder}</label>
            <select id="${id}-offset" onChange=${addOffset} disabled=${!task.due}>
              <option value="">…</option>
              ${[...strings.task.reminderChoices].map(([offset, text]) => html`<option key=${offset} value=${offset}>${text}</option>`)}
            </select>
          </div>
          <div class="field">
            <label for="${id}-at">${strings.task.reminderAt}</label>
            <input id="${id}-at" type="datetime-local" value=${at} max="2199-12-31T23:59"
              onChange=${(/** @type {Event} */ event) => setAt(/** @type {HTMLInputElement} */ (event.currentTarget).value.slice(0, 16))} />
            ${at && html`<button type="button" class="quiet" onClick=${addInstant}>${strings.add}</button>`}
          </div>
        </div>
      `}
    </fieldset>
  `;
}
