"""The server comes up before its database, and goes on while that is migrated."""

import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from app import schema
from tests.faults.figures import Figures, summary
from tests.faults.load import PAUSE, Load, register
from tests.faults.postgres import Postgres, postgres
from tests.faults.recorder import Recorder
from tests.faults.rides import RECOVERY, Ride, assert_all_good
from tests.serving import ROOT, Server, serving

LATER_MIGRATION = """
from pathlib import Path
from app import migrations, schema
import sys
schema.DIRECTORY = Path(sys.argv[2])
migrations.upgrade(sys.argv[1])
"""


def last_failure(server: Server, back: float) -> float:
    """How long after `back` a worker was not ready; a new connection each time asks them all."""
    seconds = 0.0
    while monotonic() < back + RECOVERY + 1:
        if server.request("GET", "/readyz").status != 200:
            seconds = monotonic() - back
        sleep(PAUSE)
    return seconds


def test_a_server_that_starts_before_postgresql_becomes_ready_by_itself(
    directory: Path, tmp_path: Path, figures: Figures
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
    figures.add("PostgreSQL absent at boot", {"ready_after_s": seconds})
    assert seconds < RECOVERY


def test_migrations_are_applied_while_it_serves(
    ride: Ride, database: Postgres, recorder: Recorder, figures: Figures, directory: Path
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
    users = [register(ride.server) for _ in range(4)]
    with Load(ride.server, users, recorder) as load:
        load.run(2)
        began = monotonic()
        command = [sys.executable, "-c", LATER_MIGRATION, database.url, str(later)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=60)
        seconds = monotonic() - began
        load.run(2)
    records = recorder.records()
    figures.add("migrations while it serves", summary(records) | {"migrated_in_s": seconds})
    ride.check("migrations while it serves", users)
    assert_all_good(records)
    assert ride.server.request("GET", "/readyz").status == 200
