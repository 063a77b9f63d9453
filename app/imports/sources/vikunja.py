"""Vikunja's export: a zip with data.json, which has projects with their tasks inside.

Times are instants; 0001-01-01T00:00:00Z is none. Repetitions are seconds.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from app.imports.dates import instant, local_of
from app.imports.entries import Contents, Entry, Options, Unreadable
from app.imports.html import text_of_html
from app.imports.reading import Archive, json_of
from app.imports.sources.objects import Object, inner, key, number, objects, text
from app.tasks.reminders import Offset

DATA, FILTERS = "data.json", "filters.json"
PRIORITIES = {0: 0, 1: 9, 2: 5, 3: 3, 4: 2, 5: 1}
SECONDS = {7 * 86400: "WEEKLY", 86400: "DAILY"}  # of periods, the longest first
MONTHLY, FROM_COMPLETION = 1, 2  # repeat_mode
DATES = {"due_date": "due", "start_date": "start"}
KNOWN_RELATIONS = {"subtask", "parenttask"}


def check(file: bytes, _options: Options) -> tuple[Archive, Sequence[Object]]:
    """The archive and its projects; raises Unreadable for a file that is none of Vikunja's."""
    archive = Archive(file)
    if DATA not in archive.names:
        raise Unreadable("Is no export of Vikunja: the archive has no data.json.")
    projects = json_of(archive.read(DATA))
    if not isinstance(projects, list):
        raise Unreadable("Is no export of Vikunja: data.json is no array of projects.")
    return archive, [each for each in projects if isinstance(each, dict)]


def read(file: bytes, options: Options) -> Contents:
    """The projects as lists, and their tasks."""
    archive, projects = check(file, options)
    contents, count, known = Contents(), 0, set[str]()
    for project in _with_inner(projects):
        list_key = key(project, "id")
        if text(project, "title") == "Inbox":
            list_key = ""
        else:
            contents.add(_list(project))
        for task in objects(project, "tasks"):
            count += 1
            entry = Entry("task", key(task, "id") or f"{list_key}\0{count}", line=count)
            entry.list_key = list_key or None
            contents.add(entry)
            _fill(entry, task, options)
            _add_labels(entry, task, contents, known)
    if FILTERS in archive.names:
        for each in objects({"filters": json_of(archive.read(FILTERS))}, "filters"):
            title = text(each, "title")[:100]
            contents.warn("filter", f"{title}: filters have another language here; not imported.")
    if any(name.startswith("files/") for name in archive.names):
        contents.warn("files", "Attachments and backgrounds are not imported.")
    return contents


def _with_inner(projects: Sequence[Object]) -> Iterator[Object]:
    """The projects, and those inside them, as older versions have them."""
    waiting = list(reversed(projects))
    while waiting:
        project = waiting.pop()
        yield project
        for name in ("child_projects", "lists"):
            waiting += reversed(list(objects(project, name)))


def _list(project: Object) -> Entry:
    entry = Entry("list", key(project, "id"), {"title": text(project, "title")})
    description = text_of_html(text(project, "description"))
    color = text(project, "hex_color").lstrip("#")
    entry.fields |= {"description": description or None, "color": f"#{color}" if color else None}
    entry.is_archived = project.get("is_archived") is True
    entry.order = number(project, "position")
    if number(project, "parent_project_id"):
        entry.warn("parent", "Is in another project there: lists are in no others here.")
    return entry


def _fill(entry: Entry, task: Object, options: Options) -> None:
    entry.fields = {"title": text(task, "title"), "description": _description(task)}
    entry.is_completed = task.get("done") is True
    priority = int(number(task, "priority"))
    entry.fields["priority"] = PRIORITIES.get(priority, 0)
    if priority not in PRIORITIES:
        entry.warn("priority", f"{priority} is none of 0 to 5: the task has none.")
    entry.order = (number(task, "position"), number(task, "index"), entry.line)
    _dates(entry, task, options)
    _recurrence(entry, task)
    _reminders(entry, task)
    _relations(entry, task)
    for name in ("assignees", "attachments"):
        if any(True for _ in objects(task, name)):
            entry.warn(name, "Are not imported.")
    if 0 < number(task, "percent_done") < 1:
        entry.warn("percent_done", "Is not kept.")


def _description(task: Object) -> str | None:
    comments = [
        f"{text(inner(each, 'author'), 'username')}: {text_of_html(text(each, 'comment'))}"
        for each in objects(task, "comments")
    ]
    parts = (text_of_html(text(task, "description")), *comments)
    return "\n\n".join(part for part in parts if part) or None


def _dates(entry: Entry, task: Object, options: Options) -> None:
    given = {field: instant(text(task, name)) for name, field in DATES.items()}
    end = instant(text(task, "end_date"))
    if end is not None:
        if given["due"] is None:
            given["due"] = end
        else:
            entry.warn("end_date", f"{end:%Y-%m-%d %H:%M} UTC is not kept beside the due.")
    for field, at in given.items():
        if at is not None:
            entry.fields[field] = local_of(at, options.time_zone)
    if given["due"] is not None:
        entry.fields["time_zone"] = options.time_zone


def _recurrence(entry: Entry, task: Object) -> None:
    seconds, mode = int(number(task, "repeat_after")), int(number(task, "repeat_mode"))
    if mode == MONTHLY:
        entry.fields["recurrence"] = "FREQ=MONTHLY"
        return
    if seconds <= 0:
        return
    for length, frequency in SECONDS.items():
        if seconds % length == 0 and seconds // length <= 999:
            interval = seconds // length
            entry.fields["recurrence"] = f"FREQ={frequency};INTERVAL={interval}"
            entry.fields["recurrence_basis"] = "completion" if mode == FROM_COMPLETION else "due"
            return
    entry.warn("recurrence", f"Every {seconds} seconds can't be kept: the task does not recur.")


def _reminders(entry: Entry, task: Object) -> None:
    reminders: list[dict[str, Any]] = []
    for each in objects(task, "reminders"):
        at, relative_to = instant(text(each, "reminder")), text(each, "relative_to")
        name = {"due_date": "due", "end_date": "due", "start_date": "start"}.get(relative_to)
        if name is not None and entry.fields.get(name):
            seconds = int(number(each, "relative_period"))
            reminders.append({"offset": str(Offset(0, seconds)), "relative_to": name})
        elif at is not None:
            reminders.append({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
        else:
            entry.warn("reminders", "One has no time: it is left out.")
    if reminders:
        entry.fields["reminders"] = reminders


def _relations(entry: Entry, task: Object) -> None:
    related = inner(task, "related_tasks")
    for parent in objects(related, "parenttask"):
        if entry.parent_key is None:
            entry.parent_key = key(parent, "id") or None
        else:
            entry.warn("parent", "Has more than one parent there: the first one counts.")
    for name in related.keys() - KNOWN_RELATIONS:
        if any(True for _ in objects(related, name)):
            entry.warn("related_tasks", f"{name[:50]} is not kept.")


def _add_labels(entry: Entry, task: Object, contents: Contents, known: set[str]) -> None:
    """Names the labels, each of which is a thing of its own because of its colour."""
    for label in objects(task, "labels"):
        name = text(label, "title")
        entry.labels.append(name)
        own = key(label, "id")
        if name.strip() and own and own not in known:
            color = text(label, "hex_color").lstrip("#")
            fields = {"name": name, "color": f"#{color}" if color else None}
            contents.add(Entry("label", own, fields))
            known.add(own)
