"""The application without some of its own layers, for `make bench-layers` only.

LEFT_OUT names the layers. What the libraries do takes their place before the application is made.
"""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from app.db.connection import Call, Connection
from app.db.pool import Pool
from app.db.statements import NoRow, Statement
from app.http.dispatch import Application
from app.search.page_cache import PageCache
from benchmarks import patches

Cursor = psycopg.Cursor[Any]


def run(connection: Connection, *calls: Call) -> list[Cursor]:
    """Executes the statements with psycopg's cursors; several of them in psycopg's pipeline."""
    connection.prepare_threshold = 0  # prepares a statement at its first use, as `run` does
    with connection.pipeline() if len(calls) > 1 else nullcontext():
        return [connection.execute(statement.text, params) for statement, params in calls]


def rows(_connection: Connection, statement: Statement[Any], cursor: Cursor) -> list[Any]:
    """The cursor's rows, which are named tuples."""
    return [NoRow()] * cursor.rowcount if statement.row is NoRow else cursor.fetchall()


def do_nothing(*_arguments: Any) -> None:
    """Takes the place of a method that returns None where it has nothing."""


METHODS: dict[str, list[tuple[type, str, Callable[..., Any]]]] = {
    "dispatch table": [(Application, "remember", do_nothing)],
    "fast worker": [],  # layers.py gives gunicorn the option
    "libpq statements": [
        (Connection, "run", run),
        (Connection, "rows", rows),
        (Connection, "wait", psycopg.Connection.wait),
    ],
    "idle connections": [
        (Pool, "take_idle", do_nothing),
        (Pool, "getconn", ConnectionPool.getconn),
        (Pool, "putconn", ConnectionPool.putconn),
    ],
    "group commit": [],  # it has a setting
    "page cache": [(PageCache, "get", do_nothing), (PageCache, "store", do_nothing)],
}

for layer in patches.left_out():
    for method in METHODS[layer]:
        patches.replace(*method)
if "group commit" in patches.left_out():
    os.environ["DB_GROUP_COMMIT"] = "off"

from wsgi import app, config  # noqa: E402, F401  # it makes the application

assert config.db_group_commit == ("group commit" not in patches.left_out())
assert ("gunicorn.workers.gthread" in sys.modules) == ("fast worker" in patches.left_out())
