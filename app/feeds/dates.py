"""Dates, rules and triggers of tasks in the forms of RFC 5545."""

from datetime import UTC, datetime, time
from typing import NamedTuple

from app import zones
from app.recurrence.rule import parse, written
from app.tasks.reminders import Offset, Reminder
from app.zones import DATE_LENGTH, UTC_NAME, day_of, has_time

LAST_SECOND = "T235959"
DAY_SECONDS = 24 * 60 * 60


class Moment(NamedTuple):
    """A local day or time, and the zone that it is in; it floats without one."""

    local: str
    zone: str | None = None

    @property
    def parameters(self) -> str:
        """What follows a property's name."""
        if not has_time(self.local):
            return ";VALUE=DATE"
        return "" if self.zone in (None, UTC_NAME) else f";TZID={self.zone}"

    @property
    def value(self) -> str:
        """The day or time itself."""
        ends = "Z" if has_time(self.local) and self.zone == UTC_NAME else ""
        return basic(self.local) + ends

    def like(self, other: "Moment") -> "Moment":
        """The same day in the form of another moment, which is a whole day or a time in a zone."""
        if has_time(self.local) == has_time(other.local):
            return Moment(self.local, other.zone)
        day = self.local[:DATE_LENGTH]
        return Moment(f"{day}T00:00:00" if has_time(other.local) else day, other.zone)


def basic(local: str) -> str:
    """A local day or time without punctuation."""
    return local.replace("-", "").replace(":", "")


def utc(instant: str) -> str:
    """An instant in RFC 3339, which is in UTC, to the second."""
    return f"{basic(instant[: len('2026-10-07T09:00:00')])}Z"


def rrule(rule: str, left: int | None, start: Moment, zone_name: str) -> str:
    """A rule as it goes on from the start: with the dates that are left, and UNTIL in its form.

    `zone_name` is the zone in which local times are compared, the start's or its owner's.
    """
    found = parse(rule)
    if found.occurrences is not None:
        found = found._replace(occurrences=left)
    if found.until is not None:
        found = found._replace(until=_until(found.until, start, zone_name))
    return written(found)


def _until(until: str, start: Moment, zone_name: str) -> str:
    """UNTIL as a day for a whole day, in UTC for a time in a zone, as a local time otherwise."""
    end = datetime.fromisoformat(until if "T" in until else until + LAST_SECOND)
    local = end
    if end.tzinfo is not None:
        local = end.astimezone(zones.zone(zone_name)).replace(tzinfo=None)
    if not has_time(start.local):
        return f"{local:%Y%m%d}"
    if start.zone is None:
        return f"{local:%Y%m%dT%H%M%S}"
    at = end if end.tzinfo is not None else zones.instant(local, zone_name)
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def trigger(reminder: Reminder, date: str, base: str, reminder_time: str | None) -> str:
    """The duration from the base to a reminder that is relative to a date.

    A whole day of either begins at midnight; of the date, reminders count from `reminder_time`.
    """
    days, seconds = reminder.offset
    days += (day_of(date) - day_of(base)).days
    seconds += _second(date, reminder_time or "00:00") - _second(base, "00:00")
    if days * seconds < 0:  # a duration has one sign
        days, seconds = 0, days * DAY_SECONDS + seconds
    return str(Offset(days, seconds))


def _second(local: str, default: str) -> int:
    """The second of its day at which a local time is, or a whole day begins."""
    at = time.fromisoformat(local[DATE_LENGTH + 1 :] or default)
    return at.hour * 3600 + at.minute * 60 + at.second


def next_day(local: str) -> str:
    """The day after a day."""
    return (day_of(local) + zones.DAY).isoformat()
