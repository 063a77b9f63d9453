/** The due and the start of a task, and their zone. */

import { useId, useState } from "preact/hooks";
import { isDate } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { html } from "../ui/html.js";
import { SelectField } from "./fields.js";

/** @import {Task} from "../data/types.js" */

/** @param {{task: Task, onSave: (fields: Record<string, unknown>) => void}} props */
export function TaskDates({ task, onSave }) {
  const [error, setError] = useState("");
  const save = (/** @type {"due" | "start"} */ field, /** @type {string | null} */ value) => {
    /** @type {Record<string, unknown>} */
    const fields = { [field]: value };
    if (startsAfterDue({ ...task, ...fields })) return setError(strings.task.startAfterDue);
    if (field === "due" && (value === null || value.length === 10) && task.time_zone) fields["time_zone"] = null;
    if (field === "due" && value === null && task.recurrence) fields["recurrence"] = null;
    setError("");
    onSave(fields);
  };
  const hasTime = (task.due?.length ?? 0) > 10;
  return html`
    <${LocalTime} label=${strings.task.due} timeLabel=${strings.task.dueTime} value=${task.due} onChange=${(/** @type {string | null} */ value) => save("due", value)} />
    ${error && html`<p class="error" role="alert">${error}</p>`}
    <details class="more" open=${task.start !== null || task.time_zone !== null}>
      <summary>${strings.task.start}${hasTime ? `, ${strings.task.zone.toLowerCase()}` : ""}</summary>
      <${LocalTime} label=${strings.task.start} timeLabel=${strings.task.startTime} value=${task.start} onChange=${(/** @type {string | null} */ value) => save("start", value)} />
      ${hasTime &&
      html`<${SelectField} label=${strings.task.zone} value=${task.time_zone ?? ""} options=${zones(task.time_zone)}
        onChange=${(/** @type {string} */ value) => onSave({ time_zone: value || null })} />`}
    </details>
  `;
}

/**
 * A whole day covers every time in it.
 * @param {{due: string | null, start: string | null}} dates
 */
function startsAfterDue({ due, start }) {
  if (!due || !start) return false;
  const length = Math.min(due.length, start.length);
  return start.slice(0, length) > due.slice(0, length);
}

/**
 * @param {string | null} zone
 * @returns {[string, string][]}
 */
function zones(zone) {
  const names = new Set(Intl.supportedValuesOf("timeZone"));
  if (zone) names.add(zone);
  return [["", strings.task.floating], .../** @type {[string, string][]} */ ([...names].map((name) => [name, name]))];
}

/**
 * A date, and a time that may be left out.
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.timeLabel
 * @param {string | null} props.value
 * @param {(value: string | null) => void} props.onChange
 */
function LocalTime({ label, timeLabel, value, onChange }) {
  const id = useId();
  const [date, time] = [value?.slice(0, 10) ?? "", value?.slice(11, 16) ?? ""];
  const change = (/** @type {string} */ nextDate, /** @type {string} */ nextTime) => {
    if (nextDate === "") return onChange(null);
    if (!isDate(nextDate)) return; // somebody is still typing the year
    onChange(nextTime ? `${nextDate}T${nextTime}:00` : nextDate);
  };
  const text = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.currentTarget).value;
  return html`
    <div class="pair">
      <div class="field">
        <label for="${id}-date">${label}</label>
        <input id="${id}-date" type="date" min="1970-01-01" max="2199-12-31" value=${date} onChange=${(/** @type {Event} */ event) => change(text(event), time)} />
      </div>
      <div class="field">
        <label for="${id}-time">${timeLabel}</label>
        <input id="${id}-time" type="time" value=${time} disabled=${!date} onChange=${(/** @type {Event} */ event) => date && change(date, text(event))} />
      </div>
    </div>
  `;
}
