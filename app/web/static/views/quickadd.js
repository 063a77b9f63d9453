/** The field that adds a task, and shows what it understood before Enter. */

import { useRef, useState } from "preact/hooks";
import { addTask } from "../data/actions.js";
import { index } from "../data/select.js";
import { dayName, timeName, today } from "../lang/dates.js";
import { parseQuickAdd } from "../lang/quickadd.js";
import { describe } from "../lang/rules.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { reminderText } from "./reminders.js";

/** @import {Understood} from "../lang/quickadd.js" */

/** Titles have this many characters at most. */
const MAX_TITLE = 255;

/**
 * @param {object} props
 * @param {Record<string, unknown>} [props.place] fields of the page, such as its list
 * @param {string} [props.label]
 * @param {string} [props.id]
 */
export function QuickAdd({ place = {}, label = strings.quickAdd.label, id = "quick-add" }) {
  const { store, user } = useApp();
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { lists, labels } = index(store);
  const understood = parseQuickAdd(text, { zone: user.time_zone, lists: lists.filter((list) => !list.archived_at), labels });

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!understood.title) return setError(strings.quickAdd.noTitle);
    setText("");
    setError("");
    await addTask(store, { ...understood, title: [...understood.title].slice(0, MAX_TITLE).join("") }, place);
    input.current?.focus();
  };
  const write = (/** @type {InputEvent} */ event) => {
    setText(/** @type {HTMLInputElement} */ (event.currentTarget).value);
    setError("");
  };

  return html`
    <form class="quick-add" onSubmit=${submit}>
      <div class="quick-add-line">
        <input id=${id} ref=${input} type="text" dir="auto" value=${text} onInput=${write} placeholder=${strings.quickAdd.placeholder}
          aria-label=${label} aria-describedby="${id}-understood" autocomplete="off" maxlength="1000" enterkeyhint="done"
          aria-invalid=${error ? "true" : null} />
        <button type="submit" class="primary" disabled=${!text.trim()}>${strings.add}</button>
      </div>
      <div class="understood" id="${id}-understood" aria-live="polite">
        ${error && html`<span class="error">${error}</span>`}
        ${text.trim() && !error && html`<${Preview} understood=${understood} zone=${user.time_zone} />`}
      </div>
    </form>
  `;
}

/** @param {{understood: Understood, zone: string}} props */
function Preview({ understood, zone }) {
  const { title, due, recurrence, priority, list, labels, reminders } = understood;
  const now = today(zone);
  const chips = [
    due && { name: "due", text: [dayName(due, now), timeName(due)].filter(Boolean).join(" ") },
    recurrence && { name: "repeat", text: describe(recurrence) },
    priority > 0 && { name: `priority p${priority}`, text: strings.tasks.priority(priority) },
    list && { name: "list", text: list.id ? `#${list.name}` : strings.quickAdd.newList(list.name) },
    ...labels.map((label) => ({ name: "label", text: label.id ? `@${label.name}` : strings.quickAdd.newLabel(label.name) })),
    ...reminders.map((reminder) => ({ name: "reminder", text: reminderText(reminder, zone) })),
  ].filter((chip) => typeof chip === "object" && chip !== null);
  return html`
    <span class="hidden">${strings.quickAdd.preview}: </span>
    <b dir="auto">${title || strings.quickAdd.noTitle}</b>
    ${chips.map((chip) => html`<span class="chip ${chip.name}" key=${chip.text} dir="auto">${chip.text}</span>`)}
  `;
}
