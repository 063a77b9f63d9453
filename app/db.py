"""The only way to PostgreSQL: the pool, the statements in sql/, and the transaction."""

import math
import re
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.pq.abc import PGresult
from psycopg.rows import namedtuple_row
from psycopg_pool import PoolTimeout

from app.config import Config
from app.connection import Call, Connection, Params, Patience, patience
from app.connection import Row as Row
from app.connection import Statement as Statement
from app.lanes import Fetch, Group, Job, Lane
from app.pool import Pool

SQL = Path(__file__).resolve().parent.parent / "sql"
CONNECT_TIMEOUT = 2  # seconds
POOL_TIMEOUT = 1.0  # seconds
AWAY_TIMEOUT = 0.1  # seconds instead, from when nobody got a connection in time until somebody does
LOCK_TIMEOUT = "500ms"
IDLE_TIMEOUT = "2s"  # for a transaction that nobody sends anything in: its other end may be gone
STREAM_ROWS = 200  # per FETCH
GRACE = 0.25  # seconds that the server has to end a statement by itself
# How soon a peer that is gone without a word is noticed; milliseconds for the last one.
KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|COPY)\b")

SHUTDOWNS = ("57P01", "57P02", "57P03")  # SQLSTATEs: the server's last words on a connection
# A prepared statement that the connection has no longer, or that a migration has changed beneath
# it. Both are noticed before the statement begins.
UNPREPARED = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.FeatureNotSupported)
# What other connections would stumble over as well; the last one: another server writes now.
OUTDATED = (*UNPREPARED, psycopg.errors.ReadOnlySqlTransaction)

T = TypeVar("T")


