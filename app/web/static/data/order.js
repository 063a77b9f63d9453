/** Places of items that the server has not placed yet: fractions in base 36, as the server's are. */

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

/**
 * A text that sorts between two others by code units.
 * @param {string} low empty: no lower bound
 * @param {string} high empty: no upper bound
 * @returns {string}
 */
export function between(low, high) {
  let isBounded = high !== "";
  if (isBounded && low >= high) return low + "i";
  let digits = "";
  for (let place = 0; place <= low.length + high.length; place += 1) {
    const from = digitAt(low, place);
    const to = isBounded ? digitAt(high, place) : DIGITS.length;
    if (to - from > 1) return digits + DIGITS.charAt(Math.floor((from + to) / 2));
    digits += DIGITS.charAt(from);
    if (to > from) isBounded = false; // whatever follows is below `high` now
  }
  return digits + "i";
}

/**
 * @param {string} text
 * @param {number} place
 */
function digitAt(text, place) {
  return Math.max(0, DIGITS.indexOf(text.charAt(place) || "0"));
}

/** Behind every place that the server has given. */
export function last() {
  return "zz" + Date.now().toString(36);
}

/**
 * @param {{position: string, id: string}} a
 * @param {{position: string, id: string}} b
 */
export function byPosition(a, b) {
  if (a.position !== b.position) return a.position < b.position ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
