"""When a task is due and starts: local times, with a zone or none, and their instants."""

from datetime import datetime
from typing import NamedTuple

from app import zones
from app.errors import Detail
from app.zones import DATE_LENGTH, has_time


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
        due_begins_at = zones.begins_at(dates.due, zone_name)
        due_at = zones.passes_at(dates.due, zone_name)
    if dates.start is not None:
        start_at = zones.begins_at(dates.start, zone_name)
    return Instants(due_at, due_begins_at, start_at, zone_name)
