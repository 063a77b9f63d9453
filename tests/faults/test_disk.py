"""With a full disk writes are 503 and reads succeed; with space again both succeed.

Only the tables are on the small file system: without space for its write-ahead log PostgreSQL shuts
down, which test_outages.py covers.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.support.faults.load import Load
from tests.support.faults.measurements import Measurements
from tests.support.faults.postgres import Postgres
from tests.support.faults.scenario import Outage, Scenario

SIZE = 16 * 1024 * 1024  # bytes
TABLES = ("tasks", "ledger_entries", "idempotency_keys", "ledgers")
MIN_REFUSED = 20  # writes


@pytest.fixture
def small_disk(database: Postgres, directory: Path) -> Iterator[Path]:
    """A file system of SIZE that contains the tables."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system: run make faults as root")
    mounted = directory / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(mounted)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this container may not mount: give it CAP_SYS_ADMIN")
    try:
        space = mounted / "space"
        space.mkdir(mode=0o700)
        owner = (database.directory / "postgres").stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
            for table in TABLES:
                admin.execute(f"ALTER TABLE {table} SET TABLESPACE small".encode())
        yield mounted
    finally:
        database.close()
        subprocess.run(["umount", str(mounted)], check=True)


def fill(disk: Path) -> Path:
    """Fills the file system; returns the file to delete."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


def test_a_full_disk_refuses_writes_serves_reads_and_heals(
    scenario: Scenario, small_disk: Path, measurements: Measurements
) -> None:
    filled: list[Outage] = []

    def fill_up(load: Load) -> list[Outage]:
        began = monotonic()
        filler = fill(small_disk)
        load.run(6)
        filler.unlink()
        filled.append(Outage(began, monotonic()))
        return filled

    records = scenario.run("disk full", fill_up)
    (outage,) = filled
    during = [
        each
        for each in records
        if each.outcome and outage.began < each.outcome.began < outage.ended
    ]
    reads = [each for each in during if each.call.method == "GET"]
    refused = [each for each in during if each.outcome and each.outcome.status == 503]
    measurements.add("disk full", {"reads_meanwhile": len(reads), "writes_refused": len(refused)})
    assert {each.outcome.status for each in reads if each.outcome} <= {200, 404}
    assert len(reads) > 20
    assert len(refused) > MIN_REFUSED
