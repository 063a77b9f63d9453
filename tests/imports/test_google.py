"""Google Takeout's Tasks.json."""

import json

import pytest

from tests.support.api_user import ApiUser, broken_fields, data
from tests.support.imports import counts, exported, imported, send, tasks, warnings

DUE = "2024-08-30T00:00:00.000Z"
FILE = {
    "kind": "tasks#taskLists",
    "items": [
        {
            "kind": "tasks#tasks",
            "id": "L1",
            "title": "Home",
            "items": [
                {"id": "b", "title": "child", "parent": "a", "position": "00002", "due": DUE,
                 "status": "completed", "completed": DUE},
                {"id": "a", "title": "parent", "notes": "n" * 6000, "position": "00001",
                 "status": "needsAction",
                 "links": [{"type": "email", "description": "Mail", "link": "https://x.test/1"}]},
                {"id": "c", "title": "gone", "deleted": True, "position": "00003"},
                {"id": "d", "title": "t" * 1024, "position": "00004", "recurrence": "x"},
            ],
        },
        {"id": "L2", "title": "Empty", "items": []},
    ],
}  # fmt: skip


@pytest.mark.proves("IMPORT-17")
def test_lists_tasks_and_parents(alice: ApiUser) -> None:
    report = imported(alice, "google_takeout", json.dumps(FILE))
    found = tasks(alice)
    assert counts(report) == (4, 3, 1, 0)
    assert found["child"]["parent_id"] == found["parent"]["id"]
    assert found["child"]["is_completed"]
    assert not found["parent"]["is_completed"]
    assert [each["title"] for each in exported(alice)["lists"]] == ["Home", "Empty"]
    assert {(line, field) for line, field in warnings(report)} == {
        (2, "description"), (3, "deleted"), (4, "title"), (4, "recurrence"),
    }  # fmt: skip
    assert counts(imported(alice, "google_takeout", json.dumps(FILE)))[1] == 0


@pytest.mark.proves("IMPORT-13", "IMPORT-17")
@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Pacific/Kiritimati", "UTC"])
def test_a_due_is_the_same_day_in_every_zone(alice: ApiUser, zone: str) -> None:
    data(alice.call("PATCH", "/api/auth/me", json={"time_zone": zone}))
    imported(alice, "google_takeout", json.dumps(FILE))
    assert (tasks(alice)["child"]["due"], tasks(alice)["child"]["time_zone"]) == (
        "2024-08-30", None,
    )  # fmt: skip


@pytest.mark.proves("IMPORT-12")
@pytest.mark.parametrize("file", ["[]", '{"tasks": []}', "not json", '{"items": {}}'])
def test_another_json_is_refused_at_once(alice: ApiUser, file: str) -> None:
    assert broken_fields(send(alice, "google_takeout", file)) == ["file"]
