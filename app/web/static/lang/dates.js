/**
 * Local dates (`2026-10-07`) and times (`2026-10-07T09:00:00`) as texts, in the account's zone, and
 * how the browser's language writes them.
 */

const DAY_MS = 86_400_000;
/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @returns {readonly string[]} the browser's languages */
function languages() {
  return navigator.languages;
}

/**
 * @param {string} name
 * @param {() => Intl.DateTimeFormat} make
 */
function format(name, make) {
  const known = formats.get(name) ?? make();
  formats.set(name, known);
  return known;
}

/** The browser's zone. */
export function browserZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/**
 * @param {Date} instant
 * @param {string} zone an IANA name; one that the browser does not know counts as UTC
 * @returns {string} such as `2026-10-07T09:00:00`
 */
export function localOf(instant, zone) {
  const parts = format(`local ${zone}`, () => wallClock(zone)).formatToParts(instant);
  const part = (/** @type {string} */ type) => parts.find((each) => each.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}T${part("hour")}:${part("minute")}:${part("second")}`;
}

/** @param {string} zone */
function wallClock(zone) {
  /** @type {Intl.DateTimeFormatOptions} */
  const options = {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  };
  try {
    return new Intl.DateTimeFormat("en", { ...options, timeZone: zone });
  } catch {
    return new Intl.DateTimeFormat("en", { ...options, timeZone: "UTC" });
  }
}

/**
 * The instant of a local time. One that the clocks skip counts with the offset before the gap, and of
 * a doubled hour the first one is meant.
 * @param {string} local
 * @param {string} zone
 */
export function instantOf(local, zone) {
  const wall = Date.parse(`${local.length === 10 ? `${local}T00:00` : local}Z`);
  const offset = (/** @type {number} */ at) => Date.parse(`${localOf(new Date(at), zone)}Z`) - at;
  const before = wall - offset(wall - DAY_MS);
  const after = wall - offset(wall + DAY_MS);
  return new Date(before + offset(before) !== wall && after + offset(after) === wall ? after : before);
}

/** @param {string} zone */
export function today(zone) {
  return localOf(new Date(), zone).slice(0, 10);
}

/** @param {string} date */
function utc(date) {
  return new Date(`${date.slice(0, 10)}T00:00:00Z`);
}

/** @param {Date} day */
function text(day) {
  return day.toISOString().slice(0, 10);
}

/**
 * @param {string} date
 * @param {number} days
 */
export function addDays(date, days) {
  return text(new Date(utc(date).getTime() + days * DAY_MS));
}

/**
 * @param {string} date
 * @param {number} months a day that the month lacks is its last day
 */
export function addMonths(date, months) {
  const day = utc(date);
  const month = day.getUTCFullYear() * 12 + day.getUTCMonth() + months;
  return inMonth(Math.floor(month / 12), month % 12, day.getUTCDate());
}

/**
 * @param {number} year
 * @param {number} month from 0
 * @param {number} day beyond the month's last one: the last one
 */
export function inMonth(year, month, day) {
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return text(new Date(Date.UTC(year, month, Math.min(day, lastDay))));
}

/**
 * @param {string} from
 * @param {string} to
 */
export function daysBetween(from, to) {
  return Math.round((utc(to).getTime() - utc(from).getTime()) / DAY_MS);
}

/**
 * @param {string} date
 * @returns {number} 0 for Sunday to 6
 */
export function weekdayOf(date) {
  return utc(date).getUTCDay();
}

/** @param {string} date */
export function isDate(date) {
  const day = utc(date);
  return /^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(day.getTime()) && text(day) === date && date >= "1970" && date < "2200";
}

/**
 * A day as people say it: today, tomorrow, a weekday of the next week, or a date.
 * @param {string} date
 * @param {string} now today
 */
export function dayName(date, now) {
  const days = daysBetween(now, date);
  if (Math.abs(days) <= 1) return capitalized(new Intl.RelativeTimeFormat([...languages()], { numeric: "auto" }).format(days, "day"));
  if (days > 1 && days < 7) return format("weekday", () => dayFormat({ weekday: "long" })).format(utc(date));
  return date.slice(0, 4) === now.slice(0, 4)
    ? format("date", () => dayFormat({ day: "numeric", month: "short" })).format(utc(date))
    : format("date and year", () => dayFormat({ day: "numeric", month: "short", year: "numeric" })).format(utc(date));
}

/**
 * What the day's name leaves open: its date or its weekday.
 * @param {string} date
 * @param {string} now today
 */
export function dayNote(date, now) {
  const days = daysBetween(now, date);
  if (Math.abs(days) <= 1) return longDay(date);
  if (days > 1 && days < 7) return format("day", () => dayFormat({ day: "numeric", month: "long" })).format(utc(date));
  return format("weekday", () => dayFormat({ weekday: "long" })).format(utc(date));
}

/** @param {string} date */
export function longDay(date) {
  return format("long", () => dayFormat({ weekday: "long", day: "numeric", month: "long" })).format(utc(date));
}

/** @param {string} date */
export function shortWeekday(date) {
  return format("short weekday", () => dayFormat({ weekday: "short" })).format(utc(date));
}

/** @param {number} month from 0 */
export function monthName(month) {
  return format("month", () => dayFormat({ month: "long" })).format(new Date(Date.UTC(2024, month, 1)));
}

/**
 * @param {string} local
 * @returns {string} its time; empty for a whole day
 */
export function timeName(local) {
  if (local.length < 16) return "";
  return format("time", () => dayFormat({ hour: "numeric", minute: "2-digit" })).format(new Date(`${local.slice(0, 16)}:00Z`));
}

/**
 * @param {string} instant
 * @param {string} zone
 */
export function instantName(instant, zone) {
  const local = localOf(new Date(instant), zone);
  return format("instant", () => dayFormat({ dateStyle: "medium", timeStyle: "short" })).format(new Date(`${local}Z`));
}

/** @param {Intl.DateTimeFormatOptions} options */
function dayFormat(options) {
  return new Intl.DateTimeFormat([...languages()], { ...options, timeZone: "UTC" });
}

/** @param {string} name */
function capitalized(name) {
  return name.charAt(0).toLocaleUpperCase() + name.slice(1);
}
