"""iCalendar (RFC 5545): each VTODO is a task.

icalendar reads each component alone: it refuses a whole file for one bad property, and takes an
unknown TZID for floating time without a word. So the parameter is looked at here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from icalendar import Todo

from app.imports.dates import local_of, zone_name
from app.imports.entries import Contents, Entry, Lists, Options, Unreadable
from app.imports.reading import text_of
from app.tasks.reminders import Offset

FOLDED = re.compile(r"\r?\n[ \t]|\r(?!\n)[ \t]")
NAME = re.compile(r"(?:X-WR-CALNAME|NAME)(?:;[^:]*)?:(.+)", re.IGNORECASE)
TZID = re.compile(r"TZID(?:;[^:]*)?:(.+)", re.IGNORECASE)
LOCATION = re.compile(r"X-LIC-LOCATION(?:;[^:]*)?:(.+)", re.IGNORECASE)
TRIGGER = re.compile(r"^TRIGGER((?:;[^:\n]*)?):([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
Properties = Mapping[str, Any]  # a component as icalendar has it
LONGEST_COMPONENT = 128 * 1024  # characters
OMITTING = re.compile(r"FREQ=(?:MONTHLY|YEARLY)")
EXTRAS = {"LOCATION": "Location", "URL": "URL"}  # kept in the description
UNKEPT = ("EXDATE", "RDATE", "EXRULE", "ATTENDEE", "ATTACH", "GEO", "RESOURCES")


@dataclass
class _Part:
    """A component as text, and the line on which it begins."""

    name: str
    line: int
    lines: list[str] = field(default_factory=list)
    is_whole: bool = False


def check(file: bytes, _options: Options) -> str:
    """The text; raises Unreadable for a file that is no calendar."""
    text = text_of(file)
    if not text.lstrip("\ufeff\r\n ").upper().startswith("BEGIN:"):
        raise Unreadable("Is no iCalendar file: it begins with BEGIN:VCALENDAR.")
    return text


def read(file: bytes, options: Options) -> Contents:
    """The tasks; a component that can't be read is an error of its own."""
    contents, others = Contents(), Counter[str]()
    parts = list(_parts(check(file, options)))
    zones = {name: zone for part in parts for name, zone in _zone_of(part).items()}
    list_key = Lists(contents, options.list_title or _name_of(parts)).key()
    series: dict[str, Entry] = {}
    overrides, seen = [], Counter[str]()
    for part in parts:
        if part.name != "VTODO":
            others[part.name] += 1
        elif (todo := _todo(part, contents)) is not None:
            reader = _Reader(part, todo, zones, options)
            if "RECURRENCE-ID" in todo:
                overrides.append(reader)
            else:
                summary = str(todo.get("SUMMARY", ""))
                seen[summary] += 1
                unnamed = f"\0{summary}\0{seen[summary]}"
                entry = contents.add(reader.entry(list_key, unnamed))
                series.setdefault(entry.key, entry)
    for reader in overrides:
        reader.override(series, contents)
    for name in others.keys() - {"VCALENDAR", "VTIMEZONE"}:
        message = f"{others[name]} of these are not imported: only VTODO is."
        contents.warn(name[:50], message)
    return contents


def _name_of(parts: Iterable[_Part]) -> str | None:
    lines = [line for part in parts if part.name == "VCALENDAR" for line in part.lines]
    named = next(filter(None, map(NAME.match, lines)), None)
    return named[1].strip() if named else None


# --- components -----------------------------------------------------------------------------------


def _parts(text: str) -> Iterator[_Part]:
    """The components directly below VCALENDAR, and it itself with its own properties."""
    calendar = _Part("VCALENDAR", 1)
    part, depth = calendar, 0
    for number, line in _content_lines(text):
        upper = line[:40].strip().upper()
        is_new = upper == "BEGIN:VTODO" and part.name == "VTODO"  # the one before has no end
        if upper in ("BEGIN:VCALENDAR", "END:VCALENDAR") or is_new:
            if part is not calendar:
                yield part
            part, depth = calendar, 0
        if part is calendar and upper.startswith("BEGIN:") and upper != "BEGIN:VCALENDAR":
            part = _Part(upper[6:], number)
        part.lines.append(line)
        if part is not calendar:
            depth += upper.startswith("BEGIN:") - upper.startswith("END:")
            if depth == 0:
                part.is_whole = True
                yield part
                part = calendar
    if part is not calendar:
        yield part
    yield calendar


