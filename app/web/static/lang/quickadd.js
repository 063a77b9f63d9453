/**
 * The grammar of the quick add: `pay rent every month on the 1st #Home p1 tomorrow 9:00`. What is in
 * double quotes is text only.
 */

import { addDays, addMonths, inMonth, isDate, localOf, weekdayOf } from "./dates.js";
import { MONTH, WEEKDAY, firstDay, monthIndex, parseRule, weekdayIndex } from "./rules.js";

/**
 * @import {Label, List, Reminder} from "../data/types.js"
 *
 * @typedef {object} Named
 * @property {string | null} id null: to be made
 * @property {string} name
 *
 * @typedef {object} Understood
 * @property {string} title
 * @property {string | null} due
 * @property {string | null} recurrence
 * @property {"due" | "completion"} basis
 * @property {number} priority
 * @property {Named | null} list
 * @property {Named[]} labels
 * @property {Reminder[]} reminders
 *
 * @typedef {object} Known
 * @property {string} zone
 * @property {Pick<List, "id" | "title">[]} lists
 * @property {Pick<Label, "id" | "name">[]} labels
 * @property {Date} [now]
 *
 * @typedef {Understood & {date: string | null, time: string | null}} State
 */

const UNITS = new Map([["d", 1], ["day", 1], ["w", 7], ["week", 7]]);
const SECONDS = { m: "M", h: "H" };
/** A word ends where no letter or digit follows. */
const END = "(?![\\p{L}\\p{N}])";

/** @param {string} source */
const pattern = (source) => new RegExp(`^(?:${source})${END}`, "iu");

/**
 * Each reads one thing from the beginning of the text, and returns how many characters it was.
 * @type {[RegExp, (state: State, found: RegExpExecArray, now: string) => boolean][]}
 */
const READERS = [
  [pattern("(?:on\\s+)?(\\d{4}-\\d\\d-\\d\\d)"), (state, found) => isDate(found[1] ?? "") && setDate(state, found[1] ?? "")],
  [pattern("today|tod"), (state, _, now) => setDate(state, now)],
  [pattern("tomorrow|tom|tmr"), (state, _, now) => setDate(state, addDays(now, 1))],
  [pattern("next\\s+week"), (state, _, now) => setDate(state, addDays(now, ((8 - weekdayOf(now)) % 7) || 7))],
  [pattern("next\\s+month"), (state, _, now) => setDate(state, addMonths(now.slice(0, 8) + "01", 1))],
  [pattern("(?:in\\s+|\\+)(\\d{1,3})\\s*(d|w|m|days?|weeks?|months?)"), (state, found, now) => setDate(state, later(now, Number(found[1]), found[2] ?? ""))],
  [
    pattern(`(?:on\\s+)?(\\d{1,2})(?:st|nd|rd|th)?\\s+(?:of\\s+)?(${MONTH.source})(?:\\s+(\\d{4}))?`),
    (state, found, now) => setDate(state, dated(Number(found[1]), found[2] ?? "", found[3], now)),
  ],
  [
    pattern(`(?:on\\s+)?(${MONTH.source})\\s+(\\d{1,2})(?:st|nd|rd|th)?(?:,?\\s+(\\d{4}))?(?!:)`),
    (state, found, now) => setDate(state, dated(Number(found[2]), found[1] ?? "", found[3], now)),
  ],
  [
    pattern("(?:on\\s+)?the\\s+(\\d{1,2})(?:st|nd|rd|th)"),
    (state, found, now) => Number(found[1]) <= 31 && setDate(state, firstDay(`FREQ=MONTHLY;BYMONTHDAY=${Number(found[1]) || 1}`, now)),
  ],
  [
    pattern(`(?:on\\s+|next\\s+|this\\s+)?(${WEEKDAY.source})`),
    (state, found, now) => setDate(state, addDays(now, ((weekdayIndex(found[1] ?? "") - weekdayOf(now) + 6) % 7) + 1)),
  ],
  [pattern("(?:at\\s+)?(\\d{1,2}):(\\d\\d)\\s*(am|pm)?"), (state, found) => setTime(state, Number(found[1]), Number(found[2]), found[3])],
  [pattern("(?:at\\s+)?(\\d{1,2})\\s*(am|pm)"), (state, found) => setTime(state, Number(found[1]), 0, found[2])],
  [pattern("at\\s+(\\d{1,2})"), (state, found) => setTime(state, Number(found[1]), 0, undefined)],
  [pattern("(?:at\\s+)?noon"), (state) => setTime(state, 12, 0, undefined)],
  [pattern("p([1-9])"), (state, found) => state.priority === 0 && (state.priority = Number(found[1])) > 0],
  [pattern("!(\\d{1,4})(m|h|d)"), (state, found) => addReminder(state, Number(found[1]), (found[2] ?? "").toLowerCase())],
];

/**
 * @param {string} text
 * @param {Known} known
 * @returns {Understood}
 */
