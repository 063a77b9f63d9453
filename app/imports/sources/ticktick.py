"""TickTick's CSV: a preamble, then a header. Times are UTC, to be read in the task's own zone."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app import zones
from app.imports.dates import instant, local_of, zone_name
from app.imports.entries import Contents, Entry, Lists, Options, Unreadable
from app.imports.reading import records, text_of
from app.tasks.reminders import Offset

NEEDED = {"Title", "List Name"}
PRIORITIES = {"": 0, "0": 0, "1": 9, "3": 5, "5": 1}
OPEN, COMPLETED = {"", "0"}, {"1", "2"}  # 2 is completed and archived
MARKS = re.compile(r"\s*([▫▪])\s*")  # an open and a done item of a checklist
DURATION = re.compile(r"(-?)P?(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", re.IGNORECASE)
NOT_A_RULE = re.compile(r";?(?:TT_[A-Z]+|X-[A-Z-]+)=[^;]*", re.IGNORECASE)


class Table(NamedTuple):
    """The records below the header, as objects with the lines on which they begin."""

    rows: Sequence[tuple[int, Mapping[str, str]]]


def check(file: bytes, _options: Options) -> Table:
    """The table; raises Unreadable for a file without TickTick's header."""
    header: list[str] | None = None
    rows: list[tuple[int, Mapping[str, str]]] = []
    for record in records(text_of(file), ","):
        cells = [cell.strip() for cell in record.cells]
        if header is None:
            header = cells if set(cells) >= NEEDED else None
        elif any(cells):
            given = dict(zip(header, record.cells, strict=False))
            rows.append((record.line, {name: given.get(name, "") for name in header}))
    if header is None:
        raise Unreadable("Is no CSV of TickTick: its header has the columns List Name and Title.")
    return Table(rows)


def read(file: bytes, options: Options) -> Contents:
    """The tasks, and the items of checklists as their subtasks."""
    contents = Contents()
    lists = Lists(contents, options.list_title)
    for line, row in check(file, options).rows:
        entry = Entry("task", row.get("taskId", "").strip() or f"line {line}", line=line)
        entry.list_key = lists.key(row["List Name"])
        entry.parent_key = row.get("parentId", "").strip() or None
        contents.add(entry)
        _fill(entry, row, options)
        _note_folder(contents, row)
        if row.get("Is Check list", "").strip().upper() == "Y":
            _checklist(entry, row.get("Content", ""), contents)
    return contents


def _note_folder(contents: Contents, row: Mapping[str, str]) -> None:
    folder = row.get("Folder Name", "").strip()
    if folder:
        contents.warn("folder", f"{folder[:100]}: lists are in no folders here.")


def _fill(entry: Entry, row: Mapping[str, str], options: Options) -> None:
    entry.fields = {
        "title": row["Title"],
        "description": row.get("Content", "").replace("\r\n", "\n").replace("\r", "\n") or None,
    }
    entry.labels = [tag.strip().lstrip("#") for tag in row.get("Tags", "").split(",")]
    column = row.get("Column Name", "").strip()
    if column:
        entry.labels.append(column)
        entry.warn("column", f"{column[:100]} is kept as a label.")
    _priority(entry, row.get("Priority", "").strip())
    _status(entry, row.get("Status", "").strip())
    order = row.get("Order", "").strip()
    entry.order = int(order) if re.fullmatch(r"-?\d{1,20}", order) else None
    if row.get("Kind", "TEXT").strip().upper() == "NOTE":
        entry.warn("kind", "Is a note, and becomes a task.")
    _dates(entry, row, options)
    _recurrence(entry, row.get("Repeat", "").strip())
    _reminders(entry, row.get("Reminder", ""))


def _priority(entry: Entry, text: str) -> None:
    if text in PRIORITIES:
        entry.fields["priority"] = PRIORITIES[text]
    else:
        entry.warn("priority", f"{text[:50]} is none of 0, 1, 3 and 5: the task has none.")


def _status(entry: Entry, text: str) -> None:
    entry.is_completed = text not in OPEN
    if text not in OPEN | COMPLETED:
        entry.warn("status", "Was given up there: it is completed here.")


def _dates(entry: Entry, row: Mapping[str, str], options: Options) -> None:
    """Due and start; a task with a start alone is due then."""
    given = row.get("Timezone", "").strip()
    zone = zone_name(given) if given else None
    if given and zone is None:
        entry.warn("time_zone", f"{given[:100]} is not known: {options.time_zone} is taken.")
    zone = zone or options.time_zone
    is_whole = row.get("Is All Day", "").strip().lower() == "true"
    is_floating = row.get("Is Floating", "").strip().lower() == "true"
    found: dict[str, str] = {}
    for field, column in (("start", "Start Date"), ("due", "Due Date")):
        text = row.get(column, "").strip()
        at = instant(text) if text else None
        if at is not None:
            local = local_of(at, zone)
            found[field] = local[: zones.DATE_LENGTH] if is_whole else local
        elif text:
            entry.warn(field, f"{text[:50]} is no time: it is left out.")
    if "due" not in found and "start" in found:
        found["due"] = found.pop("start")
    if found.get("start") == found.get("due"):
        found.pop("start", None)
    entry.fields |= found
    if "due" in found and not is_whole and not is_floating:
        entry.fields["time_zone"] = zone


def _recurrence(entry: Entry, text: str) -> None:
    if not text:
        return
    rule = NOT_A_RULE.sub("", text.removeprefix("RRULE:")).strip(";")
    if "FREQ=" not in rule.upper():
        entry.warn("recurrence", f"{text[:100]} is not understood: the task does not recur.")
        return
    entry.fields["recurrence"] = rule


def _reminders(entry: Entry, text: str) -> None:
    """Durations before the start of a task; of a whole day, after its midnight."""
    reminders = []
    for each in filter(None, (part.strip() for part in re.split(r"[,\n\r]+", text))):
        found = DURATION.fullmatch(each.upper().removeprefix("TRIGGER:"))
        offset = None if found is None else _offset(found)
        if offset is None:
            entry.warn("reminders", f"{each[:100]} is not understood: it is left out.")
        elif not zones.has_time(str(entry.fields.get("due") or "")):
            entry.warn("reminders", f"{each[:100]}: the reminder is at your reminder time.")
            reminders.append({"offset": str(Offset(offset.days, 0)), "relative_to": "due"})
        else:
            relative_to = "start" if entry.fields.get("start") else "due"
            reminders.append({"offset": str(offset), "relative_to": relative_to})
    if reminders:
        entry.fields["reminders"] = reminders


def _offset(found: re.Match[str]) -> Offset | None:
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups()[1:])
    sign = -1 if found[1] else 1
    text = f"{'-' if sign < 0 else ''}P{days}DT{hours}H{minutes}M{seconds}S"
    return Offset.parse(text)


def _checklist(entry: Entry, content: str, contents: Contents) -> None:
    """Makes subtasks of the items of a checklist; what stands before them is the description."""
    parts = MARKS.split(content)
    entry.fields["description"] = parts[0].strip() or None
    for number, (mark, title) in enumerate(zip(parts[1::2], parts[2::2], strict=False), 1):
        item = Entry("task", f"{entry.key}\0{number}", {"title": title.strip()}, line=entry.line)
        item.list_key, item.parent_key = entry.list_key, entry.key
        item.is_completed = mark == "▪" or entry.is_completed
        item.order = None if entry.order is None else number
        contents.add(item)
