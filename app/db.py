"""The only way to PostgreSQL: the pool, the statements in sql/, and the transaction."""

import math
import re
import select
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import namedtuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from app.config import Config

SQL = Path(__file__).resolve().parent.parent / "sql"
CONNECT_TIMEOUT = 2  # seconds
POOL_TIMEOUT = 1.0  # seconds
AWAY_TIMEOUT = 0.1  # seconds instead, from when nobody got a connection in time until somebody does
LOCK_TIMEOUT = "500ms"
IDLE_TIMEOUT = "2s"  # for a transaction that nobody sends anything in: its other end may be gone
STREAM_ROWS = 200  # per FETCH
GRACE = 0.25  # seconds that the server has to end a statement by itself
CANCEL_TIMEOUT = 0.3  # seconds
# How soon a peer that is gone without a word is noticed; milliseconds for the last one.
KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")

SHUTDOWNS = ("57P01", "57P02", "57P03")  # SQLSTATEs: the server's last words on a connection

T = TypeVar("T")
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
ALLOW_SLOW_READER = load("operations/allow_slow_reader")
SET_OWNER = load("operations/set_owner")


class _RawJson(Loader):
    """JSON passes through as the bytes that PostgreSQL made."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class DeadlineExceeded(psycopg.OperationalError):
    """The server did not answer within the time that there was."""


class _Connection(psycopg.Connection[Row]):
    """One that waits for the server no longer than the request may take, even if that is frozen."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, _seconds_left() if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001  # it has no other name
            self._abandon()
            raise DeadlineExceeded("the database did not answer in time") from error

    def _abandon(self) -> None:
        """Asks the server to stop, as what it does may hold locks; it may be beyond asking."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=CANCEL_TIMEOUT)
        self.close()


class _Thread(threading.local):
    """What one thread is doing."""

    connection: psycopg.Connection[Row] | None = None
    deadline = math.inf  # of its request, in monotonic seconds
    patience: float | None = None  # seconds for one statement, where it is not the usual
    timings: list[tuple[str, float]] | None = None  # statements of its request, in seconds


class _Database:
    """What this process is connected to."""

    def __init__(self) -> None:
        self.pool: ConnectionPool[_Connection] | None = None
        self.patience = math.inf
        self.tells_owner = False
        self.taken_at = -math.inf  # when the pool last gave a connection, in monotonic seconds
        self.is_away = False
        self.thread = _Thread()


_database = _Database()


def configure(config: Config, application_name: str = "ownrow web") -> None:
    """Sets the pool up without connecting; `open_pool` must follow in the serving process."""
    close_pool()
    _database.patience = config.db_statement_timeout_ms / 1000 + GRACE
    _database.tells_owner = config.db_row_security
    _database.is_away = False

    deadlines = {
        "statement_timeout": f"{config.db_statement_timeout_ms}ms",
        "lock_timeout": LOCK_TIMEOUT,
        "idle_timeout": IDLE_TIMEOUT,
    }

    def prepare(connection: _Connection) -> None:
        connection.adapters.register_loader("json", _RawJson)
        connection.execute(SET_DEADLINES.text, deadlines)

    _database.pool = ConnectionPool(
        config.database_url or "",
        connection_class=_Connection,
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
            **KEEPALIVES,
        },
    )


def _check(connection: psycopg.Connection[Row]) -> None:
    """Raises for a connection that the server has closed; an idle one has nothing to say."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    try:
        while poll.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        _pool().drain()  # the pool would find the other dead ones one by one, and sleep in between
        raise


def open_pool() -> None:
    """Starts connecting; returns at once, whether or not the database is there."""
    _pool().open(wait=False)


def close_pool() -> None:
    """Closes every connection; does nothing where there is no pool."""
    if _database.pool is not None:
        _database.pool.close()
        _database.pool = None


def pool_stats() -> Mapping[str, int]:
    """The pool's sizes now and its counters since the last call, named as psycopg_pool does."""
    return {} if _database.pool is None else _database.pool.pop_stats()


def begin_request(seconds: float) -> None:
    """From now on this thread's statements are timed, and end within so many seconds together."""
    thread = _database.thread
    thread.deadline, thread.patience, thread.timings = monotonic() + seconds, None, []


def end_request() -> list[tuple[str, float]]:
    """The request's statements in order: the name of each, and its seconds."""
    thread = _database.thread
    timings, thread.timings = thread.timings or [], None
    thread.deadline, thread.patience = math.inf, None
    return timings


