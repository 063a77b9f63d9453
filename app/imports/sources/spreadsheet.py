"""Any CSV: each record is a task, by columns that are named alike or given as column=FIELD:NAME."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from app.imports import phrases
from app.imports.dates import When, iso, numeric, order_of, zone_name
from app.imports.entries import Contents, Entry, Lists, Options, Unreadable
from app.imports.reading import Record, delimiter_of, records, text_of
from app.imports.words import LANGUAGES, plain

# The names of columns that are taken for a field, without case, spaces, - and _.
NAMES: Mapping[str, str] = {
    "title": "title task name subject summary content taskname titel aufgabe titre tache titulo "
    "tarea asunto betreff",
    "description": "description notes note body details memo beschreibung notizen notas "
    "descripcion",
    "list": "list project folder listname listtitle projekt liste lista proyecto projet",
    "parent": "parent parentid parenttask",
    "id": "id uid taskid",
    "priority": "priority prio prioritat prioridad priorite",
    "labels": "labels tags label tag category categories etiquetas",
    "due": "due duedate dueon deadline date fallig falligkeit echeance vencimiento",
    "start": "start startdate starton",
    "time_zone": "timezone zone tz",
    "recurrence": "recurrence repeat rrule recurring wiederholung repeticion",
    "recurrence_basis": "recurrencebasis",
    "completed": "completed done iscompleted status complete erledigt completado",
}
FIELDS = tuple(NAMES)
BY_NAME = {name: field for field, names in NAMES.items() for name in names.split()}
PRIORITIES = {
    "": 0, "none": 0, "no": 0, "lowest": 9, "low": 9, "normal": 5, "medium": 5, "moderate": 5,
    "high": 1, "highest": 1, "urgent": 1, "critical": 1, "p1": 1, "p2": 5, "p3": 9, "p4": 0,
}  # fmt: skip
DONE = {"true", "yes", "y", "x", "1", "done", "completed", "complete", "✓", "✔", "closed", "ja"}
OPEN = {
    "", "false", "no", "n", "0", "open", "todo", "to do", "needs-action", "pending", "not started",
    "in progress", "in-process", "active", "nein",
}  # fmt: skip
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")


class Table(NamedTuple):
    """The records of a CSV, and where its fields are."""

    places: Mapping[str, int]
    header: Sequence[str]
    rows: Sequence[Record]
    date_order: str

    def cell(self, record: Record, field: str) -> str:
        """A field of a record, without the quote in front of what looks like a formula."""
        place = self.places.get(field)
        text = record.cells[place] if place is not None and place < len(record.cells) else ""
        return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text


def check(file: bytes, options: Options) -> Table:
    """The table; raises Unreadable for columns that are not there, or dates of an unknown order."""
    text = text_of(file)
    delimiter, first = delimiter_of(text), text[:6].lower()
    if first.startswith("sep="):
        delimiter, text = text[4], "\n" + text.partition("\n")[2]
    rows = [record for record in records(text, delimiter) if any(map(str.strip, record.cells))]
    if not rows:
        raise Unreadable("Has no header: the first line names the columns.")
    header = [cell.strip() for cell in rows.pop(0).cells]
    table = Table(_places(header, options), header, rows, options.date_order or "dmy")
    if options.date_order is None:
        dates = (table.cell(row, field) for row in rows for field in ("due", "start"))
        table = table._replace(date_order=order_of(dates))
    return table


def _places(header: Sequence[str], options: Options) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for field, column in options.columns:
        if column not in header:
            there = ", ".join(header)[:300]
            raise Unreadable(f"There is no column {column[:100]}; there are {there}.", "column")
        found[field] = header.index(column)
    for place, name in enumerate(header):
        field = BY_NAME.get(plain(name).translate(str.maketrans("", "", " _-")), "")
        if field and field not in found and place not in found.values():
            found[field] = place
    if "title" not in found:
        there = ", ".join(header)[:300]
        raise Unreadable(
            f"No column has titles: name it by column=title:NAME; there are {there}.", "column"
        )
    return found


def read(file: bytes, options: Options) -> Contents:
    """The tasks of the table, and a list for each title in the column list."""
    table, contents = check(file, options), Contents()
    for place, name in enumerate(table.header):
        if place not in table.places.values() and name:
            contents.warn(name[:100], "The column is not imported: column=FIELD:NAME would do so.")
    lists = Lists(contents, options.list_title)
    tasks = [(record, _task(record, table, lists, options)) for record in table.rows]
    _number(tasks, table)
    _set_parents(tasks, table)
    contents.entries += [entry for _, entry in tasks]
    contents.check()
    return contents


def _task(record: Record, table: Table, lists: Lists, options: Options) -> Entry:
    entry = Entry("task", "", line=record.line)
    cell = {field: table.cell(record, field) for field in table.places}
    entry.fields = {"title": cell["title"], "description": cell.get("description") or None}
    entry.list_key = lists.key(cell.get("list", ""))
    entry.labels = split_labels(cell.get("labels", ""))
    _priority(entry, cell.get("priority", ""))
    _dates(entry, cell, table, options)
    _recurrence(entry, cell, options)
    _completed(entry, cell.get("completed", ""))
    if len(record.cells) > len(table.header) and any(record.cells[len(table.header) :]):
        entry.warn("", "Has more cells than the header, which are left out.")
    return entry


def split_labels(text: str) -> list[str]:
    """The labels of a cell: between commas or semicolons, with or without # and @."""
    separated = text.replace(";", ",").split(",")
    return [name for name in (each.strip().lstrip("#@").strip() for each in separated) if name]


