"""iCalendar: VTODOs."""

import pytest

from tests.support.api_user import ApiUser, broken_fields, data
from tests.support.imports import counts, exported, imported, send, tasks, warnings


def calendar(*components: str, head: str = "") -> str:
    """A VCALENDAR with these components."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *filter(None, [head])]
    return "\r\n".join([*lines, *components, "END:VCALENDAR"]) + "\r\n"


def todo(uid: str, *properties: str) -> str:
    """A VTODO."""
    return "\r\n".join(["BEGIN:VTODO", f"UID:{uid}", *properties, "END:VTODO"])


@pytest.mark.proves("IMPORT-8", "IMPORT-20")
@pytest.mark.parametrize(
    "bad",
    ["RRULE:FREQ=NEVER", "DUE:2026-02-30", "PRIORITY:high", "a line without a colon",
     "DTSTART;VALUE=DATE:20260231"],
)  # fmt: skip
def test_one_bad_component_of_ten_leaves_nine_and_one_error(alice: ApiUser, bad: str) -> None:
    good = [todo(f"u{n}", f"SUMMARY:good {n}") for n in range(9)]
    good.insert(4, todo("bad", "SUMMARY:bad", bad))
    report = imported(alice, "ics", calendar(*good))
    assert counts(report) == (10, 9, 0, 1)
    (error,) = report["errors"]
    assert error["line"] == 4 + 4 * 4


@pytest.mark.proves("IMPORT-13")
def test_an_unknown_or_windows_zone_and_text_with_escapes(alice: ApiUser) -> None:
    file = calendar(
        todo("1", "SUMMARY:a\\,b\\;c\\\\d\\ne", "DUE;TZID=Pacific Standard Time:20260205T090000"),
        todo("2", "SUMMARY:mars", "DUE;TZID=Mars/Olympus:20260205T090000"),
        todo("3", "SUMMARY:utc", "DUE:20260205T090000Z"),
        todo("4", "SUMMARY:day", "DUE;VALUE=DATE:20260205"),
        todo("5", "SUMMARY:floating", "DUE:20260205T090000"),
        todo("6", "SUMMARY:long " + "x" * 60 + "\r\n  y", "CATEGORIES:one,two\\, three"),
        todo("7", "SUMMARY:own zone", "DUE;TZID=Mine:20260205T090000"),
        "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nX-LIC-LOCATION:Europe/Berlin\r\nEND:VTIMEZONE",
    )
    report = imported(alice, "ics", file, time_zone="Europe/Madrid")
    found = tasks(alice)
    first = found["a,b;c\\d e"]
    assert (first["time_zone"], first["due_at"]) == (
        "America/Los_Angeles", "2026-02-05T17:00:00.000000Z",
    )  # fmt: skip
    dues = {
        title: (found[title]["due"], found[title]["time_zone"])
        for title in ("mars", "utc", "day", "floating", "own zone")
    }
    assert dues == {
        "mars": ("2026-02-05T09:00:00", None),
        "utc": ("2026-02-05T10:00:00", "Europe/Madrid"),
        "day": ("2026-02-05", None),
        "floating": ("2026-02-05T09:00:00", None),
        "own zone": ("2026-02-05T09:00:00", "Europe/Berlin"),
    }
    names = {each["id"]: each["name"] for each in exported(alice)["labels"]}
    long = found["long " + "x" * 60 + " y"]
    assert {names[each] for each in long["label_ids"]} == {"one", "two, three"}
    assert [field for _, field in warnings(report)] == ["due"]


@pytest.mark.proves("IMPORT-8")
def test_an_alarm_without_a_due_is_a_warning(alice: ApiUser) -> None:
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER{}\r\nEND:VALARM"
    file = calendar(
        todo("1", "SUMMARY:none", alarm.format(":-PT15M")),
        todo("2", "SUMMARY:end", "DTSTART:20370205T080000", "DUE:20370205T090000",
             alarm.format(";RELATED=END:-P1D"), alarm.format(":-PT5M")),
        todo("3", "SUMMARY:at", alarm.format(";VALUE=DATE-TIME:20370205T090000Z")),
    )  # fmt: skip
    report = imported(alice, "ics", file)
    found = tasks(alice)
    assert (found["none"]["due"], found["none"]["reminders"]) == (None, [])
    assert found["end"]["reminders"] == [
        {"offset": "-P1D", "relative_to": "due"}, {"offset": "-PT5M", "relative_to": "start"},
    ]  # fmt: skip
    assert found["at"]["reminders"] == [{"at": "2037-02-05T09:00:00.000000Z"}]
    assert [field for _, field in warnings(report)] == ["reminders"]


@pytest.mark.proves("IMPORT-7", "IMPORT-20")
def test_states_parents_order_and_rules_that_leave_months_out(alice: ApiUser) -> None:
    file = calendar(
        todo("c", "SUMMARY:child", "RELATED-TO;RELTYPE=PARENT:p", "STATUS:COMPLETED",
             "X-APPLE-SORT-ORDER:2"),
        todo("p", "SUMMARY:parent", "PRIORITY:1", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:50",
             "X-APPLE-SORT-ORDER:1"),
        todo("s", "SUMMARY:sibling", "RELATED-TO:other", "RELATED-TO;RELTYPE=SIBLING:p",
             "X-APPLE-SORT-ORDER:0"),
        todo("m", "SUMMARY:monthly", "DTSTART;VALUE=DATE:20260131", "DUE;VALUE=DATE:20260131",
             "RRULE:FREQ=MONTHLY", "X-APPLE-SORT-ORDER:3"),
        todo("x", "SUMMARY:cancelled", "STATUS:CANCELLED", "X-APPLE-SORT-ORDER:4"),
        "BEGIN:VEVENT\r\nUID:e\r\nSUMMARY:event\r\nEND:VEVENT",
        head="X-WR-CALNAME:Garden",
    )  # fmt: skip
    report = imported(alice, "ics", file)
    found, everything = tasks(alice), exported(alice)
    assert counts(report) == (5, 5, 0, 0)
    assert [each["title"] for each in everything["lists"]] == ["Garden"]
    assert (found["child"]["parent_id"], found["child"]["is_completed"]) == (
        found["parent"]["id"], True,
    )  # fmt: skip
    roots = [found[each] for each in ("sibling", "parent", "monthly", "cancelled")]
    assert roots == sorted(roots, key=lambda task: task["position"])
    assert found["monthly"]["recurrence"] == "FREQ=MONTHLY;BYMONTHDAY=31;BYSETPOS=1"
    assert found["monthly"]["start"] is None
    assert found["cancelled"]["is_completed"]
    assert {field for _, field in warnings(report)} == {
        "VEVENT", "PERCENT-COMPLETE", "parent", "STATUS",
    }  # fmt: skip


@pytest.mark.proves("IMPORT-20")
def test_two_of_one_uid_are_one_task_and_completed_occurrences_are_completions(
    alice: ApiUser,
) -> None:
    file = calendar(
        todo("1", "SUMMARY:first"),
        todo("1", "SUMMARY:second"),
        todo("r", "SUMMARY:series", "DTSTART:20260205T090000", "DUE:20260207T090000",
             "RRULE:FREQ=DAILY"),
        todo("r", "SUMMARY:series", "RECURRENCE-ID:20260205T090000", "STATUS:COMPLETED",
             "COMPLETED:20260205T120000Z"),
        todo("r", "SUMMARY:moved", "RECURRENCE-ID:20260206T090000"),
    )  # fmt: skip
    report = imported(alice, "ics", file)
    assert counts(report) == (4, 2, 2, 0)
    assert sorted(tasks(alice)) == ["first", "series"]
    assert [each["occurrence"] for each in exported(alice)["completions"]] == [
        "2026-02-05T09:00:00"
    ]
    assert [field for _, field in warnings(report)] == ["id", "RECURRENCE-ID"]
    assert counts(imported(alice, "ics", file))[1] == 0


@pytest.mark.proves("IMPORT-20")
def test_an_override_of_the_present_occurrence_is_its_due(alice: ApiUser) -> None:
    file = calendar(
        todo("r", "SUMMARY:x", "DTSTART;VALUE=DATE:20370207", "DUE;VALUE=DATE:20370207",
             "RRULE:FREQ=WEEKLY;BYDAY=SA"),
        todo("r", "SUMMARY:x", "RECURRENCE-ID;VALUE=DATE:20370207", "DUE;VALUE=DATE:20370209"),
    )  # fmt: skip
    report = imported(alice, "ics", file)
    task = tasks(alice)["x"]
    assert (counts(report), report["warnings"], task["due"]) == ((1, 1, 0, 0), [], "2037-02-09")
    done = {"is_completed": True, "occurrence": "2037-02-09"}
    assert data(alice.patch(f"/{task['id']}/complete", json=done))["due"] == "2037-02-14"


@pytest.mark.proves("IMPORT-20")
def test_a_component_without_an_end_is_an_error_of_its_own(alice: ApiUser) -> None:
    file = "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\nSUMMARY:open\n" + todo("2", "SUMMARY:whole")
    report = imported(alice, "ics", file)
    assert counts(report) == (2, 1, 0, 1)
    assert "whole" in tasks(alice)


@pytest.mark.proves("IMPORT-13")
def test_times_without_a_zone_of_their_own_are_in_the_accounts_zone(alice: ApiUser) -> None:
    data(alice.call("PATCH", "/api/auth/me", json={"time_zone": "Asia/Tokyo"}))
    imported(alice, "ics", calendar(todo("1", "SUMMARY:x", "DUE:20260205T090000Z")))
    assert tasks(alice)["x"]["due"] == "2026-02-05T18:00:00"


@pytest.mark.proves("IMPORT-12")
def test_another_text_is_refused_at_once(alice: ApiUser) -> None:
    assert broken_fields(send(alice, "ics", "hello")) == ["file"]
