/** A list of tasks: rows, keyboard, order. */

import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { complete, move, moveToList, remove, siblingsOf, step } from "../data/actions.js";
import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { drag } from "../ui/drag.js";
import { html } from "../ui/html.js";
import { areShortcutsOn } from "../ui/keyboard.js";
import { Windowed, topsOf } from "../ui/windowed.js";
import { HeadingRow, TaskRow, hasMeta } from "./taskrow.js";

/**
 * @import {Row, TaskRow as TaskRowType} from "../data/select.js"
 * @import {Gap} from "../ui/drag.js"
 */

/** Heights of rows in rem. */
const PLAIN = 2.75;
const WITH_META = 3.75;
const HEADING = 3.25;

/**
 * @param {object} props
 * @param {Row[]} props.rows
 * @param {boolean} [props.isOrdered] whether people choose the order
 * @param {boolean} [props.showsList] whether rows name their list
 * @param {string} props.empty
 */
export function TaskList({ rows, isOrdered = false, showsList = true, empty }) {
  const { store } = useApp();
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [focused, setFocused] = useState(/** @type {string | null} */ (null));
  const wanted = useRef(/** @type {{key: string, unless: string | null} | null} */ (null));
  const [line, setLine] = useState(/** @type {number | null} */ (null));
  const rem = useMemo(() => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16, []);
  const heightOf = useCallback(
    (/** @type {Row} */ row) => rem * (row.type === "heading" ? HEADING : hasMeta(store, row, showsList) ? WITH_META : PLAIN),
    [rem, store, showsList],
  );

  useLayoutEffect(() => {
    const { key, unless } = wanted.current ?? { key: "", unless: null };
    if (!key || (unless && rows.some((row) => row.key === unless))) return;
    const element = list.current?.querySelector(`[data-key="${CSS.escape(key)}"] a.title`);
    if (!(element instanceof HTMLElement)) return;
    wanted.current = null;
    element.focus();
  });

  const focusRow = (/** @type {number} */ from, /** @type {number} */ by, /** @type {string | null} */ unless = null) => {
    for (let at = from + by; at >= 0 && at < rows.length; at += by) {
      const row = rows[at];
      if (row?.type !== "task") continue;
      wanted.current = { key: row.key, unless };
      setFocused(row.key);
      return true;
    }
    return false;
  };
  const leave = (/** @type {number} */ at) => {
    const key = rows[at]?.key ?? null;
    return focusRow(at, 1, key) || focusRow(at, -1, key);
  };

  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const key = event.target instanceof HTMLElement ? event.target.closest("li")?.dataset["key"] : undefined;
    const at = rows.findIndex((row) => row.key === key);
    const row = rows[at];
    const action = row?.type === "task" ? keyActions(row, at)[keyName(event)] : undefined;
    if (!action) return;
    event.preventDefault();
    action();
  };
  /**
   * @param {TaskRowType} row
   * @param {number} at
   * @returns {Record<string, () => unknown>}
   */
  const keyActions = (row, at) => {
    const stepBy = (/** @type {number} */ by) => {
      wanted.current = { key: row.key, unless: null };
      void step(store, "task", row.task, by);
    };
    /** @type {Record<string, () => unknown>} */
    const order = isOrdered ? { "Alt+ArrowUp": () => stepBy(-1), "Alt+ArrowDown": () => stepBy(1) } : {};
    const discard = () => {
      leave(at);
      void remove(store, "task", row.task);
    };
    const [next, previous] = [() => focusRow(at, 1), () => focusRow(at, -1)];
    return { ArrowDown: next, j: next, ArrowUp: previous, k: previous, x: () => toggle(row, at), Delete: discard, ...order };
  };
  const toggle = (/** @type {TaskRowType} */ row, /** @type {number} */ at) => {
    leave(at);
    void complete(store, row.task, !row.task.is_completed);
  };

  const startDrag = (/** @type {PointerEvent} */ event, /** @type {TaskRowType} */ row) => {
    if (!list.current) return;
    const siblings = siblingsOf(store, "task", row.task).filter((task) => task.id !== row.task.id);
    drag(event, {
      list: list.current,
      gaps: gapsOf(rows, heightOf, siblings.map((task) => store.keyOf(task.id))),
      over: (gap, target) => {
        setLine(gap?.y ?? null);
        for (const element of document.querySelectorAll("[data-drop]")) element.classList.toggle("drop", element === target);
      },
      drop: (gap, target) => {
        if (target instanceof HTMLElement) void moveToList(store, row.task, target.dataset["drop"] || null);
        else if (gap) void move(store, "task", row.task, siblings, gap.place);
      },
    });
  };

  if (rows.length === 0) return html`<p class="empty">${store.isComplete ? empty : strings.loading}</p>`;
  return html`
    <${Windowed} rows=${rows} heightOf=${heightOf} label=${strings.tasks.label} keep=${focused} list=${list} onKeyDown=${onKeyDown}
      overlay=${line !== null && html`<li class="drop-line" aria-hidden="true" style=${{ top: `${line}px` }}></li>`}
      render=${(/** @type {Row} */ row, /** @type {number} */ at) =>
        row.type === "heading"
          ? html`<${HeadingRow} row=${row} />`
          : html`<${TaskRow} row=${row} showsList=${showsList} isOrdered=${isOrdered} onToggle=${() => toggle(row, at)}
              onFocus=${() => setFocused(row.key)} onDrag=${(/** @type {PointerEvent} */ event) => startDrag(event, row)} />`} />
  `;
}

/**
 * @param {KeyboardEvent} event
 * @returns {string} empty for a letter where shortcuts are switched off
 */
function keyName(event) {
  if (event.ctrlKey || event.metaKey) return "";
  if (event.key.length === 1) return areShortcutsOn() && !event.altKey ? event.key.toLowerCase() : "";
  return event.altKey ? `Alt+${event.key}` : event.key;
}

/**
 * The places between the siblings of a row.
 * @param {Row[]} rows
 * @param {(row: Row) => number} heightOf
 * @param {string[]} siblings keys in their order
 * @returns {Gap[]}
 */
function gapsOf(rows, heightOf, siblings) {
  const tops = topsOf(rows, heightOf);
  /** @type {Gap[]} */
  const gaps = [];
  for (const [place, key] of siblings.entries()) {
    const at = rows.findIndex((row) => row.key === key);
    const row = rows[at];
    if (row?.type !== "task") continue;
    gaps.push({ y: tops[at] ?? 0, place });
    let end = at + 1;
    for (let next = rows[end]; next?.type === "task" && next.depth > row.depth; next = rows[end]) end += 1;
    if (place === siblings.length - 1) gaps.push({ y: tops[end] ?? 0, place: place + 1 });
  }
  return gaps;
}
