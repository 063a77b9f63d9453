"""The next date of a series, once its present one is done or skipped."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

from app import zones
from app.recurrence.grid import LAST_DAY, count_between, dates
from app.recurrence.rule import Rule, parse
from app.recurrence.until import is_within
from app.zones import DATE_LENGTH, day_of, has_time

BASES = ("due", "due_strict", "completion")
UNITS = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months", "YEARLY": "years"}


class Series(NamedTuple):
    """A recurring task, as far as its next date depends on it."""

    rule: str  # in normal form
    basis: str  # one of BASES
    anchor: str  # the date of the grid behind the due
    due: str  # the present due, which a user may have moved
    left: int | None  # with COUNT: the occurrences that remain, the anchor's included
    zone_name: str  # the zone of the due: the task's own or its owner's


class Next(NamedTuple):
    """The next occurrence: its due, which is also the next anchor."""

    due: str
    left: int | None


def first_date(rule: str, earliest: date) -> date | None:
    """The first date from a day on that a rule in normal form has, counted from that day."""
    return next(dates(parse(rule), earliest, earliest), None)


def next_occurrence(series: Series, now: datetime) -> Next | None:
    """What follows when the present occurrence is done, or skipped, at `now`.

    None: the series is over, by COUNT, by UNTIL or by the end of the year 2199.
    """
    rule = parse(series.rule)
    following = _after_completion if series.basis == "completion" else _on_grid
    due = next(following(rule, series, now), None)
    if due is None or (rule.until and not is_within(due, rule.until, series.zone_name)):
        return None
    left = _left(rule, series, due)
    return Next(due, left) if left is None or left > 0 else None


def _on_grid(rule: Rule, series: Series, now: datetime) -> Iterator[str]:
    """The dues after the present one; not those that are overdue, with the basis `due`."""
    anchor = day_of(series.anchor)
    after = max(_local(anchor, series), series.due)
    earliest = day_of(after)
    if series.basis == "due":  # a time of a day that its zone leaves out is on the next day
        earliest = max(earliest, zones.local_date(now, series.zone_name) - zones.DAY)
    for day in dates(rule, anchor, earliest):
        due = _local(day, series)
        if due > after and (series.basis != "due" or zones.passes_at(due, series.zone_name) > now):
            yield due


def _after_completion(rule: Rule, series: Series, now: datetime) -> Iterator[str]:
    """The dues that follow from the local day of completion, never on the present due's day."""
    done = zones.local_date(now, series.zone_name)
    interval = relativedelta(**{UNITS[rule.freq]: rule.interval})  # type: ignore[arg-type]
    if rule.is_free:
        found = iter([done + interval, done + interval * 2])
    else:
        earliest = done + (zones.DAY if rule.interval == 1 else interval)
        found = dates(rule._replace(interval=1), earliest, earliest)
    for day in found:
        if day != day_of(series.due) and day <= LAST_DAY:
            yield _local(day, series)


def _left(rule: Rule, series: Series, due: str) -> int | None:
    """The occurrences that remain from a next due on, that one included."""
    if series.left is None:
        return None
    if series.basis == "completion":
        return series.left - 1
    # The anchor counts whether the rule has it or not, as DTSTART does.
    passed = 1 + count_between(rule, day_of(series.anchor), day_of(due), series.left)
    return series.left - passed


def _local(day: date, series: Series) -> str:
    """A day in the form of the due: with the grid's time of day if that has one, or the due's."""
    if not has_time(series.due):
        return day.isoformat()
    timed = series.anchor if has_time(series.anchor) else series.due
    return day.isoformat() + timed[DATE_LENGTH:]
