"""Dates and times as files have them, as the local times and zones of tasks."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from app import zones
from app.imports.entries import Unreadable

ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(Z|z|[+-]\d{2}:?\d{2})?)?"
)
NUMERIC = re.compile(
    r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})"
    r"(?:[T, ]+(\d{1,2}):(\d{2})(?::\d{2})?\s*([AaPp]\.?[Mm]\.?)?)?"
)
OLSON = re.compile(r"[A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+){1,2}")
ORDERS = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}  # of year, month, day
ZERO = "0001-01-01T00:00:00"  # what Go has for no time at all


class When(NamedTuple):
    """A local date or time, and the zone that it was given in; both None for no date."""

    local: str | None
    time_zone: str | None = None


def zone_name(name: str) -> str | None:
    """The name in tzdata of a zone by its name there, by its Windows name, or by one with a prefix.

    None where it is not known.
    """
    name = name.strip().strip('"')
    if name in zones.NAMES:
        return name
    known = WINDOWS_TO_OLSON.get(name)
    if known is None:
        known = next((each for each in reversed(OLSON.findall(name)) if each in zones.NAMES), None)
    return known if known in zones.NAMES else None


def local_of(at: datetime, zone: str) -> str:
    """The local time of an instant in a zone, without fractions of a second."""
    return at.astimezone(zones.zone(zone)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def instant(text: str) -> datetime | None:
    """The instant of an RFC 3339 text; None where there is none, or it is Go's zero."""
    found = ISO.fullmatch(text.strip())
    if found is None or found[7] is None or text.startswith(ZERO):
        return None
    offset = found[7] if found[7] in "Zz" or ":" in found[7] else f"{found[7][:3]}:{found[7][3:]}"
    try:
        plain = f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6] or '00'}"
        return datetime.fromisoformat(f"{plain}{offset.upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def iso(text: str, zone: str) -> When | None:
    """An ISO 8601 date or time; one with an offset is a time in the zone. None for another text."""
    found = ISO.fullmatch(text.strip())
    if found is None:
        return None
    if found[4] is None:
        return When(f"{found[1]}-{found[2]}-{found[3]}")
    if found[7] is not None:
        at = instant(text)
        return None if at is None else When(local_of(at, zone), zone)
    return When(f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6] or '00'}")


def numeric(text: str, order: str) -> When | None:
    """A date such as 23/06/2025 or 23.06.2025 9:30, by an order of day, month and year."""
    found = NUMERIC.fullmatch(text.strip())
    if found is None:
        return None
    parts = (found[1], found[3], found[4])
    year, month, day = (int(parts[place]) for place in ORDERS[_order(found, order)])
    if year < 100:
        year += 2000
    local = f"{year:04}-{month:02}-{day:02}"
    if found[5] is not None:
        hour = int(found[5])
        if found[7]:
            hour = hour % 12 + (12 if found[7][0] in "Pp" else 0)
        local += f"T{hour:02}:{found[6]}:00"
    return When(local)


def _order(found: re.Match[str], order: str) -> str:
    """The order of one date: four digits in front are a year, and dots are German."""
    if len(found[1]) == 4:
        return "ymd"
    return "dmy" if found[2] == "." or order == "ymd" else order


def order_of(texts: Iterable[str]) -> str:
    """Whether the dates of a column have the day or the month first.

    Raises Unreadable where some could be either and none tells.
    """
    open_text = None
    for text in texts:
        found = NUMERIC.fullmatch(text.strip())
        if found is None or len(found[1]) == 4 or found[2] == ".":
            continue
        first, second = int(found[1]), int(found[3])
        if first > 12:
            return "dmy"
        if second > 12:
            return "mdy"
        if first != second:
            open_text = open_text or text
    if open_text is not None:
        raise Unreadable(
            f"Dates such as {open_text[:20]} can have the day or the month first: send date_order, "
            "dmy or mdy.",
            "date_order",
        )
    return "dmy"
