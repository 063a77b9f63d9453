/** The navigation. */

import { counts, index } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { href } from "../ui/router.js";
import { Dot } from "./taskrow.js";

/** @param {{isHidden: boolean, onHelp: () => void}} props */
export function Sidebar({ isHidden, onHelp }) {
  const { store, user } = useApp();
  const { lists, labels, filters } = index(store);
  const count = counts(store, user.time_zone);
  const open = lists.filter((list) => !list.archived_at);
  return html`
    <nav id="sidebar" class="sidebar" aria-label=${strings.nav.label} inert=${isHidden} data-hidden=${isHidden ? "true" : null}>
      <p class="brand"><img src="icon.svg" alt="" width="24" height="24" /> ${strings.name}</p>
      <ul role="list">
        <${Link} page="today" text=${strings.nav.today} count=${count.today} />
        <${Link} page="upcoming" text=${strings.nav.upcoming} />
        <${Link} page="inbox" text=${strings.nav.inbox} count=${count.inbox} drop="" />
        <${Link} page="search" text=${strings.nav.search} />
      </ul>
      <${Group} title=${strings.nav.lists} add=${href("new-list")} addLabel=${strings.nav.addList}>
        ${open.map((list) => html`<${Link} key=${list.id} page="list" id=${list.id} text=${list.title} count=${count.lists.get(list.id) ?? 0} color=${list.color} drop=${list.id} />`)}
        ${lists.length > open.length && html`<${Link} page="archived" text=${strings.nav.archived} />`}
      <//>
      <${Group} title=${strings.nav.labels} add=${href("new-label")} addLabel=${strings.nav.addLabel}>
        ${labels.map((label) => html`<${Link} key=${label.id} page="label" id=${label.id} text=${label.name} color=${label.color} />`)}
      <//>
      <${Group} title=${strings.nav.filters} add=${href("new-filter")} addLabel=${strings.nav.addFilter}>
        ${filters.map((filter) => html`<${Link} key=${filter.id} page="filter" id=${filter.id} text=${filter.title} />`)}
      <//>
      <ul role="list" class="last">
        <${Link} page="trash" text=${strings.nav.trash} />
        <${Link} page="settings" text=${strings.nav.settings} />
        <li><button type="button" class="nav-button" onClick=${onHelp}>${strings.nav.help}</button></li>
      </ul>
    </nav>
  `;
}

/**
 * @param {{title: string, add: string, addLabel: string, children?: unknown}} props
 */
function Group({ title, add, addLabel, children }) {
  return html`
    <div class="group">
      <h2>${title}</h2>
      <a class="icon add" href=${add} aria-label=${addLabel} title=${addLabel}></a>
    </div>
    <ul role="list">${children}</ul>
  `;
}

/**
 * @param {object} props
 * @param {string} props.page
 * @param {string} [props.id]
 * @param {string} props.text
 * @param {number} [props.count]
 * @param {string | null} [props.color] undefined: the page has no colour
 * @param {string} [props.drop] the list that a task which is dropped here goes to
 */
function Link({ page, id = "", text, count = 0, color, drop }) {
  const { route, store } = useApp();
  const isCurrent = route.page === page && (id === "" || store.serverId(route.id) === id);
  return html`
    <li data-drop=${drop ?? null}>
      <a href=${href(page, id)} aria-current=${isCurrent ? "page" : null} class="nav-link nav-${page}">
        ${color !== undefined && html`<${Dot} color=${color} />`}
        <span class="nav-text" dir="auto">${text}</span>
        ${count > 0 && html`<span class="count"><span aria-hidden="true">${count}</span><span class="hidden">${strings.nav.openTasks(count)}</span></span>`}
      </a>
    </li>
  `;
}