def _priority(entry: Entry, text: str) -> None:
    word = text.strip().casefold()
    if word in PRIORITIES:
        entry.fields["priority"] = PRIORITIES[word]
    elif word.isascii() and word.isdigit() and len(word) == 1:
        entry.fields["priority"] = int(word)
    else:
        entry.fail("priority", f"{text[:50]} is none of 0 to 9, high, medium and low.")


def _dates(entry: Entry, cell: Mapping[str, str], table: Table, options: Options) -> None:
    zone = cell.get("time_zone", "").strip()
    known = zone_name(zone) if zone else None
    if zone and known is None:
        entry.warn("time_zone", f"{zone[:100]} is not known: the times are in no zone.")
    for field in ("due", "start"):
        text = cell.get(field, "").strip()
        if not text:
            continue
        when = _when(text, known or options.time_zone, table.date_order, options)
        if when is None or when.local is None:
            entry.fail(field, f"{text[:50]} is no date that exists.")
            continue
        entry.fields[field] = when.local
        if field == "due":
            entry.fields["time_zone"] = known or when.time_zone


def _when(text: str, zone: str, order: str, options: Options) -> When | None:
    found = iso(text, zone) or numeric(text, order)
    if found is not None:
        return found if found.local is None or _exists(found.local) else None
    for language in LANGUAGES:
        phrase = phrases.read(text, language, options.today, date_order=order)
        if phrase is not None and phrase.rule is None:
            return When(phrase.due)
    return None


def _exists(local: str) -> bool:
    try:
        datetime.fromisoformat(local)
    except ValueError:
        return False
    return True


def _recurrence(entry: Entry, cell: Mapping[str, str], options: Options) -> None:
    text = cell.get("recurrence", "").strip()
    if not text:
        return
    basis = cell.get("recurrence_basis", "").strip()
    if basis:
        entry.fields["recurrence_basis"] = basis
    if "FREQ=" in text.upper():
        entry.fields["recurrence"] = text.removeprefix("RRULE:")
        return
    for language in LANGUAGES:
        phrase = phrases.read(text, language, options.today)
        if phrase is not None and phrase.rule is not None:
            entry.fields |= {"recurrence": phrase.rule, "recurrence_basis": phrase.basis}
            if entry.fields.get("due") is None:
                entry.fields["due"] = phrase.due
            return
    entry.warn("recurrence", f"{text[:100]} is not understood: the task does not recur.")


def _completed(entry: Entry, text: str) -> None:
    word = text.strip().casefold()
    entry.is_completed = word in DONE
    if word not in DONE | OPEN:
        entry.warn("completed", f"{text[:50]} is not understood: the task is open.")


def _number(tasks: Sequence[tuple[Record, Entry]], table: Table) -> None:
    """Gives tasks their keys: ids, or list, title and how often these came before."""
    seen: Counter[tuple[str | None, str]] = Counter()
    for record, entry in tasks:
        own = table.cell(record, "id").strip()
        like = entry.list_key, entry.fields["title"].strip()
        seen[like] += 1
        entry.key = f"id\0{own}" if own else f"{like[0]}\0{like[1]}\0{seen[like]}"


def _set_parents(tasks: Sequence[tuple[Record, Entry]], table: Table) -> None:
    """Finds parents by their ids, or by their titles in the same list."""
    if "parent" not in table.places:
        return
    keys = {entry.key for _, entry in tasks}
    for record, entry in tasks:
        parent = table.cell(record, "parent").strip()
        if parent:
            by_id = f"id\0{parent}"
            entry.parent_key = by_id if by_id in keys else f"{entry.list_key}\0{parent}\0{1}"
