"""Google Tasks, as Takeout has them: lists with their tasks. Dates are midnight in UTC, and mean
that day everywhere; the rest of the time is not kept there.
"""

from collections.abc import Mapping
from typing import Any

from app.imports.dates import iso
from app.imports.entries import Contents, Entry, Options, Unreadable
from app.imports.reading import json_of
from app.imports.sources.objects import Object, key, objects, text
from app.zones import DATE_LENGTH

UNKEPT = ("recurrence", "task_recurrence_id", "starred", "assignmentInfo")


def check(file: bytes, _options: Options) -> Mapping[str, Any]:
    """The lists; raises Unreadable for a file that is none of Takeout's."""
    given = json_of(file)
    if not isinstance(given, dict) or not isinstance(given.get("items"), list):
        raise Unreadable("Is no Tasks.json of Google Takeout: an object with the array items.")
    return given


def read(file: bytes, options: Options) -> Contents:
    """The lists and their tasks."""
    contents, number = Contents(), 0
    for place, given in enumerate(objects(check(file, options), "items"), 1):
        list_key = key(given, "id") or f"list {place}"
        contents.add(Entry("list", list_key, {"title": text(given, "title") or "Tasks"}))
        for task in objects(given, "items"):
            number += 1
            entry = Entry("task", key(task, "id") or f"{list_key}\0{number}", line=number)
            entry.list_key = list_key
            contents.add(entry)
            _fill(entry, task)
    return contents


def _fill(entry: Entry, task: Object) -> None:
    entry.parent_key = key(task, "parent") or None
    entry.fields = {"title": text(task, "title"), "description": text(task, "notes") or None}
    entry.is_completed = text(task, "status") == "completed"
    entry.order = text(task, "position") or None
    if task.get("deleted") is True:
        entry.skipped = True
        entry.warn("deleted", "Was deleted there.")
    _date(entry, task)
    addresses = [
        f"{text(link, 'description')} {text(link, 'link')}".strip()
        for link in objects(task, "links")
    ]
    if addresses:
        parts = (entry.fields["description"], *addresses)
        entry.fields["description"] = "\n\n".join(part for part in parts if part)
    for name in UNKEPT:
        if task.get(name):
            entry.warn(name, "Is not kept: the file does not tell what it means.")


def _date(entry: Entry, task: Object) -> None:
    given = text(task, "due")
    for each in objects(task, "scheduled_time"):
        if each.get("current") is not False:
            given = given or text(each, "start")
    if not given:
        return
    when = iso(given[:DATE_LENGTH], "UTC")
    if when is None:
        entry.warn("due", f"{given[:50]} is no date: it is left out.")
    else:
        entry.fields["due"] = when.local
