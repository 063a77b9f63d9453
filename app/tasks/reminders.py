"""Reminders of a task: their texts as stored, their instants, and which of them are pending.

The pending ones are those at or behind `next_reminder_at`; the others have fired or passed.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson

from app import zones
from app.errors import Detail, ValidationFailed
from app.tasks.dates import Dates
from app.tasks.state import State
from app.zones import has_time

MOST_REMINDERS = 10
LONGEST_OFFSET = timedelta(days=366)
DURATION = re.compile(
    r"([+-]?)P(?=[0-9T])(?:([0-9]{1,2})W|(?:([0-9]{1,3})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,4})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?)"
)
NEEDS_DATE = "Some are relative to a date that the task lacks: remove them, or give it a due."


class Offset(NamedTuple):
    """A duration of RFC 5545: days keep the time of the clock, seconds are exact."""

    days: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Offset | None":
        """The duration; None where the text is none, or where it is too long."""
        found = DURATION.fullmatch(text)
        if found is None:
            return None
        weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups()[1:])
        sign = -1 if found[1] == "-" else 1
        offset = cls(sign * (7 * weeks + days), sign * (3600 * hours + 60 * minutes + seconds))
        return offset if abs(timedelta(*offset)) <= LONGEST_OFFSET else None

    def __str__(self) -> str:
        """The one spelling of durations that mean the same: -P7D for -P1W, -PT1H for -PT60M."""
        minutes, seconds = divmod(abs(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        days = f"{abs(self.days)}D" if self.days else ""
        times = f"{hours}H" if hours else ""
        times += f"{minutes}M" if minutes or (hours and seconds) else ""
        times += f"{seconds}S" if seconds or not (days or times) else ""
        sign = "-" if self < (0, 0) else ""
        return f"{sign}P{days}{'T' if times else ''}{times}"


class Reminder(NamedTuple):
    """An offset from the task's due or start, or an instant."""

    offset: Offset
    relative_to: str
    at: datetime | None
    is_snooze: bool

    def date(self, dates: Dates) -> str | None:
        """The date that it is relative to: due where there is no start; None where none."""
        if self.at is not None:
            return None
        return (self.relative_to == "start" and dates.start) or dates.due


def relative(offset: Offset, relative_to: str) -> str:
    """The text of a reminder that is relative to a date."""
    return orjson.dumps({"offset": str(offset), "relative_to": relative_to}).decode()


def absolute(at: datetime, *, is_snooze: bool) -> str:
    """The text of a reminder at an instant."""
    snooze = {"snooze": True} if is_snooze else {}
    return orjson.dumps({"at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", **snooze}).decode()


@lru_cache(4096)
def parse(text: str) -> Reminder:
    """The reminder of a text that `relative` or `absolute` has made."""
    given: dict[str, Any] = orjson.loads(text)
    offset = Offset.parse(given.get("offset", "PT0S")) or Offset(0, 0)
    at = datetime.fromisoformat(given["at"]) if "at" in given else None
    return Reminder(offset, given.get("relative_to", ""), at, given.get("snooze", False))


class Reminded(Protocol):
    """The columns of a task's row that the instants of its reminders follow from."""

    @property
    def due(self) -> str | None:
        """The local date or time."""

    @property
    def start(self) -> str | None:
        """The same of its start."""

    @property
    def time_zone(self) -> str | None:
        """The task's own zone."""

    @property
    def computed_zone(self) -> str | None:
        """The zone of its instants."""

    @property
    def computed_reminder_time(self) -> str | None:
        """The local time from which reminders of a whole day count."""

    @property
    def next_reminder_at(self) -> datetime | None:
        """When the first one that is pending fires."""


class Schedule(NamedTuple):
    """What the instants of reminders follow from; zone and time are empty where none does."""

    dates: Dates
    zone: str
    reminder_time: str

    @classmethod
    def of(cls, task: Reminded) -> "Schedule":
        """The schedule that a task's row was computed with."""
        return cls(_dates(task), task.computed_zone or "", task.computed_reminder_time or "")

    def instant(self, text: str) -> datetime:
        """When a reminder fires; one that is relative needs its date."""
        reminder = parse(text)
        if reminder.at is not None:
            return reminder.at
        moved = self._local(reminder.date(self.dates) or "") + reminder.offset.days * zones.DAY
        return zones.instant(moved, self.zone) + timedelta(seconds=reminder.offset.seconds)

    def _local(self, given: str) -> datetime:
        return datetime.fromisoformat(given if has_time(given) else f"{given}T{self.reminder_time}")

    def occurrence(self, text: str) -> str:
        """The date that a reminder is for, with its zone; empty for one at an instant."""
        given = parse(text).date(self.dates)
        return "" if given is None else f"{given}[{self.dates.time_zone or ''}]"

    def lacks_date(self, texts: Iterable[str]) -> bool:
        """Whether one of the reminders is relative to a date that there is not."""
        given = [parse(text) for text in texts]
        return any(each.at is None and each.date(self.dates) is None for each in given)

    def used_reminder_time(self, texts: Iterable[str]) -> str | None:
        """The local time, where one of the reminders counts from a whole day."""
        dates = (parse(text).date(self.dates) for text in texts)
        return self.reminder_time if any(each and not has_time(each) for each in dates) else None


