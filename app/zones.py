"""Local dates and times, and the instants that they stand for (zoneinfo, pinned tzdata).

Nothing else computes an instant from a local time: PostgreSQL takes the second of a doubled hour,
and names that are no zones.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
YEARS = range(1970, 2200)  # of dates and times that are accepted
DATE_LENGTH = len("2026-10-07")  # characters of a local day, or of the day in a local time
DATABASE = files("tzdata")
NAMES = frozenset((DATABASE / "zones").read_text().split()) - {"Factory", "localtime"}
UTC_NAME = "UTC"


@lru_cache
def zone(name: str) -> ZoneInfo:
    """The zone of that name in tzdata, in its exact spelling; raises KeyError for any other.

    The machine's own zone files are not read: processes on different machines must agree.
    """
    if name not in NAMES:
        raise KeyError(name)
    with DATABASE.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def has_time(local: str) -> bool:
    """Whether the text is a local time, and not a whole day."""
    return len(local) > DATE_LENGTH


def day_of(local: str) -> date:
    """The day of a local day or time."""
    return date.fromisoformat(local[:DATE_LENGTH])


def begins_at(local: str, zone_name: str) -> datetime:
    """When a local day or time begins, in UTC."""
    if has_time(local):
        return instant(datetime.fromisoformat(local), zone_name)
    return start_of_day(day_of(local), zone_name)


def passes_at(local: str, zone_name: str) -> datetime:
    """From when on a local time, or the whole of a local day, is in the past, in UTC."""
    if has_time(local):
        return instant(datetime.fromisoformat(local), zone_name)
    return end_of_day(day_of(local), zone_name)


def instant(local: datetime, zone_name: str) -> datetime:
    """When a local time is, in UTC; the clock's offset before a gap, the first of a doubled hour.

    That is RFC 5545, section 3.3.5.
    """
    return local.replace(tzinfo=zone(zone_name), fold=0).astimezone(UTC)


def start_of_day(day: date, zone_name: str) -> datetime:
    """The first instant of a local day, in UTC; where clocks skip midnight, that of the gap."""
    return instant(datetime(day.year, day.month, day.day), zone_name)  # noqa: DTZ001 - it is local


def end_of_day(day: date, zone_name: str) -> datetime:
    """The first instant after a local day, in UTC."""
    return start_of_day(day + DAY, zone_name)


def local_date(at: datetime, zone_name: str) -> date:
    """The local day of an instant."""
    return at.astimezone(zone(zone_name)).date()
