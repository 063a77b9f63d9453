"""The server starts before its database does, and serves while the database is migrated."""

import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from app.db import schema
from tests.support.faults.load import PAUSE, Load, register
from tests.support.faults.measurements import Measurements, summary
from tests.support.faults.postgres import Postgres, postgres
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import RECOVERY, Scenario, assert_all_good
from tests.support.server import ROOT, Server, serving

LATER_MIGRATION = """
from pathlib import Path
from app.db import migrations, schema
import sys
schema.DIRECTORY = Path(sys.argv[2])
migrations.upgrade(sys.argv[1])
"""


def last_failure(server: Server, back: float) -> float:
    """Seconds from `back` to the last /readyz other than 200; new connections reach all workers."""
    seconds = 0.0
    while monotonic() < back + RECOVERY + 1:
        if server.request("GET", "/readyz").status != 200:
            seconds = monotonic() - back
        sleep(PAUSE)
    return seconds


def test_a_server_started_before_postgresql_is_ready_within_two_seconds_of_it(
    directory: Path, tmp_path: Path, measurements: Measurements
) -> None:
    with postgres(directory / "database") as database:
        url = database.url
        database.stop()
        with serving(url, tmp_path) as server:
            answer = server.request("GET", "/readyz")
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            seconds = last_failure(server, database.start())
            register(server)
    measurements.add("PostgreSQL absent at boot", {"ready_after_s": seconds})
    assert seconds < RECOVERY


def test_no_call_fails_while_migrations_are_applied(
    scenario: Scenario,
    database: Postgres,
    recorder: Recorder,
    measurements: Measurements,
    directory: Path,
) -> None:
    later = directory / "migrations"
    later.mkdir()
    for each in schema.DIRECTORY.glob("*.sql"):
        (later / each.name).symlink_to(each)
    last = max(schema.known())
    (later / "9998.later.sql").write_text(
        f"-- depends: {last}\nALTER TABLE tasks ADD COLUMN later text;\n"
    )
    (later / "9999.latest.sql").write_text(
        "-- depends: 9998.later\nCREATE INDEX tasks_later ON tasks (owner_id, later);\n"
    )
    users = [register(scenario.server) for _ in range(4)]
    with Load(scenario.server, users, recorder) as load:
        load.run(2)
        began = monotonic()
        command = [sys.executable, "-c", LATER_MIGRATION, database.url, str(later)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=60)
        seconds = monotonic() - began
        load.run(2)
    records = recorder.records()
    measurements.add("migrations while it serves", summary(records) | {"migrated_in_s": seconds})
    scenario.check("migrations while it serves", users)
    assert_all_good(records)
    assert scenario.server.request("GET", "/readyz").status == 200
