/** Reminders in words. */

import { instantName } from "../lang/dates.js";
import { strings } from "../lang/strings.js";

/** @import {Reminder} from "../data/types.js" */

/**
 * @param {Reminder} reminder
 * @param {string} zone
 */
export function reminderText(reminder, zone) {
  if (reminder.at) return instantName(reminder.at, zone);
  const offset = reminder.offset ?? "";
  const text = strings.task.reminderChoices.get(offset) ?? inWords(offset);
  return reminder.relative_to === "start" ? strings.task.beforeStart(text) : text;
}

/** @param {string} offset an RFC 5545 duration */
function inWords(offset) {
  const found = /^(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(offset);
  return found ? strings.rules.offset(found[1] === "-", found.slice(2).map((part) => Number(part ?? 0))) : offset;
}
