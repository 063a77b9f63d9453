/** The form of a list, a label or a filter. */

import { useState } from "preact/hooks";
import { strings } from "../lang/strings.js";
import { html } from "../ui/html.js";
import { FormError } from "./entry.js";
import { SelectField, TextField } from "./fields.js";

const DEFAULT_COLOR = "#3b5bdb";

/**
 * @typedef {object} Values
 * @property {string} name
 * @property {string | null} [color] undefined: it has none
 * @property {string | null} [description]
 * @property {string} [query]
 * @property {string} [sort]
 *
 * @param {object} props
 * @param {Values} props.values
 * @param {string} props.submit
 * @param {number} props.maxLength of the name
 * @param {(values: Values) => Promise<string>} props.onSave an error, or an empty text
 * @param {unknown} [props.children] more buttons
 */
export function Editor({ values: given, submit, maxLength, onSave, children }) {
  const [values, setValues] = useState(given);
  const [error, setError] = useState("");
  const set = (/** @type {Partial<Values>} */ changed) => setValues({ ...values, ...changed });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setError(await onSave({ ...values, name: values.name.trim() }));
  };
  return html`
    <form class="editor" onSubmit=${save}>
      <${TextField} label=${strings.lists.name} value=${values.name} maxLength=${maxLength} required onInput=${(/** @type {string} */ name) => set({ name })} autofocus />
      ${values.query !== undefined &&
      html`<${TextField} label=${strings.filters.query} hint=${strings.filters.queryHint} value=${values.query} maxLength=${1000} required onInput=${(/** @type {string} */ query) => set({ query })} />`}
      ${values.sort !== undefined &&
      html`<${SelectField} label=${strings.filters.sort} value=${values.sort} options=${strings.filters.sorts} onChange=${(/** @type {string} */ sort) => set({ sort })} />`}
      ${values.description !== undefined &&
      html`<${TextField} label=${strings.lists.description} value=${values.description ?? ""} maxLength=${5000} onInput=${(/** @type {string} */ text) => set({ description: text || null })} />`}
      ${values.color !== undefined &&
      html`
        <label class="color">
          <input type="color" value=${values.color ?? DEFAULT_COLOR} onInput=${(/** @type {InputEvent} */ event) => set({ color: /** @type {HTMLInputElement} */ (event.currentTarget).value })} />
          ${strings.lists.color}
        </label>
      `}
      <${FormError} error=${error} />
      <p class="buttons"><button type="submit" class="primary">${submit}</button>${children}</p>
    </form>
  `;
}
