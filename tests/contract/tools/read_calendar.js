// Reads a calendar from stdin by Mozilla's ical.js; prints what it finds as JSON.

import ICAL from "ical.js";
import { readFileSync } from "node:fs";

const MOST = 12; // occurrences of a component

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) {
  ICAL.TimezoneService.register(new ICAL.Timezone(zone));
}

function moment(time) {
  return time && { local: time.toString(), utc: time.isDate ? null : time.toJSDate().toISOString(), zone: time.zone.tzid };
}

function occurrences(component) {
  const rule = component.getFirstPropertyValue("rrule");
  if (!rule) return null;
  const found = [];
  const iterator = rule.iterator(component.getFirstPropertyValue("dtstart"));
  for (let next = iterator.next(); next && found.length < MOST; next = iterator.next()) {
    found.push(moment(next));
  }
  return found;
}

function shown(component) {
  const value = (name) => component.getFirstPropertyValue(name);
  const related = component.getFirstProperty("related-to");
  return {
    kind: component.name,
    uid: value("uid"),
    summary: value("summary"),
    description: value("description"),
    status: value("status"),
    priority: value("priority"),
    categories: component.getFirstProperty("categories")?.getValues() ?? [],
    parent: related && [related.getParameter("reltype"), related.getFirstValue()],
    due: moment(value("due")),
    start: moment(value("dtstart")),
    end: moment(value("dtend")),
    recurrence_id: moment(value("recurrence-id")),
    completed: moment(value("completed")),
    occurrences: occurrences(component),
    alarms: component.getAllSubcomponents("valarm").map((alarm) => {
      const trigger = alarm.getFirstProperty("trigger");
      return [trigger.getParameter("related") ?? null, trigger.getFirstValue().toString()];
    }),
  };
}

const components = calendar.getAllSubcomponents().filter((each) => each.name !== "vtimezone");
console.log(JSON.stringify(components.map(shown)));
