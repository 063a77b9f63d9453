"""The cost of row security: `python -m tests.support.row_security_cost`, without other load.

Repository calls run sequentially on one connection to an embedded PostgreSQL over its Unix socket,
for an owner of 1,000 tasks among 20 owners. The rounds alternate between row security off and on.
Per call: the median over the rounds of wall time and of this process's CPU time, in microseconds.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from app import db, devdb
from app.audit import plans
from app.config import Config
from app.db import migrations
from app.ledger import repository as ledger
from app.ledger.repository import Change, Item, Terms
from app.search.repository import Wanted, search
from app.tasks import repository
from app.values import Origin, Uuid

ROUNDS, CALLS = 5, 1000
OWNER = Uuid(str(plans.OWNER))
ORIGIN = Origin("cost", None)


def main() -> None:
    """Prints a table."""
    with (
        tempfile.TemporaryDirectory(prefix="ownrow-") as directory,
        devdb.start(Path(directory)) as server,
        plans.scratch(server.url("postgres", devdb.SUPERUSER)) as connection,
    ):
        plans.fill(connection, owners=20, tasks=1000)
        url = server.url(connection.info.dbname, devdb.SUPERUSER)
        measure(url, Path(directory), task_of(connection))


def task_of(connection: psycopg.Connection[tuple[str]]) -> Uuid:
    """The id of one of OWNER's tasks."""
    query = "SELECT id::text FROM tasks WHERE owner_id = %s AND deleted_at IS NULL LIMIT 1"
    ((task_id,),) = connection.execute(query, (plans.OWNER,)).fetchall()
    return Uuid(task_id)


def measure(url: str, directory: Path, task_id: Uuid) -> None:
    """Times the calls with row security off and on, and prints a line per call."""
    calls: dict[str, Callable[[], object]] = {
        "get a task": lambda: repository.get(OWNER, task_id),
        "list 50 tasks": lambda: search(
            OWNER, Wanted(), sort="-created_at", position=None, limit=50, known_tags=[]
        ),
        "create a task": lambda: change(repository.CREATE, title="cost", description=None),
        "toggle a task": lambda: change(repository.COMPLETE, id=task_id),
    }
    timings: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for mode in ("off", "on"):
            connect(url, directory, mode)
            for label, call in calls.items():
                timings.setdefault((label, mode), []).append(timed(call))
            db.close_pool()
    for label in calls:
        off, on = (medians(timings[label, mode]) for mode in ("off", "on"))
        sys.stdout.write(
            f"{label:14} off {off[0]:5.0f} ({off[1]:4.0f} CPU)  on {on[0]:5.0f} ({on[1]:4.0f} CPU)"
            f"  {on[0] / off[0] - 1:+.0%} time\n"
        )


def change(what: Change, **fields: Any) -> Item:
    """Changes one of OWNER's tasks."""
    return ledger.change(what.prepare(fields), Terms(OWNER, None, ORIGIN))


def connect(url: str, directory: Path, mode: str) -> None:
    """Switches row security, and configures the service for it."""
    migrations.switch_row_security(url, on=mode == "on")
    application = url.replace(f"//{devdb.SUPERUSER}@", f"//{devdb.APPLICATION}@")
    environment = {"DATABASE_URL": application, "DATA_DIR": str(directory), "DB_ROW_SECURITY": mode}
    db.configure(Config.from_env(environment))


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Wall time and CPU time per call, in microseconds."""
    for _ in range(20):
        call()
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6, (time.process_time() - cpu) / CALLS * 1e6


def medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The medians of wall time and CPU time over the rounds."""
    return statistics.median(each[0] for each in rounds), statistics.median(
        each[1] for each in rounds
    )


if __name__ == "__main__":
    main()
