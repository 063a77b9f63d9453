"""What row security costs: `python -m tests.audit.row_security_cost`, without other load.

Calls of the repository, one after the other on one connection to an embedded PostgreSQL over its
Unix socket, for an owner of 1,000 tasks among 20; the modes take turns. Per call: the median over
the rounds of the time that passed and of this process's CPU time, in microseconds.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from app import db, embedded, migrations
from app.audit import plans
from app.config import Config
from app.fields import Uuid
from app.tasks import repository
from app.web import Origin

ROUNDS, CALLS = 5, 1000
OWNER = Uuid(str(plans.OWNER))
ORIGIN = Origin("cost", None)


def main() -> None:
    """Prints a table."""
    with (
        tempfile.TemporaryDirectory(prefix="ownrow-") as directory,
        embedded.start(Path(directory)) as server,
        plans.scratch(
            server.url("postgres", embedded.SUPERUSER), owners=20, tasks=1000
        ) as connection,
    ):
        url = server.url(connection.info.dbname, embedded.SUPERUSER)
        measure(url, Path(directory), task_of(connection))


def task_of(connection: psycopg.Connection[tuple[str]]) -> Uuid:
    query = "SELECT id::text FROM tasks WHERE owner_id = %s AND deleted_at IS NULL LIMIT 1"
    ((task_id,),) = connection.execute(query, (plans.OWNER,)).fetchall()
    return Uuid(task_id)


def measure(url: str, directory: Path, task_id: Uuid) -> None:
    calls: dict[str, Callable[[], object]] = {
        "get a task": lambda: repository.get(OWNER, task_id),
        "list 50 tasks": lambda: repository.search(
            OWNER,
            sort="-created_at",
            position=None,
            limit=50,
            is_completed=None,
            words=None,
            known_tags=[],
        ),
        "create a task": lambda: repository.create(OWNER, "cost", None, None, ORIGIN),
        "toggle a task": lambda: repository.complete(OWNER, task_id, None, None, ORIGIN),
    }
    spent: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for mode in ("off", "on"):
            connect(url, directory, mode)
            for label, call in calls.items():
                spent.setdefault((label, mode), []).append(timed(call))
            db.close_pool()
    for label in calls:
        off, on = (medians(spent[label, mode]) for mode in ("off", "on"))
        sys.stdout.write(
            f"{label:14} off {off[0]:5.0f} ({off[1]:4.0f} CPU)  on {on[0]:5.0f} ({on[1]:4.0f} CPU)"
            f"  {on[0] / off[0] - 1:+.0%} time\n"
        )


def connect(url: str, directory: Path, mode: str) -> None:
    migrations.switch_row_security(url, on=mode == "on")
    application = url.replace(f"//{embedded.SUPERUSER}@", f"//{embedded.APPLICATION}@")
    environment = {"DATABASE_URL": application, "DATA_DIR": str(directory), "DB_ROW_SECURITY": mode}
    db.configure(Config.from_env(environment))
    db.open_pool()


def timed(call: Callable[[], object]) -> tuple[float, float]:
    for _ in range(20):
        call()
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6, (time.process_time() - cpu) / CALLS * 1e6


def medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(each[0] for each in rounds), statistics.median(
        each[1] for each in rounds
    )


if __name__ == "__main__":
    main()
