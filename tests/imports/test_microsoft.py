"""Microsoft To Do, as Microsoft Graph has it."""

import json
from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields
from tests.support.imports import counts, exported, imported, send, tasks, warnings


def at(time: str, zone: str = "UTC") -> dict[str, str]:
    """A dateTimeTimeZone."""
    return {"dateTime": time, "timeZone": zone}


def lists(*given: dict[str, Any]) -> str:
    """A list with these tasks, as an answer of Microsoft Graph."""
    each = [{"id": str(n), "status": "notStarted", **task} for n, task in enumerate(given)]
    return json.dumps({"value": [{"id": "L", "displayName": "Work", "tasks": each}]})


@pytest.mark.proves("IMPORT-18")
@pytest.mark.parametrize(
    ("time", "given_zone", "zone", "due"),
    [
        ("2024-10-24T10:00:00.0000000", "UTC", "Pacific/Honolulu", "2024-10-24"),
        ("2024-10-23T10:00:00.0000000", "UTC", "Pacific/Kiritimati", "2024-10-24"),
        ("2024-10-24T00:00:00.0000000", "Pacific Standard Time", "Europe/Madrid", "2024-10-24"),
        ("2024-10-24T00:00:00.0000000", "Mars/Olympus", "Europe/Madrid", "2024-10-24"),
    ],
)
def test_a_due_is_the_day_of_its_owner(
    alice: ApiUser, time: str, given_zone: str, zone: str, due: str
) -> None:
    file = lists({"title": "x", "dueDateTime": at(time, given_zone)})
    report = imported(alice, "mstodo", file, time_zone=zone)
    assert tasks(alice)["x"]["due"] == due
    assert warnings(report) == ([(1, "due")] if given_zone.startswith("Mars") else [])


PATTERNS = [
    ({"type": "daily", "interval": 3}, "FREQ=DAILY;INTERVAL=3"),
    (
        {"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "monday"]},
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU",
    ),
    ({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 15}, "FREQ=MONTHLY;BYMONTHDAY=15"),
    (
        {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["tuesday"], "index": "last"},
        "FREQ=MONTHLY;BYDAY=-1TU",
    ),
    (
        {"type": "absoluteYearly", "interval": 1, "dayOfMonth": 5, "month": 2},
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=5",
    ),
    (
        {
            "type": "relativeYearly", "interval": 1, "daysOfWeek": ["monday"], "index": "second",
            "month": 10,
        },
        "FREQ=YEARLY;BYMONTH=10;BYDAY=2MO",
    ),
]  # fmt: skip


@pytest.mark.proves("IMPORT-18")
@pytest.mark.parametrize(("pattern", "rule"), PATTERNS)
def test_every_pattern_of_graph_becomes_a_rule(
    alice: ApiUser, pattern: dict[str, Any], rule: str
) -> None:
    due = at("2037-10-07T00:00:00.0000000")
    file = lists(
        {"title": "for ever", "dueDateTime": due,
         "recurrence": {"pattern": pattern, "range": {"type": "noEnd"}}},
        {"title": "5 times", "dueDateTime": due,
         "recurrence": {"pattern": pattern,
                        "range": {"type": "numbered", "numberOfOccurrences": 5}}},
        {"title": "until", "dueDateTime": due,
         "recurrence": {"pattern": pattern,
                        "range": {"type": "endDate", "endDate": "2039-12-31"}}},
    )  # fmt: skip
    report = imported(alice, "mstodo", file)
    found = {title: each["recurrence"] for title, each in tasks(alice).items()}
    assert found == {
        "for ever": rule, "5 times": f"{rule};COUNT=5", "until": f"{rule};UNTIL=20391231",
    }  # fmt: skip
    assert report["warnings"] == []


@pytest.mark.proves("IMPORT-18")
def test_importance_steps_reminders_body_and_what_is_not_kept(alice: ApiUser) -> None:
    file = lists(
        {
            "title": "x", "importance": "high", "categories": ["Red"], "status": "inProgress",
            "body": {"contentType": "html", "content": "<p>a &amp; b</p><script>x()</script>"},
            "isReminderOn": True,
            "reminderDateTime": at("2037-10-07T09:00:00.0000000", "Pacific Standard Time"),
            "checklistItems": [
                {"id": "1", "displayName": "step 1", "isChecked": True},
                {"id": "2", "displayName": "step 2", "isChecked": False},
            ],
            "recurrence": {"pattern": {"type": "hourly"}, "range": {}},
            "linkedResources": [{"webUrl": "https://x.test/", "displayName": "Page"}],
            "hasAttachments": True,
        },
        {"title": "y", "importance": "low", "status": "completed"},
        {"title": "z", "importance": "normal"},
    )  # fmt: skip
    report = imported(alice, "mstodo", file)
    found = tasks(alice)
    assert [found[each]["priority"] for each in "xyz"] == [1, 9, 0]
    assert found["x"]["description"] == "a & b\n\nPage https://x.test/"
    assert found["x"]["reminders"] == [{"at": "2037-10-07T16:00:00.000000Z"}]
    assert found["y"]["is_completed"]
    steps = [found[each] for each in ("step 1", "step 2")]
    assert [step["is_completed"] for step in steps] == [True, False]
    assert {step["parent_id"] for step in steps} == {found["x"]["id"]}
    assert [each["name"] for each in exported(alice)["labels"]] == ["Red"]
    assert {field for _, field in warnings(report)} == {"status", "recurrence", "attachment"}
    assert counts(imported(alice, "mstodo", file)) == (5, 0, 5, 0)


@pytest.mark.proves("IMPORT-12")
def test_another_json_is_refused_at_once(alice: ApiUser) -> None:
    assert broken_fields(send(alice, "mstodo", '{"items": []}')) == ["file"]
