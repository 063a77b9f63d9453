/** Recurrence rules (RFC 5545) from English, and in English. */

import { addDays, addMonths, inMonth, monthName, shortWeekday, weekdayOf } from "./dates.js";
import { strings } from "./strings.js";

/**
 * @typedef {object} Rule
 * @property {string} recurrence such as `FREQ=MONTHLY;BYMONTHDAY=1`
 * @property {"due" | "completion"} basis
 * @property {number} length characters of the text that were understood
 */

const DAYS = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
export const WEEKDAY = /(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)s?/;
export const MONTH = /(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)/;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const UNITS = new Map([["day", "DAILY"], ["week", "WEEKLY"], ["month", "MONTHLY"], ["year", "YEARLY"]]);
const ADVERBS = new Map([["daily", "DAILY"], ["weekly", "WEEKLY"], ["monthly", "MONTHLY"], ["yearly", "YEARLY"], ["annually", "YEARLY"]]);
const NUMBERS = new Map([["first", 1], ["second", 2], ["third", 3], ["fourth", 4], ["last", -1]]);

const DAY_LIST = `${WEEKDAY.source}(?:(?:\\s*,\\s*|\\s+and\\s+|\\s*,\\s*and\\s+)${WEEKDAY.source})*`;
const ORDINAL = "\\d{1,2}(?:st|nd|rd|th)";
const EVERY = new RegExp(
  "^every(?<after>!)?\\s+(?:" +
    [
      `(?<workday>weekdays?|workdays?)\\b`,
      `(?<which>first|second|third|fourth|last)\\s+(?<whichDay>${WEEKDAY.source})(?:\\s+of\\s+the\\s+month)?\\b`,
      `(?<dates>${ORDINAL}(?:(?:\\s*,\\s*|\\s+and\\s+)${ORDINAL})*)(?!\\s*[a-z]*\\s*(?:day|week|month)s?\\b)`,
      `(?<interval>\\d{1,3}|other)?\\s*(?<unit>day|week|month|year)s?\\b` +
        `(?:\\s+on\\s+(?:(?:the\\s+)?(?<monthDay>${ORDINAL}|last\\s+day)\\b|(?<weekDays>${DAY_LIST})\\b|(?:the\\s+)?(?<yearDay>\\d{1,2})(?:st|nd|rd|th)?(?:\\s+of)?\\s+(?<yearMonth>${MONTH.source})\\b|(?<yearMonth2>${MONTH.source})\\s+(?<yearDay2>\\d{1,2})(?:st|nd|rd|th)?\\b))?`,
      `(?<days>${DAY_LIST})\\b`,
    ].join("|") +
    ")",
  "i",
);
const ADVERB = /^(daily|weekly|monthly|yearly|annually)\b/i;

/**
 * @param {string} word
 * @returns {number} 0 for Sunday to 6
 */
export function weekdayIndex(word) {
  return ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].indexOf(word.slice(0, 3).toLowerCase());
}

/**
 * @param {string} word
 * @returns {number} from 0
 */
export function monthIndex(word) {
  return MONTHS.indexOf(word.slice(0, 3).toLowerCase());
}

/**
 * @param {string} text
 * @returns {Rule | null} the rule that the text begins with
 */
export function parseRule(text) {
  const adverb = ADVERB.exec(text);
  if (adverb) return { recurrence: `FREQ=${ADVERBS.get(adverb[0].toLowerCase())}`, basis: "due", length: adverb[0].length };
  const found = EVERY.exec(text);
  const groups = found?.groups;
  if (!found || !groups) return null;
  const recurrence = recurrenceOf(groups);
  return recurrence === null ? null : { recurrence, basis: groups["after"] ? "completion" : "due", length: found[0].length };
}

/**
 * @param {Record<string, string | undefined>} groups
 * @returns {string | null}
 */
function recurrenceOf(groups) {
  if (groups["workday"]) return "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR";
  if (groups["days"]) return `FREQ=WEEKLY;BYDAY=${dayList(groups["days"])}`;
  if (groups["which"]) {
    const number = NUMBERS.get(groups["which"].toLowerCase());
    return `FREQ=MONTHLY;BYDAY=${number}${DAYS[weekdayIndex(groups["whichDay"] ?? "")]}`;
  }
  if (groups["dates"]) {
    const dates = numbersIn(groups["dates"]);
    return dates.every((date) => date >= 1 && date <= 31) ? `FREQ=MONTHLY;BYMONTHDAY=${dates.join(",")}` : null;
  }
  const frequency = UNITS.get((groups["unit"] ?? "").toLowerCase());
  const interval = groups["interval"] === undefined ? 1 : Number(groups["interval"]) || 2;
  if (interval < 1 || groups["interval"] === "0") return null;
  return [`FREQ=${frequency}`, interval > 1 ? `INTERVAL=${interval}` : "", place(frequency ?? "", groups)].filter(Boolean).join(";");
}

/**
 * @param {string} frequency
 * @param {Record<string, string | undefined>} groups
 */
