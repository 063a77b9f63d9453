/** Changes that the server refused: the newer text stays, the user's is offered. */

import { update } from "../data/actions.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";

/** @import {Conflict} from "../data/types.js" */

/**
 * @param {object} props
 * @param {string} [props.itemId] only those of this item
 * @param {string} [props.exceptId] all but those of this one
 */
export function Conflicts({ itemId, exceptId }) {
  const { store } = useApp();
  const conflicts = store.conflicts.filter((each) => (itemId ? each.id === itemId : each.id !== exceptId));
  return html`
    <div role="status">
      ${conflicts.length > 0 &&
      html`
        <div class="conflicts">
          <h2>${strings.conflict.label}</h2>
          ${conflicts.map((each) => html`<${OneConflict} key=${each.key} conflict=${each} />`)}
        </div>
      `}
    </div>
  `;
}

/** @param {{conflict: Conflict}} props */
function OneConflict({ conflict }) {
  const { store } = useApp();
  const { key, kind, id, field, mine, title, reason } = conflict;
  const item = store.get(kind, id);
  const isOffered = field !== "" && reason === "" && item !== null;
  const name = strings.task.fields[field] ?? field;
  const text = reason ? strings.conflict.refused(title, reason) : item ? strings.conflict.newer(name) : strings.conflict.gone(title);
  const useMine = async () => {
    if (item) await update(store, kind, item, { [field]: mine });
    await store.dropConflict(key);
  };
  return html`
    <div class="conflict">
      <p><b dir="auto">${title}</b> ${text}</p>
      ${field !== "" && html`<blockquote dir="auto">${shown(mine)}</blockquote>`}
      <p class="buttons">
        ${isOffered && html`<button type="button" onClick=${() => void useMine()}>${strings.conflict.useMine}</button>`}
        <button type="button" class="quiet" onClick=${() => void store.dropConflict(key)}>${strings.dismiss}</button>
      </p>
    </div>
  `;
}

/** @param {unknown} value */
function shown(value) {
  if (value === null || value === "") return strings.conflict.empty;
  return typeof value === "string" ? value : JSON.stringify(value);
}
