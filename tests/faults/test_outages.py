"""PostgreSQL goes away under load and comes back: nothing is lost, and nobody waits for long."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.faults import checker
from tests.faults.figures import Figures, outcomes, recovery, summary
from tests.faults.load import Load, register
from tests.faults.postgres import Postgres
from tests.faults.recorder import Record, Recorder
from tests.serving import Server, serving

DEADLINE = 5.0  # seconds for any answer
RECOVERY = 2.0  # seconds to good answers after PostgreSQL is back
USERS = 4
TERMINATE_ONE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ownrow web' ORDER BY random() LIMIT 1
"""


@pytest.fixture
def server(database: Postgres, tmp_path: Path) -> Iterator[Server]:
    with serving(database.url, tmp_path) as running:
        yield running


def assert_only_unavailable(records: list[Record]) -> None:
    """Every call was answered in time, and the failed ones with 503 and Retry-After."""
    ended = outcomes(records)
    assert len(ended) == len(records)
    assert not [each for each in ended if each.status is None]
    assert {each.status for each in ended if each.fate == "unknown"} <= {503}
    assert not [each for each in ended if each.status == 503 and not each.retry_after]
    assert max(each.seconds for each in ended) < DEADLINE


@dataclass(frozen=True)
class Outage:
    """From when until when PostgreSQL was away, in monotonic seconds."""

    began: float
    ended: float


Ride = Callable[[str, Callable[[Load], list[Outage]]], list[Record]]


@pytest.fixture
def ride_out(database: Postgres, server: Server, recorder: Recorder, figures: Figures) -> Ride:
    """Puts load on the server, lets faults happen, and checks what clients were told."""

    def ride(name: str, faults: Callable[[Load], list[Outage]]) -> list[Record]:
        users = [register(server) for _ in range(USERS)]
        with Load(server, users, recorder) as load:
            load.run(1)
            outages = faults(load)
            load.run(RECOVERY + 1)
        records = recorder.records()
        found = summary(records) | {
            "outages": len(outages),
            "recovery_s": slowest(records, outages),
        }
        figures.add(name, found)
        verdict = checker.check(server, users, recorder, database.url)
        figures.add(name, {"lost": verdict.lost, "doubled": verdict.doubled})
        assert_only_unavailable(records)
        assert slowest(records, outages) < RECOVERY
        return records

    return ride


def slowest(records: list[Record], outages: list[Outage]) -> float:
    """The longest time that it took to good answers."""
    ends = [*(each.began for each in outages[1:]), math.inf]
    return max(
        recovery(records, outage.ended, end) for outage, end in zip(outages, ends, strict=True)
    )


def test_a_killed_postgresql_costs_nobody_a_write(
    ride_out: Ride, database: Postgres, is_full: bool
) -> None:
    def kill_again_and_again(load: Load) -> list[Outage]:
        outages = []
        for _ in range(20 if is_full else 3):
            began = monotonic()
            database.kill()
            load.run(0.3)
            outages.append(Outage(began, database.start()))
            load.run(RECOVERY + 0.5)
        return outages

    ride_out("kill -9 of PostgreSQL", kill_again_and_again)


def test_a_long_outage_ends_soon_after_postgresql_is_back(
    ride_out: Ride, database: Postgres, is_full: bool
) -> None:
    def stay_away(load: Load) -> list[Outage]:
        began = monotonic()
        database.kill()
        load.run(40 if is_full else 5)
        return [Outage(began, database.start())]

    ride_out("40 s outage" if is_full else "5 s outage", stay_away)


def test_a_clean_restart_costs_nobody_a_write(ride_out: Ride, database: Postgres) -> None:
    def restart(_: Load) -> list[Outage]:
        began = monotonic()
        database.stop()
        return [Outage(began, database.start())]

    ride_out("clean restart", restart)


def test_a_terminated_backend_costs_no_read(
    ride_out: Ride, database: Postgres, is_full: bool
) -> None:
    terminated = 0

    def terminate_one_by_one(load: Load) -> list[Outage]:
        nonlocal terminated
        began = monotonic()
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            while monotonic() < began + (15 if is_full else 5):
                terminated += admin.execute(TERMINATE_ONE).rowcount
                load.run(0.1)
        return [Outage(began, monotonic())]

    records = ride_out("backends terminated one by one", terminate_one_by_one)
    assert terminated > 20
    reads = [each.outcome for each in records if each.call.method == "GET"]
    assert {each.status for each in reads if each} <= {200, 404}