def pending(task: Reminded, texts: Iterable[str]) -> dict[str, datetime]:
    """Those of a task's reminders that have neither fired nor passed, and when they fire."""
    next_at, schedule = task.next_reminder_at, Schedule.of(task)
    if next_at is None:
        return {}
    instants = {text: schedule.instant(text) for text in texts}
    return {text: at for text, at in instants.items() if at >= next_at}


class Plan(NamedTuple):
    """The columns of a task that its reminders have."""

    reminders: list[str]
    next_reminder_at: datetime | None
    computed_reminder_time: str | None


def plan(before: State | None, state: State, reminder_time: str, now: datetime) -> Plan:
    """The reminders that a task keeps, and when the next one that is pending fires.

    One that the task had for the same occurrence is pending if it was; any other one, and any of a
    task that was completed or in the trash, if it is in the future. Raises ValidationFailed.
    """
    schedule = Schedule(_dates(state), state.computed_zone or "", reminder_time)
    if schedule.lacks_date(state.reminders):
        raise ValidationFailed(details=[{"field": "reminders", "message": NEEDS_DATE}])
    texts = _without_old_snoozes(before, state)
    next_at = _next_at(before, texts, schedule, now) if _is_open(state) else None
    return Plan(texts, next_at, schedule.used_reminder_time(texts))


def _dates(state: Reminded) -> Dates:
    return Dates(state.due, state.start, state.time_zone)


def _is_open(state: State) -> bool:
    return not state.is_completed and not state.is_deleted


def _without_old_snoozes(before: State | None, state: State) -> list[str]:
    """The reminders without those that had snoozed until another due, or the task's completion."""
    if before is None:
        return state.reminders
    is_same_due = (before.due, before.time_zone) == (state.due, state.time_zone)
    if is_same_due and not state.is_completed:
        return state.reminders
    known = set(before.reminders)
    return [text for text in state.reminders if text not in known or not parse(text).is_snooze]


def _next_at(
    before: State | None, texts: Iterable[str], schedule: Schedule, now: datetime
) -> datetime | None:
    """When the first pending one of an open task's reminders fires; None without any."""
    occurrences: dict[str, str] = {}
    was_pending: Mapping[str, datetime] = {}
    if before is not None and _is_open(before):
        occurrences = {text: Schedule.of(before).occurrence(text) for text in before.reminders}
        was_pending = pending(before, before.reminders)
    instants = []
    for text in texts:
        at = schedule.instant(text)
        is_known = occurrences.get(text) == schedule.occurrence(text)
        if text in was_pending if is_known else at > now:
            instants.append(at)
    return min(instants, default=None)


def passed(texts: Iterable[str], known: Collection[str], now: datetime) -> list[Detail]:
    """A detail for each reminder at an instant in the past, unless it was `known` before."""
    instants = [parse(text).at for text in texts if text not in known]
    return [
        {"field": "reminders", "message": f"{at:%Y-%m-%dT%H:%M:%SZ} is in the past."}
        for at in instants
        if at is not None and at <= now
    ]


def shifted(texts: Iterable[str], days: int, zone_name: str) -> list[str]:
    """The reminders of the occurrence that many days later: snoozed ones are dropped.

    Instants keep their local time in the zone.
    """
    kept = [text for text in texts if not parse(text).is_snooze]
    return [_shifted(text, parse(text).at, days, zone_name) for text in kept]


def _shifted(text: str, at: datetime | None, days: int, zone_name: str) -> str:
    if at is None:
        return text
    local = at.astimezone(zones.zone(zone_name)).replace(tzinfo=None)
    moved = zones.instant(local + days * zones.DAY, zone_name)
    return absolute(moved, is_snooze=False)
