/** How a task repeats. */

import { useId, useState } from "preact/hooks";
import { skip } from "../data/actions.js";
import { describe, firstDay, parseRule } from "../lang/rules.js";
import { today } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { SelectField } from "./fields.js";

/** @import {Task} from "../data/types.js" */

const EXAMPLES = ["every day", "every weekday", "every week", "every 2 weeks", "every month on the 1st", "every month on the last day", "every year", "every! 3 days"];

/** @param {{task: Task, onSave: (fields: Record<string, unknown>) => void}} props */
export function TaskRepeat({ task, onSave }) {
  const { store, user } = useApp();
  const id = useId();
  const shown = task.recurrence ? describe(task.recurrence) : "";
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState("");
  const save = () => {
    const text = (draft ?? shown).trim();
    setDraft(null);
    if (text === shown) return setError("");
    setError("");
    if (text === "") return onSave({ recurrence: null });
    const rule = parseRule(text);
    const isRule = /^FREQ=/i.test(text);
    if (!isRule && rule?.length !== text.length) {
      setDraft(text);
      return setError(strings.task.repeatUnknown);
    }
    const recurrence = isRule || !rule ? text.toUpperCase() : rule.recurrence;
    const basis = rule && !isRule ? { recurrence_basis: rule.basis } : {};
    onSave({ recurrence, ...basis, ...(task.due ? {} : { due: firstDay(recurrence, today(user.time_zone)) }) });
  };
  return html`
    <div class="field">
      <label for=${id}>${strings.task.repeat}</label>
      <input id=${id} type="text" value=${draft ?? shown} list="${id}-examples" maxlength="255" autocomplete="off"
        aria-describedby="${id}-hint" aria-invalid=${error ? "true" : null}
        onInput=${(/** @type {InputEvent} */ event) => setDraft(/** @type {HTMLInputElement} */ (event.currentTarget).value)}
        onBlur=${save} onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && save()} />
      <datalist id="${id}-examples">${EXAMPLES.map((text) => html`<option key=${text} value=${text} />`)}</datalist>
      <small id="${id}-hint" class=${error ? "error" : ""} role=${error ? "alert" : null}>${error || strings.task.repeatHint}</small>
    </div>
    ${task.recurrence &&
    html`
      <${SelectField} label=${strings.task.basis} value=${task.recurrence_basis} options=${Object.entries(strings.task.bases)}
        onChange=${(/** @type {string} */ value) => onSave({ recurrence_basis: value })} />
      ${!task.is_completed && html`<p class="buttons"><button type="button" class="quiet" onClick=${() => void skip(store, task)}>${strings.task.skip}</button></p>`}
    `}
  `;
}
