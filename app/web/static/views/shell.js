/** The frame of all pages of a user: navigation, the page, and the task beside it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { strings } from "../lang/strings.js";
import { useApp, useChanges } from "../ui/context.js";
import { html } from "../ui/html.js";
import { bindKeys } from "../ui/keyboard.js";
import { undoLast } from "../ui/notices.js";
import { current, go, href, withTask } from "../ui/router.js";
import { Conflicts } from "./conflicts.js";
import { HelpDialog } from "./help.js";
import { Page } from "./page.js";
import { Sidebar } from "./sidebar.js";
import { Status } from "./status.js";
import { TaskPanel } from "./taskpanel.js";

/** Below this width the navigation and the task cover the page. */
const NARROW = "(max-width: 56rem)";
/** Time passes: what is due becomes overdue, and tomorrow becomes today. */
const CLOCK_MS = 30_000;

export function Shell() {
  const { store, route } = useApp();
  useChanges(store.subscribe.bind(store));
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const isNarrow = useNarrow();
  const menuButton = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const taskId = route.query.get("task");
  const taskName = store.keyOf(store.serverId(taskId ?? ""));
  const pageKey = `${route.page}/${route.id}`;

  useFocusOnPage(pageKey);
  useEffect(() => setMenuOpen(false), [pageKey, taskId]);
  useEffect(() => {
    const focus = (/** @type {string} */ id) => () => document.getElementById(id)?.focus();
    return bindKeys({
      q: () => (document.getElementById("quick-add") ? focus("quick-add")() : go(href("inbox", "", { add: "1" }))),
      "/": () => go(href("search")),
      "g t": () => go(href("today")),
      "g u": () => go(href("upcoming")),
      "g i": () => go(href("inbox")),
      z: () => void undoLast(),
      "Ctrl+z": () => void undoLast(),
      "?": () => setHelpOpen(true),
      j: focusFirstTask,
      ArrowDown: focusFirstTask,
    });
  }, []);
  useEffect(() => {
    const onKey = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (isMenuOpen) {
        setMenuOpen(false);
        menuButton.current?.focus();
      } else if (taskId) closeTask(taskName, withTask(route, null));
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [isMenuOpen, taskId, route]);

  useEffect(() => {
    const timer = setInterval(() => store.tell(), CLOCK_MS);
    return () => clearInterval(timer);
  }, [store]);

  const isCovered = isNarrow && (isMenuOpen || taskId !== null);
  return html`
    <div class="shell ${taskId ? "with-task" : ""}">
      <a class="skip" href="#main" onClick=${focusMain}>${strings.skipToContent}</a>
      <header class="top" inert=${isNarrow && taskId !== null && !isMenuOpen}>
        <button type="button" class="icon menu" ref=${menuButton} aria-label=${strings.menu} aria-expanded=${isMenuOpen ? "true" : "false"} aria-controls="sidebar" onClick=${() => setMenuOpen(!isMenuOpen)}></button>
        <${Status} />
      </header>
      <${Sidebar} isHidden=${isNarrow && !isMenuOpen} onHelp=${() => setHelpOpen(true)} />
      ${isNarrow && isMenuOpen && html`<div class="backdrop" onClick=${() => setMenuOpen(false)}></div>`}
      <main id="main" class="main" tabindex="-1" inert=${isCovered}>
        <${Conflicts} exceptId=${store.serverId(taskId ?? "")} />
        <${Page} key=${pageKey} />
      </main>
      ${taskId && html`<${TaskPanel} key=${taskId} id=${taskId} onClose=${() => closeTask(taskName, withTask(route, null))} />`}
      ${isHelpOpen && html`<${HelpDialog} onClose=${() => setHelpOpen(false)} />`}
    </div>
  `;
}

/** @param {Event} event */
function focusMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function focusFirstTask() {
  const link = document.querySelector("main .task a.title");
  if (link instanceof HTMLElement) link.focus();
}

/**
 * Closes the task beside the page; the focus returns to its row.
 * @param {string} key
 * @param {string} address
 */
function closeTask(key, address) {
  go(address);
  const focusRow = () => {
    const row = document.querySelector(`main [data-key="${CSS.escape(key)}"] a.title`);
    const target = row ?? document.querySelector("main h1");
    if (target instanceof HTMLElement) target.focus();
  };
  addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(focusRow)), { once: true });
}

/**
 * A new page gets the focus on its heading, except the first one, so that screen readers read it.
 * @param {string} pageKey
 */
function useFocusOnPage(pageKey) {
  const before = useRef(pageKey);
  useEffect(() => {
    if (before.current === pageKey) return;
    before.current = pageKey;
    scrollTo(0, 0);
    const target = document.querySelector("main [data-autofocus]") ?? (current().query.has("add") ? document.getElementById("quick-add") : null) ?? document.querySelector("main h1");
    const main = document.getElementById("main");
    (target instanceof HTMLElement ? target : main)?.focus({ preventScroll: true });
  }, [pageKey]);
}

function useNarrow() {
  const [isNarrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const media = matchMedia(NARROW);
    const change = () => setNarrow(media.matches);
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, []);
  return isNarrow;
}
