"""Microsoft To Do, as Microsoft Graph has it: lists with tasks, as JSON.

Dues are dates: the service gives local midnight as an instant, in whatever zone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app import zones
from app.imports.dates import ISO, instant, local_of, zone_name
from app.imports.entries import Contents, Entry, Options, Unreadable
from app.imports.html import text_of_html
from app.imports.reading import json_of
from app.imports.sources.objects import Object, inner, key, number, objects, text
from app.recurrence.rule import WEEKDAYS
from app.zones import UTC_NAME

IMPORTANCES = {"high": 1, "normal": 0, "low": 9, "": 0}
INDICES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS = dict(zip(NAMES, WEEKDAYS, strict=True))
STATES = {"notStarted", "inProgress", "completed", "waitingOnOthers", "deferred", ""}


class _UnknownPatternError(Exception):
    """A recurrence that is not as Microsoft Graph describes it."""


def check(file: bytes, _options: Options) -> Any:
    """The JSON; raises Unreadable for a file without lists or tasks."""
    given = json_of(file)
    if not any(True for _ in _lists(given)):
        raise Unreadable(
            "Has no lists: send an array of todoTaskLists, each with the array tasks, or an answer "
            "of Microsoft Graph with such an array as value."
        )
    return given


def _lists(given: Any) -> Iterator[Object]:
    """The lists; tasks without one are in a list without a name, which is the inbox."""
    if isinstance(given, list):
        given = {"value": given}
    if not isinstance(given, dict):
        return
    for name in ("value", "lists"):
        found = list(objects(given, name))
        loose = [each for each in found if "displayName" not in each and "title" in each]
        yield from (each for each in found if "displayName" in each)
        if loose:
            yield {"tasks": loose}
    if isinstance(given.get("tasks"), list | dict):
        yield given


def read(file: bytes, options: Options) -> Contents:
    """The lists, their tasks, and the steps of these as subtasks."""
    contents, count = Contents(), 0
    for place, given in enumerate(_lists(check(file, options)), 1):
        list_key: str | None = None
        title = text(given, "displayName")
        if title and text(given, "wellknownListName") != "defaultList":
            list_key = key(given, "id") or f"list {place}"
            contents.add(Entry("list", list_key, {"title": title}))
        for task in objects(given, "tasks"):
            count += 1
            entry = Entry("task", key(task, "id") or f"{place}\0{count}", line=count)
            entry.list_key = list_key
            contents.add(entry)
            _fill(entry, task, options)
            _steps(entry, task, contents)
    return contents


def _fill(entry: Entry, task: Object, options: Options) -> None:
    entry.fields = {"title": text(task, "title"), "description": _body(task)}
    state = text(task, "status")
    entry.is_completed = state == "completed"
    if state in ("inProgress", "waitingOnOthers", "deferred") or state not in STATES:
        entry.warn("status", f"{state[:50]} is not kept: the task is open.")
    importance = text(task, "importance").lower()
    entry.fields["priority"] = IMPORTANCES.get(importance, 0)
    if importance not in IMPORTANCES:
        entry.warn("priority", f"{importance[:50]} is not known: the task has none.")
    categories = task.get("categories")
    if isinstance(categories, list):
        entry.labels = [each for each in categories if isinstance(each, str)]
    for field, name in (("due", "dueDateTime"), ("start", "startDateTime")):
        if inner(task, name):
            entry.fields[field] = _day(entry, field, inner(task, name), options)
    _recurrence(entry, inner(task, "recurrence"))
    _reminder(entry, task, options)
    if task.get("hasAttachments") is True:
        entry.warn("attachment", "Is not imported.")


def _body(task: Object) -> str | None:
    body = inner(task, "body")
    content = text(body, "content")
    if text(body, "contentType").lower() == "html":
        content = text_of_html(content)
    links = [
        f"{text(each, 'displayName')} {text(each, 'webUrl')}".strip()
        for each in objects(task, "linkedResources")
    ]
    return "\n\n".join(part for part in (content.strip(), *links) if part) or None


def _day(entry: Entry, field: str, given: Object, options: Options) -> str | None:
    """The day that a time is on: in the zone of its owner if it is in UTC, else in its own."""
    written = text(given, "dateTime")
    found = ISO.fullmatch(written)
    if found is None:
        entry.warn(field, f"{written[:50]} is no time: it is left out.")
        return None
    zone = _zone(entry, field, given)
    if found[4] is None or zone != UTC_NAME:
        return written[: zones.DATE_LENGTH]
    at = instant(written if found[7] else f"{written}Z")
    return None if at is None else local_of(at, options.time_zone)[: zones.DATE_LENGTH]


def _zone(entry: Entry, field: str, given: Object) -> str:
    name = text(given, "timeZone") or UTC_NAME
    if name in ("tzone://Microsoft/Utc", "Etc/UTC", "Etc/GMT", "Coordinated Universal Time"):
        return UTC_NAME
    known = zone_name(name)
    if known is None:
        entry.warn(field, f"The zone {name[:100]} is not known: the day is taken as it stands.")
    return known or "unknown"


def _reminder(entry: Entry, task: Object, options: Options) -> None:
    given = inner(task, "reminderDateTime")
    written = text(given, "dateTime")
    if not written or task.get("isReminderOn") is False:
        return
    zone = _zone(entry, "reminders", given)
    local = ISO.fullmatch(written)
    if local is None or local[4] is None:
        entry.warn("reminders", f"{written[:50]} is no time: it is left out.")
        return
    begins = f"{written[:10]}T{local[4]}:{local[5]}:{local[6] or '00'}"
    try:
        at = zones.begins_at(begins, options.time_zone if zone == "unknown" else zone)
    except (ValueError, OverflowError):
        entry.warn("reminders", f"{written[:50]} is no time: it is left out.")
        return
    entry.fields["reminders"] = [{"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}]


def _recurrence(entry: Entry, given: Object) -> None:
    if not given:
        return
    try:
        rule = _rule(inner(given, "pattern")) + _range(inner(given, "range"))
    except (_UnknownPatternError, KeyError):
        kind = text(inner(given, "pattern"), "type")
        entry.warn("recurrence", f"{kind[:50]} is not understood: the task does not recur.")
        return
    entry.fields["recurrence"] = rule


def _rule(pattern: Object) -> str:
    kind, interval = text(pattern, "type"), int(number(pattern, "interval")) or 1
    every = f";INTERVAL={interval}" if interval != 1 else ""
    week_start = f";WKST={DAYS[text(pattern, 'firstDayOfWeek').lower() or 'sunday']}"
    match kind:
        case "daily":
            return f"FREQ=DAILY{every}"
        case "weekly":
            days = _days(pattern)
            by_day = f";BYDAY={','.join(days)}" if days else ""
            return f"FREQ=WEEKLY{every}{by_day}{week_start if interval > 1 else ''}"
        case "absoluteMonthly":
            return f"FREQ=MONTHLY{every};BYMONTHDAY={int(number(pattern, 'dayOfMonth'))}"
        case "relativeMonthly":
            return f"FREQ=MONTHLY{every}{_nth(pattern)}"
        case "absoluteYearly":
            month, day = int(number(pattern, "month")), int(number(pattern, "dayOfMonth"))
            return f"FREQ=YEARLY{every};BYMONTH={month};BYMONTHDAY={day}"
        case "relativeYearly":
            return f"FREQ=YEARLY{every};BYMONTH={int(number(pattern, 'month'))}{_nth(pattern)}"
        case _:
            raise _UnknownPatternError


def _days(pattern: Mapping[str, Any]) -> list[str]:
    given = pattern.get("daysOfWeek")
    found = [DAYS[str(each).lower()] for each in given] if isinstance(given, list) else []
    return sorted(found, key=WEEKDAYS.index)


def _nth(pattern: Object) -> str:
    index, days = INDICES[text(pattern, "index") or "first"], _days(pattern)
    if not days:
        raise _UnknownPatternError
    if len(days) == 1:
        return f";BYDAY={index}{days[0]}"
    return f";BYDAY={','.join(days)};BYSETPOS={index}"


def _range(given: Object) -> str:
    match text(given, "type"):
        case "endDate":
            return f";UNTIL={text(given, 'endDate').replace('-', '')}"
        case "numbered":
            return f";COUNT={int(number(given, 'numberOfOccurrences'))}"
        case _:
            return ""


def _steps(entry: Entry, task: Object, contents: Contents) -> None:
    """Makes subtasks of the steps of a task."""
    for place, each in enumerate(objects(task, "checklistItems"), 1):
        own = key(each, "id") or str(place)
        title = text(each, "displayName")
        step = Entry("task", f"{entry.key}\0{own}", {"title": title}, line=entry.line)
        step.list_key, step.parent_key = entry.list_key, entry.key
        step.is_completed = each.get("isChecked") is True or entry.is_completed
        contents.add(step)
