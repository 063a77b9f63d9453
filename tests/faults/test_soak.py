"""Under load for an hour: memory, descriptors and connections stay as they were."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.faults.figures import Figure, Figures, latencies, outcomes, summary
from tests.faults.load import Load, log_in, register
from tests.faults.postgres import Postgres
from tests.faults.recorder import Recorder
from tests.faults.rides import Ride
from tests.processes import children
from tests.serving import Server

SECONDS = int(os.environ.get("SOAK_SECONDS", "0"))
WARM_UP = 0.2  # of the time, until caches are full
LOG_IN_EVERY = 600.0  # seconds; a token lasts 900
SAMPLE_EVERY = 5.0  # seconds
GROWTH = 1.15  # of memory at most, from the warm server to the end
SPARE = 4  # descriptors and connections that may be open at one look and not at another
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ownrow web'"

pytestmark = pytest.mark.skipif(not SECONDS, reason="it takes an hour: make soak")


@dataclass(frozen=True)
class Sample:
    """What the workers hold together, and PostgreSQL for them."""

    memory: int  # bytes
    descriptors: int
    connections: int


def look(server: Server, database: Postgres) -> Sample:
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
    """Its own bytes: pages that it shares with others are counted in part."""
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel tells no Pss")


def test_memory_descriptors_and_connections_stay_as_they_were(
    server: Server, database: Postgres, recorder: Recorder, figures: Figures
) -> None:
    users = [register(server) for _ in range(8)]
    samples: list[Sample] = []
    began = logged_in = monotonic()
    with Load(server, users, recorder, clients=8, pause=0.02) as load:
        while monotonic() < began + SECONDS:
            load.run(SAMPLE_EVERY)
            samples.append(look(server, database))
            if monotonic() > logged_in + LOG_IN_EVERY:
                logged_in = monotonic()
                users = [log_in(server, user.email) for user in users]
                load.log_in(users)
    records = recorder.records()
    warm, last = samples[int(len(samples) * WARM_UP)], samples[-1]
    found: dict[str, Figure] = {
        "seconds": SECONDS,
        "memory_mb": f"{warm.memory / 1e6:.0f} -> {last.memory / 1e6:.0f}",
        "descriptors": f"{warm.descriptors} -> {last.descriptors}",
        "connections": f"{warm.connections} -> {last.connections}",
    }
    figures.add("soak", found | summary(records) | latencies(records))
    Ride(server, database.url, recorder, figures).check("soak", users)
    assert not [each for each in outcomes(records) if each.fate == "unknown"]
    assert last.memory < warm.memory * GROWTH
    assert last.descriptors <= warm.descriptors + SPARE
    assert last.connections <= warm.connections + SPARE
