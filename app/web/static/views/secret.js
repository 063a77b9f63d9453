/** A text that the server shows once. */

import { strings } from "../lang/strings.js";
import { html } from "../ui/html.js";
import { say } from "../ui/notices.js";

const texts = strings.settings.tokens;

/** @param {{lead: string, secret: string}} props */
export function Secret({ lead, secret }) {
  const copy = () => navigator.clipboard.writeText(secret).then(() => say(texts.copied));
  return html`
    <div class="created" role="status">
      <p>${lead}</p>
      <p><code class="secret">${secret}</code> <button type="button" class="quiet" onClick=${() => void copy()}>${texts.copy}</button></p>
    </div>
  `;
}
