/** The trash, which is on the server only. */

import { useEffect, useState } from "preact/hooks";
import { nameOf, restore } from "../data/actions.js";
import { instantName } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { Unreachable, messageOf } from "../net/api.js";
import { SignedOut, request } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { say } from "../ui/notices.js";
import { href } from "../ui/router.js";
import { Heading } from "./heading.js";

/** @import {Item, Kind} from "../data/types.js" */

/** @type {Kind[]} */
const KINDS = ["task", "list", "label", "filter"];

export function TrashPage() {
  const { store, route, user } = useApp();
  const kind = KINDS.find((each) => each === route.id) ?? "task";
  const [items, setItems] = useState(/** @type {(Item & {deleted_at: string})[] | null} */ (null));
  const [cursor, setCursor] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState("");

  const read = async (/** @type {string | null} */ from) => {
    try {
      const { data, meta } = await request("GET", `/api/me/${kind}s/trash?limit=50${from ? `&cursor=${encodeURIComponent(from)}` : ""}`);
      setItems((known) => (from && known ? [...known, ...data] : data));
      setCursor(meta.next_cursor);
      setError("");
    } catch (failure) {
      const isOffline = failure instanceof Unreachable || failure instanceof SignedOut;
      setError(isOffline ? strings.trash.offline : messageOf(failure));
    }
  };
  useEffect(() => void read(null), [kind, store.operations.length]);

  const bringBack = async (/** @type {Item} */ item) => {
    setItems((known) => (known ?? []).filter((each) => each.id !== item.id));
    await restore(store, kind, [item]);
    say(strings.notices.restored(nameOf(item)));
    const heading = document.querySelector("main h1");
    if (heading instanceof HTMLElement) heading.focus();
  };
  return html`
    <${Heading} title=${strings.nav.trash} />
    <nav aria-label=${strings.trash.kindsLabel} class="tabs">
      ${KINDS.map((each) => html`<a key=${each} href=${href("trash", each)} aria-current=${each === kind ? "page" : null}>${strings.trash.kinds[each]}</a>`)}
    </nav>
    <div role="status">${error && html`<p class="error">${error}</p>`}</div>
    ${items?.length === 0 && !error && html`<p class="empty">${strings.tasks.empty.trash}</p>`}
    <ul role="list" class="things">
      ${(items ?? []).map(
        (item) => html`
          <li key=${item.id}>
            <div><span dir="auto">${nameOf(item)}</span> <small>${strings.trash.deletedAt(instantName(item.deleted_at, user.time_zone))}</small></div>
            <button type="button" class="quiet" aria-label=${strings.trash.restoreNamed(nameOf(item))} onClick=${() => void bringBack(item)}>${strings.trash.restore}</button>
          </li>
        `,
      )}
    </ul>
    ${cursor && html`<button type="button" class="quiet" onClick=${() => void read(cursor)}>${strings.more}</button>`}
  `;
}
