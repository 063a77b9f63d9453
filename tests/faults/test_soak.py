"""Soak test: memory, file descriptors and connections do not grow in an hour of load."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.support.faults.load import Load, log_in, register
from tests.support.faults.measurements import Measurements, Value, latencies, outcomes, summary
from tests.support.faults.postgres import Postgres
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import Scenario
from tests.support.processes import children
from tests.support.server import Server

SECONDS = int(os.environ.get("SOAK_SECONDS", "0"))
WARM_UP = 0.2  # of the time, until caches are filled
LOG_IN_EVERY = 600.0  # seconds; a token lasts 900
SAMPLE_EVERY = 5.0  # seconds
MAX_GROWTH = 1.15  # of memory, from the end of the warm-up to the end
TOLERANCE = 4  # descriptors and connections that vary from one sample to the next
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ownrow web'"

pytestmark = pytest.mark.skipif(not SECONDS, reason="it takes an hour: make soak")


@dataclass(frozen=True)
class Sample:
    """The resources of all workers together, and their connections to PostgreSQL."""

    memory: int  # bytes
    descriptors: int
    connections: int


def take_sample(server: Server, database: Postgres) -> Sample:
    """Measures the running server."""
    workers = [Path(f"/proc/{pid}") for pid in children(server.process.pid)]
    with psycopg.connect(database.admin_url) as admin:
        row = admin.execute(CONNECTIONS).fetchone()
    assert row is not None
    return Sample(
        memory=sum(_memory(worker) for worker in workers),
        descriptors=sum(len(list((worker / "fd").iterdir())) for worker in workers),
        connections=row[0],
    )


def _memory(process: Path) -> int:
    """The proportional set size (PSS) in bytes."""
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("/proc has no Pss")


def test_memory_descriptors_and_connections_do_not_grow(
    server: Server, database: Postgres, recorder: Recorder, measurements: Measurements
) -> None:
    users = [register(server) for _ in range(8)]
    samples: list[Sample] = []
    began = logged_in = monotonic()
    with Load(server, users, recorder, clients=8, pause=0.02) as load:
        while monotonic() < began + SECONDS:
            load.run(SAMPLE_EVERY)
            samples.append(take_sample(server, database))
            if monotonic() > logged_in + LOG_IN_EVERY:
                logged_in = monotonic()
                users = [log_in(server, user.email) for user in users]
                load.log_in(users)
    records = recorder.records()
    warm, last = samples[int(len(samples) * WARM_UP)], samples[-1]
    found: dict[str, Value] = {
        "seconds": SECONDS,
        "memory_mb": f"{warm.memory / 1e6:.0f} -> {last.memory / 1e6:.0f}",
        "descriptors": f"{warm.descriptors} -> {last.descriptors}",
        "connections": f"{warm.connections} -> {last.connections}",
    }
    measurements.add("soak", found | summary(records) | latencies(records))
    Scenario(server, database.url, recorder, measurements).check("soak", users)
    assert not [each for each in outcomes(records) if each.fate == "unknown"]
    assert last.memory < warm.memory * MAX_GROWTH
    assert last.descriptors <= warm.descriptors + TOLERANCE
    assert last.connections <= warm.connections + TOLERANCE
