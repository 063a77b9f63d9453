/** A list that has elements only for the rows near the visible ones: 10,000 rows cost as little as 50. */

import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "./html.js";

/** Rows beyond the visible ones, in pixels. */
const MARGIN_PX = 600;

/**
 * @template {{key: string}} R
 * @param {object} props
 * @param {R[]} props.rows
 * @param {(row: R) => number} props.heightOf pixels
 * @param {(row: R, index: number) => unknown} props.render the content of a row
 * @param {string} props.label
 * @param {string | null} props.keep the key of a row that stays, as it has the focus
 * @param {(event: KeyboardEvent) => void} [props.onKeyDown]
 * @param {{current: HTMLElement | null}} props.list
 * @param {unknown} [props.overlay]
 */
export function Windowed({ rows, heightOf, render, label, keep, onKeyDown, list, overlay }) {
  const tops = useMemo(() => topsOf(rows, heightOf), [rows, heightOf]);
  const [range, setRange] = useState({ from: 0, to: 40 });
  const frame = useRef(0);

  const measure = useCallback(() => {
    frame.current = 0;
    if (!list.current) return;
    const above = -list.current.getBoundingClientRect().top;
    const from = place(tops, above - MARGIN_PX);
    const to = place(tops, above + innerHeight + MARGIN_PX) + 1;
    setRange((known) => (known.from === from && known.to === to ? known : { from, to }));
  }, [tops, list]);

  useLayoutEffect(() => {
    const plan = () => (frame.current ||= requestAnimationFrame(measure));
    measure();
    addEventListener("scroll", plan, { passive: true });
    addEventListener("resize", plan);
    return () => {
      cancelAnimationFrame(frame.current);
      frame.current = 0;
      removeEventListener("scroll", plan);
      removeEventListener("resize", plan);
    };
  }, [measure]);

  const shown = rows.slice(range.from, range.to).map((row, index) => ({ row, index: range.from + index }));
  const kept = keep === null ? -1 : rows.findIndex((row) => row.key === keep);
  const keptRow = rows[kept];
  if (keptRow && kept < range.from) shown.unshift({ row: keptRow, index: kept });
  if (keptRow && kept >= range.to) shown.push({ row: keptRow, index: kept });

  return html`
    <ul class="windowed" role="list" aria-label=${label} ref=${list} style=${{ height: `${tops.at(-1)}px` }} onKeyDown=${onKeyDown}>
      ${shown.map(
        ({ row, index }) => html`
          <li key=${row.key} data-key=${row.key} aria-setsize=${rows.length} aria-posinset=${index + 1}
            style=${{ top: `${tops[index]}px`, height: `${heightOf(row)}px` }}>
            ${render(row, index)}
          </li>
        `,
      )}
      ${overlay}
    </ul>
  `;
}

/**
 * Where each row begins, and where the last one ends.
 * @template R
 * @param {R[]} rows
 * @param {(row: R) => number} heightOf
 */
export function topsOf(rows, heightOf) {
  const tops = new Array(rows.length + 1);
  tops[0] = 0;
  for (const [index, row] of rows.entries()) tops[index + 1] = tops[index] + heightOf(row);
  return /** @type {number[]} */ (tops);
}

/**
 * The row at a height, by bisection.
 * @param {number[]} tops
 * @param {number} y
 */
function place(tops, y) {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (/** @type {number} */ (tops[middle]) <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}
