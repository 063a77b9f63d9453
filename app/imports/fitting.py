"""Has the fields of entries fit what the API takes; what is changed or dropped is a warning."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from marshmallow import ValidationError

from app.filters.schemas import NEW_FILTER
from app.http.fields import UNSTORABLE, Integer, LocalTime, StrictSchema, Zone, load
from app.imports.entries import Entry
from app.labels.schemas import MOST_LABELS, NEW_LABEL
from app.lists.schemas import NEW_LIST
from app.recurrence import RuleError, normalise
from app.tasks.dates import Dates, problems
from app.tasks.reminders import MOST_REMINDERS
from app.tasks.schemas import NEW_TASK, Reminders
from app.zones import has_time

LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_NAME = 255, 5000, 100
CUT = "…"
LOCAL, ZONE, REMINDERS = LocalTime(), Zone(), Reminders()
LEFT = Integer(1, 9999, allow_none=True)
SCHEMAS: dict[str, StrictSchema] = {
    "task": NEW_TASK,
    "list": NEW_LIST,
    "label": NEW_LABEL,
    "filter": NEW_FILTER,
}


def fit(entry: Entry) -> None:
    """Makes an entry's fields those that the API would take; what remains wrong is an error."""
    _texts(entry)
    if entry.kind == "task":
        for step in TASK_STEPS:
            step(entry)
    loaded, broken = load(SCHEMAS[entry.kind], entry.fields)
    for detail in broken:
        entry.fail(detail["field"], detail["message"])
    entry.fields = loaded


def _texts(entry: Entry) -> None:
    fields = entry.fields
    for name in ("title", "name", "description"):
        text = fields.get(name)
        if isinstance(text, str) and UNSTORABLE.search(text):
            fields[name] = UNSTORABLE.sub("", text)
            entry.warn(name, "Characters that can't be stored were removed.")
    if "name" in fields:
        fields["name"] = short_name(entry, "name", str(fields["name"]))
    if "title" in fields:
        _title(entry)
    description = fields.get("description")
    if isinstance(description, str) and len(description) > LONGEST_DESCRIPTION:
        fields["description"] = description[: LONGEST_DESCRIPTION - 1] + CUT
        entry.warn("description", f"Was cut to {LONGEST_DESCRIPTION} characters.")
    color = fields.get("color")
    if color is not None and not re.fullmatch("#[0-9a-fA-F]{6}", str(color)):
        fields["color"] = None
        entry.warn("color", "Is no colour such as #c03a2b, and is left out.")


def _title(entry: Entry) -> None:
    """A title that is too long goes into the description as a whole."""
    fields = entry.fields
    title = " ".join(str(fields["title"] or "").split("\n")).strip()
    if not title and (fields.get("description") or "").strip():
        title = fields["description"].strip().split("\n")[0].strip()
        entry.warn("title", "Was empty: the first line of the description stands for it.")
    if len(title) > LONGEST_TITLE:
        entry.warn("title", f"Was cut to {LONGEST_TITLE} characters.")
        if entry.kind == "task":
            parts = (title, fields.get("description"))
            fields["description"] = "\n\n".join(part for part in parts if part)
        title = title[: LONGEST_TITLE - 1] + CUT
    fields["title"] = title


def short_name(entry: Entry, field_name: str, name: str) -> str:
    """A label's name, cut where it is too long."""
    name = name.strip()
    if len(name) > LONGEST_NAME:
        entry.warn(field_name, f"A name was cut to {LONGEST_NAME} characters.")
        name = name[: LONGEST_NAME - 1].strip() + CUT
    return name


def _labels(entry: Entry) -> None:
    names = dict.fromkeys(
        short_name(entry, "labels", UNSTORABLE.sub("", each)) for each in entry.labels
    )
    entry.labels = [name for name in names if name]
    if len(entry.labels) > MOST_LABELS:
        entry.warn("labels", f"More than {MOST_LABELS}: {', '.join(entry.labels[MOST_LABELS:])}")
        entry.labels = entry.labels[:MOST_LABELS]


def _dates(entry: Entry) -> None:
    fields = entry.fields
    for name, form in (("due", LOCAL), ("start", LOCAL), ("time_zone", ZONE)):
        if fields.get(name) is not None:
            _drop_where(entry, name, partial(form.deserialize, fields[name]))
    if fields.get("time_zone") and not (fields.get("due") and has_time(fields["due"])):
        fields["time_zone"] = None
    for detail in problems(Dates(*(fields.get(name) for name in Dates._fields))):
        entry.warn(detail["field"], f"{detail['message']} It is left out.")
        fields[detail["field"]] = None


def _drop_where(entry: Entry, name: str, check: Callable[[], Any]) -> None:
    """Drops a field that the check refuses."""
    try:
        check()
    except ValidationError as error:
        messages = " ".join(str(message) for message in error.messages)
        entry.warn(name, f"{str(entry.fields[name])[:200]}: {messages} It is left out.")
        entry.fields[name] = None


def _recurrence(entry: Entry) -> None:
    fields = entry.fields
    rule = fields.get("recurrence")
    if not isinstance(rule, str):
        return
    if fields.get("due") is None:
        fields["recurrence"] = None
        entry.warn("recurrence", f"{rule}: needs a due, and is left out.")
        return
    basis = fields.get("recurrence_basis", "due")
    try:
        normalise(rule, basis, fields["due"])
    except RuleError as error:
        fields["recurrence"] = None
        entry.warn("recurrence", f"{rule[:200]}: {error} It is left out.")


def _reminders(entry: Entry) -> None:
    fields = entry.fields
    reminders = fields.get("reminders")
    if not isinstance(reminders, list):
        return
    kept = []
    for each in reminders:
        try:
            REMINDERS.deserialize([each])
        except ValidationError:
            entry.warn("reminders", "One is not as the API takes it: it is left out.")
            continue
        if "at" in each or fields.get("due") or _starts(each, fields):
            kept.append(each)
        else:
            entry.warn("reminders", "One is relative to a date that there is not: it is left out.")
    if len(kept) > MOST_REMINDERS:
        entry.warn("reminders", f"More than {MOST_REMINDERS}: the others are left out.")
    fields["reminders"] = kept[:MOST_REMINDERS]


def _starts(reminder: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    return reminder.get("relative_to") == "start" and bool(fields.get("start"))


def _series(entry: Entry) -> None:
    """Keeps where a series stands, as far as that is possible."""
    given, entry.series = entry.series, {}
    if not entry.fields.get("recurrence"):
        return
    try:
        for name, form in (("recurrence_from", LOCAL), ("recurrence_left", LEFT)):
            if name in given:
                entry.series[name] = form.deserialize(given[name])
    except ValidationError as error:
        entry.series = {}
        entry.warn("recurrence", f"{error.messages[0]} The series begins at the due.")


def _completions(entry: Entry) -> None:
    """Keeps the completions of a task that still recurs."""
    given, entry.completions = entry.completions, []
    if given and not entry.fields.get("recurrence"):
        entry.warn("completions", "Are not kept, as the task does not recur.")
        return
    for occurrence, is_undone in given:
        try:
            entry.completions.append((LOCAL.deserialize(occurrence), is_undone))
        except ValidationError:
            entry.warn("completions", f"{occurrence[:50]} is no date: it is left out.")


TASK_STEPS = (_labels, _dates, _recurrence, _series, _reminders, _completions)
