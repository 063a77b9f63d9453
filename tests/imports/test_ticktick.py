"""TickTick's CSV."""

import csv
import io
from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields
from tests.support.imports import counts, exported, imported, send, tasks, warnings

PREAMBLE = [
    ["Date: 2026-11-20+0000"],
    ["Version: 7.1"],
    ["Status: \n0 Normal\n1 Completed\n2 Archived"],
]
HEADER = (
    "Folder Name", "List Name", "Title", "Kind", "Tags", "Content", "Is Check list", "Start Date",
    "Due Date", "Reminder", "Repeat", "Priority", "Status", "Created Time", "Completed Time",
    "Order", "Timezone", "Is All Day", "Is Floating", "Column Name", "Column Order", "View Mode",
    "taskId", "parentId",
)  # fmt: skip


def backup(*rows: dict[str, Any]) -> str:
    """A CSV as TickTick writes it."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows(PREAMBLE)
    writer.writerow(HEADER)
    for number, row in enumerate(rows, 1):
        given = {"List Name": "Home", "Kind": "TEXT", "Status": "0", "Priority": "0",
                 "Timezone": "Europe/Madrid", "Is All Day": "false", "Is Floating": "false",
                 "taskId": str(number), **row}  # fmt: skip
        writer.writerow([given.get(name, "") for name in HEADER])
    return text.getvalue()


@pytest.mark.proves("IMPORT-16")
def test_priorities_states_tags_and_trees_with_the_child_first(alice: ApiUser) -> None:
    file = backup(
        {"Title": "child", "taskId": "9", "parentId": "8", "Order": str(2**40)},
        {"Title": "parent", "taskId": "8", "Priority": "5", "Tags": "a, b", "Order": "0"},
        {"Title": "medium", "Priority": "3", "Status": "1"},
        {"Title": "low", "Priority": "1", "Status": "2"},
        {"Title": "given up", "Status": "-1"},
    )
    report = imported(alice, "ticktick", file)
    found = tasks(alice)
    assert counts(report) == (5, 5, 0, 0)
    assert {title: (each["priority"], each["is_completed"]) for title, each in found.items()} == {
        "child": (0, False), "parent": (1, False), "medium": (5, True), "low": (9, True),
        "given up": (0, True),
    }  # fmt: skip
    assert found["child"]["parent_id"] == found["parent"]["id"]
    assert len(found["parent"]["label_ids"]) == 2
    assert [each["title"] for each in exported(alice)["lists"]] == ["Home"]
    assert [field for _, field in warnings(report)] == ["status"]


@pytest.mark.proves("IMPORT-13")
def test_a_day_is_that_of_its_zone_and_floating_times_have_none(alice: ApiUser) -> None:
    file = backup(
        {"Title": "day", "Start Date": "2026-10-06T22:00:00+0000", "Is All Day": "true"},
        {"Title": "timed", "Due Date": "2026-10-07T07:00:00+0000"},
        {"Title": "floating", "Due Date": "2026-10-07T07:00:00+0000", "Is Floating": "true"},
        {"Title": "range", "Start Date": "2026-10-07T07:00:00+0000",
         "Due Date": "2026-10-07T08:00:00+0000"},
        {"Title": "windows", "Due Date": "2026-02-05T17:00:00+0000",
         "Timezone": "Pacific Standard Time"},
        {"Title": "bad", "Due Date": "yesterday"},
    )  # fmt: skip
    report = imported(alice, "ticktick", file)
    found = {
        title: (each["start"], each["due"], each["time_zone"])
        for title, each in tasks(alice).items()
    }
    assert found == {
        "day": (None, "2026-10-07", None),
        "timed": (None, "2026-10-07T09:00:00", "Europe/Madrid"),
        "floating": (None, "2026-10-07T09:00:00", None),
        "range": ("2026-10-07T09:00:00", "2026-10-07T10:00:00", "Europe/Madrid"),
        "windows": (None, "2026-02-05T09:00:00", "America/Los_Angeles"),
        "bad": (None, None, None),
    }
    assert [field for _, field in warnings(report)] == ["due"]


@pytest.mark.proves("IMPORT-16")
def test_repetitions_reminders_checklists_and_what_is_not_kept(alice: ApiUser) -> None:
    file = backup(
        {"Title": "weekly", "Due Date": "2026-10-07T07:00:00+0000", "Reminder": "-PT30M",
         "Repeat": "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;TT_SKIP=WEEKEND"},
        {"Title": "lunar", "Due Date": "2026-10-07T07:00:00+0000", "Repeat": "LUNAR:X"},
        {"Title": "list", "Is Check list": "Y", "Content": "Intro\r▫one\r▪two"},
        {"Title": "folded", "Folder Name": "Private", "Column Name": "Doing", "Kind": "NOTE"},
    )  # fmt: skip
    report = imported(alice, "ticktick", file)
    found = tasks(alice)
    assert found["weekly"]["recurrence"] == "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE"
    assert found["weekly"]["reminders"] == [{"offset": "-PT30M", "relative_to": "due"}]
    assert found["list"]["description"] == "Intro"
    steps = {
        title: found[title]["is_completed"]
        for title in ("one", "two")
        if found[title]["parent_id"] == found["list"]["id"]
    }
    assert steps == {"one": False, "two": True}
    assert {field for _, field in warnings(report)} == {"recurrence", "folder", "column", "kind"}
    assert counts(imported(alice, "ticktick", file))[1] == 0


@pytest.mark.proves("IMPORT-12")
def test_another_csv_is_refused_at_once(alice: ApiUser) -> None:
    assert broken_fields(send(alice, "ticktick", "TYPE,CONTENT\r\n")) == ["file"]
