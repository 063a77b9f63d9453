/** Form fields with their labels, hints and errors. */

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { html } from "../ui/html.js";

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {(value: string) => void} props.onInput
 * @param {string} [props.type]
 * @param {string} [props.hint]
 * @param {string} [props.error]
 * @param {string} [props.autocomplete]
 * @param {boolean} [props.required]
 * @param {number} [props.maxLength]
 * @param {boolean} [props.autofocus]
 * @param {string} [props.inputMode]
 */
export function TextField({ label, value, onInput, type = "text", hint, error, autocomplete = "off", required = false, maxLength, autofocus, inputMode }) {
  const id = useId();
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (autofocus) input.current?.focus();
  }, [autofocus]);
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <input id=${id} ref=${input} type=${type} dir=${type === "text" ? "auto" : null} value=${value} autocomplete=${autocomplete} required=${required}
        maxlength=${maxLength ?? null} inputmode=${inputMode ?? null} aria-invalid=${error ? "true" : null} aria-describedby=${hint || error ? `${id}-hint` : null}
        onInput=${(/** @type {InputEvent} */ event) => onInput(/** @type {HTMLInputElement} */ (event.currentTarget).value)} />
      ${(hint || error) && html`<small id="${id}-hint" class=${error ? "error" : ""}>${error || hint}</small>`}
    </div>
  `;
}

/**
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {Iterable<[string, string]>} props.options values and texts
 * @param {(value: string) => void} props.onChange
 */
export function SelectField({ label, value, options, onChange }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <select id=${id} value=${value} onChange=${(/** @type {Event} */ event) => onChange(/** @type {HTMLSelectElement} */ (event.currentTarget).value)}>
        ${[...options].map(([each, text]) => html`<option key=${each} value=${each} selected=${each === value}>${text}</option>`)}
      </select>
    </div>
  `;
}

/**
 * A text that is saved when the user leaves it, presses Enter or pauses. What comes from elsewhere
 * is shown unless the user is writing.
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {(value: string) => void} props.onSave
 * @param {boolean} [props.multiline]
 * @param {number} [props.maxLength]
 * @param {string} [props.className]
 * @param {boolean} [props.hidesLabel]
 * @param {boolean} [props.required] an empty text is not saved
 * @param {number} [props.pause] milliseconds; 0: a pause does not save
 */
export function DraftField({ label, value, onSave, multiline = false, maxLength, className = "", hidesLabel = false, required = false, pause = 0 }) {
  const id = useId();
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const timer = useRef(0);
  const latest = useRef({ draft, onSave, value });
  latest.current = { draft, onSave, value };
  // `onSave` of when the writing began: what comes from elsewhere meanwhile is a conflict with it
  const begun = useRef(/** @type {((text: string) => void) | null} */ (null));
  const savedOver = useRef(/** @type {string | null} */ (null));
  const save = () => {
    clearTimeout(timer.current);
    const { draft: text, value: known } = latest.current;
    const keep = begun.current;
    begun.current = null;
    if (!keep || text === null || text === known || (required && !text.trim())) return;
    savedOver.current = known;
    keep(text);
  };
  useEffect(() => () => save(), []);
  const leave = () => {
    save();
    setDraft(null);
  };
  const write = (/** @type {InputEvent} */ event) => {
    begun.current ??= latest.current.onSave;
    setDraft(/** @type {HTMLInputElement} */ (event.currentTarget).value);
    clearTimeout(timer.current);
    if (pause) timer.current = setTimeout(save, pause);
  };
  const isDraftShown = draft !== null && (begun.current !== null || value === savedOver.current);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !multiline && !event.isComposing) {
      event.preventDefault();
      leave();
    }
  };
  const common = {
    id, dir: "auto", value: isDraftShown ? draft : value, maxlength: maxLength ?? null, onInput: write, onBlur: leave, onKeyDown, autocomplete: "off",
  };
  return html`
    <div class="field ${className}">
      <label for=${id} class=${hidesLabel ? "hidden" : ""}>${label}</label>
      ${multiline ? html`<textarea rows="4" ...${common}></textarea>` : html`<input type="text" ...${common} />`}
    </div>
  `;
}

/**
 * The current password. Password managers want to see whose it is.
 * @param {{label: string, value: string, email: string, onInput: (value: string) => void}} props
 */
export function PasswordField({ label, value, email, onInput }) {
  return html`
    <input type="text" class="hidden" value=${email} autocomplete="username" readonly tabindex="-1" aria-hidden="true" />
    <${TextField} label=${label} type="password" autocomplete="current-password" required value=${value} onInput=${onInput} />
  `;
}
