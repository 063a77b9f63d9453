"""Times in filters: local dates and times as written, and those that follow from the clock."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from app import zones
from app.zones import YEARS

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS_FROM_TODAY = {"yesterday": -1, "today": 0, "tomorrow": 1}
OFFSET = re.compile(r"([+-][0-9]+)([hdwm])")


@dataclass(frozen=True)
class Clock:
    """The time that a filter is evaluated at, and the zone of its local days."""

    now: datetime
    zone_name: str

    @cached_property
    def today(self) -> date:
        """The local day of now."""
        return zones.local_date(self.now, self.zone_name)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """The first instant of a local day, and the first one after it."""
        return zones.start_of_day(day, self.zone_name), zones.end_of_day(day, self.zone_name)


# A date is a local day, a datetime an instant.
Moment = date | datetime


@dataclass(frozen=True)
class Time:
    """A time in a filter; `is_relative` tells whether it moves with the clock."""

    at: Callable[[Clock], Moment]
    is_relative: bool = True


def read_time(text: str) -> Time:
    """The time that a token TIME of the grammar means; raises ValueError for days that are none."""
    word = text.lower()
    if offset := OFFSET.fullmatch(word):
        return UNITS[offset[2]](int(offset[1]))
    if word == "now":
        return _hours(0)
    if word in WEEKDAYS:
        return _weekday(WEEKDAYS.index(word))
    if word in DAYS_FROM_TODAY:
        return _days(DAYS_FROM_TODAY[word])
    return _fixed(word.upper())


def _hours(number: int) -> Time:
    return Time(lambda clock: clock.now + timedelta(hours=number))


def _days(number: int) -> Time:
    return Time(lambda clock: clock.today + timedelta(days=number))


def _weeks(number: int) -> Time:
    return _days(7 * number)


def _months(number: int) -> Time:
    return Time(lambda clock: add_months(clock.today, number))


UNITS: Mapping[str, Callable[[int], Time]] = {
    "h": _hours,
    "d": _days,
    "w": _weeks,
    "m": _months,
}


def add_months(day: date, number: int) -> date:
    """The same day that many months later, or the last one of a month that is too short for it."""
    years, month = divmod(day.month - 1 + number, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _weekday(number: int) -> Time:
    """The next such day after today."""
    return Time(lambda clock: clock.today + timedelta((number - clock.today.weekday() - 1) % 7 + 1))


def _fixed(text: str) -> Time:
    """A local date, or a local date and time."""
    local = datetime.fromisoformat(text)
    if local.year not in YEARS:
        raise ValueError(f"no year from {YEARS[0]} to {YEARS[-1]}")
    if "T" not in text:
        return Time(lambda _: local.date(), is_relative=False)
    return Time(lambda clock: zones.instant(local, clock.zone_name), is_relative=False)
