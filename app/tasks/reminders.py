"""Reminders of a task: their JSON, and the instants that they stand for."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import orjson

from app import zones


def shifted(reminders: Sequence[str], days: int, zone_name: str) -> list[str]:
    """The reminders of the occurrence that many days later: snoozed ones are dropped.

    Instants keep their local time in the zone.
    """
    return list(_shifted(reminders, days, zone_name))


def _shifted(reminders: Sequence[str], days: int, zone_name: str) -> Iterable[str]:
    for text in reminders:
        reminder = orjson.loads(text)
        if "at" in reminder:
            at = datetime.fromisoformat(reminder["at"])
            local = at.astimezone(zones.zone(zone_name)).replace(tzinfo=None)
            moved = zones.instant(local + timedelta(days), zone_name)
            reminder["at"] = f"{moved:%Y-%m-%dT%H:%M:%S.%fZ}"
        if "snooze" not in reminder:
            yield orjson.dumps(reminder).decode()
