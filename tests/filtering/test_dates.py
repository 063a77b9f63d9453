"""The instants that dates, weekdays and offsets mean, in zones whose days are not 24 hours long."""

from datetime import date, datetime, timedelta

import pytest

from app import zones
from app.filtering.dates import add_months
from tests.filtering.selection import Selection, at, compiled, due, mistake

LOS_ANGELES, MADRID = "America/Los_Angeles", "Europe/Madrid"


def bounds(value: str, now: str, zone: str = "UTC") -> list[float]:
    """The instants between which something equals a day: the first, and the first one after it."""
    return list(compiled(f"due = {value}", now=now, zone=zone).values.values())


def bound(query: str, now: str, zone: str = "UTC") -> float:
    """The only instant that a filter compares with."""
    (value,) = compiled(query, now=now, zone=zone).values.values()
    assert isinstance(value, int | float)
    return value


def day(value: str, now: str, zone: str = "UTC") -> str:
    """The local day at whose noon something equals the value."""
    start, end = bounds(value, now, zone)
    noon = datetime.fromtimestamp((start + end) / 2, zones.zone(zone))
    return noon.date().isoformat()


def test_before_tomorrow_ends_where_the_local_day_ends() -> None:
    now, end = "2026-07-15T00:00:00Z", at("2026-07-15T07:00:00Z")
    assert bound("due < tomorrow", now, LOS_ANGELES) == end
    assert bound("due <= today", now, LOS_ANGELES) == end
    assert bound("due > today", now, LOS_ANGELES) == end
    assert bound("due >= tomorrow", now, LOS_ANGELES) == end
    assert bound("due <= 2026-07-14", now, LOS_ANGELES) == end
    assert bound("due < +1d", now, LOS_ANGELES) == end
    assert bound("due > -0d", now, LOS_ANGELES) == end
    assert bound("due < +24h", now, LOS_ANGELES) == at("2026-07-16T00:00:00Z")
    assert isinstance(bound("due < tomorrow", now, LOS_ANGELES), int)


