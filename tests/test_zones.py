"""Time zones: tzdata's names and no others; each local time has one instant, each day two ends."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import zones
from tests.support.server import ROOT

SECOND = timedelta(seconds=1)


@pytest.mark.proves("TASK-134", "TASK-139")
def test_the_names_are_those_of_the_pinned_tzdata() -> None:
    requirements = (ROOT / "requirements.txt").read_text()
    assert f"tzdata=={version('tzdata')}" in requirements
    assert len(zones.NAMES) > 590
    assert {"UTC", "Europe/Madrid", "America/Argentina/Ushuaia", "Etc/GMT+5"} <= zones.NAMES


@pytest.mark.proves("TASK-134")
@pytest.mark.parametrize(
    "name", ["Factory", "localtime", "europe/berlin", "FOO5BAR", "../x", "", "posix/UTC", "zones"]
)
def test_what_is_no_name_of_a_zone_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        zones.zone(name)


def test_every_zone_can_be_read() -> None:
    assert {zones.zone(name).key for name in zones.NAMES} == zones.NAMES


@pytest.mark.proves("TASK-139")
def test_the_machine_s_own_zones_are_not_read() -> None:
    code = "from app import zones; print(zones.zone('Europe/Madrid'), zones.zone('Asia/Tokyo'))"
    elsewhere = {**os.environ, "PYTHONTZPATH": "/nowhere", "TZ": "Asia/Tokyo"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=elsewhere, capture_output=True, check=True
    )
    assert run.stdout.split() == [b"Europe/Madrid", b"Asia/Tokyo"]


@pytest.mark.proves("TASK-133")
@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2026-03-29T02:30:00", "Europe/Madrid", "2026-03-29T01:30:00"),  # a gap
        ("2026-10-25T02:30:00", "Europe/Madrid", "2026-10-25T00:30:00"),  # a doubled hour
        ("2026-10-25T02:30:00", "UTC", "2026-10-25T02:30:00"),
    ],
)
def test_a_local_time_is_one_instant(local: str, zone: str, instant: str) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert zones.instant(datetime.fromisoformat(local), zone) == expected


NAMES = st.sampled_from(sorted(zones.NAMES))
TIMES = st.integers(86_400, 7_258_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
# Days on which clocks changed, in some zone, at or across midnight or by a whole day.
CHANGES = st.sampled_from(
    [
        ("America/Sao_Paulo", date(2018, 11, 4)),
        ("America/Sao_Paulo", date(2018, 2, 18)),
        ("America/Havana", date(2026, 3, 8)),
        ("America/Havana", date(2026, 11, 1)),
        ("Asia/Beirut", date(2026, 3, 29)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("America/Nuuk", date(2026, 3, 29)),
        ("Asia/Pyongyang", date(2018, 5, 5)),
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Kwajalein", date(1993, 8, 21)),
        ("Pacific/Kiritimati", date(1994, 12, 31)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
        ("Antarctica/Troll", date(2026, 3, 29)),
        ("America/St_Johns", date(2000, 10, 29)),
    ]
)
DAYS = st.builds(
    lambda change, days: (change[0], change[1] + timedelta(days)), CHANGES, st.integers(-2, 2)
)


@pytest.mark.proves("TASK-133")
@given(st.one_of(DAYS, st.tuples(NAMES, st.dates(date(1970, 1, 2), date(2199, 12, 30)))))
@settings(max_examples=400, deadline=None)
def test_a_day_begins_at_the_first_instant_of_it_and_ends_where_the_next_begins(
    named: tuple[str, date],
) -> None:
    name, day = named
    start = zones.start_of_day(day, name)
    assert zones.local_date(start - SECOND, name) < day <= zones.local_date(start, name)
    assert zones.end_of_day(day, name) == zones.start_of_day(day + zones.DAY, name)


@pytest.mark.proves("TASK-133")
@given(NAMES, TIMES)
@settings(max_examples=400, deadline=None)
def test_the_clock_s_time_of_an_instant_is_that_instant_or_the_first_with_that_time(
    name: str, at: datetime
) -> None:
    local = at.astimezone(zones.zone(name))
    instant = zones.instant(local.replace(tzinfo=None, fold=0), name)
    assert instant <= at
    if not local.fold:
        assert instant == at
