"""Workers are killed, stopped and replaced: other workers' calls succeed, and a worker that is
stopped or replaced responds to every request that it has accepted."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.support.faults.load import Load, register
from tests.support.faults.measurements import Measurements, latencies, outcomes, summary
from tests.support.faults.postgres import Postgres
from tests.support.faults.recorder import Record
from tests.support.faults.scenario import DEADLINE, Scenario, assert_all_good
from tests.support.processes import children, is_stopped, until
from tests.support.server import Server, client_ports, serving

WORKERS = 3
STOP_TIMEOUT = 25.0  # seconds


@pytest.fixture
def server(database: Postgres, tmp_path: Path) -> Iterator[Server]:
    """A server with WORKERS workers."""
    with serving(database.url, tmp_path, WEB_CONCURRENCY=str(WORKERS)) as running:
        yield running


def kill(server: Server, worker: int) -> set[int]:
    """Stops the worker, then kills it; returns the ports of the clients connected to it."""
    os.kill(worker, signal.SIGSTOP)
    until(lambda: is_stopped(worker))
    clients = client_ports(server, worker)
    os.kill(worker, signal.SIGKILL)
    return clients


def failed(records: list[Record]) -> list[Record]:
    """The calls with a 5xx or without a response."""
    return [each for each in records if each.outcome is None or each.outcome.fate == "unknown"]


def test_a_killed_worker_fails_no_call_of_other_workers(
    scenario: Scenario, server: Server, measurements: Measurements, is_full: bool
) -> None:
    users = [register(server) for _ in range(4)]
    orphans, kills, slowest = set(), 10 if is_full else 3, 0.0
    with Load(server, users, scenario.recorder) as load:
        load.run(1)
        for _ in range(kills):
            began, before = monotonic(), children(server.process.pid)
            orphans |= kill(server, before[0])
            until(lambda gone=before[0]: _is_replaced(server, gone))  # type: ignore[misc]
            slowest = max(slowest, monotonic() - began)
            load.run(1)
    records = scenario.recorder.records()
    measurements.add(
        "kill -9 of a worker", summary(records) | {"kills": kills, "replaced_within_s": slowest}
    )
    scenario.check("kill -9 of a worker", users)
    ended = outcomes(records)
    assert {each.status for each in ended if each.fate == "unknown"} <= {None}
    assert {each.port for each in ended if each.fate == "unknown"} <= orphans
    assert len(failed(records)) <= len(orphans)
    assert max(each.seconds for each in ended) < DEADLINE


def _is_replaced(server: Server, gone: int) -> bool:
    now = children(server.process.pid)
    return len(now) == WORKERS and gone not in now


def test_sigterm_completes_accepted_requests_and_ends_with_status_zero(
    scenario: Scenario,
    database: Postgres,
    server: Server,
    measurements: Measurements,
    tmp_path: Path,
) -> None:
    users = [register(server) for _ in range(4)]
    with Load(server, users, scenario.recorder) as load:
        load.run(2)
        load.drain()
        began = monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_TIMEOUT) == 0
        seconds = monotonic() - began
        load.join()
    records = scenario.recorder.records()
    measurements.add("SIGTERM under load", summary(records) | {"stopped_after_s": seconds})
    assert_all_good(records)
    with serving(database.url, tmp_path) as again:
        Scenario(again, database.url, scenario.recorder, measurements).check(
            "SIGTERM under load", users
        )


def test_a_reload_fails_no_call(
    scenario: Scenario, server: Server, measurements: Measurements, is_full: bool
) -> None:
    users = [register(server) for _ in range(4)]
    reloads = 10 if is_full else 2
    with Load(server, users, scenario.recorder) as load:
        load.run(1)
        for _ in range(reloads):
            before = set(children(server.process.pid))
            server.process.send_signal(signal.SIGHUP)
            until(lambda old=before: not old & set(children(server.process.pid)))  # type: ignore[misc]
        load.run(1)
    records = scenario.recorder.records()
    found = summary(records) | latencies(records) | {"reloads": reloads}
    measurements.add("HUP under load", found)
    scenario.check("HUP under load", users)
    assert_all_good(records)
