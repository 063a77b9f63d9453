"""The disk is full: writes are refused, reads go on, and it heals.

The tables are on a small file system of their own, the log is not: PostgreSQL stops altogether
where its write-ahead log finds no room, and that is an outage like the others.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.faults.figures import Figures
from tests.faults.load import Load
from tests.faults.postgres import Postgres
from tests.faults.rides import Outage, Ride

SIZE = 16 * 1024 * 1024  # bytes
TABLES = ("tasks", "ledger_entries", "idempotency_keys", "ledgers")
FULL = 20  # refused writes after which the disk counts as full


@pytest.fixture
def small_disk(database: Postgres, directory: Path) -> Iterator[Path]:
    """Where the tables are."""
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
    """Leaves no room; returns what takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


def test_a_full_disk_refuses_writes_serves_reads_and_heals(
    ride: Ride, small_disk: Path, figures: Figures
) -> None:
    filled: list[Outage] = []

    def fill_up(load: Load) -> list[Outage]:
        began = monotonic()
        filler = fill(small_disk)
        load.run(6)
        filler.unlink()
        filled.append(Outage(began, monotonic()))
        return filled

    records = ride("disk full", fill_up)
    (outage,) = filled
    during = [
        each
        for each in records
        if each.outcome and outage.began < each.outcome.began < outage.ended
    ]
    reads = [each for each in during if each.call.method == "GET"]
    refused = [each for each in during if each.outcome and each.outcome.status == 503]
    figures.add("disk full", {"reads_meanwhile": len(reads), "writes_refused": len(refused)})
    assert {each.outcome.status for each in reads if each.outcome} <= {200, 404}
    assert len(reads) > 20
    assert len(refused) > FULL
