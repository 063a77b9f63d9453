"""Due dates and starts: local first, one instant each, whatever the zone does at that time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app import zones
from tests.support.api_user import ApiUser, broken_fields, data, register
from tests.support.planning import (
    act,
    change,
    delete,
    due_at,
    live_in,
    make_task,
    newest_version,
    read,
    titles,
)

LOS_ANGELES, MADRID = "America/Los_Angeles", "Europe/Madrid"


def dates(task: dict[str, Any]) -> tuple[Any, ...]:
    return task["due"], task["start"], task["time_zone"], due_at(task)


# --- instants -----------------------------------------------------------------------------------


@pytest.mark.proves("TASK-132")
def test_a_day_stays_that_day_and_ends_where_the_user_is(alice: ApiUser) -> None:  # D1
    live_in(alice, LOS_ANGELES)
    task = make_task(alice, due="2026-02-05")
    assert dates(read(alice, task)) == ("2026-02-05", None, None, "2026-02-06T08:00:00Z")


@pytest.mark.proves("TASK-132")
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "UTC"])
def test_a_day_is_the_same_one_in_every_zone(alice: ApiUser, zone: str) -> None:  # D2
    task = make_task(live_in(alice, zone), due="2024-08-30")
    assert read(alice, task)["due"] == "2024-08-30"
    end = datetime(2024, 8, 31, tzinfo=zones.zone(zone)).astimezone(UTC)
    assert due_at(task) == f"{end:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("now", "today"),
    [
        ("2026-09-20T23:30", "2026-09-20"),  # D3; the 21st in UTC
        ("2026-09-20T00:30", "2026-09-20"),
        ("2026-03-08T03:30", "2026-03-08"),  # the day of 23 hours
        ("2026-11-01T23:59", "2026-11-01"),  # the day of 25 hours
    ],
)
def test_today_is_the_day_where_the_user_is(now: str, today: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=zones.zone(LOS_ANGELES))
    assert zones.local_date(at, LOS_ANGELES).isoformat() == today


INSTANTS = {
    "a gap (D4)": ("2026-03-29T02:30:00", MADRID, "2026-03-29T01:30:00Z"),
    "the last second before the gap": ("2026-03-29T01:59:59", MADRID, "2026-03-29T00:59:59Z"),
    "the first instant of the gap": ("2026-03-29T02:00:00", MADRID, "2026-03-29T01:00:00Z"),
    "the first instant after the gap": ("2026-03-29T03:00:00", MADRID, "2026-03-29T01:00:00Z"),
    "a doubled hour (D5)": ("2026-10-25T02:30:00", MADRID, "2026-10-25T00:30:00Z"),
    "the second before a doubled hour": ("2026-10-25T01:59:59", MADRID, "2026-10-24T23:59:59Z"),
    "the end of a doubled hour": ("2026-10-25T03:00:00", MADRID, "2026-10-25T02:00:00Z"),
    "a gap of half an hour": (
        "2026-10-04T02:15:00",
        "Australia/Lord_Howe",
        "2026-10-03T15:45:00Z",
    ),
    "a doubled half hour": ("2026-04-05T01:45:00", "Australia/Lord_Howe", "2026-04-04T14:45:00Z"),
    "a gap at midnight": ("2018-11-04T00:30:00", "America/Sao_Paulo", "2018-11-04T03:30:00Z"),
    "a midnight that comes twice": (
        "2026-11-01T00:30:00",
        "America/Havana",
        "2026-11-01T04:30:00Z",
    ),
    "an offset of 45 minutes": ("2026-10-07T09:00:00", "Asia/Kathmandu", "2026-10-07T03:15:00Z"),
    "clocks that go back for summer": (
        "2026-07-01T09:00:00",
        "Europe/Dublin",
        "2026-07-01T08:00:00Z",
    ),
    "an old offset with seconds": (
        "1971-06-01T12:00:00",
        "Africa/Monrovia",
        "1971-06-01T12:44:30Z",
    ),
    "a day that was skipped": ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T22:00:00Z"),
    "an alias": ("2026-10-07T09:00:00", "Asia/Calcutta", "2026-10-07T03:30:00Z"),
    "a fixed offset": ("2026-10-07T09:00:00", "Etc/GMT+5", "2026-10-07T14:00:00Z"),
    "the far future": ("2199-07-01T09:00:00", MADRID, "2199-07-01T07:00:00Z"),
}


@pytest.mark.proves("TASK-132", "TASK-133")
@pytest.mark.parametrize(("due", "zone", "instant"), INSTANTS.values(), ids=INSTANTS)
def test_a_time_is_kept_as_given_and_has_one_instant(
    alice: ApiUser, due: str, zone: str, instant: str
) -> None:
    task = make_task(alice, due=due, time_zone=zone)
    assert dates(read(alice, task)) == (due, None, zone, instant)
    floating = make_task(live_in(alice, zone), due=due)
    assert dates(floating) == (due, None, None, instant)


DAYS = {
    "23 hours": ("2026-03-29", MADRID, "2026-03-29T22:00:00Z"),
    "25 hours": ("2026-10-25", MADRID, "2026-10-25T23:00:00Z"),
    "ends before a midnight gap": ("2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    "begins in a midnight gap": ("2018-11-04", "America/Sao_Paulo", "2018-11-05T02:00:00Z"),
    "ends with an hour that comes twice": (
        "2018-02-17",
        "America/Sao_Paulo",
        "2018-02-18T03:00:00Z",
    ),
    "ends before a doubled midnight": ("2026-10-31", "America/Havana", "2026-11-01T04:00:00Z"),
    "was skipped": ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00Z"),
    "the first day, in the east": ("1970-01-01", "Pacific/Kiritimati", "1970-01-02T10:40:00Z"),
    "the last day, in the west": ("2199-12-31", "Pacific/Pago_Pago", "2200-01-01T11:00:00Z"),
    "a leap day": ("2028-02-29", "UTC", "2028-03-01T00:00:00Z"),
    "a leap day of a century": ("2000-02-29", "UTC", "2000-03-01T00:00:00Z"),
}


@pytest.mark.proves("TASK-132", "TASK-133")
@pytest.mark.parametrize(("due", "zone", "instant"), DAYS.values(), ids=DAYS)
def test_a_day_is_over_when_its_local_midnight_comes(
    alice: ApiUser, due: str, zone: str, instant: str
) -> None:
    assert due_at(make_task(live_in(alice, zone), due=due)) == instant


@pytest.mark.proves("TASK-130")
@pytest.mark.parametrize(
    "due",
    ["1970-01-01", "1970-01-01T00:00:00", "2199-12-31", "2199-12-31T23:59:59", "2000-02-29"],
)
def test_years_are_1970_to_2199(alice: ApiUser, due: str) -> None:
    assert make_task(alice, due=due, start=due)["due"] == due


@pytest.mark.proves("TASK-130")
def test_seconds_may_be_left_out_and_are_shown(alice: ApiUser) -> None:
    task = make_task(alice, due="2026-10-07T09:00", start="2026-10-07T08:00", time_zone=MADRID)
    expected = ("2026-10-07T09:00:00", "2026-10-07T08:00:00", MADRID, "2026-10-07T07:00:00Z")
    assert dates(read(alice, task)) == expected


# --- fields together ----------------------------------------------------------------------------


@pytest.mark.proves("TASK-135")
@pytest.mark.parametrize("due", [{}, {"due": None}, {"due": "2026-10-07"}])
def test_a_zone_needs_a_time_in_due(alice: ApiUser, due: dict[str, Any]) -> None:  # D8
    answer = alice.post(json={"title": "a", "time_zone": MADRID, **due})
    assert broken_fields(answer) == ["time_zone"]
    task = make_task(alice, due="2026-10-07T09:00")
    if due:
        answer = alice.patch(f"/{task['id']}", json={"time_zone": MADRID, **due})
        assert broken_fields(answer) == ["time_zone"]
    assert read(alice, task) == task


@pytest.mark.proves("TASK-135")
def test_a_zone_that_is_there_already_needs_a_time_in_due_as_well(alice: ApiUser) -> None:
    task = make_task(alice, due="2026-10-07T09:00", time_zone=MADRID)
    for due in (None, "2026-10-07"):
        assert broken_fields(alice.patch(f"/{task['id']}", json={"due": due})) == ["time_zone"]
    cleared = change(alice, task, due=None, time_zone=None)
    assert dates(cleared) == (None, None, None, None)


@pytest.mark.proves("TASK-136")
@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-10-08", "2026-10-07"),
        ("2026-10-07T09:00:01", "2026-10-07T09:00"),
        ("2026-10-08", "2026-10-07T23:59:59"),
        ("2026-10-08T00:00", "2026-10-07"),
        ("2199-12-31", "1970-01-01"),
    ],
)
def test_a_start_after_due_is_refused(alice: ApiUser, start: str, due: str) -> None:  # D9
    both = {"start": start, "due": due}
    assert broken_fields(alice.post(json={"title": "a", **both})) == ["start"]
    task = make_task(alice, due=due)
    assert broken_fields(alice.patch(f"/{task['id']}", json={"start": start})) == ["start"]
    started = make_task(alice, start=start)
    assert broken_fields(alice.patch(f"/{started['id']}", json={"due": due})) == ["start"]
    assert titles(data(alice.get("?no_due=true"))) == ["a task"]


@pytest.mark.proves("TASK-136")
@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-10-07", "2026-10-07"),
        ("2026-10-07T09:00:00", "2026-10-07T09:00:00"),
        ("2026-10-07", "2026-10-07T00:00:00"),
        ("2026-10-07T23:59:59", "2026-10-07"),
        ("2026-10-07", None),
    ],
)
def test_a_start_is_at_the_latest_due(alice: ApiUser, start: str, due: str | None) -> None:
    task = make_task(alice, start=start, due=due)
    assert (task["start"], task["due"]) == (start, due)


def test_what_a_write_leaves_out_stays(alice: ApiUser) -> None:
    task = make_task(
        alice, due="2026-10-07T09:00:00", start="2026-10-01", time_zone=MADRID, priority=3
    )
    for fields in (
        {"title": "b"},
        {"priority": 1},
        {"is_completed": True},
        {"start": "2026-10-02"},
    ):
        task = {**task, **fields}
        changed = change(alice, task, **fields)
        assert dates(changed) == dates(task)
    moved = change(alice, task, due="2026-10-08T09:00")
    assert dates(moved) == ("2026-10-08T09:00:00", "2026-10-02", MADRID, "2026-10-08T07:00:00Z")


def test_a_change_of_zone_keeps_the_clock_and_moves_the_instant(alice: ApiUser) -> None:
    task = make_task(alice, due="2026-10-07T09:00", time_zone=MADRID)
    moved = change(alice, task, time_zone="America/New_York")
    assert (moved["due"], due_at(moved)) == ("2026-10-07T09:00:00", "2026-10-07T13:00:00Z")
    floating = change(alice, task, time_zone=None)
    assert (floating["due"], due_at(floating)) == ("2026-10-07T09:00:00", "2026-10-07T09:00:00Z")


def test_the_same_date_again_takes_no_version(alice: ApiUser) -> None:
    task = make_task(alice, due="2026-10-07T09:00:00", time_zone=MADRID)
    assert change(alice, task, due="2026-10-07T09:00", time_zone=MADRID) == task
    assert newest_version(alice) == task["version"]


def test_due_at_is_read_only(alice: ApiUser) -> None:
    body = {"title": "a", "due_at": "2026-10-07T09:00:00Z"}
    assert broken_fields(alice.post(json=body)) == ["due_at"]


def test_dates_survive_the_trash(alice: ApiUser) -> None:
    task = make_task(alice, due="2026-10-25T02:30:00", time_zone=MADRID, start="2026-10-24")
    delete(alice, task)
    assert dates(act(alice, task, "restore")) == dates(task)


# --- bounds of lists ----------------------------------------------------------------------------


@pytest.fixture
def week(alice: ApiUser) -> ApiUser:
    """Alice in Madrid, with tasks around 7 October 2026, local time."""
    live_in(alice, MADRID)
    for due in ("2026-10-06", "2026-10-07", "2026-10-08"):
        make_task(alice, due, due=due)
        for time in ("00:00:00", "23:59:59"):
            make_task(alice, f"{due}T{time}", due=f"{due}T{time}")
    make_task(alice, "New York", due="2026-10-06T18:00:00", time_zone="America/New_York")  # the 7th
    make_task(alice, "none")
    return alice


def due_within(user: ApiUser, **query: str) -> list[str]:
    return sorted(titles(data(user.get(query_string={"limit": 200, **query}))))


SEVENTH = ["2026-10-07", "2026-10-07T00:00:00", "2026-10-07T23:59:59", "New York"]
EIGHTH = ["2026-10-08", "2026-10-08T00:00:00", "2026-10-08T23:59:59"]
SIXTH = ["2026-10-06", "2026-10-06T00:00:00", "2026-10-06T23:59:59"]


@pytest.mark.proves("TASK-173")
def test_bounds_that_are_days_include_both_days(week: ApiUser) -> None:
    assert due_within(week, due_from="2026-10-07", due_to="2026-10-07") == SEVENTH
    assert due_within(week, due_from="2026-10-07", due_to="2026-10-08") == sorted(
        [*SEVENTH, *EIGHTH]
    )
    assert due_within(week, due_to="2026-10-06") == SIXTH
    assert due_within(week, due_from="2026-10-08") == EIGHTH
    assert due_within(week, due_from="2026-10-08", due_to="2026-10-06") == []


@pytest.mark.proves("TASK-173")
def test_days_are_those_of_time_zone_where_it_is_given(week: ApiUser) -> None:
    tokyo = due_within(week, due_from="2026-10-07", due_to="2026-10-07", time_zone="Asia/Tokyo")
    # In Tokyo the 7th begins at 17:00 of the 6th in Madrid.
    assert tokyo == ["2026-10-06T23:59:59", "2026-10-07", "2026-10-07T00:00:00", "New York"]


@pytest.mark.proves("TASK-173")
def test_an_instant_as_due_to_is_exclusive_and_as_due_from_inclusive(week: ApiUser) -> None:
    last = "2026-10-07T21:59:59Z"  # 23:59:59 in Madrid
    assert "2026-10-07T23:59:59" not in due_within(week, due_to=last)
    assert "2026-10-07T23:59:59" in due_within(week, due_to="2026-10-07T22:00:00Z")
    assert "2026-10-07T23:59:59" in due_within(week, due_from=last)
    assert "2026-10-07T23:59:59" not in due_within(week, due_from="2026-10-07T22:00:00Z")
    with_offset = due_within(week, due_from="2026-10-07T23:59:59+02:00", due_to="2026-10-08")
    assert with_offset == sorted(["2026-10-07T23:59:59", *EIGHTH])
    fraction = due_within(week, due_from="2026-10-07T21:59:59.000001Z", due_to="2026-10-08")
    assert fraction == EIGHTH


@pytest.mark.proves("TASK-173", "TASK-174")
def test_tasks_without_due_meet_no_bound(week: ApiUser) -> None:
    assert "none" not in due_within(week, due_from="1970-01-01", due_to="2199-12-31")
    assert due_within(week, no_due="true") == ["none"]
    assert "none" not in due_within(week, no_due="false")
    assert due_within(week, no_due="true", due_from="1970-01-01") == []


@pytest.mark.proves("TASK-173")
@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)]
)
def test_a_day_has_the_hours_that_it_has(alice: ApiUser, day: str, hours: int) -> None:  # Q8
    live_in(alice, MADRID)
    begin = zones.start_of_day(date.fromisoformat(day), MADRID)
    for hour in range(-1, hours + 1):
        at = begin + timedelta(hours=hour)
        make_task(alice, str(hour), due=f"{at:%Y-%m-%dT%H:%M:%S}", time_zone="UTC")
    found = due_within(alice, due_from=day, due_to=day)
    assert sorted(found, key=int) == [str(hour) for hour in range(hours)]
    assert due_within(alice, filter=f"due = {day}") == found


@pytest.mark.proves("TASK-173")
@pytest.mark.parametrize("name", ["due_from", "due_to"])
@pytest.mark.parametrize(
    "bound",
    [
        "",
        "2026-02-30",
        "2026-10-07T09:00",
        "2026-10-07T09:00:00",
        "2026-10-07T25:00:00Z",
        "2026-10-07 09:00:00Z",
        "2026-10-07T09:00:00+24:00",
        "٢٠٢٦-١٠-٠٧",
        "1969-12-31",
        "2200-01-01",
        "today",
        "2026-10-07\n",
        "\x00",
        "20261007",
        "2026-W41-3",
    ],
)
def test_a_bound_that_is_neither_day_nor_instant_is_refused(
    alice: ApiUser, name: str, bound: str
) -> None:
    assert broken_fields(alice.get(query_string={name: bound})) == [name]


# --- overdue ------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-175")
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
def test_a_task_is_overdue_when_its_local_day_is_over(alice: ApiUser, zone: str) -> None:
    live_in(alice, zone)
    today = datetime.now(zones.zone(zone)).date()
    for days in (-1, 0, 1):
        make_task(alice, str(days), due=(today + timedelta(days)).isoformat())
    make_task(alice, "no due")
    found = due_within(alice, overdue="true")
    others = due_within(alice, overdue="false")
    if datetime.now(zones.zone(zone)).date() == today:  # unless midnight has come meanwhile
        assert (found, others) == (["-1"], ["0", "1", "no due"])


@pytest.mark.proves("TASK-175")
def test_a_completed_task_is_not_overdue(alice: ApiUser) -> None:
    task = make_task(alice, "old", due="2020-01-01")
    assert due_within(alice, overdue="true") == ["old"]
    change(alice, task, is_completed=True)
    assert due_within(alice, overdue="true") == []
    assert due_within(alice, overdue="false") == ["old"]


@pytest.mark.proves("TASK-177")
def test_overdue_has_no_tag_as_time_alone_changes_it(alice: ApiUser) -> None:
    make_task(alice, "old", due="2020-01-01")
    assert "ETag" in alice.get().headers
    for query in ("?overdue=true", "?overdue=false", "?filter=due < today"):
        answer = alice.get(query)
        assert answer.status_code == 200
        assert "ETag" not in answer.headers
        assert alice.get(query, headers={"If-None-Match": "*"}).status_code == 200


@pytest.mark.proves("TASK-138")
def test_a_user_without_a_zone_lives_in_utc(alice: ApiUser) -> None:
    assert due_at(make_task(alice, due="2026-10-07")) == "2026-10-08T00:00:00Z"


@pytest.mark.proves("TASK-138")
def test_a_zone_given_at_registration_counts(alice: ApiUser) -> None:
    credentials = {"email": "carol@example.com", "password": "seven quiet rivers"}
    answer = alice.client.post("/api/auth/register", json={**credentials, "time_zone": MADRID})
    assert data(answer)["time_zone"] == MADRID
    session = data(alice.client.post("/api/auth/login", json=credentials))
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    body = {"title": "a", "due": "2026-10-07T09:00"}
    made = alice.client.post("/api/me/tasks", json=body, headers=headers)
    assert due_at(data(made)) == "2026-10-07T07:00:00Z"
    assert due_at(make_task(register(alice.client), due="2026-10-07")) == "2026-10-08T00:00:00Z"
