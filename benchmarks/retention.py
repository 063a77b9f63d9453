"""Ledger entries of a year in one table and in a table per month; `python -m benchmarks.retention`.

Both tables are like ledger_entries, with the same rows: owners whose changes are spread over twelve
months, each entry with a task as JSON. Prints what an entry takes on disk, and for each table the
time and the CPU of an insertion, of a page of an item's history and of a page of the verification,
then the time, the CPU and the WAL of removing the oldest three months: by the deletions of
`flask ledger purge` in one table, by dropping partitions in the other.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks import stage

FILL = Path(__file__).with_name("retention.sql")
PER_OWNER = 10_000  # entries
PRUNED = 1000  # entries that one transaction of `flask ledger purge` deletes
READS = 2000
TABLES = {"one table": "entries", "a table per month": "entries_by_month"}
INSERT = """
    INSERT INTO {table} (owner_id, version, kind, item_id, action, at, request_id, item, hash)
    SELECT
        owner_number(%(owner)s), 1000000 + %(number)s, kind, item_id, action, at, request_id, item,
        hash
    FROM newest
"""
HISTORY = """
    SELECT version, action, at, item FROM {table}
    WHERE owner_id = owner_number(%(owner)s) AND item_id = item_number(%(owner)s, %(number)s)
    ORDER BY version DESC LIMIT 51
"""
VERIFICATION = """
    SELECT sum(octet_length(hash)) FROM (
        SELECT hash FROM {table}
        WHERE owner_id = owner_number(%(owner)s) AND version > %(number)s
        ORDER BY version LIMIT 100
    ) AS page
"""
DELETE = """
    DELETE FROM {table}
    WHERE owner_id = owner_number(%(owner)s) AND version > %(first)s AND version <= %(last)s
"""


@dataclass
class Cost:
    """Seconds by the clock, CPU seconds of the backend, and bytes of WAL."""

    seconds: float = 0
    cpu: float = 0
    wal: float = 0


class Session:
    """A connection whose costs are measured."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self._stat = Path(f"/proc/{connection.info.backend_pid}/schedstat")

    def run(self, query: str, table: str, **params: int) -> None:
        """Runs one of the queries of this module on the table, in a transaction of its own."""
        self.connection.execute(query.format(table=table).encode(), params, prepare=True)

    def value(self, query: str) -> float:
        """The number that the query returns."""
        row = self.connection.execute(query.encode()).fetchone()
        assert row is not None
        return float(row[0])

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        """The cost of the block, complete at its end."""
        cost = Cost(*self._now())
        yield cost
        seconds, cpu, wal = self._now()
        cost.seconds, cost.cpu, cost.wal = seconds - cost.seconds, cpu - cost.cpu, wal - cost.wal

    def _now(self) -> tuple[float, float, float]:
        wal = self.value("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
        return time.monotonic(), int(self._stat.read_text().split()[0]) / 1e9, wal


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    owners = max(1, parser.parse_args().entries // PER_OWNER)
    settings = {"fsync": "off", "max_wal_size": "4GB", "autovacuum": "off"}
    with stage.workspace() as folder, stage.postgres(folder, **settings) as postgres:
        postgres.migrate("retention")
        with postgres.connect("retention") as connection:
            session = Session(connection)
            fill(session, owners)
            report_sizes(session, owners * PER_OWNER)
            for name, table in TABLES.items():
                measure(session, name, table, owners)
            removals(session, owners)
    return 0


def fill(session: Session, owners: int) -> None:
    """Creates both tables, and owners in pieces that show their progress."""
    session.connection.execute(FILL.read_text().encode())
    for first in range(1, owners + 1, 100):
        last = min(owners, first + 99)
        query = f"SELECT fill({first}, {last}, {PER_OWNER})"
        session.connection.execute(query.encode())
        print(f"\r{last} of {owners} owners", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    newest = "CREATE TABLE newest AS SELECT * FROM entries ORDER BY at DESC LIMIT 1"
    session.connection.execute(newest)
    session.connection.execute("VACUUM (ANALYZE)")
    session.connection.execute("SET plan_cache_mode = force_generic_plan")  # as the service has it


def report_sizes(session: Session, entries: int) -> None:
    """Prints the bytes of an entry in the table and in each of its indexes."""
    for name, relation in {
        "rows": "entries",
        "primary key": "entries_pkey",
        "index by item": "entries_item",
    }.items():
        size = session.value(f"SELECT pg_relation_size('{relation}')") / entries
        print(f"{name}: {size:.0f} bytes an entry, {size * 1e8 / 2**30:.1f} GiB for 100,000,000")


def measure(session: Session, name: str, table: str, owners: int) -> None:
    """Prints what reads and insertions cost in the table."""

    def repeat(query: str, number: Callable[[int], int]) -> Cost:
        for warm_up in range(100):
            session.run(query, table, owner=warm_up % owners + 1, number=number(-warm_up - 1))
        with session.measured() as cost:
            for turn in range(READS):
                session.run(query, table, owner=turn % owners + 1, number=number(turn))
        return cost

    for what, query, number in (
        ("insertion", INSERT, lambda turn: turn),
        ("page of a history", HISTORY, lambda turn: turn % 1000 + 1),
        ("page of the verification", VERIFICATION, lambda turn: turn * 37 % (PER_OWNER - 100)),
    ):
        cost = repeat(query, number)
        mean, cpu = cost.seconds / READS * 1000, cost.cpu / READS * 1000
        print(f"{name}, {what}: {mean:.3f} ms, CPU {cpu:.3f} ms")


def removals(session: Session, owners: int) -> None:
    """Removes the oldest quarter of all entries from both tables."""
    old = PER_OWNER // 4
    with session.measured() as deleted:
        for owner in range(1, owners + 1):
            for first in range(0, old, PRUNED):
                last = min(old, first + PRUNED)
                session.run(DELETE, TABLES["one table"], owner=owner, first=first, last=last)
    with session.measured() as vacuumed:
        session.connection.execute("VACUUM entries")
    with session.measured() as dropped:
        for month in range(1, 4):
            session.connection.execute(f"DROP TABLE entries_by_month_{month}".encode())
    for name, cost in {
        "deleted": deleted,
        "vacuumed afterwards": vacuumed,
        "three partitions dropped": dropped,
    }.items():
        print(
            f"{owners * old:,} entries {name}: {cost.seconds:.1f} s, CPU {cost.cpu:.1f} s, "
            f"WAL {cost.wal / 2**20:,.0f} MiB"
        )


if __name__ == "__main__":
    sys.exit(main())
