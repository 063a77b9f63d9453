"""Tasks in calendars, as an independent parser (vobject) and their text have them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.api_user import ApiUser, data
from tests.support.feeds import (
    calendar_of,
    events,
    fetch,
    lines,
    make_feed,
    parsed,
    physical_lines,
    todos,
)
from tests.support.planning import act, change, complete, delete, make, make_task

MADRID = {"due": "2026-10-25T02:30:00", "time_zone": "Europe/Madrid"}
DAILY = {"due": "2030-03-01", "recurrence": "FREQ=DAILY"}


def only(user: ApiUser, query: str = "", **fields: Any) -> str:
    """The calendar with the one task that has these fields."""
    make_task(user, **fields)
    return calendar_of(user, query)


def only_todo(user: ApiUser, **fields: Any) -> Any:
    (todo,) = todos(only(user, **fields))
    return todo


# --- dates --------------------------------------------------------------------------------------


@pytest.mark.proves("FEED-20")
def test_a_whole_day_is_a_date_the_same_day(alice: ApiUser) -> None:
    text = only(alice, due="2026-02-05")
    assert lines(text, "DUE") == ["DUE;VALUE=DATE:20260205"]
    assert lines(text, "DTSTART") == []
    assert todos(text)[0].due.value == date(2026, 2, 5)


@pytest.mark.proves("FEED-21")
def test_a_time_in_a_zone_keeps_its_clock_and_comes_with_its_zone(alice: ApiUser) -> None:
    text = only(alice, **MADRID)
    assert lines(text, "DUE") == ["DUE;TZID=Europe/Madrid:20261025T023000"]
    (zone,) = parsed(text).contents["vtimezone"]
    assert zone.tzid.value == "Europe/Madrid"
    at = todos(text)[0].due.value
    assert at.replace(tzinfo=None) == datetime.fromisoformat("2026-10-25T02:30")
    assert at.utcoffset() in (timedelta(hours=1), timedelta(hours=2))  # the hour is doubled


@pytest.mark.proves("FEED-21")
def test_each_zone_comes_once_and_before_what_needs_it(alice: ApiUser) -> None:
    for zone in ("Asia/Kathmandu", "Europe/Madrid", "Asia/Kathmandu", "UTC"):
        make_task(alice, due="2026-10-07T09:00:00", time_zone=zone)
    text = calendar_of(alice)
    assert [each.tzid.value for each in parsed(text).contents["vtimezone"]] == [
        "Asia/Kathmandu",
        "Europe/Madrid",
    ]
    for zone in ("Asia/Kathmandu", "Europe/Madrid"):
        assert text.index(f"TZID:{zone}") < text.index(f"DUE;TZID={zone}")
    assert [each.due.value.astimezone(UTC).hour for each in todos(text)] == [3, 7, 3, 9]
    assert lines(text, "DUE")[-1] == "DUE:20261007T090000Z"


@pytest.mark.proves("FEED-22")
def test_a_floating_time_has_neither_zone_nor_z(alice: ApiUser) -> None:
    text = only(alice, due="2026-10-07T09:00:00")
    assert lines(text, "DUE") == ["DUE:20261007T090000"]
    assert "vtimezone" not in parsed(text).contents
    assert todos(text)[0].due.value == datetime.fromisoformat("2026-10-07T09:00")


@pytest.mark.proves("FEED-23")
@pytest.mark.parametrize(
    ("start", "due", "zone", "expected"),
    [
        ("2026-10-01", "2026-10-07", None, "DTSTART;VALUE=DATE:20261001"),
        ("2026-10-01T08:00:00", "2026-10-07", None, "DTSTART;VALUE=DATE:20261001"),
        ("2026-10-01", "2026-10-07T09:00:00", None, "DTSTART:20261001T000000"),
        ("2026-10-01T08:00:00", "2026-10-07T09:00:00", "UTC", "DTSTART:20261001T080000Z"),
        (
            "2026-10-01",
            "2026-10-07T09:00:00",
            "Europe/Madrid",
            "DTSTART;TZID=Europe/Madrid:20261001T000000",
        ),
        ("2026-10-01", None, None, "DTSTART;VALUE=DATE:20261001"),
    ],
)
def test_a_start_has_the_form_of_the_due(
    alice: ApiUser, start: str, due: str | None, zone: str | None, expected: str
) -> None:
    text = only(alice, start=start, due=due, time_zone=zone)
    assert lines(text, "DTSTART")[-1] == expected
    assert len(todos(text)) == 1


# --- recurrence ---------------------------------------------------------------------------------


@pytest.mark.proves("FEED-24")
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        ("FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;UNTIL=20260401", "FREQ=DAILY;UNTIL=20260401"),
        ("FREQ=DAILY;UNTIL=20260401T100000", "FREQ=DAILY;UNTIL=20260401"),
        ("FREQ=DAILY;UNTIL=20260401T230000Z", "FREQ=DAILY;UNTIL=20260402"),  # in Madrid
    ],
)
def test_a_rule_begins_at_the_present_date(alice: ApiUser, rule: str, expected: str) -> None:
    alice.call("PATCH", "/api/auth/me", json={"time_zone": "Europe/Madrid"})
    text = only(alice, due="2026-01-31", recurrence=rule)
    assert lines(text, "RRULE") == [f"RRULE:{expected}"]
    assert lines(text, "DTSTART") == ["DTSTART;VALUE=DATE:20260131"]
    assert lines(text, "DUE") == ["DUE;VALUE=DATE:20260131"]


@pytest.mark.proves("FEED-24")
@pytest.mark.parametrize(
    ("zone", "until", "expected"),
    [
        (None, "20261031", "20261031T235959"),
        (None, "20261031T090000", "20261031T090000"),
        (None, "20261031T090000Z", "20261031T100000"),
        ("Europe/Madrid", "20261031", "20261031T225959Z"),
        ("Europe/Madrid", "20260701T090000", "20260701T070000Z"),
        ("Europe/Madrid", "20261031T090000Z", "20261031T090000Z"),
        ("UTC", "20261031", "20261031T235959Z"),
    ],
)
def test_until_has_the_form_of_the_start(
    alice: ApiUser, zone: str | None, until: str, expected: str
) -> None:
    alice.call("PATCH", "/api/auth/me", json={"time_zone": "Europe/Madrid"})
    rule = f"FREQ=WEEKLY;UNTIL={until}"
    text = only(alice, due="2026-06-01T09:00:00", time_zone=zone, recurrence=rule)
    assert lines(text, "RRULE")[-1] == f"RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL={expected}"


@pytest.mark.proves("FEED-24")
def test_a_parser_finds_the_dates_that_the_service_goes_through(alice: ApiUser) -> None:
    """Month ends, and a count of which one is done: the rest is what the calendar shows."""
    rule = "FREQ=MONTHLY;COUNT=6"
    task = make_task(alice, due="2027-01-31T09:00:00", time_zone="Europe/Madrid", recurrence=rule)
    body = {"is_completed": True, "occurrence": task["due"]}
    task = data(alice.patch(f"/{task['id']}/complete", json=body))
    (todo,) = todos(calendar_of(alice))
    assert "COUNT=5" in todo.rrule.value
    shown = [f"{each:%Y-%m-%dT%H:%M:%S}" for each in todo.getrruleset()]
    offsets = [each.utcoffset() for each in todo.getrruleset()]
    gone_through = []
    while not task["is_completed"]:
        gone_through.append(task["due"])
        body["occurrence"] = task["due"]
        task = data(alice.patch(f"/{task['id']}/complete", json=body))
    assert shown == gone_through
    assert shown[:2] == ["2027-02-28T09:00:00", "2027-03-31T09:00:00"]
    assert set(offsets) == {timedelta(hours=1), timedelta(hours=2)}


@pytest.mark.proves("FEED-25")
@pytest.mark.parametrize("component", ["todo", "event"])
def test_a_moved_due_is_an_occurrence_of_its_own(alice: ApiUser, component: str) -> None:
    task = make_task(alice, due="2030-03-04", recurrence="FREQ=WEEKLY;INTERVAL=2")
    change(alice, task, due="2030-03-06")
    text = calendar_of(alice, **{"as": component})
    assert lines(text, "RRULE") == ["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"]
    assert lines(text, "RECURRENCE-ID") == ["RECURRENCE-ID;VALUE=DATE:20300304"]
    master, moved = todos(text) if component == "todo" else events(text)
    assert master.uid.value == moved.uid.value == task["id"]
    assert master.dtstart.value == moved.recurrence_id.value == date(2030, 3, 4)
    at = moved.due if component == "todo" else moved.dtstart
    assert at.value == date(2030, 3, 6)


@pytest.mark.proves("FEED-26")
def test_a_rule_that_counts_from_completion_is_left_out(alice: ApiUser) -> None:
    text = only(alice, **DAILY, recurrence_basis="completion")
    assert lines(text, "RRULE") == []
    assert lines(text, "DUE") == ["DUE;VALUE=DATE:20300301"]


@pytest.mark.proves("FEED-24")
def test_a_series_that_is_over_has_no_rule(alice: ApiUser) -> None:
    task = make_task(alice, due="2030-03-01", recurrence="FREQ=DAILY;COUNT=1")
    body = {"is_completed": True, "occurrence": task["due"]}
    assert data(alice.patch(f"/{task['id']}/complete", json=body))["is_completed"]
    text = calendar_of(alice)
    assert lines(text, "RRULE") == []
    assert lines(text, "STATUS") == ["STATUS:COMPLETED"]


# --- reminders ----------------------------------------------------------------------------------


def alarm(text: str) -> list[str]:
    return lines(text, "TRIGGER")


@pytest.mark.proves("FEED-27")
@pytest.mark.parametrize(
    ("dates", "reminder", "todo", "event"),
    [
        (
            {"due": "2030-03-01T09:00:00"},
            {"offset": "-PT30M", "relative_to": "due"},
            "RELATED=END:-PT30M",
            "RELATED=START:-PT30M",
        ),
        (
            {"due": "2030-03-01T09:00:00"},
            {"offset": "-P1D", "relative_to": "due"},
            "RELATED=END:-P1D",
            "RELATED=START:-P1D",
        ),
        (
            {"due": "2030-03-01"},  # reminders of whole days count from 9:00
            {"offset": "PT0S", "relative_to": "due"},
            "RELATED=END:PT9H",
            "RELATED=START:PT9H",
        ),
        (
            {"due": "2030-03-01"},
            {"offset": "-P1D", "relative_to": "due"},
            "RELATED=END:-PT15H",
            "RELATED=START:-PT15H",
        ),
        (
            {"due": "2030-03-05T09:00:00", "start": "2030-03-04T08:00:00"},
            {"offset": "-PT10M", "relative_to": "start"},
            "RELATED=END:-P1DT1H10M",
            "RELATED=START:-P1DT1H10M",
        ),
        (
            {"start": "2030-03-04T08:00:00"},
            {"offset": "PT5M", "relative_to": "start"},
            "RELATED=START:PT5M",
            "RELATED=START:PT5M",
        ),
        (
            {},
            {"at": "2030-03-01T10:00:00+02:00"},
            "VALUE=DATE-TIME:20300301T080000Z",
            None,
        ),
    ],
)
def test_a_reminder_is_an_alarm(
    alice: ApiUser, dates: dict[str, str], reminder: dict[str, str], todo: str, event: str | None
) -> None:
    text = only(alice, title="call", reminders=[reminder], **dates)
    assert alarm(text) == [f"TRIGGER;{todo}"]
    (shown,) = todos(text)[0].contents["valarm"]
    assert (shown.action.value, shown.description.value) == ("DISPLAY", "call")
    as_events = calendar_of(alice, "?as=event")
    assert alarm(as_events) == ([] if event is None else [f"TRIGGER;{event}"])


@pytest.mark.proves("FEED-27")
def test_a_reminder_at_an_instant_is_of_the_present_occurrence_alone(alice: ApiUser) -> None:
    reminders = [
        {"at": "2030-03-01T08:00:00Z"},
        {"offset": "-PT30M", "relative_to": "due"},
    ]
    task = make_task(alice, **DAILY, reminders=reminders)
    change(alice, task, due="2030-03-02")
    master, moved = todos(calendar_of(alice))
    assert [each.trigger.value for each in master.contents["valarm"]] == [timedelta(hours=8.5)]
    assert [each.trigger.value for each in moved.contents["valarm"]] == [
        datetime(2030, 3, 1, 8, tzinfo=UTC),
        timedelta(hours=8.5),
    ]


@pytest.mark.proves("FEED-27")
def test_a_task_that_is_done_rings_no_more(alice: ApiUser) -> None:
    reminder = {"offset": "-PT30M", "relative_to": "due"}
    complete(alice, make_task(alice, due="2030-03-01", reminders=[reminder]))
    assert alarm(calendar_of(alice)) == []


# --- the rest of a task -------------------------------------------------------------------------


@pytest.mark.proves("FEED-28")
def test_a_task_has_what_it_has(alice: ApiUser) -> None:
    parent = make_task(alice, "parent", priority=1, labels=["b,c", "a"], description="  x")
    child = make_task(alice, "child", parent_id=parent["id"])
    done = complete(alice, make_task(alice, "done"))
    first, second, third = todos(calendar_of(alice))
    assert first.uid.value == parent["id"]
    assert (first.summary.value, first.description.value) == ("parent", "  x")
    assert (first.priority.value, first.status.value) == ("1", "NEEDS-ACTION")
    assert sorted(first.categories.value) == ["a", "b,c"]
    assert second.uid.value == child["id"]
    assert second.related_to.value == parent["id"]
    assert second.related_to.params == {"RELTYPE": ["PARENT"]}
    assert {"priority", "categories", "description", "due"}.isdisjoint(second.contents)
    assert (third.status.value, third.percent_complete.value) == ("COMPLETED", "100")
    at = datetime.fromisoformat(done["completed_at"]).replace(microsecond=0)
    assert third.completed.value == at
    for shown, task in ((first, parent), (third, done)):
        updated = datetime.fromisoformat(task["updated_at"]).replace(microsecond=0)
        created = datetime.fromisoformat(task["created_at"]).replace(microsecond=0)
        assert shown.dtstamp.value == shown.last_modified.value == updated
        assert shown.created.value == created


@pytest.mark.proves("FEED-29")
@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("a,b;c\\d", None),
        ("\\n is no line end, \\, no comma", None),
        ('"quoted": yes', None),
        ("two\nlines", None),
        ("BEGIN:VTODO\r\nEND:VTODO", "BEGIN:VTODO\nEND:VTODO"),
        ("a\rb\x0bc\x0cd\x85e\u2028f\u2029g", "a\nb\nc\nd\ne\nf\ng"),
        ("bell\x07, escape\x1b, delete\x7f\x9c, tab\t.", "bell, escape, delete, tab\t."),
        ("ä" * 200, None),
        ("x" + "\U0001f600" * 100, None),
        ("👩‍👩‍👧‍👦" * 20, None),
        ("日本語" * 80, None),
        ("," * 255, None),
    ],
)
def test_text_comes_back_whole_and_lines_are_folded_between_characters(
    alice: ApiUser, title: str, expected: str | None
) -> None:
    make_task(alice, title, description=title * 2)
    answer = fetch(alice.client, make_feed(alice))
    for line in physical_lines(answer.data):
        assert len(line) <= 75
        line.decode()  # no character is cut
        assert b"\n" not in line
        assert b"\r" not in line
    (todo,) = todos(answer.data.decode())
    assert todo.summary.value == (expected or title)
    assert todo.description.value == (expected or title) * 2


# --- events -------------------------------------------------------------------------------------


@pytest.mark.proves("FEED-30")
def test_events_are_for_calendars_that_show_no_tasks(alice: ApiUser) -> None:
    make_task(alice, "a day", due="2026-02-05", start="2026-02-01")
    make_task(alice, "a time", **MADRID)
    make_task(alice, "a start", start="2026-02-28")
    make_task(alice, "no date")
    complete(alice, make_task(alice, "done", due="2026-02-05"))
    text = calendar_of(alice, **{"as": "event"})
    assert todos(text) == []
    day, time, start = events(text)
    assert (day.summary.value, time.summary.value, start.summary.value) == (
        "a day",
        "a time",
        "a start",
    )
    assert (day.dtstart.value, day.dtend.value) == (date(2026, 2, 5), date(2026, 2, 6))
    assert (start.dtstart.value, start.dtend.value) == (date(2026, 2, 28), date(2026, 3, 1))
    assert "dtend" not in time.contents
    assert "DTSTART;TZID=Europe/Madrid:20261025T023000" in text
    assert {each.transp.value for each in (day, time, start)} == {"TRANSPARENT"}


@pytest.mark.proves("FEED-30")
def test_a_recurring_event_is_repeated_by_a_parser(alice: ApiUser) -> None:
    rule = "FREQ=WEEKLY;COUNT=3"
    make_task(alice, due="2026-10-19T09:00:00", time_zone="Europe/Madrid", recurrence=rule)
    (event,) = events(calendar_of(alice, **{"as": "event"}))
    zone = ZoneInfo("Europe/Madrid")
    expected = [datetime(2026, 10, 19, 9, tzinfo=zone) + n * timedelta(days=7) for n in range(3)]
    found = list(event.getrruleset())
    assert [each.astimezone(UTC) for each in found] == [each.astimezone(UTC) for each in expected]


# --- which tasks --------------------------------------------------------------------------------


def titles_in(text: str) -> list[str]:
    return [todo.summary.value for todo in todos(text)]


@pytest.mark.proves("FEED-31")
def test_hidden_tasks_are_in_no_feed(alice: ApiUser) -> None:
    archived = make(alice, "lists", title="archived")
    deleted = make(alice, "lists", title="deleted")
    for home in (archived, deleted):
        make_task(alice, f"in {home['title']}", list_id=home["id"])
    make_task(alice, "in the inbox")
    delete(alice, make_task(alice, "in the trash"))
    of_archived, of_deleted = (make_feed(alice, list_id=home["id"]) for home in (archived, deleted))
    act(alice, archived, "archive", "lists")
    delete(alice, deleted, "lists")
    assert titles_in(calendar_of(alice)) == ["in the inbox"]
    for feed in (of_archived, of_deleted):
        assert titles_in(fetch(alice.client, feed).data.decode()) == []
    act(alice, archived, "unarchive", "lists")
    act(alice, deleted, "restore", "lists")
    assert len(titles_in(calendar_of(alice))) == 3
    assert titles_in(fetch(alice.client, of_deleted).data.decode()) == ["in deleted"]


@pytest.mark.proves("FEED-31")
def test_a_feed_of_a_list_has_that_list_and_its_name(alice: ApiUser, bob: ApiUser) -> None:
    home = make(alice, "lists", title="Home; sweet, home")
    make_task(alice, "at home", list_id=home["id"])
    make_task(alice, "elsewhere", due="2026-10-07T09:00:00", time_zone="Asia/Tokyo")
    make_task(bob, "bob's")
    text = calendar_of(alice, list_id=home["id"])
    assert titles_in(text) == ["at home"]
    assert "Tokyo" not in text
    assert alice.id not in text
    calendar = parsed(text)
    assert calendar.contents["x-wr-calname"][0].value == "Home; sweet, home"
    assert lines(text, "NAME") == ["NAME:Home\\; sweet\\, home"]
    assert titles_in(calendar_of(alice)) == ["at home", "elsewhere"]
    assert titles_in(calendar_of(bob)) == ["bob's"]
    assert lines(calendar_of(bob), "NAME") == ["NAME:Ownrow"]


@pytest.mark.proves("FEED-31")
def test_an_empty_calendar_is_a_calendar(alice: ApiUser) -> None:
    calendar = parsed(calendar_of(alice))
    assert calendar.version.value == "2.0"
    assert calendar.prodid.value.startswith("-//Ownrow//")
    assert calendar.contents.keys() & {"vtodo", "vevent"} == set()
