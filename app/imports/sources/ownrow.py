"""Ownrow's own JSON export: everything comes back but ids, versions and times."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from app.imports.entries import Contents, Entry, Options, Unreadable
from app.imports.reading import json_of

ARRAYS = {"tasks": "task", "lists": "list", "labels": "label", "filters": "filter"}
SERIES = ("recurrence_from", "recurrence_left")  # of a task that recurs
FIELDS: Mapping[str, tuple[str, ...]] = {
    "task": (
        "title",
        "description",
        "priority",
        "due",
        "start",
        "time_zone",
        "recurrence",
        "recurrence_basis",
        "reminders",
    ),
    "list": ("title", "description", "color"),
    "label": ("name", "color"),
    "filter": ("title", "query", "sort"),
}


def check(file: bytes, _options: Options) -> Mapping[str, Any]:
    """The export; raises Unreadable for a file that is none."""
    export = json_of(file)
    if not isinstance(export, dict) or not any(
        isinstance(export.get(name), list) for name in ARRAYS
    ):
        raise Unreadable("Is no JSON export of Ownrow: an object with the array tasks.")
    return export


def read(file: bytes, options: Options) -> Contents:
    """The things of the export."""
    export, contents = check(file, options), Contents()
    names = {
        each["id"]: each["name"]
        for each in _objects(export, "labels")
        if isinstance(each.get("id"), str) and isinstance(each.get("name"), str)
    }
    completions = _completions(export)
    for array, kind in ARRAYS.items():
        items = export.get(array)
        if array in export and not isinstance(items, list):
            contents.warn(array, "Is no array, and is not imported.")
        for number, item in enumerate(items if isinstance(items, list) else (), 1):
            entry = contents.add(Entry(kind, f"{array}[{number}]", line=number))
            if isinstance(item, dict):
                _fill(entry, item, names)
                entry.completions = completions[entry.key] if kind == "task" else []
            else:
                entry.fail("", "Must be a JSON object.")
    for array in export.keys() - ARRAYS.keys() - {"completions"}:
        contents.warn(array[:100], "Is not imported.")
    return contents


def _objects(export: Mapping[str, Any], array: str) -> Iterable[Mapping[str, Any]]:
    found = export.get(array)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else ()


def _completions(export: Mapping[str, Any]) -> Mapping[str, list[tuple[str, bool]]]:
    """The occurrences that were completed by the ids of their tasks, the oldest first."""
    found: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    for each in _objects(export, "completions"):
        version, occurrence = each.get("version"), each.get("occurrence")
        if isinstance(version, int) and isinstance(occurrence, str):
            found[str(each.get("task_id"))].append((version, occurrence, bool(each.get("undone"))))
    ordered = {
        task_id: [(occurrence, undone) for _, occurrence, undone in sorted(group)]
        for task_id, group in found.items()
    }
    return defaultdict(list, ordered)


def _fill(entry: Entry, item: Mapping[str, Any], names: Mapping[str, str]) -> None:
    entry.fields = {name: item[name] for name in FIELDS[entry.kind] if name in item}
    entry.key = str(item.get("id") or entry.key)
    entry.order = item["position"] if isinstance(item.get("position"), str) else None
    if entry.kind == "task":
        entry.list_key = _key(item.get("list_id"))
        entry.parent_key = _key(item.get("parent_id"))
        entry.is_completed = item.get("is_completed") is True
        entry.series = {name: item[name] for name in SERIES if name in item}
        label_ids = item.get("label_ids")
        for label_id in label_ids if isinstance(label_ids, list) else ():
            if isinstance(label_id, str) and label_id in names:
                entry.labels.append(names[label_id])
            else:
                entry.warn("label_ids", "Has a label that is not in the file.")
    entry.is_archived = item.get("archived_at") is not None


def _key(item_id: Any) -> str | None:
    return None if item_id is None else str(item_id)
