"""Vikunja's export."""

import io
import json
import zipfile
from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields
from tests.support.imports import counts, exported, imported, send, tasks, warnings

ZERO = "0001-01-01T00:00:00Z"


def export(*given: dict[str, Any], **project: Any) -> bytes:
    """A zip with one project of these tasks."""
    each = [
        {"id": n, "due_date": ZERO, "start_date": ZERO, "end_date": ZERO, "done_at": ZERO, **task}
        for n, task in enumerate(given, 1)
    ]
    projects = [{"id": 7, "title": "Garden", "tasks": each, **project}]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data.json", json.dumps(projects))
        archive.writestr("filters.json", json.dumps([{"id": 1, "title": "Soon"}]))
        archive.writestr("VERSION", "2.0.0")
        archive.writestr("files/1", "picture")
    return packed.getvalue()


@pytest.mark.proves("IMPORT-19")
def test_dates_zero_is_none_and_instants_are_in_the_owners_zone(alice: ApiUser) -> None:
    file = export(
        {"title": "none"},
        {"title": "due", "due_date": "2026-10-07T07:00:00Z"},
        {"title": "end", "end_date": "2026-10-07T07:00:00Z", "start_date": "2026-10-06T07:00:00Z"},
    )
    imported(alice, "vikunja", file, time_zone="Europe/Madrid")
    found = {
        title: (each["start"], each["due"], each["time_zone"])
        for title, each in tasks(alice).items()
    }
    assert found == {
        "none": (None, None, None),
        "due": (None, "2026-10-07T09:00:00", "Europe/Madrid"),
        "end": ("2026-10-06T09:00:00", "2026-10-07T09:00:00", "Europe/Madrid"),
    }


@pytest.mark.proves("IMPORT-19")
def test_priorities_repetitions_reminders_labels_and_relations(alice: ApiUser) -> None:
    due = "2026-10-07T07:00:00Z"
    file = export(
        *({"title": f"p{n}", "priority": n} for n in range(6)),
        {"title": "week", "due_date": due, "repeat_after": 604800,
         "labels": [{"id": 3, "title": "green", "hex_color": "00ff00"}],
         "reminders": [
             {"reminder": "2026-10-07T06:30:00Z", "relative_period": -1800,
              "relative_to": "due_date"},
             {"reminder": "2037-10-07T06:30:00Z", "relative_period": 0, "relative_to": ""},
         ]},
        {"title": "days", "due_date": due, "repeat_after": 2 * 86400, "repeat_mode": 2},
        {"title": "month", "due_date": due, "repeat_mode": 1},
        {"title": "odd", "due_date": due, "repeat_after": 5000},
        {"title": "child", "related_tasks": {"parenttask": [{"id": 7}], "blocking": [{"id": 8}]},
         "done": True, "description": "<ul><li>a</li><li>b</li></ul>"},
    )  # fmt: skip
    report = imported(alice, "vikunja", file)
    found, everything = tasks(alice), exported(alice)
    assert [found[f"p{n}"]["priority"] for n in range(6)] == [0, 9, 5, 3, 2, 1]
    rules = {
        title: (found[title]["recurrence"], found[title]["recurrence_basis"])
        for title in ("week", "days", "month", "odd")
    }
    assert rules == {
        "week": ("FREQ=WEEKLY;BYDAY=WE", "due"),
        "days": ("FREQ=DAILY;INTERVAL=2", "completion"),
        "month": ("FREQ=MONTHLY;BYMONTHDAY=7", "due"),
        "odd": (None, "due"),
    }
    assert found["week"]["reminders"] == [
        {"offset": "-PT30M", "relative_to": "due"}, {"at": "2037-10-07T06:30:00.000000Z"},
    ]  # fmt: skip
    assert [(each["name"], each["color"]) for each in everything["labels"]] == [
        ("green", "#00ff00")
    ]
    assert (found["child"]["parent_id"], found["child"]["is_completed"]) == (
        found["week"]["id"], True,
    )  # fmt: skip
    assert found["child"]["description"] == "- a\n- b"
    assert warnings(report) == [
        (None, "filter"), (None, "files"), (10, "recurrence"), (11, "related_tasks"),
    ]  # fmt: skip
    assert counts(imported(alice, "vikunja", file)) == (11, 0, 11, 0)


@pytest.mark.proves("IMPORT-19")
def test_projects_are_lists_with_colour_archived_as_they_were(alice: ApiUser) -> None:
    file = export(
        {"title": "x"}, is_archived=True, hex_color="C03A2B", description="<p>Green</p>",
        parent_project_id=3,
    )  # fmt: skip
    report = imported(alice, "vikunja", file)
    (found,) = exported(alice)["lists"]
    assert (found["title"], found["color"], found["description"]) == ("Garden", "#c03a2b", "Green")
    assert found["archived_at"] is not None
    assert (None, "parent") in warnings(report)


@pytest.mark.proves("IMPORT-12")
def test_another_archive_is_refused_at_once(alice: ApiUser) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("other.json", "[]")
    assert broken_fields(send(alice, "vikunja", packed.getvalue())) == ["file"]
    assert broken_fields(send(alice, "vikunja", "[]")) == ["file"]
