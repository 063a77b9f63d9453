"""Reminders of a task as they are given, kept and returned, and when they are to fire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields, data
from tests.support.planning import (
    change,
    complete,
    delete,
    live_in,
    make_task,
    newest_version,
    read,
)
from tests.support.reminders import before, local, next_at, remind

MADRID = "Europe/Madrid"
SUMMER_TIME, WINTER_TIME = "2027-03-28", "2027-10-31"  # when the clocks of Madrid change


def live_at(user: ApiUser, reminder_time: str) -> None:
    answer = user.call("PATCH", "/api/auth/me", json={"reminder_time": reminder_time})
    assert data(answer)["reminder_time"] == reminder_time


def in_future(**offset: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**offset):%Y-%m-%dT%H:%M:%S.000000Z}"


# --- what is kept ---------------------------------------------------------------------------------

SPELLINGS = {
    "-PT60M": "-PT1H",
    "PT3661S": "PT1H1M1S",
    "PT1H30S": "PT1H0M30S",
    "-P1W": "-P7D",
    "+P1D": "P1D",
    "-P0D": "PT0S",
    "-PT24H": "-PT24H",
    "-P1DT0H": "-P1D",
    "P0DT90M": "PT1H30M",
    "P366D": "P366D",
    "-PT31622400S": "-PT8784H",
}


@pytest.mark.proves("TASK-251")
@pytest.mark.parametrize(("given", "kept"), SPELLINGS.items())
def test_an_offset_has_one_spelling(alice: ApiUser, given: str, kept: str) -> None:
    task = make_task(alice, due="2099-10-07", reminders=[{"offset": given}])
    assert read(alice, task)["reminders"] == [{"offset": kept, "relative_to": "due"}]


@pytest.mark.proves("TASK-251")
def test_each_reminder_is_kept_once_and_in_its_order(alice: ApiUser) -> None:
    at = in_future(days=9)
    given = [
        before("-PT30M"),
        {"at": at},
        {"offset": "-PT1800S"},
        before("-PT30M", "start"),
        {"at": f"{at[:19]}+00:00", "snooze": False},
        {"at": at, "snooze": True},
    ]
    task = make_task(alice, due="2099-10-07T09:00", start="2099-10-01", reminders=given)
    kept = [before("-PT30M"), {"at": at}, before("-PT30M", "start"), {"at": at, "snooze": True}]
    assert task["reminders"] == kept


@pytest.mark.proves("TASK-251")
def test_an_instant_is_returned_in_utc(alice: ApiUser) -> None:
    task = make_task(alice, reminders=[{"at": "2099-10-07T09:00:00.5+02:00"}])
    assert task["reminders"] == [{"at": "2099-10-07T07:00:00.500000Z"}]


@pytest.mark.proves("TASK-251")
def test_the_reminders_that_a_task_has_change_nothing(alice: ApiUser, database_url: str) -> None:
    soon = in_future(hours=1)
    reminders = [before("-PT1H"), {"at": in_future(days=1)}, {"at": soon}]
    task = make_task(alice, due=local(days=2), reminders=reminders)
    fields = {name: task[name] for name in ("title", "due", "start", "time_zone", "reminders")}
    assert data(alice.put(f"/{task['id']}", json=fields)) == task
    assert newest_version(alice) == task["version"]
    assert next_at(database_url, task) == f"{soon[:19]}Z"


@pytest.mark.proves("TASK-251")
def test_reminders_are_left_alone_cleared_and_given_by_a_batch(alice: ApiUser) -> None:
    create = {"op": "create", "title": "a", "due": "2099-10-07", "reminders": [before("-P1D")]}
    made = data(alice.batch(create, {**create, "reminders": []}))["results"]
    assert [task["reminders"] for task in made] == [[before("-P1D")], []]
    assert change(alice, made[0], title="b")["reminders"] == [before("-P1D")]
    update = {"op": "update", "id": made[0]["id"], "reminders": []}
    other = {"op": "update", "id": made[1]["id"], "reminders": [before("-PT5M")]}
    changed = data(alice.batch(update, other))["results"]
    assert [task["reminders"] for task in changed] == [[], [before("-PT5M")]]


# --- what is refused ------------------------------------------------------------------------------

BROKEN: dict[str, tuple[Any, str]] = {
    "null": (None, "reminders"),
    "no array": ({"offset": "-P1D"}, "reminders"),
    "text": ("-P1D", "reminders"),
    "eleven": ([{"offset": f"-PT{n}M"} for n in range(1, 12)], "reminders"),
    "no object": (["-P1D"], "reminders[0]"),
    "a null": ([None], "reminders[0]"),
    "nothing": ([{}], "reminders[0]"),
    "both forms": ([{"offset": "-P1D", "at": "2099-10-07T09:00:00Z"}], "reminders[0]"),
    "a date without offset": ([{"relative_to": "due"}], "reminders[0]"),
    "an unknown field": ([{"offset": "-P1D", "email": True}], "reminders[0].email"),
    "the second": ([{"offset": "-P1D"}, {"offset": "soon"}], "reminders[1].offset"),
    "a number": ([{"offset": -30}], "reminders[0].offset"),
    "a null offset": ([{"offset": None}], "reminders[0].offset"),
    "no duration": ([{"offset": "30M"}], "reminders[0].offset"),
    "small letters": ([{"offset": "-pt30m"}], "reminders[0].offset"),
    "months": ([{"offset": "-P1M"}], "reminders[0].offset"),
    "a fraction": ([{"offset": "-PT0.5H"}], "reminders[0].offset"),
    "an empty time": ([{"offset": "-P1DT"}], "reminders[0].offset"),
    "other digits": ([{"offset": "-P\u0661D"}], "reminders[0].offset"),
    "NUL": ([{"offset": "-P1D\0"}], "reminders[0].offset"),
    "a lone surrogate": ([{"offset": "\ud800"}], "reminders[0].offset"),
    "too long": ([{"offset": "-P367D"}], "reminders[0].offset"),
    "too long in seconds": ([{"offset": "PT31622401S"}], "reminders[0].offset"),
    "huge": ([{"offset": f"-P{'9' * 5000}D"}], "reminders[0].offset"),
    "another date": ([{"offset": "-P1D", "relative_to": "created_at"}], "reminders[0].relative_to"),
    "a list of dates": ([{"offset": "-P1D", "relative_to": ["due"]}], "reminders[0].relative_to"),
    "a date of an instant": (
        [{"at": "2099-10-07T09:00:00Z", "relative_to": "due"}],
        "reminders[0].relative_to",
    ),
    "no instant": ([{"at": "2099-10-07T09:00:00"}], "reminders[0].at"),
    "a day": ([{"at": "2099-10-07"}], "reminders[0].at"),
    "seconds since 1970": ([{"at": 4_000_000_000}], "reminders[0].at"),
    "no such day": ([{"at": "2099-02-30T09:00:00Z"}], "reminders[0].at"),
    "after 2199": ([{"at": "2199-12-31T23:30:00-01:00"}], "reminders[0].at"),
    "a word for snooze": ([{"at": "2099-10-07T09:00:00Z", "snooze": "yes"}], "reminders[0].snooze"),
    "a snooze of an offset": ([{"offset": "-P1D", "snooze": True}], "reminders[0].snooze"),
    "the past": ([{"at": "2020-10-07T09:00:00Z"}], "reminders"),
}


@pytest.mark.proves("TASK-250")
@pytest.mark.parametrize(("reminders", "field"), BROKEN.values(), ids=BROKEN)
def test_a_broken_reminder_is_named(alice: ApiUser, reminders: Any, field: str) -> None:
    task = make_task(alice, due="2099-10-07", reminders=[before("-P1D")])
    body = {"reminders": reminders}
    created = alice.post(json={"title": "a", "due": "2099-10-07", **body})
    assert broken_fields(created) == [field]
    assert broken_fields(alice.patch(f"/{task['id']}", json=body)) == [field]
    answer = alice.batch({"op": "update", "id": task["id"], **body})
    assert broken_fields(answer) == [f"operations[0].{field}"]
    assert read(alice, task) == task


@pytest.mark.proves("TASK-255")
def test_an_instant_that_the_task_has_may_pass(alice: ApiUser, database_url: str) -> None:
    at = f"{datetime.now(UTC) + timedelta(seconds=0.4):%Y-%m-%dT%H:%M:%S.%fZ}"
    task = make_task(alice, reminders=[{"at": at}])
    again = {"title": "later", "reminders": [{"at": at}]}
    while datetime.now(UTC) <= datetime.fromisoformat(at):
        pass
    assert broken_fields(alice.post(json={"title": "a", "reminders": [{"at": at}]})) == [
        "reminders"
    ]
    changed = data(alice.put(f"/{task['id']}", json=again))
    assert (changed["title"], changed["reminders"]) == ("later", [{"at": at}])
    assert next_at(database_url, task) == f"{at[:19]}Z"  # nothing has fired it


# --- the date that it is relative to --------------------------------------------------------------


@pytest.mark.proves("TASK-254")
@pytest.mark.parametrize("date", ["due", "start"])
def test_a_relative_reminder_needs_a_date(alice: ApiUser, date: str) -> None:  # N9
    body = {"title": "a", "reminders": [before("-P1D", date)]}
    assert broken_fields(alice.post(json=body)) == ["reminders"]
    task = make_task(alice)
    assert broken_fields(alice.patch(f"/{task['id']}", json=body)) == ["reminders"]
    assert read(alice, task) == task


@pytest.mark.proves("TASK-254")
def test_due_goes_only_together_with_the_reminders_that_need_it(alice: ApiUser) -> None:  # N9
    task = make_task(alice, due="2099-10-07", reminders=[before("-P1D")])
    assert broken_fields(alice.patch(f"/{task['id']}", json={"due": None})) == ["reminders"]
    assert read(alice, task) == task
    answer = alice.batch({"op": "update", "id": task["id"], "due": None})
    assert broken_fields(answer) == ["operations[0].reminders"]
    changed = change(alice, task, due=None, reminders=[])
    assert (changed["due"], changed["reminders"]) == (None, [])


@pytest.mark.proves("TASK-254")
def test_a_reminder_of_the_start_is_one_of_the_due_without_a_start(
    alice: ApiUser, database_url: str
) -> None:  # N5
    task = make_task(alice, due="2099-10-07T17:00", reminders=[before("-PT30M", "start")])
    assert next_at(database_url, task) == "2099-10-07T16:30:00Z"
    change(alice, task, start="2099-10-06T08:00")
    assert next_at(database_url, task) == "2099-10-06T07:30:00Z"
    change(alice, task, due=None)  # the start is enough
    assert next_at(database_url, task) == "2099-10-06T07:30:00Z"
    assert broken_fields(alice.patch(f"/{task['id']}", json={"start": None})) == ["reminders"]


@pytest.mark.proves("TASK-254")
def test_a_reminder_of_the_due_does_not_do_with_a_start(alice: ApiUser) -> None:
    body = {"title": "a", "start": "2099-10-06", "reminders": [before("-P1D")]}
    assert broken_fields(alice.post(json=body)) == ["reminders"]


# --- instants -------------------------------------------------------------------------------------

INSTANTS = {
    "a day before, over summer time (N6)": (f"{SUMMER_TIME}T09:00", "-P1D", "2027-03-27T08:00:00Z"),
    "24 hours before (N6)": (f"{SUMMER_TIME}T09:00", "-PT24H", "2027-03-27T07:00:00Z"),
    "before a doubled hour (N7)": (f"{WINTER_TIME}T02:30", "-PT30M", "2027-10-31T00:00:00Z"),
    "a day before, over winter time": (f"{WINTER_TIME}T09:00", "-P1D", "2027-10-30T07:00:00Z"),
    "into a gap": ("2027-03-29T02:30", "-P1D", "2027-03-28T01:30:00Z"),
    "into a doubled hour": ("2027-11-01T02:30", "-P1D", "2027-10-31T00:30:00Z"),
    "days before hours": ("2027-03-29T00:30", "-P1DT1H", "2027-03-27T22:30:00Z"),
    "a week": (f"{SUMMER_TIME}T09:00", "-P1W", "2027-03-21T08:00:00Z"),
    "at the time": ("2027-07-01T09:00", "PT0S", "2027-07-01T07:00:00Z"),
    "after it": ("2027-07-01T09:00", "PT90M", "2027-07-01T08:30:00Z"),
    "beyond the last year": ("2199-12-31T23:59", "P366D", "2201-01-01T22:59:00Z"),
}


@pytest.mark.proves("TASK-252")
@pytest.mark.parametrize(("due", "offset", "instant"), INSTANTS.values(), ids=INSTANTS)
def test_days_keep_the_clock_and_hours_are_exact(
    alice: ApiUser, database_url: str, due: str, offset: str, instant: str
) -> None:
    task = make_task(alice, due=due, time_zone=MADRID, reminders=[before(offset)])
    assert next_at(database_url, task) == instant


DAYS = {
    "that day": ("2027-07-01", "PT0S", "2027-07-01T07:00:00Z"),
    "the day before": ("2027-07-01", "-P1D", "2027-06-30T07:00:00Z"),
    "an hour before": ("2027-07-01", "-PT1H", "2027-07-01T06:00:00Z"),
    "as winter time begins": (WINTER_TIME, "PT0S", "2027-10-31T08:00:00Z"),
    "a day before that": (WINTER_TIME, "-P1D", "2027-10-30T07:00:00Z"),
}


@pytest.mark.proves("TASK-253")
@pytest.mark.parametrize(("due", "offset", "instant"), DAYS.values(), ids=DAYS)
def test_a_whole_day_counts_from_the_reminder_time(
    alice: ApiUser, database_url: str, due: str, offset: str, instant: str
) -> None:
    task = make_task(live_in(alice, MADRID), due=due, reminders=[before(offset)])
    assert next_at(database_url, task) == instant
    live_at(alice, "02:30")
    other = make_task(alice, due="2027-03-28", reminders=[before()])
    assert next_at(database_url, other) == "2027-03-28T01:30:00Z"  # in a gap


@pytest.mark.proves("TASK-253")
def test_the_whole_day_of_a_start_is_in_the_zone_of_the_due(
    alice: ApiUser, database_url: str
) -> None:
    dates = {"start": "2027-07-01", "due": "2027-07-02T09:00", "time_zone": "Asia/Tokyo"}
    task = make_task(alice, **dates, reminders=[before("PT0S", "start")])
    assert next_at(database_url, task) == "2027-07-01T00:00:00Z"


# --- which ones are pending -----------------------------------------------------------------------


@pytest.mark.proves("TASK-257")
def test_the_earliest_reminder_in_the_future_is_the_next_one(
    alice: ApiUser, database_url: str
) -> None:
    due = local(hours=3)
    offsets = ("PT1H", "-PT1H", "-PT5H", "-P1D")
    task = make_task(alice, due=due, reminders=[before(each) for each in offsets])
    hour_before = datetime.fromisoformat(due) - timedelta(hours=1)
    assert next_at(database_url, task) == f"{hour_before.isoformat()}Z"
    passed = make_task(alice, due=due, reminders=[before("-P1D")])
    assert next_at(database_url, passed) is None


@pytest.mark.proves("TASK-256")
def test_a_snooze_ends_with_the_due_that_it_put_off(
    alice: ApiUser, database_url: str
) -> None:  # N4
    snooze = {"at": in_future(hours=2), "snooze": True}
    fixed = {"at": in_future(hours=9)}
    task = make_task(alice, due=local(hours=1), reminders=[before(), fixed, snooze])
    due = local(hours=1, minutes=2)
    changed = change(alice, task, due=due)
    assert changed["reminders"] == [before(), fixed]
    assert next_at(database_url, task) == f"{due}Z"


@pytest.mark.proves("TASK-256")
def test_a_snooze_that_comes_with_a_due_stays(alice: ApiUser) -> None:
    old, new = ({"at": in_future(hours=hours), "snooze": True} for hours in (2, 3))
    task = make_task(alice, due="2099-10-07", reminders=[old])
    changed = remind(alice, task, old, new, due="2099-10-08")
    assert changed["reminders"] == [new]
    assert change(alice, task, title="other", start="2099-10-01")["reminders"] == [new]


@pytest.mark.proves("TASK-256")
def test_a_snooze_ends_with_the_task(alice: ApiUser, database_url: str) -> None:
    snooze = {"at": in_future(hours=2), "snooze": True}
    task = make_task(alice, reminders=[{"at": in_future(hours=3)}, snooze])
    assert complete(alice, task)["reminders"] == task["reminders"][:1]
    assert next_at(database_url, task) is None
    assert complete(alice, task, done=False)["reminders"] == task["reminders"][:1]
    assert next_at(database_url, task) == f"{task['reminders'][0]['at'][:19]}Z"


@pytest.mark.proves("TASK-261")
def test_a_completed_or_deleted_task_has_no_next_reminder(
    alice: ApiUser, database_url: str
) -> None:
    due = local(hours=1)
    parent = make_task(alice, due=due, reminders=[before()])
    child = make_task(alice, due=due, reminders=[before()], parent_id=parent["id"])
    complete(alice, parent)
    assert [next_at(database_url, task) for task in (parent, child)] == [None, None]
    complete(alice, child, done=False)  # which reopens the parent
    assert [next_at(database_url, task) for task in (parent, child)] == [f"{due}Z"] * 2
    delete(alice, parent)
    assert [next_at(database_url, task) for task in (parent, child)] == [None, None]
    data(alice.post(f"/{parent['id']}/restore"))
    assert [next_at(database_url, task) for task in (parent, child)] == [f"{due}Z"] * 2
