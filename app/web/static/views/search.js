/** Search in all tasks of this browser, offline too. */

import { useEffect, useRef, useState } from "preact/hooks";
import { searchRows } from "../data/select.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { href, replace } from "../ui/router.js";
import { Heading } from "./heading.js";
import { TaskList } from "./tasklist.js";

const PAUSE_MS = 150;

export function SearchPage() {
  const { store, route } = useApp();
  const [text, setText] = useState(route.query.get("q") ?? "");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const words = route.query.get("q") ?? "";
  const rows = searchRows(store, words);
  const write = (/** @type {InputEvent} */ event) => {
    const next = /** @type {HTMLInputElement} */ (event.currentTarget).value;
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => replace(href("search", "", next ? { q: next } : {})), PAUSE_MS);
  };
  return html`
    <${Heading} title=${strings.nav.search} />
    <form role="search" class="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <input type="search" dir="auto" data-autofocus value=${text} onInput=${write} aria-label=${strings.search.label} placeholder=${strings.search.label} maxlength="200" autocomplete="off" />
    </form>
    <p class="note" role="status">${words && strings.search.results(rows.length)}</p>
    ${words && html`<${TaskList} rows=${rows} empty=${strings.tasks.empty.search} />`}
  `;
}