def _content_lines(text: str) -> Iterator[tuple[int, str]]:
    """The unfolded lines that are not empty, with the numbers of their first lines."""
    number, waiting, began = 0, list[str](), 0
    for line in re.split(r"\r\n|\n|\r", text.lstrip("\ufeff")):
        number += 1
        if line[:1] in (" ", "\t") and waiting:
            waiting.append(line[1:])
            continue
        if waiting:
            yield began, "".join(waiting)
        waiting, began = ([line], number) if line.strip() else ([], number)
    if waiting:
        yield began, "".join(waiting)


def _todo(part: _Part, contents: Contents) -> Properties | None:
    """The component as icalendar reads it; None, and an error, where it can't."""
    text = "\r\n".join(part.lines) + "\r\n"
    try:
        if not part.is_whole:
            raise ValueError("it has no end")  # noqa: TRY301 - one place for what is wrong
        if len(text) > LONGEST_COMPONENT:
            raise ValueError("it is too long")  # noqa: TRY301
        return _parsed(text)
    except Exception as error:  # noqa: BLE001 - icalendar raises what its parsers do
        broken = contents.add(Entry("task", f"\0line {part.line}", line=part.line))
        broken.fail("VTODO", f"Can't be read: {str(error)[:300]}.")
        return None


def _parsed(text: str) -> Properties:
    found: Any = Todo.from_ical(text)
    if not isinstance(found, Todo):
        raise TypeError("it is no VTODO")
    if found.errors:
        name, reason = found.errors[0]
        raise ValueError(f"{name}: {reason}")
    return found


def _zone_of(part: _Part) -> Mapping[str, str]:
    """The name in tzdata of a zone that the file describes, if it names it."""
    own = next(filter(None, map(TZID.match, part.lines)), None)
    location = next(filter(None, map(LOCATION.match, part.lines)), None)
    known = zone_name(location[1]) if location else None
    return {own[1].strip(): known} if own and known else {}


# --- tasks ----------------------------------------------------------------------------------------