@pytest.mark.parametrize(
    ("now", "zone", "start", "end"),
    [
        # The clock goes forward or back.
        ("2026-03-29T12:00:00Z", MADRID, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-10-25T12:00:00Z", MADRID, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("2026-03-08T12:00:00Z", LOS_ANGELES, "2026-03-08T08:00:00Z", "2026-03-09T07:00:00Z"),
        ("2026-11-01T12:00:00Z", LOS_ANGELES, "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"),
        # by half an hour
        (
            "2026-10-04T00:00:00Z",
            "Australia/Lord_Howe",
            "2026-10-03T13:30:00Z",
            "2026-10-04T13:00:00Z",
        ),
        # at midnight, so that the day begins at one
        ("2026-03-29T12:00:00Z", "Asia/Beirut", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"),
        ("2026-04-24T12:00:00Z", "Africa/Cairo", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"),
        ("2026-03-08T12:00:00Z", "America/Havana", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
        # from one to midnight, which comes twice
        ("2025-11-02T12:00:00Z", "America/Havana", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"),
        # Offsets that are no whole hours, or large.
        ("2026-10-07T18:20:00Z", "Asia/Kathmandu", "2026-10-07T18:15:00Z", "2026-10-08T18:15:00Z"),
        ("2026-10-07T18:14:59Z", "Asia/Kathmandu", "2026-10-06T18:15:00Z", "2026-10-07T18:15:00Z"),
        (
            "2026-10-07T10:00:00Z",
            "Pacific/Kiritimati",
            "2026-10-07T10:00:00Z",
            "2026-10-08T10:00:00Z",
        ),
        (
            "2026-10-07T09:59:59Z",
            "Pacific/Kiritimati",
            "2026-10-06T10:00:00Z",
            "2026-10-07T10:00:00Z",
        ),
        (
            "2026-10-07T09:59:59Z",
            "Pacific/Honolulu",
            "2026-10-06T10:00:00Z",
            "2026-10-07T10:00:00Z",
        ),
        # Years.
        ("2026-12-31T23:30:00Z", "UTC", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-12-31T23:30:00Z", MADRID, "2026-12-31T23:00:00Z", "2027-01-01T23:00:00Z"),
    ],
)
def test_today_is_the_local_day(
    select: Selection, now: str, zone: str, start: str, end: str
) -> None:
    assert bounds("today", now, zone) == [at(start), at(end)]
    tasks = {"before": due(start), "first": due(start), "last": due(end), "after": due(end)}
    tasks["before"]["due"] -= 1
    tasks["last"]["due"] -= 1
    assert select("today", tasks, now=now, zone=zone) == {"first", "last"}
    assert select("due < today", tasks, now=now, zone=zone) == {"before"}
    assert select("due > today", tasks, now=now, zone=zone) == {"after"}
    assert select("due <= yesterday", tasks, now=now, zone=zone) == {"before"}
    assert select("due >= tomorrow", tasks, now=now, zone=zone) == {"after"}


def test_late_in_the_evening_it_is_still_today() -> None:
    assert day("today", "2026-09-21T06:30:00Z", LOS_ANGELES) == "2026-09-20"  # 23:30 there


def test_nothing_is_on_a_day_that_a_zone_left_out(select: Selection) -> None:
    tasks = {hour: due(f"2011-12-30T{hour}:00:00Z") for hour in ("09", "10", "11")}
    zone = "Pacific/Apia"
    assert select("due = 2011-12-29", tasks, zone=zone) == {"09"}
    assert select("due = 2011-12-30", tasks, zone=zone) == set()
    assert select("due = 2011-12-31", tasks, zone=zone) == {"10", "11"}


def test_times_that_a_clock_skips_or_shows_twice_are_as_in_tasks() -> None:
    now = "2026-01-01T00:00:00Z"
    assert bound("due < 2026-03-29T02:30", now, MADRID) == at("2026-03-29T01:30:00Z")
    assert bound("due < 2026-10-25T02:30", now, MADRID) == at("2026-10-25T00:30:00Z")
    assert bound("due < 2026-10-25T02:30:59", now, MADRID) == at("2026-10-25T00:30:59Z")
    assert bound("due < 2026-10-07T09:00", now, LOS_ANGELES) == at("2026-10-07T16:00:00Z")


@pytest.mark.parametrize(
    ("value", "now", "instant"),
    [
        ("now", "2026-10-07T10:00:00Z", "2026-10-07T10:00:00Z"),
        ("+0h", "2026-10-07T10:00:00Z", "2026-10-07T10:00:00Z"),
        ("+3h", "2026-10-07T10:00:00Z", "2026-10-07T13:00:00Z"),
        ("-3h", "2026-10-07T01:00:00Z", "2026-10-06T22:00:00Z"),
        ("+3H", "2026-12-31T23:00:00Z", "2027-01-01T02:00:00Z"),
        # 01:30 in Madrid, before two become three
        ("+1h", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
        ("+24h", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
        ("+9999h", "2026-10-07T10:00:00Z", "2027-11-28T01:00:00Z"),
    ],
)
def test_hours_are_exact(value: str, now: str, instant: str) -> None:
    assert bound(f"due < {value}", now, MADRID) == at(instant)
    assert bound(f"due = {value}", now, MADRID) == at(instant)


@pytest.mark.parametrize(
    ("value", "today", "expected"),
    [
        ("today", "2026-10-07", "2026-10-07"),
        ("tomorrow", "2026-10-31", "2026-11-01"),
        ("tomorrow", "2026-12-31", "2027-01-01"),
        ("tomorrow", "2028-02-28", "2028-02-29"),
        ("yesterday", "2026-03-01", "2026-02-28"),
        ("yesterday", "2027-01-01", "2026-12-31"),
        ("+7d", "2026-10-28", "2026-11-04"),
        ("-7d", "2026-01-05", "2025-12-29"),
        ("+1w", "2026-12-28", "2027-01-04"),
        ("-2w", "2026-10-07", "2026-09-23"),
        ("-2W", "2026-10-07", "2026-09-23"),
        # in the night in which clocks go back, 7 * 24 hours are a day short
        ("+7d", "2026-10-24", "2026-10-31"),
        ("+1d", "2026-10-25", "2026-10-26"),
        ("+365d", "2027-10-07", "2028-10-06"),
        ("+0007d", "2026-10-07", "2026-10-14"),
        ("-0m", "2026-10-07", "2026-10-07"),
        ("+1m", "2026-10-07", "2026-11-07"),
        ("+1M", "2026-01-31", "2026-02-28"),
        ("+1m", "2028-01-31", "2028-02-29"),
        ("+1m", "2026-08-31", "2026-09-30"),
        ("+2m", "2026-12-31", "2027-02-28"),
        ("+2m", "2026-01-31", "2026-03-31"),
        ("+12m", "2028-02-29", "2029-02-28"),
        ("+48m", "2028-02-29", "2032-02-29"),
        ("-1m", "2026-03-31", "2026-02-28"),
        ("-1m", "2026-01-15", "2025-12-15"),
        ("-12m", "2026-12-31", "2025-12-31"),
        ("-13m", "2026-01-31", "2024-12-31"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", MADRID, "Pacific/Kiritimati", "Pacific/Honolulu"])
def test_days_weeks_and_months_are_those_of_the_calendar(
    value: str, today: str, expected: str, zone: str
) -> None:
    for time in ("00:30", "23:30"):
        local = datetime.fromisoformat(f"{today}T{time}").replace(tzinfo=zones.zone(zone))
        assert day(value, local.isoformat(), zone) == expected


@pytest.mark.proves("TASK-187")
@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2026-10-04", "2026-10-05"),  # Sunday: the week begins on either day, monday is tomorrow
        ("2026-10-05", "2026-10-12"),  # Monday: today is excluded
        ("2026-10-06", "2026-10-12"),
        ("2026-10-10", "2026-10-12"),
        ("2026-10-11", "2026-10-12"),
        ("2026-12-29", "2027-01-04"),
        ("2028-02-28", "2028-03-06"),
    ],
)
def test_monday_is_the_next_one_today_excluded(today: str, expected: str) -> None:
    assert day("monday", f"{today}T12:00:00Z") == expected
    assert day("Monday", f"{today}T12:00:00Z") == expected


def test_each_weekday_is_its_next_one() -> None:
    words = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"]
    now = "2026-10-07T12:00:00Z"
    assert [day(word, now) for word in words] == [f"2026-10-{8 + n:02}" for n in range(7)]


def test_weekdays_are_those_of_the_zone() -> None:
    now = "2026-10-05T03:00:00Z"  # Monday; still Sunday in Los Angeles
    assert day("monday", now, LOS_ANGELES) == "2026-10-05"
    assert day("monday", now) == "2026-10-12"


def test_a_weekday_is_a_day_in_comparisons() -> None:
    now = "2026-10-07T12:00:00Z"
    assert bound("due <= friday", now, LOS_ANGELES) == at("2026-10-10T07:00:00Z")
    assert bound("due < friday", now, LOS_ANGELES) == at("2026-10-09T07:00:00Z")


@pytest.mark.proves("TASK-187")
def test_months_are_added_as_the_calendar_has_them() -> None:
    first = date(2024, 1, 1)
    for start in (first + timedelta(number) for number in range(0, 1500, 13)):
        for number in (*range(-30, 31), -9999 // 12, 9999):
            found = add_months(start, number)
            months = (found.year - start.year) * 12 + found.month - start.month
            assert months == number
            is_last = (found + timedelta(1)).day == 1
            assert found.day == start.day or (found.day < start.day and is_last)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "2026-10-00",
        "2025-02-29",
        "2100-02-29",
        "1969-12-31",
        "2200-01-01",
        "0000-01-01",
        "9999-12-31",
        "2026-06-31T09:00",
        "2026-10-07T25:00",
        "2026-10-07T24:00",
        "2026-10-07T23:60",
        "2026-10-07T23:59:60",
        "2026-10-07T09",
        "2026-10-07T9:00",
        "2026-10-07T09:00Z",
        "2026-10-07T09:00+02:00",
        "2026-10-07T09:00:00.5",
        "2026-10-07 09:00",
        "2026-1-7",
        "26-10-07",
        "2026-10",
        "2026-W41",
        "2026-281",
        "20261007",
        "10/07/2026",
        "٢٠٢٦-١٠-٠٧",
        "+٧d",
        "+7y",
        "+10000d",
        "+7.5d",
        "7d",
        "+d",
        "+-7d",
        "+7days",
        "mon",
        "mondays",
        "noon",
        "NULL",
        '"2026-10-07"',
        "5",
    ],
)
def test_what_is_no_day_or_time_is_a_mistake_where_it_stands(value: str) -> None:
    found = mistake(f"no due or due < {value}")
    assert found.position in (17, 28)
    assert (found.position == 28) == (value == "2026-10-07 09:00")


@pytest.mark.parametrize("value", ["1970-01-01", "2199-12-31", "2199-12-31T23:59:59"])
def test_years_are_those_of_due(value: str) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        assert compiled(f"due = {value}", zone=zone).values


@pytest.mark.parametrize("value", ["+9999d", "-9999d", "+9999w", "-9999w", "+9999m", "-9999m"])
def test_the_largest_offsets_are_times(select: Selection, value: str) -> None:
    tasks = {"now": due("2026-10-07T12:00:00Z")}
    for now in ("1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"):
        for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
            assert select(f"due != {value}", tasks, now=now, zone=zone) == {"now"}
            is_before = select(f"due < {value}", tasks, now=now, zone=zone) == {"now"}
            assert is_before == (bounds(value, now, zone)[0] > at("2026-10-07T12:00:00Z"))