export function parseQuickAdd(text, known) {
  const now = localOf(known.now ?? new Date(), known.zone);
  /** @type {State} */
  const state = {
    title: "", due: null, recurrence: null, basis: "due", priority: 0, list: null, labels: [], reminders: [], date: null, time: null,
  };
  let title = "";
  for (let at = 0; at < text.length; ) {
    const isStart = at === 0 || /\s/.test(text.charAt(at - 1));
    const quoted = isStart ? /^"([^"]*)"/.exec(text.slice(at)) : null;
    const length = quoted ? quoted[0].length : isStart ? readOne(state, text.slice(at), known, now.slice(0, 10)) : 0;
    title += quoted ? quoted[1] : length === 0 ? text.charAt(at) : "";
    at += length || 1;
  }
  const { date: _date, time: _time, ...understood } = state;
  return { ...understood, title: title.replace(/\s+/gu, " ").trim(), due: dueOf(state, now) };
}

/**
 * @param {State} state
 * @param {string} rest
 * @param {Known} known
 * @param {string} now today
 * @returns {number} characters that were understood
 */
function readOne(state, rest, known, now) {
  const rule = state.recurrence ? null : parseRule(rest);
  if (rule) {
    state.recurrence = rule.recurrence;
    state.basis = rule.basis;
    return rule.length;
  }
  if (rest.startsWith("#") && !state.list) {
    const [name, length] = named(rest, known.lists.map(({ id, title }) => ({ id, name: title })));
    if (name) state.list = name;
    return length;
  }
  if (rest.startsWith("@")) {
    const [name, length] = named(rest, known.labels);
    if (name && !state.labels.some((label) => folded(label.name) === folded(name.name))) state.labels.push(name);
    return length;
  }
  for (const [expression, read] of READERS) {
    const found = expression.exec(rest);
    if (found && read(state, found, now)) return found[0].length;
  }
  return 0;
}

/**
 * The longest known name behind the sign, or one word, or what is in double quotes.
 * @param {string} rest
 * @param {Named[]} known
 * @returns {[Named | null, number]}
 */
function named(rest, known) {
  const after = folded(rest.slice(1));
  const match = known
    .filter(({ name }) => name && after.startsWith(folded(name)) && !/^[\p{L}\p{N}]/u.test(after.slice(folded(name).length)))
    .sort((a, b) => b.name.length - a.name.length)[0];
  if (match) return [match, match.name.length + 1];
  const found = /^.(?:"([^"]+)"|([^\s"]+))/u.exec(rest);
  const name = found?.[1] ?? found?.[2];
  if (!found || !name) return [null, 0];
  return [known.find((each) => folded(each.name) === folded(name)) ?? { id: null, name }, found[0].length];
}

/** @param {string} name */
function folded(name) {
  return name.toLowerCase();
}

/**
 * @param {State} state
 * @param {string} date empty: there is no such date
 */
function setDate(state, date) {
  if (state.date || !date) return false;
  state.date = date;
  return true;
}

/**
 * @param {State} state
 * @param {number} hour
 * @param {number} minute
 * @param {string | undefined} half `am` or `pm`
 */
function setTime(state, hour, minute, half) {
  const hours = half ? (hour % 12) + (half.toLowerCase() === "pm" ? 12 : 0) : hour;
  if (state.time || hours > 23 || minute > 59 || (half && (hour < 1 || hour > 12))) return false;
  state.time = `${String(hours).padStart(2, "0")}:${String(minute).padStart(2, "0")}:00`;
  return true;
}

/**
 * @param {State} state
 * @param {number} count
 * @param {string} unit
 */
function addReminder(state, count, unit) {
  if (state.reminders.length >= 10 || (unit === "d" && count > 366) || (unit !== "d" && count > 8000)) return false;
  const offset = unit === "d" ? `-P${count}D` : `-PT${count}${SECONDS[/** @type {"m" | "h"} */ (unit)]}`;
  state.reminders.push({ offset, relative_to: "due" });
  return true;
}

/**
 * @param {string} now
 * @param {number} count
 * @param {string} unit
 */
function later(now, count, unit) {
  const name = unit.toLowerCase().replace(/s$/, "");
  const days = UNITS.get(name);
  return days ? addDays(now, count * days) : addMonths(now, count);
}

/**
 * A day and a month, in the given year, or the next time that they come.
 * @param {number} day
 * @param {string} month
 * @param {string | undefined} year
 * @param {string} now
 */
function dated(day, month, year, now) {
  const index = monthIndex(month);
  const first = Number(year ?? now.slice(0, 4));
  const date = inMonth(first, index, day);
  if (day < 1 || Number(date.slice(8)) !== day) return "";
  return year || date >= now ? date : inMonth(first + 1, index, day);
}

/**
 * @param {State} state
 * @param {string} now
 */
function dueOf({ date, time, recurrence, reminders }, now) {
  const day = now.slice(0, 10);
  const isPast = time !== null && `${day}T${time}` <= now;
  const earliest = isPast ? addDays(day, 1) : day;
  if (date) return time ? `${date}T${time}` : date;
  if (recurrence) return time ? `${firstDay(recurrence, earliest)}T${time}` : firstDay(recurrence, day);
  if (time) return `${earliest}T${time}`;
  return reminders.length > 0 ? day : null;
}