def allow(seconds: float) -> None:
    """Gives this thread's request, and each statement of it, so many seconds from now."""
    _database.thread.deadline, _database.thread.patience = monotonic() + seconds, seconds


def _seconds_left() -> float:
    thread = _database.thread
    patience = _database.patience if thread.patience is None else thread.patience
    return max(0.0, min(patience, thread.deadline - monotonic()))


def _pool() -> ConnectionPool[_Connection]:
    if _database.pool is None:
        raise RuntimeError("db.configure() has not been called")
    return _database.pool


@contextmanager
def _connection() -> Iterator[_Connection]:
    """A connection out of the pool, for as long as the block takes."""
    pool, connection = _pool(), _take()
    try:
        yield connection
    except psycopg.errors.ReadOnlySqlTransaction:  # another server writes now
        pool.drain()
        raise
    finally:
        pool.putconn(connection)


def _take() -> _Connection:
    """A connection out of the pool.

    While the database is away nobody waits long: those behind them wait for their threads.
    """
    began = monotonic()
    wait = min(AWAY_TIMEOUT if _database.is_away else POOL_TIMEOUT, _seconds_left())
    try:
        connection = _pool().getconn(wait)
    except PoolTimeout:
        if wait == POOL_TIMEOUT and _database.taken_at < began:
            _database.is_away = True
        raise
    _database.taken_at, _database.is_away = monotonic(), False
    return connection


@contextmanager
def transaction() -> Iterator[None]:
    """All statements of this thread inside the block commit together, or none does.

    Inside another transaction it is a part of that one.
    """
    if _database.thread.connection is not None:
        yield
        return
    with _connection() as connection, connection.transaction():
        _database.thread.connection = connection
        try:
            yield
        finally:
            _database.thread.connection = None


def fetch_one(statement: Statement, params: Params) -> Row | None:
    """The first row, or None where there is none."""
    return _run(statement, params, psycopg.Cursor.fetchone)


def fetch_all(statement: Statement, params: Params) -> list[Row]:
    """Every row."""
    return _run(statement, params, psycopg.Cursor.fetchall)


def execute(statement: Statement, params: Params) -> int:
    """Runs the statement; returns the number of rows that it changed."""
    return _run(statement, params, lambda cursor: cursor.rowcount)


def stream(statement: Statement, params: Params) -> Generator[list[Row], None, None]:
    """The rows in chunks, from one snapshot; each chunk has a statement's deadline of its own.

    Holds a connection until it is exhausted or closed.
    """
    with (
        _connection() as connection,
        connection.transaction(),
        connection.cursor(name=statement.name) as cursor,
    ):
        if _database.tells_owner:
            connection.execute(SET_OWNER.text, {"owner_id": str(params["owner_id"])})
        connection.execute(ALLOW_SLOW_READER.text)
        cursor.execute(statement.text, params)
        while chunk := cursor.fetchmany(STREAM_ROWS):
            yield chunk


def _run(statement: Statement, params: Params, fetch: Callable[[psycopg.Cursor[Row]], T]) -> T:
    """Runs the statement on the transaction's connection, or on one of the pool's outside."""
    thread, began = _database.thread, monotonic()
    try:
        if thread.connection is not None:
            return fetch(_send(thread.connection, statement, params))
        return _run_alone(statement, params, fetch)
    finally:
        if thread.timings is not None:
            thread.timings.append((statement.name, monotonic() - began))


def _run_alone(
    statement: Statement, params: Params, fetch: Callable[[psycopg.Cursor[Row]], T]
) -> T:
    """A transaction of one statement; one that only reads is run again on a broken connection."""
    retries = 1 if statement.reads_only else 0
    while True:
        with _connection() as connection:
            try:
                return fetch(_send(connection, statement, params))
            except psycopg.OperationalError as error:
                if not retries or not (connection.broken or error.sqlstate in SHUTDOWNS):
                    raise
        _pool().drain()  # what ended this connection rarely spares the others
        retries -= 1


def _send(
    connection: psycopg.Connection[Row], statement: Statement, params: Params
) -> psycopg.Cursor[Row]:
    """Executes the statement; with row security, as its owner.

    What is sent in one pipeline is one transaction and one round trip: the owner is told for just
    this statement, and a pooler can't lend the connection to anybody in between.
    """
    if not (_database.tells_owner and "owner_id" in params):
        return connection.execute(statement.text, params)
    with connection.pipeline():
        connection.execute(SET_OWNER.text, {"owner_id": str(params["owner_id"])})
        return connection.execute(statement.text, params)
