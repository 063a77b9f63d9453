"""The only way to PostgreSQL: the pool, the statements in sql/, and the transaction."""

import re
import select
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import namedtuple_row
from psycopg_pool import ConnectionPool

from app.config import Config

SQL = Path(__file__).resolve().parent.parent / "sql"
CONNECT_TIMEOUT = 2  # seconds
POOL_TIMEOUT = 1.0  # seconds
LOCK_TIMEOUT = "500ms"
STREAM_ROWS = 200  # per FETCH
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")

Params = Mapping[str, Any]
Row = Any  # a named tuple with the statement's columns; json arrives as bytes


@dataclass(frozen=True)
class Statement:
    """One file below sql/, and whether running it twice could change anything."""

    name: str
    text: LiteralString
    reads_only: bool


def load(name: str) -> Statement:
    """The statement in sql/<name>.sql, which carries that path to the server's views and log."""
    lines = (SQL / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    body = "\n".join(line for line in lines if not line.startswith("--")).strip()
    text = f"/* sql/{name}.sql */ {body}"
    return Statement(name, text, WRITES.search(body) is None)


SET_DEADLINES = load("operations/set_deadlines")


class _RawJson(Loader):
    """JSON passes through as the bytes that PostgreSQL made."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class _Database:
    """What this process is connected to."""

    def __init__(self) -> None:
        self.pool: ConnectionPool[psycopg.Connection[Row]] | None = None
        self.local = threading.local()


_database = _Database()


def configure(config: Config, application_name: str = "ownrow web") -> None:
    """Sets the pool up without connecting; `open_pool` must follow in the serving process."""
    close_pool()

    deadlines = {
        "statement_timeout": f"{config.db_statement_timeout_ms}ms",
        "lock_timeout": LOCK_TIMEOUT,
    }

    def prepare(connection: psycopg.Connection[Row]) -> None:
        connection.adapters.register_loader("json", _RawJson)
        connection.execute(SET_DEADLINES.text, deadlines)

    _database.pool = ConnectionPool(
        config.database_url or "",
        open=False,
        min_size=0,
        max_size=config.db_pool_size,
        check=_check,
        timeout=POOL_TIMEOUT,
        reconnect_timeout=2,
        configure=prepare,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0 if config.db_prepare else None,
            "row_factory": namedtuple_row,
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": application_name,
        },
    )


def _check(connection: psycopg.Connection[Row]) -> None:
    """Raises for a connection that the server has closed; an idle one has nothing to say."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        connection.pgconn.consume_input()


def open_pool() -> None:
    """Starts connecting; returns at once, whether or not the database is there."""
    _pool().open(wait=False)


def close_pool() -> None:
    """Closes every connection; does nothing where there is no pool."""
    if _database.pool is not None:
        _database.pool.close()
        _database.pool = None


def _pool() -> "ConnectionPool[psycopg.Connection[Row]]":
    if _database.pool is None:
        raise RuntimeError("db.configure() has not been called")
    return _database.pool


@contextmanager
def _connection() -> Iterator[psycopg.Connection[Row]]:
    """The transaction's connection inside transaction(), one of the pool's outside."""
    mine = getattr(_database.local, "connection", None)
    if mine is not None:
        yield mine
        return
    with _pool().connection() as connection:
        yield connection


@contextmanager
def transaction() -> Iterator[None]:
    """All statements of this thread inside the block commit together, or none does.

    Inside another transaction it is a part of that one.
    """
    if getattr(_database.local, "connection", None) is not None:
        yield
        return
    with _pool().connection() as connection, connection.transaction():
        _database.local.connection = connection
        try:
            yield
        finally:
            _database.local.connection = None


def fetch_one(statement: Statement, params: Params) -> Row | None:
    """The first row, or None where there is none."""
    with _connection() as connection:
        return connection.execute(statement.text, params).fetchone()


def fetch_all(statement: Statement, params: Params) -> list[Row]:
    """Every row."""
    with _connection() as connection:
        return connection.execute(statement.text, params).fetchall()


def execute(statement: Statement, params: Params) -> int:
    """Runs the statement; returns the number of rows that it changed."""
    with _connection() as connection:
        return connection.execute(statement.text, params).rowcount


def stream(statement: Statement, params: Params) -> Generator[list[Row], None, None]:
    """The rows in chunks, from one snapshot; each chunk has a statement's deadline of its own.

    Holds a connection until it is exhausted or closed.
    """
    with (
        _pool().connection() as connection,
        connection.transaction(),
        connection.cursor(name=statement.name) as cursor,
    ):
        cursor.execute(statement.text, params)
        while chunk := cursor.fetchmany(STREAM_ROWS):
            yield chunk
