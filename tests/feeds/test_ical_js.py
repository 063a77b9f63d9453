"""Calendars as Mozilla's ical.js reads them, which shares no code with vobject and icalendar."""

import json
import subprocess
from typing import Any

import pytest

from tests.contract.tools import TOOLS, needs_tools
from tests.support.api_user import ApiUser, data
from tests.support.feeds import calendar_of
from tests.support.planning import change, complete, make, make_task

pytestmark = [needs_tools, pytest.mark.proves("FEED-32")]

TIMED = {"time_zone": "Europe/Madrid", "recurrence": "FREQ=WEEKLY;BYDAY=SU;COUNT=3"}


def found(user: ApiUser, **fields: Any) -> list[dict[str, Any]]:
    """The components of a new feed as ical.js reads them."""
    process = subprocess.run(
        ["node", str(TOOLS / "read_calendar.js")],
        input=calendar_of(user, **fields).encode(),
        capture_output=True,
        cwd=TOOLS,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr.decode()
    return list(json.loads(process.stdout))


def test_it_reads_what_a_task_has(alice: ApiUser) -> None:
    home = make(alice, "lists", title="Home")
    title = "a,b;c\\d\n" + "ä" * 100 + "\U0001f600" * 30
    parent = make_task(
        alice,
        title,
        description="x\n\n" * 30,
        list_id=home["id"],
        labels=["b,c"],
        priority=1,
        due="2026-02-05",
        reminders=[
            {"offset": "-PT30M", "relative_to": "due"},
            {"at": "2030-03-01T10:00:00Z"},
        ],
    )
    make_task(alice, "child", parent_id=parent["id"])
    complete(alice, make_task(alice, "done", list_id=home["id"]))
    first, second, third = found(alice, list_id=home["id"])
    assert (first["summary"], first["description"]) == (title.strip(), "x\n\n" * 30)
    assert (first["uid"], first["priority"], first["status"]) == (parent["id"], 1, "NEEDS-ACTION")
    assert first["categories"] == ["b,c"]
    assert first["due"]["local"] == "2026-02-05"
    assert sorted(first["alarms"], key=str) == [
        ["END", "PT8H30M"],
        [None, "2030-03-01T10:00:00Z"],
    ]
    assert second["parent"] == ["PARENT", parent["id"]]
    assert third["status"] == "COMPLETED"
    assert third["completed"]["utc"] is not None


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-10-18", ["2026-10-18T07:00:00.000Z", "2026-10-25T08:00:00.000Z"]),
        ("2027-03-21", ["2027-03-21T08:00:00.000Z", "2027-03-28T07:00:00.000Z"]),
        ("2199-10-20", ["2199-10-20T07:00:00.000Z", "2199-10-27T08:00:00.000Z"]),
    ],
)
def test_it_finds_the_instants_over_a_change_of_the_clock(
    alice: ApiUser, day: str, expected: list[str]
) -> None:
    make_task(alice, due=f"{day}T09:00:00", **TIMED)
    (todo,) = found(alice)
    assert [each["utc"] for each in todo["occurrences"]][:2] == expected
    assert {each["local"][-8:] for each in todo["occurrences"]} == {"09:00:00"}
    assert len(todo["occurrences"]) == 3
    assert todo["due"]["zone"] == "Europe/Madrid"


@pytest.mark.parametrize(
    ("day", "rule"),
    [
        ("2027-01-28", "FREQ=MONTHLY;COUNT=5"),
        ("2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=5"),
        ("2028-02-28", "FREQ=YEARLY;COUNT=5"),
        ("2027-01-29", "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20270601"),
        ("2027-01-04", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU;COUNT=6"),
    ],
)
def test_it_finds_the_dates_that_the_service_goes_through(
    alice: ApiUser, day: str, rule: str
) -> None:
    """Without BYSETPOS, which ical.js 2.2 does not go by beside BYMONTHDAY; dateutil does."""
    task = make_task(alice, due=day, recurrence=rule, recurrence_basis="due_strict")
    (todo,) = found(alice)
    gone_through = []
    while not task["is_completed"]:
        gone_through.append(task["due"])
        body = {"is_completed": True, "occurrence": task["due"]}
        task = data(alice.patch(f"/{task['id']}/complete", json=body))
    assert [each["local"] for each in todo["occurrences"]] == gone_through


def test_it_reads_events_and_a_moved_occurrence(alice: ApiUser) -> None:
    task = make_task(alice, due="2030-03-04", recurrence="FREQ=WEEKLY")
    change(alice, task, due="2030-03-06")
    master, moved = found(alice, **{"as": "event"})
    assert (master["kind"], master["start"]["local"], master["end"]["local"]) == (
        "vevent",
        "2030-03-04",
        "2030-03-05",
    )
    assert (moved["recurrence_id"]["local"], moved["start"]["local"]) == (
        "2030-03-04",
        "2030-03-06",
    )
    assert moved["uid"] == master["uid"] == task["id"]
