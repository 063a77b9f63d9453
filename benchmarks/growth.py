"""`make bench-growth`: the time of a call as the tasks of its owner, or of other owners, increase.

Calls of the repositories, without HTTP, by one client on one connection: only the time of the
statements can grow. The calls for owners of 1,000 to 1,000,000 tasks take turns, and so do two
databases, one without and one with the rows of other owners. Prints medians in milliseconds; the
exit status is 1 where a call takes more than FLAT times as long in one case as in another.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any
from uuid import UUID

import orjson

from app import db
from app.config import Config
from app.ledger import repository as ledger
from app.ledger.repository import Terms
from app.ledger.sync_token import Position
from app.search import repository as searching
from app.search.page_cache import CachedPage, PageCache
from app.search.repository import Wanted
from app.tasks import repository
from app.values import Origin, Page, Uuid
from benchmarks import load, stage
from benchmarks.load import NOTES, TITLE
from benchmarks.stage import Postgres

SIZES = (1_000, 10_000, 100_000, 1_000_000)
OTHERS = 10_000_000
OTHERS_EACH = 1_000  # tasks of each other owner
BATCH = 100_000  # rows per statement
BYTES = 1_600  # on disk per task: itself, its entry in the ledger, and their indexes
WAL_BYTES = 5 * 10**9
ALONE, AMONG = "alone", "among_others"
SETTINGS = {"max_wal_size": "4GB"}

PAGE = 50
FAR_PAGE = 200
ROUNDS, CALLS = 15, 20
LONGEST = 0.3  # seconds of one kind of call for one owner in a round; at least one is made
FLAT = 1.5  # the highest ratio of two cases of a call
RARE_WORD, COMMON_WORD = "zebra", "milk"

ORIGIN = Origin("bench-growth", None)
NEW_TASK = {"title": TITLE, "description": NOTES}
GROWS = "search, no such word"  # reads every task of the owner

# For each owner of a range: the tasks after version `above` up to `until`, one per second.
ADD_TASKS = """
WITH made AS (
    INSERT INTO tasks (
        owner_id, id, title, description, title_folded, description_folded, completed_at,
        position, created_at, updated_at, version, last_action, request_id
    )
    SELECT
        lpad(to_hex(owner), 32, '0')::uuid,
        uuidv7_at(stamp),
        'Task ' || n,
        notes,
        'task ' || n,
        lower(notes),
        CASE WHEN n %% 3 = 0 THEN stamp END,
        first_position(n),
        stamp,
        stamp,
        n,
        'create',
        'seed'
    FROM generate_series(%(above)s::bigint + 1, %(until)s::bigint) AS n
    CROSS JOIN generate_series(%(first)s::bigint, %(last)s::bigint) AS owner
    CROSS JOIN LATERAL (
        SELECT
            timestamptz '2025-01-01 00:00:00+00' + n * interval '1 second',
            rpad('Notes on task ' || n || ': ', 80, 'buy milk, call the bank, water the plants; ')
    ) AS t (stamp, notes)
    RETURNING owner_id, version, id, last_action, updated_at, document
)

INSERT INTO ledger_entries (
    owner_id, version, kind, item_id, action, at, request_id, item, hash
)
SELECT owner_id, version, 'task', id, last_action, updated_at, 'seed', document, sha256('')
FROM made
"""
ADD_OWNERS = """
WITH made AS (
    INSERT INTO users (id, email, email_key)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'user' || n, 'user' || n
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    RETURNING id
)

