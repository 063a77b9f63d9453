"""Workers end, by force or in order: what they had accepted is answered, and the others go on."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.faults.figures import Figures, latencies, outcomes, summary
from tests.faults.load import Load, register
from tests.faults.postgres import Postgres
from tests.faults.recorder import Record
from tests.faults.rides import DEADLINE, Ride, assert_all_good
from tests.processes import children, is_stopped, until
from tests.serving import Server, client_ports, serving

WORKERS = 3
GRACE = 25.0  # seconds


@pytest.fixture
def server(database: Postgres, tmp_path: Path) -> Iterator[Server]:
    with serving(database.url, tmp_path, WEB_CONCURRENCY=str(WORKERS)) as running:
        yield running


def kill(server: Server, worker: int) -> set[int]:
    """kill -9, between two breaths; returns the clients that it was connected to."""
    os.kill(worker, signal.SIGSTOP)
    until(lambda: is_stopped(worker))
    clients = client_ports(server, worker)
    os.kill(worker, signal.SIGKILL)
    return clients


def failed(records: list[Record]) -> list[Record]:
    return [each for each in records if each.outcome is None or each.outcome.fate == "unknown"]


def test_a_killed_worker_fails_no_call_of_the_others(
    ride: Ride, server: Server, figures: Figures, is_full: bool
) -> None:
    users = [register(server) for _ in range(4)]
    orphans, kills, slowest = set(), 10 if is_full else 3, 0.0
    with Load(server, users, ride.recorder) as load:
        load.run(1)
        for _ in range(kills):
            began, before = monotonic(), children(server.process.pid)
            orphans |= kill(server, before[0])
            until(lambda gone=before[0]: _is_replaced(server, gone))  # type: ignore[misc]
            slowest = max(slowest, monotonic() - began)
            load.run(1)
    records = ride.recorder.records()
    figures.add(
        "kill -9 of a worker", summary(records) | {"kills": kills, "replaced_within_s": slowest}
    )
    ride.check("kill -9 of a worker", users)
    ended = outcomes(records)
    assert {each.status for each in ended if each.fate == "unknown"} <= {None}
    assert {each.port for each in ended if each.fate == "unknown"} <= orphans
    assert len(failed(records)) <= len(orphans)
    assert max(each.seconds for each in ended) < DEADLINE


def _is_replaced(server: Server, gone: int) -> bool:
    now = children(server.process.pid)
    return len(now) == WORKERS and gone not in now


def test_a_server_that_is_told_to_stop_answers_what_it_has_accepted(
    ride: Ride, database: Postgres, server: Server, figures: Figures, tmp_path: Path
) -> None:
    users = [register(server) for _ in range(4)]
    with Load(server, users, ride.recorder) as load:
        load.run(2)
        load.leave()
        began = monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(GRACE) == 0
        seconds = monotonic() - began
        load.join()
    records = ride.recorder.records()
    figures.add("SIGTERM under load", summary(records) | {"stopped_after_s": seconds})
    assert_all_good(records)
    with serving(database.url, tmp_path) as again:
        Ride(again, database.url, ride.recorder, figures).check("SIGTERM under load", users)


def test_a_reload_fails_no_request(
    ride: Ride, server: Server, figures: Figures, is_full: bool
) -> None:
    users = [register(server) for _ in range(4)]
    reloads = 10 if is_full else 2
    with Load(server, users, ride.recorder) as load:
        load.run(1)
        for _ in range(reloads):
            before = set(children(server.process.pid))
            server.process.send_signal(signal.SIGHUP)
            until(lambda old=before: not old & set(children(server.process.pid)))  # type: ignore[misc]
        load.run(1)
    records = ride.recorder.records()
    found = summary(records) | latencies(records) | {"reloads": reloads}
    figures.add("HUP under load", found)
    ride.check("HUP under load", users)
    assert_all_good(records)
