/** What happened to a task, and when it was done before: read from the server when it is opened. */

import { useState } from "preact/hooks";
import { isLocal } from "../data/queue.js";
import { dayName, instantName, timeName, today } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { useRemote } from "../ui/remote.js";

/** @import {Task} from "../data/types.js" */

/** @param {{task: Task}} props */
export function TaskHistory({ task }) {
  const [isOpen, setOpen] = useState(false);
  const isSent = !isLocal(task.id);
  return html`
    <details class="more history" onToggle=${(/** @type {Event} */ event) => setOpen(/** @type {HTMLDetailsElement} */ (event.currentTarget).open)}>
      <summary>${strings.task.history}</summary>
      ${isOpen && (isSent ? html`<${Entries} task=${task} />` : html`<p class="note">${strings.task.offlineHistory}</p>`)}
    </details>
  `;
}

/** @param {{task: Task}} props */
function Entries({ task }) {
  const { user } = useApp();
  const history = useRemote(`/api/me/tasks/${task.id}/history?limit=50`, task.version);
  const completions = useRemote(`/api/me/tasks/${task.id}/completions?limit=50`, task.version);
  const now = today(user.time_zone);
  if (history.error) return html`<p class="note" role="status">${history.isOffline ? strings.task.offlineHistory : history.error}</p>`;
  const entries = history.data ?? [];
  return html`
    ${completions.data?.length > 0 &&
    html`
      <h3>${strings.task.completions}</h3>
      <ul role="list" class="entries">
        ${completions.data.map(
          (/** @type {any} */ each) => html`
            <li key=${each.version}>
              <span>${dayName(each.occurrence, now)} ${timeName(each.occurrence)}${each.undone ? ` (${strings.task.undone})` : ""}</span>
              <small>${instantName(each.completed_at, user.time_zone)}</small>
            </li>
          `,
        )}
      </ul>
      <h3>${strings.task.history}</h3>
    `}
    <ul role="list" class="entries">
      ${entries.map(
        (/** @type {any} */ entry, /** @type {number} */ place) => html`
          <li key=${entry.version}>
            <span dir="auto">${sentence(entry, entries[place + 1]?.item)}</span>
            <small>${instantName(entry.at, user.time_zone)}</small>
          </li>
        `,
      )}
    </ul>
  `;
}

/**
 * @param {{action: string, item: any}} entry
 * @param {any} before the task before it
 */
function sentence(entry, before) {
  const action = strings.task.actions[entry.action] ?? entry.action;
  if (entry.action !== "update" || !entry.item || !before) return action;
  const fields = Object.keys(strings.task.fields).filter((field) => JSON.stringify(entry.item[field]) !== JSON.stringify(before[field]));
  return fields.length > 0 ? `${action}: ${fields.map((field) => strings.task.fields[field]).join(", ")}` : action;
}
