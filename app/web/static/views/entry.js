/** The frame of the pages before signing in. */

import { useEffect } from "preact/hooks";
import { strings } from "../lang/strings.js";
import { html } from "../ui/html.js";

/**
 * @param {{title: string, lead?: string, children?: unknown}} props
 */
export function Entry({ title, lead, children }) {
  useEffect(() => {
    document.title = strings.titleOf(title);
  }, [title]);
  return html`
    <main class="entry">
      <p class="brand"><img src="icon.svg" alt="" width="32" height="32" /> ${strings.name}</p>
      <h1>${title}</h1>
      ${lead && html`<p class="lead">${lead}</p>`}
      ${!isSecureContext && html`<p class="error">${strings.signIn.insecure}</p>`}
      ${children}
    </main>
  `;
}

/** @param {{error: string}} props */
export function FormError({ error }) {
  return html`<div role="alert">${error && html`<p class="error">${error}</p>`}</div>`;
}