def load(name: str) -> Statement:
    """The statement in sql/<name>.sql, which carries that path to the server's views and log."""
    lines = (SQL / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    body = "\n".join(line for line in lines if not line.startswith("--")).strip()
    text = f"/* sql/{name}.sql */ {body}"
    return Statement(name, text, WRITES.search(body) is None)


SET_UP_CONNECTION = load("operations/set_up_connection")
ALLOW_SLOW_READER = load("operations/allow_slow_reader")
SET_OWNER = load("operations/set_owner")
LIMIT_GROUP = load("operations/limit_group")


class _Thread(threading.local):
    """What one thread is doing."""

    connection: Connection | None = None
    timings: list[tuple[str, float]] | None = None  # statements of its request, in seconds


class _Database:
    """What this process is connected to."""

    def __init__(self) -> None:
        self.pool: Pool | None = None
        self.tells_owner = False
        self.taken_at = -math.inf  # when the pool last gave a connection, in monotonic seconds
        self.is_away = False
        self.thread = _Thread()
        self.reads, self.writes = Lane(), Lane()  # no read waits for a commit


_database = _Database()


def configure(config: Config, application_name: str = "ownrow web") -> None:
    """Sets the pool up without connecting; `open_pool` must follow in the serving process."""
    close_pool()
    Patience.usual = config.db_statement_timeout_ms / 1000 + GRACE
    _database.tells_owner = config.db_row_security
    _database.is_away = False

    deadlines = {
        "statement_timeout": f"{config.db_statement_timeout_ms}ms",
        "lock_timeout": LOCK_TIMEOUT,
        "idle_timeout": IDLE_TIMEOUT,
    }

    def prepare(connection: Connection) -> None:
        connection.keeps_statements = config.db_prepare
        connection.execute(SET_UP_CONNECTION.text, deadlines)

    _database.pool = Pool(
        config.database_url or "",
        connection_class=Connection,
        open=False,
        min_size=0,
        max_size=config.db_pool_size,
        check=_check,
        timeout=POOL_TIMEOUT,
        reconnect_timeout=2,
        configure=prepare,
        kwargs={
            "autocommit": True,
            "prepare_threshold": None,  # connections prepare what they run themselves
            "row_factory": namedtuple_row,
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": application_name,
            **KEEPALIVES,
        },
    )


def _check(connection: Connection) -> None:
    """Raises for a connection that the server has closed; an idle one has nothing to say."""
    try:
        connection.take_news()
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
    patience.deadline, patience.special = monotonic() + seconds, None
    _database.thread.timings = []


def end_request() -> list[tuple[str, float]]:
    """The request's statements in order: the name of each, and its seconds."""
    thread = _database.thread
    timings, thread.timings = thread.timings or [], None
    patience.deadline, patience.special = math.inf, None
    return timings


def allow(seconds: float) -> None:
    """Gives this thread's request, and each statement of it, so many seconds from now."""
    patience.deadline, patience.special = monotonic() + seconds, seconds


def _pool() -> Pool:
    if _database.pool is None:
        raise RuntimeError("db.configure() has not been called")
    return _database.pool


class _Loan:
    """A connection out of the pool, for as long as the block takes."""

    __slots__ = ("_connection", "_pool")

    def __enter__(self) -> Connection:
        self._pool = _pool()
        self._connection = self._pool.at_hand() or _take()
        return self._connection

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and isinstance(error, OUTDATED):
            self._pool.drain()
        self._pool.putconn(self._connection)


def _take() -> Connection:
    """A connection out of the pool, where none is at hand.

    While the database is away nobody waits long: those behind them wait for their threads.
    """
    began = monotonic()
    wait = min(AWAY_TIMEOUT if _database.is_away else POOL_TIMEOUT, patience.seconds_left())
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
    with _Loan() as connection, connection.transaction():
        _database.thread.connection = connection
        try:
            yield
        finally:
            _database.thread.connection = None


def fetch_one(statement: Statement, params: Params, *, pipelined: bool = False) -> Row | None:
    """The first row, or None where there is none.

    With `pipelined`, outside a transaction, the statement may share its round trip and its commit
    with other threads' ones: for what concerns one owner, has little to look at and returns soon.
    """
    rows = _run(statement, params, Connection.rows, pipelined=pipelined)
    return rows[0] if rows else None


def fetch_all(statement: Statement, params: Params) -> list[Row]:
    """Every row."""
    return _run(statement, params, Connection.rows)


def execute(statement: Statement, params: Params) -> int:
    """Runs the statement; returns the number of rows that it changed."""
    return _run(statement, params, _changed)


def _changed(_connection: Connection, _statement: Statement, result: PGresult) -> int:
    return result.command_tuples or 0


def copy(statement: Statement, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Sends the rows to a binary COPY FROM STDIN, whose columns have these types."""
    if _database.thread.connection is None:
        raise RuntimeError("db.copy() belongs inside db.transaction()")
    with _database.thread.connection.cursor().copy(statement.text) as target:
        target.set_types(types)
        for row in rows:
            target.write_row(row)


def stream(statement: Statement, params: Params) -> Generator[list[Row], None, None]:
    """The rows in chunks, from one snapshot; each chunk has a statement's deadline of its own.

    Holds a connection until it is exhausted or closed.
    """
    with (
        _Loan() as connection,
        connection.transaction(),
        connection.cursor(name=statement.name) as cursor,
    ):
        if _database.tells_owner:
            connection.execute(SET_OWNER.text, {"owner_id": str(params["owner_id"])})
        connection.execute(ALLOW_SLOW_READER.text)
        cursor.execute(statement.text, params)
        while chunk := cursor.fetchmany(STREAM_ROWS):
            yield chunk


def _run(statement: Statement, params: Params, fetch: Fetch[T], *, pipelined: bool = False) -> T:
    """Runs the statement on the transaction's connection, or on one of the pool's outside."""
    thread, began = _database.thread, monotonic()
    try:
        if thread.connection is not None:
            return _run_on(thread.connection, statement, params, fetch)
        if pipelined and patience.has_usual():
            return _run_in_lane(statement, params, fetch)
        return _run_alone(statement, params, fetch)
    finally:
        if thread.timings is not None:
            thread.timings.append((statement.name, monotonic() - began))


def _run_on(connection: Connection, statement: Statement, params: Params, fetch: Fetch[T]) -> T:
    return fetch(connection, statement, connection.run(*_calls(statement, params))[-1])


def _calls(statement: Statement, params: Params) -> list[Call]:
    """What executes the statement; with row security, as its owner."""
    if _database.tells_owner and "owner_id" in params:
        return [(SET_OWNER, {"owner_id": str(params["owner_id"])}), (statement, params)]
    return [(statement, params)]


def _run_alone(statement: Statement, params: Params, fetch: Fetch[T]) -> T:
    """A transaction of one statement, run again on another connection where that is safe."""
    retries = 1
    while True:
        with _Loan() as connection:
            try:
                return _run_on(connection, statement, params, fetch)
            except psycopg.Error as error:
                if not retries or not _is_safe_again(connection, statement, error):
                    raise
        _pool().drain()  # what ended this connection rarely spares the others
        retries -= 1


def _is_safe_again(connection: Connection, statement: Statement, error: psycopg.Error) -> bool:
    """Whether the statement has done nothing yet, and may fare better elsewhere."""
    return isinstance(error, UNPREPARED) or (statement.reads_only and _is_lost(connection, error))


def _is_lost(connection: Connection, error: psycopg.Error) -> bool:
    """Whether the connection ended before all that was sent on it was answered."""
    return connection.broken or error.sqlstate in SHUTDOWNS


def _run_in_lane(statement: Statement, params: Params, fetch: Fetch[T]) -> T:
    """A statement that may go together with others, and goes alone where they failed."""
    job = Job(statement, params, fetch)
    lane = _database.reads if statement.reads_only else _database.writes
    lane.run(job, _carry)
    if job.goes_alone:
        return _run_alone(statement, params, fetch)
    return job.outcome()


def _carry(group: Group) -> None:
    """Runs a group's statements, by the thread of one of them."""
    if len(group) == 1:
        (job,) = group
        job.result = _run_alone(job.statement, job.params, job.fetch)
    else:
        _run_together(group)


def _run_together(group: Group) -> None:
    """All statements of the group in one pipeline, and so in one transaction.

    Each writer locks its owner's ledger first: in one order for all groups they can't stop each
    other for good. Where one statement fails or takes long, all are undone, and each shows alone
    what becomes of it.
    """
    if not group[0].statement.reads_only:
        group = sorted(group, key=lambda job: str(job.params["owner_id"]))
    calls: list[Call] = [(LIMIT_GROUP, {})]
    ends = []
    for job in group:
        calls += _calls(job.statement, job.params)
        ends.append(len(calls) - 1)
    with _Loan() as connection:
        try:
            results = connection.run(*calls)
        except psycopg.Error as error:
            _send_alone(group, connection, error)
            return
        for job, end in zip(group, ends, strict=True):
            job.result = job.fetch(connection, job.statement, results[end])


def _send_alone(group: Group, connection: Connection, error: psycopg.Error) -> None:
    """Has the jobs of a group that failed go alone; raises where some of it may have come to stay.

    PostgreSQL takes back what it refuses, and what could not be encoded was never sent.
    """
    is_lost = _is_lost(connection, error)
    is_undone = error.sqlstate is not None or isinstance(error, psycopg.DataError)
    if not (group[0].statement.reads_only if is_lost else is_undone):
        raise error
    if is_lost or isinstance(error, OUTDATED):
        _pool().drain()
    for job in group:
        job.goes_alone = True
