"""When a task is due and starts: local times, with a zone or none, and their instants."""

from datetime import date, datetime
from typing import NamedTuple

from app import zones
from app.errors import Detail

DATE_LENGTH = len("2026-10-07")


class Dates(NamedTuple):
    """`due` and `start` as local dates or times; without a zone they float with their owner's."""

    due: str | None
    start: str | None
    time_zone: str | None


class Instants(NamedTuple):
    """What follows from dates: columns of the table tasks."""

    due_at: datetime | None
    due_begins_at: datetime | None
    start_at: datetime | None
    computed_zone: str | None


def has_time(local: str) -> bool:
    """Whether it is a time, and not a whole day."""
    return len(local) > DATE_LENGTH


def problems(dates: Dates) -> list[Detail]:
    """What is wrong with dates that are each valid alone."""
    found: list[Detail] = []
    if dates.time_zone is not None and not (dates.due and has_time(dates.due)):
        message = "A zone needs a time in due; set time_zone to null, or give due a time."
        found.append({"field": "time_zone", "message": message})
    if dates.due and dates.start and _is_after(dates.start, dates.due):
        found.append({"field": "start", "message": "Must not be after due."})
    return found


def _is_after(start: str, due: str) -> bool:
    """Whether a start is after a due; a whole day covers every time in it."""
    length = len(start) if has_time(start) and has_time(due) else DATE_LENGTH
    return start[:length] > due[:length]


def instants(dates: Dates, owner_zone: str) -> Instants:
    """The instants of dates, for an owner who lives in that zone."""
    if dates.due is None and dates.start is None:
        return Instants(None, None, None, None)
    zone_name = dates.time_zone or owner_zone
    due_at = due_begins_at = start_at = None
    if dates.due is not None:
        due_begins_at = _beginning(dates.due, zone_name)
        due_at = due_begins_at
        if not has_time(dates.due):
            due_at = zones.end_of_day(date.fromisoformat(dates.due), zone_name)
    if dates.start is not None:
        start_at = _beginning(dates.start, zone_name)
    return Instants(due_at, due_begins_at, start_at, zone_name)


def _beginning(local: str, zone_name: str) -> datetime:
    if has_time(local):
        return zones.instant(datetime.fromisoformat(local), zone_name)
    return zones.start_of_day(date.fromisoformat(local), zone_name)
