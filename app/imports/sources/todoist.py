"""Todoist: a project as CSV, and the backup, which is a zip of these.

A CSV has open tasks only. Its priorities are the reverse of those of Todoist's API: 1 is the most
urgent.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from app.imports import phrases
from app.imports.dates import ISO, iso, zone_name
from app.imports.entries import Contents, Entry, Lists, Options, Unreadable
from app.imports.reading import Archive, Record, delimiter_of, records, text_of
from app.zones import has_time

NEEDED = {"TYPE", "CONTENT"}
PRIORITIES = {"1": 1, "2": 5, "3": 9, "4": 0, "": 0}
NO_PRIORITY = "Is empty, which Todoist's own importer takes for 1: the task has none."
LABELS = re.compile(r"(?:(?:^|\s+)@\S+)+\s*$")
PROJECT = re.compile(r"^(.*?)(?:\s*\[[^\]]*\])?\.csv$", re.IGNORECASE | re.DOTALL)
ATTACHMENT = re.compile(r"\[\[file .*?\]\]", re.DOTALL)
FILE_URL = re.compile(r'"(?:file_url|url)"\s*:\s*"([^"]+)"')
NOTHING = {"", "none"}
# What a due, a deadline, or a duration is not kept of.
UNKEPT = {"RESPONSIBLE": "assignee", "DURATION": "duration"}


class Project(NamedTuple):
    """A CSV of a project: its records as objects, with the lines on which they begin."""

    rows: Sequence[tuple[int, Mapping[str, str]]]


def check(file: bytes, _options: Options) -> Project:
    """The project; raises Unreadable for a file that is none."""
    text = text_of(file)
    found = [each for each in records(text, delimiter_of(text)) if any(each.cells)]
    header = [cell.strip().upper() for cell in found[0].cells] if found else []
    if not set(header) >= NEEDED:
        raise Unreadable("Is no CSV of Todoist: its header has the columns TYPE and CONTENT.")
    return Project([(record.line, _object(header, record)) for record in found[1:]])


def _object(header: Sequence[str], record: Record) -> Mapping[str, str]:
    cells = dict(zip(header, record.cells, strict=False))
    return {name: cells.get(name, "") for name in header}


def check_backup(file: bytes, _options: Options) -> Archive:
    """The archive; raises Unreadable for one without a CSV, and TooLarge."""
    archive = Archive(file)
    if not any(PROJECT.match(name) for name in archive.names):
        raise Unreadable("Is no backup of Todoist: the archive has no CSV.")
    return archive


def read(file: bytes, options: Options) -> Contents:
    """The tasks of a project."""
    contents = Contents()
    lists = Lists(contents, options.list_title)
    _read_project(check(file, options), lists.key(), contents, options, None)
    return contents


def read_backup(file: bytes, options: Options) -> Contents:
    """The tasks of all projects, each in a list that is named after its file."""
    archive, contents = check_backup(file, options), Contents()
    lists = Lists(contents)
    for path in sorted(archive.names):
        name = path.replace("\\", "/").rsplit("/", 1)[-1]
        project = PROJECT.match(name)
        if project is None:
            contents.warn("file", f"{name[:200]} is no CSV, and is not imported.")
            continue
        try:
            found = check(archive.read(path), options)
        except Unreadable as error:
            broken = contents.add(Entry("list", path, {"title": project[1]}, file=name))
            broken.fail("file", error.text)
            continue
        _read_project(found, lists.key(project[1].strip()), contents, options, name)
    return contents


def _read_project(
    project: Project, list_key: str | None, contents: Contents, options: Options, name: str | None
) -> None:
    section: str | None = None
    above: list[tuple[int, Entry]] = []  # the tasks that the next one may be below
    seen: Counter[str] = Counter()
    has_warned = False
    for line, row in project.rows:
        kind = row["TYPE"].strip().lower()
        if kind == "section":
            section, above = row["CONTENT"].strip(), []
            contents.warn("section", f"{section[:100]}: its tasks get a label of that name.")
        elif kind == "note" and above:
            _add_note(above[-1][1], row["CONTENT"])
        elif kind == "task":
            entry = contents.add(Entry("task", "", file=name, line=line, list_key=list_key))
            _fill(entry, row, section, options)
            if not row.get("PRIORITY", "").strip() and not has_warned:
                entry.warn("priority", NO_PRIORITY)
                has_warned = True
            indent = _indent(row.get("INDENT", ""))
            above = [each for each in above if each[0] < indent]
            path = "\0".join([list_key or "", *(each.key for _, each in above[-1:])])
            like = f"{path}\0{entry.fields['title']}"
            seen[like] += 1
            entry.key = f"{like}\0{seen[like]}"
            entry.parent_key = above[-1][1].key if above else None
            above.append((indent, entry))
        elif kind not in ("", "meta", "note"):
            row_entry = contents.add(Entry("task", f"{name}\0{line}", file=name, line=line))
            row_entry.fail("TYPE", f"{kind[:50]} is not known.")


def _indent(text: str) -> int:
    return int(text) if text.strip().isascii() and text.strip().isdigit() else 1


def _fill(entry: Entry, row: Mapping[str, str], section: str | None, options: Options) -> None:
    content = row["CONTENT"]
    named = LABELS.search(content)
    title = content[: named.start()] if named else content
    if named and title.strip():
        entry.labels = [word[1:] for word in named[0].split()]
    else:
        title = content
    if section:
        entry.labels.append(section)
    entry.fields = {"title": title.strip(), "description": row.get("DESCRIPTION") or None}
    _priority(entry, row.get("PRIORITY", "").strip())
    for column, what in UNKEPT.items():
        value = row.get(column, "").strip()
        if value.lower() not in NOTHING:
            entry.warn(what, f"{value[:100]} is not kept.")
    _date(entry, row, options)
    _deadline(entry, row, options)


def _priority(entry: Entry, text: str) -> None:
    if text in PRIORITIES:
        entry.fields["priority"] = PRIORITIES[text]
    else:
        entry.warn("priority", f"{text[:50]} is none of 1 to 4: the task has none.")


def _date(entry: Entry, row: Mapping[str, str], options: Options) -> None:
    text = row.get("DATE", "").strip()
    if not text:
        return
    given = row.get("TIMEZONE", "").strip()
    zone = zone_name(given) if given else None
    due = _due(entry, text, row.get("DATE_LANG", "").strip() or "en", options)
    if due is None:
        entry.warn("due", f"{text[:100]} is not understood: the task has no date.")
        return
    entry.fields["due"] = due
    if has_time(due) and not entry.fields.get("time_zone"):
        entry.fields["time_zone"] = zone
        if given and zone is None:
            entry.warn("time_zone", f"{given[:100]} is not known: the time is in no zone.")


def _due(entry: Entry, text: str, language: str, options: Options) -> str | None:
    """The due of a text; a repetition goes into the entry's fields."""
    if ISO.fullmatch(text):
        when = iso(text, options.time_zone)
        if when is None:
            return None
        entry.fields["time_zone"] = when.time_zone
        return when.local
    for each in dict.fromkeys((language, "en")):
        phrase = phrases.read(text, each, options.today)
        if phrase is not None:
            if phrase.rule is not None:
                entry.fields["recurrence"] = phrase.rule
                entry.fields["recurrence_basis"] = phrase.basis
            return phrase.due
    return None


def _deadline(entry: Entry, row: Mapping[str, str], options: Options) -> None:
    """A deadline is the due of a task without a date."""
    text = row.get("DEADLINE", "").strip()
    if text.lower() in NOTHING:
        return
    language = row.get("DEADLINE_LANG", "").strip() or "en"
    alone = Entry("task", "")
    due = _due(alone, text, language, options)
    if due is not None and "due" not in entry.fields:
        entry.fields["due"] = due
        return
    parts = (entry.fields["description"], f"Deadline: {text}")
    entry.fields["description"] = "\n\n".join(part for part in parts if part)
    entry.warn("deadline", f"{text[:100]} is kept in the description only.")


def _add_note(entry: Entry, text: str) -> None:
    """Adds a comment to the description; of an attachment, its address."""
    addresses = [
        address for found in ATTACHMENT.findall(text) for address in FILE_URL.findall(found)
    ]
    if ATTACHMENT.search(text):
        entry.warn("attachment", "Is not imported, but for its address.")
    parts: Iterable[str | None] = (
        entry.fields["description"], ATTACHMENT.sub("", text).strip(), *addresses,
    )  # fmt: skip
    entry.fields["description"] = "\n\n".join(part for part in parts if part) or None
