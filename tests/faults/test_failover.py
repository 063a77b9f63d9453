"""The primary dies, its synchronous standby takes over, and nothing acknowledged is lost."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import psycopg
import pytest

from app import child, embedded
from tests.faults.figures import Figures
from tests.faults.load import Load
from tests.faults.postgres import Postgres
from tests.faults.recorder import Recorder
from tests.faults.rides import Outage, Ride
from tests.processes import until
from tests.serving import serving

SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
IN_RECOVERY = "SELECT pg_is_in_recovery()"


@pytest.fixture
def standby(database: Postgres, directory: Path) -> Iterator[Postgres]:
    """A standby of `database`, without which that acknowledges no commit."""
    copied = Postgres(directory / "standby")
    _copy(database, copied.directory)
    copied.start()
    with closing(copied):
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            admin.execute("SELECT pg_reload_conf()")
            until(lambda: admin.execute(SYNCHRONOUS).fetchone() == (1,))
        yield copied


def _copy(primary: Postgres, directory: Path) -> None:
    """pg_basebackup, run by the server's own user."""
    cluster = directory / "postgres"
    cluster.mkdir(parents=True, mode=0o700)
    owner = (primary.directory / "postgres").stat()
    os.chown(cluster, owner.st_uid, owner.st_gid)
    directory.chmod(0o711)
    source = f"host={primary.socket} user={embedded.SUPERUSER} application_name=standby"
    program = str(embedded._find(18) / "bin" / "pg_basebackup")
    arguments = [program, "-D", str(cluster), "-R", "-c", "fast", "-X", "stream", "-d", source]
    user = (primary.directory / "postgres").owner() if os.geteuid() == 0 else None
    command = child.command(arguments, death_signal=signal.SIGTERM, user=user)
    subprocess.run(command, check=True, cwd=cluster, timeout=60)


def test_a_failover_loses_nothing_that_was_acknowledged(
    database: Postgres,
    standby: Postgres,
    recorder: Recorder,
    figures: Figures,
    tmp_path: Path,
) -> None:
    hosts = ",".join(quote(str(each.socket), safe="") for each in (database, standby))
    url = f"postgresql://ownrow@/ownrow?host={hosts}&port=5432,5432&target_session_attrs=read-write"

    def fail_over(load: Load) -> list[Outage]:
        outage = monotonic()
        database.kill()
        load.run(1)
        with psycopg.connect(standby.admin_url, autocommit=True) as admin:
            admin.execute("SELECT pg_promote()")
            assert admin.execute(IN_RECOVERY).fetchone() == (False,)
        return [Outage(outage, monotonic())]

    with serving(url, tmp_path) as server:
        Ride(server, standby.url, recorder, figures)("failover", fail_over)
