"""VTIMEZONE components: an independent parser (dateutil) finds the offsets that tzdata has."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from dateutil import tz

from app import zones
from app.feeds.time_zones import vtimezone

HARD = (
    "Africa/Casablanca", "America/Nuuk", "America/Sao_Paulo", "America/St_Johns", "Asia/Gaza",
    "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Dublin",
    "Europe/Madrid", "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT-14",
)  # fmt: skip


def read(name: str) -> tz.tzical:
    text = "BEGIN:VCALENDAR\r\n" + vtimezone(name).decode() + "END:VCALENDAR\r\n"
    return tz.tzical(io.StringIO(text))


def local_times(name: str) -> list[datetime]:
    """Local times from 1970 on: one in each month, and the hours around each change."""
    zone, found = zones.zone(name), []
    for day in range(130 * 365):
        at = datetime(1970, 1, 2, 12, tzinfo=UTC) + timedelta(days=day)
        local, later = at.astimezone(zone), (at + timedelta(days=1)).astimezone(zone)
        if local.utcoffset() != later.utcoffset():
            hours = [at + n * timedelta(hours=1) for n in range(25)]
            changed = next(
                each
                for each in hours
                if each.astimezone(zone).tzinfo
                and each.astimezone(zone).utcoffset() != local.utcoffset()
            )
            found += [changed + n * timedelta(minutes=30) for n in range(-6, 7)]
        elif day % 30 == 0:
            found.append(at)
    return [each.astimezone(zone).replace(tzinfo=None) for each in found]


@pytest.mark.proves("FEED-21")
@pytest.mark.parametrize("name", HARD)
def test_a_parser_finds_the_offsets_of_tzdata(name: str) -> None:
    zone = read(name).get()
    wrong = []
    for local in local_times(name):
        expected = local.replace(tzinfo=zones.zone(name))
        is_once = expected.utcoffset() == expected.replace(fold=1).utcoffset()
        if is_once and local.replace(tzinfo=zone).utcoffset() != expected.utcoffset():
            wrong.append((local, expected.utcoffset(), local.replace(tzinfo=zone).utcoffset()))
    assert wrong == []
