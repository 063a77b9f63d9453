/** Notices at the edge of the page: a live region, read out by screen readers. */

import { strings } from "../lang/strings.js";
import { useChanges } from "../ui/context.js";
import { html } from "../ui/html.js";
import { closeNotice, currentNotices, onNotices, undoNotice } from "../ui/notices.js";

export function Notices() {
  useChanges(onNotices);
  return html`
    <section class="notices" aria-label=${strings.notices.label} role="status" aria-live="polite">
      ${currentNotices().map(
        (notice) => html`
          <div class="notice ${notice.isError ? "is-error" : ""}" id="notice-${notice.id}" key=${notice.id}>
            <span dir="auto">${notice.text}</span>
            ${notice.undo && html`<button type="button" class="link" onClick=${() => void undoNotice(notice)}>${strings.undo}</button>`}
            <button type="button" class="icon close" aria-label=${strings.dismiss} onClick=${() => closeNotice(notice.id)}></button>
          </div>
        `,
      )}
    </section>
  `;
}