class _Reader:
    """Makes an entry of what a component has."""

    def __init__(
        self, part: _Part, todo: Properties, zones: Mapping[str, str], options: Options
    ) -> None:
        self._part, self._todo, self._zones, self._options = part, todo, zones, options
        self._uid = str(todo.get("UID", "")).strip()
        self._entry = Entry("task", self._uid, line=part.line)

    def entry(self, list_key: str | None, unnamed: str) -> Entry:
        """The task; `unnamed` is the key of one without an UID."""
        entry, todo = self._entry, self._todo
        entry.key = self._uid or unnamed
        entry.list_key = list_key
        entry.fields = {"title": str(todo.get("SUMMARY", "")), "description": self._description()}
        entry.labels = _categories(todo)
        entry.parent_key = _parent(todo)
        self._number()
        self._status()
        self._dates()
        self._recurrence()
        self._reminders()
        for name in UNKEPT:
            if name in todo:
                entry.warn(name, "Is not kept.")
        return entry

    def override(self, series: Mapping[str, Entry], contents: Contents) -> None:
        """A completed occurrence is a completion of its series; other changes are not kept."""
        master, given = series.get(self._uid), self._todo["RECURRENCE-ID"]
        status = str(self._todo.get("STATUS", "")).upper()
        is_done = status == "COMPLETED" or "COMPLETED" in self._todo
        if master is not None and is_done and "recurrence" in master.fields:
            occurrence, _ = self._local("RECURRENCE-ID", given.dt, given.params)
            master.completions.append((occurrence, False))
            return
        if master is not None and self._moves(master):
            return
        self._entry.key, self._entry.skipped = f"\0line {self._part.line}", True
        if master is None:
            self._entry.warn("RECURRENCE-ID", "Its series is not in the file.")
        else:
            self._entry.warn("RECURRENCE-ID", "A change of one occurrence is not kept.")
        contents.add(self._entry)

    def _moves(self, master: Entry) -> bool:
        """Whether it is the present occurrence at another due, which the series then has."""
        given: Any = self._todo["RECURRENCE-ID"]
        due: Any = self._todo.get("DUE")
        occurrence, _ = self._local("RECURRENCE-ID", given.dt, given.params)
        if occurrence != master.fields.get("due") or not hasattr(due, "dt"):
            return False
        master.fields["due"], master.fields["time_zone"] = self._local("due", due.dt, due.params)
        master.series["recurrence_from"] = occurrence
        return True

    def _description(self) -> str | None:
        given = self._todo.get("DESCRIPTION")
        extras = [
            f"{label}: {self._todo[name]}" for name, label in EXTRAS.items() if name in self._todo
        ]
        parts = [*([] if given is None else [str(given)]), *extras]
        return "\n\n".join(parts) if parts else None

    def _number(self) -> None:
        priority = int(self._todo.get("PRIORITY", 0))
        if 0 <= priority <= 9:
            self._entry.fields["priority"] = priority
        else:
            self._entry.warn("priority", f"{priority} is none of 0 to 9: the task has none.")
        order = str(self._todo.get("X-APPLE-SORT-ORDER", ""))
        self._entry.order = int(order) if re.fullmatch(r"-?\d{1,20}", order) else None

    def _status(self) -> None:
        status = str(self._todo.get("STATUS", "")).upper()
        percent = int(self._todo.get("PERCENT-COMPLETE", 0))
        self._entry.is_completed = (
            status in ("COMPLETED", "CANCELLED")
            or (not status and ("COMPLETED" in self._todo or percent == 100))
        )  # fmt: skip
        if status == "CANCELLED":
            self._entry.warn("STATUS", "Was cancelled there: it is completed here.")
        if 0 < percent < 100:
            self._entry.warn("PERCENT-COMPLETE", "Is not kept.")

    def _dates(self) -> None:
        fields = self._entry.fields
        for name, property_name in (("start", "DTSTART"), ("due", "DUE")):
            if property_name in self._todo:
                self._date(name, self._todo[property_name])
        if "due" not in fields and "DURATION" in self._todo and "DTSTART" in self._todo:
            start = self._todo["DTSTART"].dt
            fields["due"], fields["time_zone"] = self._local(
                "due", start + self._todo["DURATION"].dt, self._todo["DTSTART"].params
            )
        if "RRULE" in self._todo and "due" not in fields and "start" in fields:
            self._date("due", self._todo["DTSTART"])
        if fields.get("start") == fields.get("due"):
            fields.pop("start", None)

    def _date(self, name: str, given: Any) -> None:
        if not hasattr(given, "dt"):
            self._entry.warn(name, "Is there more than once: it is left out.")
            return
        local, zone = self._local(name, given.dt, given.params)
        self._entry.fields[name] = local
        if name == "due":
            self._entry.fields["time_zone"] = zone

    def _local(self, name: str, at: date, params: Mapping[str, Any]) -> tuple[str, str | None]:
        """A local date or time, and its zone; an instant in UTC is in the zone of the options."""
        if not isinstance(at, datetime):
            return at.isoformat(), None
        tzid = params.get("TZID")
        if tzid is not None:
            zone = self._zones.get(str(tzid)) or zone_name(str(tzid))
            if zone is None:
                message = f"The zone {str(tzid)[:100]} is not known: the time is in no zone."
                self._entry.warn(name, message)
            return _wall_clock(at), zone
        if at.tzinfo is not None:
            return local_of(at, self._options.time_zone), self._options.time_zone
        return _wall_clock(at), None

    def _recurrence(self) -> None:
        given = self._todo.get("RRULE")
        if given is None:
            return
        if isinstance(given, list):
            self._entry.warn("recurrence", "Has several rules: the first one counts.")
            given = given[0]
        rule = given.to_ical().decode()
        # A month without the day is left out in iCalendar, and has its last day here.
        if OMITTING.search(rule) and "SKIP=" not in rule:
            rule += ";SKIP=OMIT"
        self._entry.fields["recurrence"] = rule

    def _reminders(self) -> None:
        reminders: list[dict[str, Any]] = []
        for params, value in TRIGGER.findall("\n".join(self._part.lines)):
            offset = Offset.parse(value.strip().upper())
            if offset is not None:
                relative_to = "due" if "RELATED=END" in params.upper() else "start"
                if relative_to == "start" and "start" not in self._entry.fields:
                    relative_to = "due"
                reminders.append({"offset": str(offset), "relative_to": relative_to})
            elif re.fullmatch(r"\d{8}T\d{6}Z", value.strip()):
                at = datetime.strptime(value.strip(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                reminders.append({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
            else:
                self._entry.warn("reminders", f"{value[:100]} is not understood: it is left out.")
        if reminders:
            self._entry.fields["reminders"] = reminders


def _wall_clock(at: datetime) -> str:
    return at.replace(tzinfo=None, microsecond=0).isoformat()


def _each(given: Any) -> Iterable[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]


def _categories(todo: Properties) -> list[str]:
    found = []
    for each in _each(todo.get("CATEGORIES")):
        found += [str(name) for name in getattr(each, "cats", [each])]
    return found


def _parent(todo: Properties) -> str | None:
    for each in _each(todo.get("RELATED-TO")):
        if str(each.params.get("RELTYPE", "PARENT")).upper() == "PARENT":
            return str(each)
    return None
