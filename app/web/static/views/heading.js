/** The heading of a page. */

import { useEffect } from "preact/hooks";
import { strings } from "../lang/strings.js";
import { html } from "../ui/html.js";
import { Dot } from "./taskrow.js";

/**
 * @param {object} props
 * @param {string} props.title
 * @param {string} [props.note]
 * @param {string | null} [props.color]
 * @param {unknown} [props.children] buttons
 */
export function Heading({ title, note, color, children }) {
  useEffect(() => {
    document.title = strings.titleOf(title);
  }, [title]);
  return html`
    <header class="heading">
      <div>
        <h1 tabindex="-1" dir="auto">${color !== undefined && html`<${Dot} color=${color} />`}${title}</h1>
        ${note && html`<p class="note">${note}</p>`}
      </div>
      <div class="buttons">${children}</div>
    </header>
  `;
}

/** @param {{isOn: boolean, onChange: (isOn: boolean) => void}} props */
export function CompletedSwitch({ isOn, onChange }) {
  return html`
    <label class="switch-line">
      <input type="checkbox" role="switch" checked=${isOn} onChange=${() => onChange(!isOn)} />
      ${strings.tasks.showCompleted}
    </label>
  `;
}