function place(frequency, groups) {
  const monthDay = groups["monthDay"];
  if (monthDay && frequency === "MONTHLY") return `BYMONTHDAY=${/last/i.test(monthDay) ? -1 : numbersIn(monthDay)[0]}`;
  if (groups["weekDays"] && frequency === "WEEKLY") return `BYDAY=${dayList(groups["weekDays"])}`;
  const day = groups["yearDay"] ?? groups["yearDay2"];
  const month = groups["yearMonth"] ?? groups["yearMonth2"];
  if (day && month && frequency === "YEARLY") return `BYMONTH=${monthIndex(month) + 1};BYMONTHDAY=${day}`;
  return "";
}

/** @param {string} text */
function dayList(text) {
  const words = text.match(new RegExp(WEEKDAY.source, "gi")) ?? [];
  const indexes = [...new Set(words.map(weekdayIndex))].sort((a, b) => ((a + 6) % 7) - ((b + 6) % 7));
  return indexes.map((index) => DAYS[index]).join(",");
}

/** @param {string} text */
function numbersIn(text) {
  return (text.match(/\d+/g) ?? []).map(Number);
}

/**
 * @param {string} recurrence
 * @returns {Map<string, string>}
 */
function partsOf(recurrence) {
  return new Map(recurrence.split(";").map((part) => /** @type {[string, string]} */ (part.split("=", 2))));
}

/**
 * The first day of a rule that the quick add can write.
 * @param {string} recurrence
 * @param {string} from the first day that may be
 */
export function firstDay(recurrence, from) {
  const parts = partsOf(recurrence);
  const monthDays = (parts.get("BYMONTHDAY") ?? "").split(",").filter(Boolean).map(Number);
  const month = Number(parts.get("BYMONTH") ?? 0);
  const days = (parts.get("BYDAY") ?? "").split(",").filter(Boolean);
  if (monthDays.length === 0 && days.length === 0) return from;
  for (let months = 0; months < 25; months += 1) {
    const start = addMonths(from.slice(0, 8) + "01", months);
    if (month && Number(start.slice(5, 7)) !== month) continue;
    const found = candidates(start, monthDays, days).filter((day) => day >= from).sort()[0];
    if (found) return found;
  }
  return from;
}

/**
 * The days of a month that have one of the numbers or weekdays.
 * @param {string} start the first of the month
 * @param {number[]} monthDays
 * @param {string[]} days such as `MO` or `-1FR`
 */
function candidates(start, monthDays, days) {
  const [year, month] = [Number(start.slice(0, 4)), Number(start.slice(5, 7)) - 1];
  const length = Number(inMonth(year, month, 31).slice(8));
  const all = Array.from({ length }, (_, index) => addDays(start, index));
  const byNumber = monthDays.map((day) => (day < 0 ? all.at(day) : inMonth(year, month, day)));
  const byWeekday = days.flatMap((text) => {
    const number = Number.parseInt(text, 10) || 0;
    const matching = all.filter((day) => DAYS[weekdayOf(day)] === text.slice(-2));
    return number === 0 ? matching : [matching.at(number < 0 ? number : number - 1)];
  });
  return [...byNumber, ...byWeekday].filter((day) => day !== undefined);
}

/**
 * @param {string} recurrence
 * @returns {string} in words; the rule itself if it has parts that these lack
 */
export function describe(recurrence) {
  const parts = partsOf(recurrence);
  const unit = strings.rules.units.get(parts.get("FREQ") ?? "");
  const isKnown = [...parts.keys()].every((name) => ["FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "COUNT", "UNTIL", "WKST"].includes(name));
  if (!unit || !isKnown) return recurrence;
  const interval = Number(parts.get("INTERVAL") ?? 1);
  const every = interval === 1 ? strings.rules.every(unit) : strings.rules.everyNth(interval, unit);
  const until = parts.get("UNTIL");
  const count = parts.get("COUNT");
  return [
    every,
    placeName(parts),
    count ? strings.rules.times(Number(count)) : "",
    until ? strings.rules.until(`${until.slice(0, 4)}-${until.slice(4, 6)}-${until.slice(6, 8)}`) : "",
  ].filter(Boolean).join(" ");
}

/** @param {Map<string, string>} parts */
function placeName(parts) {
  const days = (parts.get("BYDAY") ?? "").split(",").filter(Boolean).map(dayText);
  const monthDays = (parts.get("BYMONTHDAY") ?? "").split(",").filter(Boolean).map((day) => strings.rules.monthDay(Number(day)));
  const months = (parts.get("BYMONTH") ?? "").split(",").filter(Boolean).map((month) => monthName(Number(month) - 1));
  const places = [...days, ...monthDays].join(", ");
  return [places && strings.rules.on(places), months.length > 0 ? strings.rules.inMonths(months.join(", ")) : ""].filter(Boolean).join(" ");
}

/** @param {string} text such as `MO` or `-1FR` */
function dayText(text) {
  const sunday = "2024-01-07";
  const name = shortWeekday(addDays(sunday, DAYS.indexOf(text.slice(-2))));
  const number = Number.parseInt(text, 10) || 0;
  return number === 0 ? name : strings.rules.nth(number, name);
}
