"""The primary is killed and its synchronous standby promoted: no acknowledged write is lost."""

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

from app import devdb
from app.devdb import child_process
from tests.support.faults.load import Load
from tests.support.faults.measurements import Measurements
from tests.support.faults.postgres import Postgres
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import Outage, Scenario
from tests.support.processes import until
from tests.support.server import serving

SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
IN_RECOVERY = "SELECT pg_is_in_recovery()"


@pytest.fixture
def standby(database: Postgres, directory: Path) -> Iterator[Postgres]:
    """A synchronous standby of `database`."""
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
    """Runs pg_basebackup as the server's user."""
    cluster = directory / "postgres"
    cluster.mkdir(parents=True, mode=0o700)
    owner = (primary.directory / "postgres").stat()
    os.chown(cluster, owner.st_uid, owner.st_gid)
    directory.chmod(0o711)
    source = f"host={primary.socket} user={devdb.SUPERUSER} application_name=standby"
    base_backup = devdb.program("pg_basebackup")
    arguments = [base_backup, "-D", str(cluster), "-R", "-c", "fast", "-X", "stream", "-d", source]
    user = (primary.directory / "postgres").owner() if os.geteuid() == 0 else None
    command = child_process.command(arguments, death_signal=signal.SIGTERM, user=user)
    subprocess.run(command, check=True, cwd=cluster, timeout=60)


def test_a_failover_loses_no_acknowledged_write(
    database: Postgres,
    standby: Postgres,
    recorder: Recorder,
    measurements: Measurements,
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
        Scenario(server, standby.url, recorder, measurements).run("failover", fail_over)
