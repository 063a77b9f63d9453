/** The archived lists. */

import { archive } from "../data/actions.js";
import { index } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { href } from "../ui/router.js";
import { Heading } from "./heading.js";

export function ArchivedPage() {
  const { store } = useApp();
  const lists = index(store).lists.filter((list) => list.archived_at);
  return html`
    <${Heading} title=${strings.nav.archived} />
    ${lists.length === 0 && html`<p class="empty">${strings.lists.noArchived}</p>`}
    <ul role="list" class="things">
      ${lists.map(
        (list) => html`
          <li key=${list.id}>
            <a href=${href("list", list.id)} dir="auto">${list.title}</a>
            <button type="button" class="quiet" aria-label="${strings.lists.unarchive}: ${list.title}" onClick=${() => void archive(store, list.id, false)}>${strings.lists.unarchive}</button>
          </li>
        `,
      )}
    </ul>
  `;
}
