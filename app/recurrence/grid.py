"""The grid of a rule: the dates that it has, computed from the calendar and never searched for.

A rule has periods: days, weeks, months or years, numbered. The grid has every INTERVAL-th of them
from the anchor's on, and the rule says which dates each of these has. Libraries that expand rules
look for the next date until they find one, which a rule without dates keeps busy for seconds or for
ever; here each look-up visits a period once, and no period after 2199.
"""

from calendar import isleap, monthrange
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import chain, islice
from math import gcd
from typing import TypeVar

from app.recurrence.rule import Rule, Weekday
from app.zones import YEARS

T = TypeVar("T")
LAST_DAY = date(YEARS[-1], 12, 31)
CYCLE = 400  # years after which the Gregorian calendar repeats, weekdays included


def dates(rule: Rule, anchor: date, earliest: date) -> Iterator[date]:
    """The dates of an anchor's grid, from a day on that is not before the anchor."""
    start = _period(rule, earliest)
    start += (_period(rule, anchor) - start) % rule.interval
    for period in range(start, _period(rule, LAST_DAY) + 1, rule.interval):
        for day in _dates_in(rule, period):
            if earliest <= day <= LAST_DAY:
                yield day


def count_between(rule: Rule, anchor: date, day: date, most: int) -> int:
    """How many dates an anchor's grid has between the anchor and a later one; counts to `most`."""
    first, last = _period(rule, anchor), _period(rule, day)
    if first == last:
        return sum(anchor < each < day for each in _dates_in(rule, first))
    ends = sum(each > anchor for each in _dates_in(rule, first))
    ends += sum(each < day for each in _dates_in(rule, last))
    between = range(first + rule.interval, last, rule.interval)
    if rule.freq in ("DAILY", "WEEKLY"):  # all periods have the same number of dates
        return ends + len(between) * len(_dates_in(rule, first))
    found = (each for period in between for each in _dates_in(rule, period))
    return ends + sum(1 for _ in islice(found, most))


def has_dates(rule: Rule, anchor: date) -> bool:
    """Whether an anchor's grid has any date, however late."""
    return any(_dates_in(rule, period) for period in sample(rule, anchor))


def sample(rule: Rule, anchor: date) -> Iterable[int]:
    """Periods of an anchor's grid, at most 168: each of the grid is like one of these.

    There are 14 kinds of years: a year begins on one of seven weekdays, and is a leap year or not.
    """
    first = _period(rule, anchor)
    match rule.freq:
        case "YEARLY":
            yield from _years_of_each_kind(first, rule.interval)
        case "MONTHLY":
            for start in range(first, first + 12 * rule.interval, rule.interval):
                year, month = divmod(start, 12)
                for like in _years_of_each_kind(year, rule.interval):
                    yield like * 12 + month
        case _:
            yield first


def _years_of_each_kind(first: int, step: int) -> Sequence[int]:
    """A year of each kind among every step-th year from the first on."""
    step = gcd(step, CYCLE)
    return _kinds(first % step, step)


@lru_cache(1024)  # there are 961
def _kinds(first: int, step: int) -> Sequence[int]:
    years = range(CYCLE + first, 2 * CYCLE + first, step)
    return list({(date(year, 1, 1).weekday(), isleap(year)): year for year in years}.values())


def _period(rule: Rule, day: date) -> int:
    """The number of the period that a day is in."""
    match rule.freq:
        case "DAILY":
            return day.toordinal()
        case "WEEKLY":
            return (day.toordinal() - 1 - rule.week_start) // 7
        case "MONTHLY":
            return day.year * 12 + day.month - 1
        case _:
            return day.year


def _dates_in(rule: Rule, period: int) -> Sequence[date]:
    """The dates of the rule in a period, in order."""
    match rule.freq:
        case "DAILY":
            return [date.fromordinal(period)]
        case "WEEKLY":
            return _dates_in_week(rule, period)
        case "MONTHLY":
            year, month = divmod(period, 12)
            return _dates_in_month(rule, year, month + 1, rule.positions)
        case _:
            months = (_dates_in_month(rule, period, month, ()) for month in range(1, 13))
            return _chosen(list(chain.from_iterable(months)), rule.positions)


def _dates_in_week(rule: Rule, week: int) -> Sequence[date]:
    start = date.fromordinal(week * 7 + 1 + rule.week_start)
    offsets = sorted((day.number - rule.week_start) % 7 for day in rule.weekdays)
    return [start + timedelta(days=offset) for offset in offsets]


def _dates_in_month(rule: Rule, year: int, month: int, positions: Sequence[int]) -> Sequence[date]:
    if rule.months and month not in rule.months:
        return ()
    days = _days(rule.month_days, rule.weekdays, positions, *monthrange(year, month))
    return [date(year, month, day) for day in days]


@lru_cache(1024)
def _days(
    month_days: Sequence[int],
    weekdays: Sequence[Weekday],
    positions: Sequence[int],
    first_weekday: int,
    length: int,
) -> Sequence[int]:
    """The days of a month of that length, which begins on that weekday."""
    days = set(range(1, length + 1))
    if month_days:
        days &= {day if day > 0 else length + 1 + day for day in month_days}
    if weekdays:
        days &= {day for each in weekdays for day in _weekdays(each, first_weekday, length)}
    return _chosen(sorted(days), positions)


def _chosen(found: Sequence[T], positions: Sequence[int]) -> Sequence[T]:
    """What is at these positions, counted from 1, or from the end by negative numbers."""
    if not positions:
        return found
    indices = {place - 1 if place > 0 else len(found) + place for place in positions}
    return [found[index] for index in sorted(indices) if 0 <= index < len(found)]


def _weekdays(weekday: Weekday, first_weekday: int, length: int) -> Sequence[int]:
    """The days of a month that are that weekday: all, or the nth if the month has one."""
    days = range(1 + (weekday.number - first_weekday) % 7, length + 1, 7)
    return _chosen(days, (weekday.nth,) if weekday.nth else ())
