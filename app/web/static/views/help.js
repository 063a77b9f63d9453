/** The list of keyboard shortcuts. */

import { useEffect, useRef } from "preact/hooks";
import { strings } from "../lang/strings.js";
import { html } from "../ui/html.js";

/** @param {{onClose: () => void}} props */
export function HelpDialog({ onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return html`
    <dialog ref=${dialog} aria-labelledby="help-title" onClose=${onClose}>
      <article>
        <h2 id="help-title">${strings.keyboard.title}</h2>
        <dl class="keys">
          ${strings.keyboard.list.map(([keys, text]) => html`<div key=${keys}><dt>${keys}</dt><dd>${text}</dd></div>`)}
        </dl>
        <button type="button" onClick=${() => dialog.current?.close()}>${strings.close}</button>
      </article>
    </dialog>
  `;
}
