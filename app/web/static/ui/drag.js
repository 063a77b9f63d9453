/** Dragging a row by its handle, with mouse, pen or finger. */

const EDGE_PX = 60;
const SCROLL_PX = 12;

/**
 * @typedef {{y: number, place: number}} Gap where a row can be dropped: pixels from the list's top
 *
 * @param {PointerEvent} start
 * @param {object} on
 * @param {HTMLElement} on.list
 * @param {Gap[]} on.gaps
 * @param {(gap: Gap | null, target: Element | null) => void} on.over a gap, or an element outside of the list
 * @param {(gap: Gap | null, target: Element | null) => void} on.drop
 */
export function drag(start, { list, gaps, over, drop }) {
  const handle = /** @type {HTMLElement} */ (start.currentTarget);
  if (start.button !== 0) return;
  start.preventDefault();
  handle.setPointerCapture(start.pointerId);
  document.documentElement.classList.add("dragging");
  let [x, y, frame] = [start.clientX, start.clientY, 0];

  const target = () => {
    const element = document.elementFromPoint(x, y)?.closest("[data-drop]") ?? null;
    const top = y - list.getBoundingClientRect().top;
    const nearest = gaps.reduce((best, gap) => (Math.abs(gap.y - top) < Math.abs(best.y - top) ? gap : best), gaps[0] ?? { y: 0, place: 0 });
    return /** @type {const} */ ([element || gaps.length === 0 ? null : nearest, element]);
  };
  const scroll = () => {
    const by = y < EDGE_PX ? -SCROLL_PX : y > innerHeight - EDGE_PX ? SCROLL_PX : 0;
    if (by) scrollBy(0, by);
    over(...target());
    frame = requestAnimationFrame(scroll);
  };
  const moveTo = (/** @type {PointerEvent} */ event) => {
    [x, y] = [event.clientX, event.clientY];
  };
  const finish = (/** @type {Event} */ event) => {
    if (event instanceof KeyboardEvent && event.key !== "Escape") return;
    cancelAnimationFrame(frame);
    document.documentElement.classList.remove("dragging");
    handle.removeEventListener("pointermove", moveTo);
    handle.removeEventListener("pointerup", finish);
    handle.removeEventListener("pointercancel", finish);
    removeEventListener("keydown", finish, true);
    if (event.type === "pointerup") moveTo(/** @type {PointerEvent} */ (event));
    const [gap, element] = target();
    over(null, null);
    if (event.type === "pointerup") drop(gap, element);
  };
  handle.addEventListener("pointermove", moveTo);
  handle.addEventListener("pointerup", finish);
  handle.addEventListener("pointercancel", finish);
  addEventListener("keydown", finish, true);
  frame = requestAnimationFrame(scroll);
}
