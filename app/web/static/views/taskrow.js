/** A row of a list of tasks. */

import { index, isOverdue, localDue } from "../data/select.js";
import { dayName, dayNote, localOf, timeName } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { withTask } from "../ui/router.js";

/**
 * @import {HeadingRow as HeadingRowType, TaskRow as TaskRowType} from "../data/select.js"
 * @import {Store} from "../data/store.js"
 */

/**
 * Whether a row has a second line.
 * @param {Store} store
 * @param {TaskRowType} row
 * @param {boolean} showsList
 */
export function hasMeta(store, { task, hidesDay }, showsList) {
  return Boolean(
    (task.due && !(hidesDay && task.due.length === 10)) || task.recurrence || task.label_ids.length > 0 || (showsList && task.list_id) ||
      index(store).children.has(task.id) || store.conflicts.some((each) => each.id === task.id),
  );
}

/** @param {{row: HeadingRowType}} props */
export function HeadingRow({ row }) {
  const { user } = useApp();
  const now = localOf(new Date(), user.time_zone).slice(0, 10);
  return html`
    <h2 class="day">
      ${row.day === null ? strings.tasks.overdue : dayName(row.day, now)}
      ${row.day !== null && html`<span class="date">${dayNote(row.day, now)}</span>`}
      <span class="count">${row.count}</span>
    </h2>
  `;
}

/**
 * @param {object} props
 * @param {TaskRowType} props.row
 * @param {boolean} props.showsList
 * @param {boolean} props.isOrdered
 * @param {() => void} props.onToggle
 * @param {() => void} props.onFocus
 * @param {(event: PointerEvent) => void} props.onDrag
 */
export function TaskRow({ row, showsList, isOrdered, onToggle, onFocus, onDrag }) {
  const { store, route } = useApp();
  const { task, depth } = row;
  const isOpen = store.serverId(route.query.get("task") ?? "") === task.id;
  const check = task.is_completed ? strings.tasks.reopen(task.title) : strings.tasks.complete(task.title);
  const metaId = `meta-${row.key}`;
  const isDescribed = hasMeta(store, row, showsList);
  return html`
    <div class="task ${task.is_completed ? "done" : ""} ${isOpen ? "open" : ""}" style=${{ paddingInlineStart: `${depth * 1.75}rem` }} onFocusIn=${onFocus}>
      ${isOrdered && html`<span class="handle" aria-hidden="true" onPointerDown=${onDrag}></span>`}
      <input type="checkbox" class="check ${task.priority ? `p${task.priority}` : ""}" checked=${task.is_completed} aria-label=${check} onChange=${onToggle} />
      <div class="task-text">
        <a class="title" href=${withTask(route, row.key)} dir="auto" aria-current=${isOpen ? "true" : null} aria-describedby=${isDescribed ? metaId : null}>${task.title}</a>
        ${isDescribed && html`<${Meta} id=${metaId} row=${row} showsList=${showsList} />`}
      </div>
      ${task.priority > 0 && html`<span class="priority p${task.priority}">${strings.tasks.priority(task.priority)}</span>`}
    </div>
  `;
}

/** @param {{id: string, row: TaskRowType, showsList: boolean}} props */
function Meta({ id, row, showsList }) {
  const { store, user } = useApp();
  const { task, hidesDay } = row;
  const now = localOf(new Date(), user.time_zone);
  const due = localDue(task, user.time_zone);
  const list = showsList && task.list_id ? store.get("list", task.list_id) : null;
  const subtasks = index(store).children.get(task.id) ?? [];
  const labels = task.label_ids.map((label) => store.get("label", label)).filter((label) => label !== null);
  return html`
    <div class="meta" id=${id}>
      ${due && !(hidesDay && due.length === 10) && html`<span class="due ${isOverdue(task, user.time_zone, now) ? "overdue" : ""}">${hidesDay ? "" : dayName(due, now.slice(0, 10))} ${timeName(due)}</span>`}
      ${task.recurrence && html`<span class="repeats">${strings.tasks.repeats}</span>`}
      ${subtasks.length > 0 && html`<span>${strings.tasks.subtasks(subtasks.filter((each) => each.is_completed).length, subtasks.length)}</span>`}
      ${list && html`<span dir="auto" class="in-list"><${Dot} color=${list.color} />${list.title}</span>`}
      ${labels.map((label) => html`<span class="label" dir="auto" key=${label.id}>@${label.name}</span>`)}
      ${store.conflicts.some((each) => each.id === task.id) && html`<span class="attention">${strings.tasks.hasConflict}</span>`}
    </div>
  `;
}

/** @param {{color: string | null}} props */
export function Dot({ color }) {
  return html`<span class="dot" aria-hidden="true" style=${color ? { backgroundColor: color } : {}}></span>`;
}