INSERT INTO ledgers (owner_id, version)
SELECT id, %(size)s FROM made
"""

Case = tuple[str, str, int]  # the database, the call, and the number of its owner's tasks
Calls = dict[str, dict[int, Callable[[], object]]]
Round = dict[Case, float]  # median seconds


def main() -> int:
    """Prints two tables; 1 where a call other than GROWS is not flat."""
    parser = argparse.ArgumentParser(prog="make bench-growth ARGS=...", description=__doc__)
    parser.add_argument("--others", type=int, default=OTHERS, help="rows of other owners")
    options = parser.parse_args()
    with stage.workspace() as folder:
        require_disk(folder, options.others + 2 * sum(SIZES))
        with stage.postgres(folder, **SETTINGS) as postgres:
            postgres.migrate(ALONE)
            seed_own(postgres)
            postgres.create(AMONG, ALONE)
            seed_others(postgres, options.others)
            calls = prepare(postgres, folder)
            rounds = [measure(postgres, folder, calls, number) for number in range(ROUNDS)]
    print(f"{os.cpu_count()} cores, one client; medians in milliseconds\n")
    print(table("own database", ALONE, rounds), end="\n\n")
    print(table(f"with {options.others:,} of other owners", AMONG, rounds), end="\n\n")
    factors = {name: growth(name, rounds) for name in kinds(rounds)}
    for name, factor in factors.items():
        print(f"{name}: longest divided by shortest {factor:.2f}")
    grown = [name for name, factor in factors.items() if name != GROWS and factor > FLAT]
    print(
        f"NOT FLAT: {', '.join(grown)}" if grown else f"All but '{GROWS}' are flat within {FLAT}."
    )
    return 1 if grown else 0


def require_disk(folder: Path, tasks: int) -> None:
    """Exits where the disk is too small for that many tasks."""
    free, needed = shutil.disk_usage(folder).free, tasks * BYTES + WAL_BYTES
    if free < needed:
        sys.exit(
            f"{folder.parent} has {free / 1e9:.0f} GB free, and {needed / 1e9:.0f} are needed: "
            "set TMPDIR to a larger disk, or ask for fewer rows: ARGS='--others 1000000'"
        )


def seed_own(postgres: Postgres) -> None:
    """Creates the owners of SIZES in the database ALONE."""
    for number, size in enumerate(SIZES, 1):
        say(f"{size:,} tasks of one owner")
        _add(postgres, ALONE, number, number, size)
    _vacuum(postgres, ALONE)


def seed_others(postgres: Postgres, rows: int) -> None:
    """Creates other owners in the database AMONG, with their rows interleaved as in real use."""
    say(f"{rows:,} tasks of other owners")
    first = len(SIZES) + 1
    if rows >= OTHERS_EACH:
        _add(postgres, AMONG, first, first + rows // OTHERS_EACH - 1, OTHERS_EACH)
    _vacuum(postgres, AMONG)


def _add(postgres: Postgres, database: str, first: int, last: int, size: int) -> None:
    """Adds owners with `size` tasks each; skips the checks of foreign keys, which hold."""
    owners = {"first": first, "last": last}
    step = max(1, BATCH // (last - first + 1))
    with postgres.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(ADD_OWNERS, {**owners, "size": size})
        for above in range(0, size, step):
            until = min(size, above + step)
            connection.execute(ADD_TASKS, {**owners, "above": above, "until": until})


def _vacuum(postgres: Postgres, database: str) -> None:
    with postgres.connect(database) as connection:
        connection.execute("VACUUM (ANALYZE)")
        size = connection.execute("SELECT pg_database_size(current_database()) / 1e9").fetchone()
    postgres.checkpoint()
    say(f"{size[0] if size else 0:.1f} GB on disk, vacuumed and analysed")


def measure(postgres: Postgres, folder: Path, calls: Calls, number: int) -> Round:
    """One round of all calls in both databases, whose order alternates."""
    say(f"round {number + 1} of {ROUNDS}")
    found: Round = {}
    for name, by_size in calls.items():
        for database in (ALONE, AMONG)[:: -1 if number % 2 else 1]:
            with connected(postgres.url(database), folder):
                found |= {(database, name, size): s for size, s in timed(by_size).items()}
    return found


class NoPageCache(PageCache):
    """Stores no page, so that each call reads its own."""

    def store(self, key: bytes, cached: CachedPage) -> None:
        """Does nothing."""


@contextmanager
def connected(url: str, folder: Path) -> Iterator[None]:
    """Connects the repositories to that database."""
    environ = {
        **stage.PRODUCTION,
        "DATABASE_URL": url,
        "DATA_DIR": str(folder),
        "DB_STATEMENT_TIMEOUT_MS": "60000",  # slow calls are measured, not cancelled
    }
    db.configure(Config.from_env(environ))
    searching.PAGES = NoPageCache()
    try:
        yield
    finally:
        db.close_pool()


def prepare(postgres: Postgres, folder: Path) -> Calls:
    """The calls to measure; they fit both databases, as AMONG was copied from ALONE."""
    calls: Calls = {}
    with connected(postgres.url(ALONE), folder):
        for number, size in enumerate(SIZES, 1):
            for name, call in _calls_of(Uuid(str(UUID(int=number))), size).items():
                calls.setdefault(name, {})[size] = call
    return calls


def _calls_of(owner: Uuid, size: int) -> dict[str, Callable[[], object]]:
    terms = Terms(owner, None, ORIGIN)
    page = partial(
        searching.search, owner, sort="-created_at", position=None, limit=PAGE, known_tags=[]
    )
    calls: dict[str, Callable[[], object]] = {
        "page 1": partial(page, Wanted()),
        "search, every task has the word": partial(page, Wanted(words=COMMON_WORD)),
        GROWS: partial(page, Wanted(words=RARE_WORD)),
        "create": partial(ledger.change, repository.CREATE.prepare(NEW_TASK), terms),
        "sync": partial(
            ledger.changes,
            owner,
            [repository.KIND],
            since=Position(size // 2),
            limit=PAGE,
            known_tags=[],
        ),
    }
    if size >= FAR_PAGE * PAGE:
        position = _position(partial(page, Wanted()))
        calls[f"page {FAR_PAGE}"] = partial(page, Wanted(), position=position)
    return calls


def _position(page: Callable[..., Page]) -> Any:
    """The position of page FAR_PAGE, found by reading the pages before it."""
    position = None
    for _ in range(FAR_PAGE - 1):
        position = orjson.loads(page(position=position).next_position or b"null")
    return position


def timed(calls: Mapping[int, Callable[[], object]]) -> dict[int, float]:
    """The median seconds of each call; they take turns after one call each to fill caches."""
    for call in calls.values():
        call()
    found: dict[int, list[float]] = {size: [] for size in calls}
    for _ in range(CALLS):
        for size, call in calls.items():
            if sum(found[size]) < LONGEST:
                began = time.perf_counter()
                call()
                found[size].append(time.perf_counter() - began)
    return {size: median(seconds) for size, seconds in found.items()}


def kinds(rounds: Sequence[Round]) -> list[str]:
    """The names of the calls."""
    return list(dict.fromkeys(name for _, name, _ in rounds[0]))


def table(title: str, database: str, rounds: Sequence[Round]) -> str:
    """The milliseconds of each call in the database, in Markdown."""

    def cell(name: str, size: int) -> str:
        if (database, name, size) not in rounds[0]:
            return "–"
        return f"{median(each[database, name, size] for each in rounds) * 1000:.2f}"

    rows = [[name, *(cell(name, size) for size in SIZES)] for name in kinds(rounds)]
    return load.table([title, *(f"{size:,} own" for size in SIZES)], rows)


def growth(name: str, rounds: Sequence[Round]) -> float:
    """The longest time of a call divided by its shortest, over all cases.

    Each case is compared with all cases of the same round: a slow round changes nothing.
    """
    cases = [case for case in rounds[0] if case[1] == name]
    shares = [
        median(each[case] / mean(each[other] for other in cases) for each in rounds)
        for case in cases
    ]
    return max(shares) / min(shares)


def say(text: str) -> None:
    """Reports progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
