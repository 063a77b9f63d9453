"""The public calls of the database layer: a pool per process, statements, transactions.

The pool opens at the first use in each process, and again after a fork.
"""

import atexit
import math
import os
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel
from psycopg.pq.abc import PGresult
from psycopg.rows import namedtuple_row
from psycopg_pool import PoolTimeout

from app.config import Config
from app.db.background import Background
from app.db.connection import Call, Connection, Params
from app.db.deadline import Deadline, deadline
from app.db.group_commit import Fetch, Group, GroupCommitQueue, Job
from app.db.lane import Lane
from app.db.pool import Pool
from app.db.repository import (
    RAISE_IDLE_TIMEOUT,
    SET_GROUP_TIMEOUTS,
    SET_OWNER,
    SET_OWNER_ON_NODES,
    SET_STATEMENT_TIMEOUT,
    SET_UP_CONNECTION,
)
from app.db.session import set_session
from app.db.statements import SQL as SQL
from app.db.statements import NoRow as NoRow
from app.db.statements import Statement as Statement
from app.db.statements import load as load
from app.errors import Unavailable

CONNECT_TIMEOUT = 2  # seconds
POOL_TIMEOUT = 1.0  # seconds
AWAY_TIMEOUT = 0.1  # seconds instead, from a timeout of the pool until it gives a connection again
LOCK_TIMEOUT = "1s"
IDLE_TIMEOUT = "2s"  # of a transaction without a statement, whose client may be gone
STREAM_ROWS = 200  # per FETCH
STREAM_SHARE = 4  # streams use one in four threads and connections of a process
SLOW_SHARE = 10  # slow statements use one in ten
SLOW_FACTOR = 2  # times DB_STATEMENT_TIMEOUT_MS, which a slow statement may take
LANE_TIMEOUT = 1.0  # seconds
STREAM_RETRY = 5  # seconds after which a client may try again
GRACE = 0.25  # seconds after statement_timeout in which the server has to end a statement
# How soon a silent peer is noticed; milliseconds for the last one.
KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

LARGE_ROW = 64 * 1024  # bytes; after a larger one its owner's statements run alone
LARGE_SECONDS = 60.0  # for so long
MOST_LARGE = 10_000  # owners that are remembered

SHUTDOWNS = ("57P01", "57P02", "57P03")  # SQLSTATEs that end a connection
# A prepared statement that the connection no longer has, or that a migration has changed. Both are
# raised before the statement begins.
UNPREPARED = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.FeatureNotSupported)
# Errors that other connections would meet as well; the last one: this server is now a standby.
OUTDATED = (*UNPREPARED, psycopg.errors.ReadOnlySqlTransaction)

T = TypeVar("T")
R = TypeVar("R", bound=tuple[Any, ...])
S = TypeVar("S", bound=tuple[Any, ...])


@dataclass(frozen=True)
class _Settings:
    config: Config
    application_name: str


class _Thread(threading.local):
    """The transaction and the statement times of one thread."""

    connection: Connection | None = None
    timings: list[tuple[str, float]] | None = None  # statements of its request, in seconds


class _Process:
    """The pool and the group commit queues of one process."""

    def __init__(self, settings: _Settings) -> None:
        self.pid = os.getpid()
        self.pool = _new_pool(settings)
        self.sets_owner = settings.config.db_row_security
        self.groups = settings.config.db_group_commit
        self.taken_at = -math.inf  # monotonic seconds when the pool last gave a connection
        self.is_away = False
        # Streams wait for their clients: other requests keep most threads and connections.
        most = min(settings.config.db_pool_size, settings.config.web_threads)
        self.streams = threading.BoundedSemaphore(max(1, most // STREAM_SHARE))
        self.slow = Lane(max(1, most // SLOW_SHARE), most_waiting=most // STREAM_SHARE)
        self.slow_timeout = SLOW_FACTOR * settings.config.db_statement_timeout_ms / 1000
        self.reads, self.writes = (
            GroupCommitQueue(),
            GroupCommitQueue(),
        )  # no read waits for a commit
        self.background = Background(_run_later)
        self.large_at: dict[str, float] = {}  # when owners had large rows; monotonic seconds

    def groups_owner(self, params: Params) -> bool:
        """Whether the owner's statements may share a transaction with others."""
        if not self.groups:
            return False
        large_at = self.large_at.get(str(params.get("owner_id"))) if self.large_at else None
        return large_at is None or monotonic() - large_at > LARGE_SECONDS

    def note_size(self, params: Params, row: tuple[Any, ...]) -> None:
        """Remembers the owner of a large row, for which a group has had to wait."""
        if sum(len(value) for value in row if isinstance(value, bytes)) > LARGE_ROW:
            if len(self.large_at) >= MOST_LARGE:
                self.large_at.clear()
            self.large_at[str(params.get("owner_id"))] = monotonic()


class _Database:
    """The settings, and what this process has opened with them."""

    def __init__(self) -> None:
        self.settings: _Settings | None = None
        self.process: _Process | None = None
        self.inherited: list[
            _Process
        ] = []  # a parent's: closing its sockets would end its sessions
        self.thread = _Thread()
        self.lock = threading.Lock()

    def renew_lock(self) -> None:
        """After a fork: another thread of the parent may have held it."""
        self.lock = threading.Lock()


_database = _Database()
os.register_at_fork(after_in_child=_database.renew_lock)


def configure(config: Config, application_name: str = "ownrow web") -> None:
    """Sets what later calls connect to; closes what was open. Connects to nothing."""
    close_pool()
    Deadline.default_timeout = config.db_statement_timeout_ms / 1000 + GRACE
    _database.settings = _Settings(config, application_name)


def _this_process() -> _Process:
    """This process's pool and queues; opened where they are not, or are those of a parent."""
    process = _database.process
    if process is not None and process.pid == os.getpid():
        return process
    with _database.lock:
        process = _database.process
        if process is not None and process.pid != os.getpid():
            _database.inherited.append(process)
            process = None
        if process is None:
            if _database.settings is None:
                raise RuntimeError("db.configure() has not been called")
            process = _Process(_database.settings)
            process.pool.open(wait=False)
            _database.process = process  # last: other threads use it without the lock
        return process


def _new_pool(settings: _Settings) -> Pool:
    config = settings.config
    timeouts = {
        "statement_timeout": f"{config.db_statement_timeout_ms}ms",
        "lock_timeout": LOCK_TIMEOUT,
        "idle_timeout": IDLE_TIMEOUT,
    }

    def set_up(connection: Connection) -> None:
        connection.prepares = config.db_prepare
        set_session(connection)
        settings: Any = connection.execute(SET_UP_CONNECTION.text, timeouts).fetchone()
        connection.is_sharded = settings.is_sharded

    return Pool(
        config.database_url or "",
        connection_class=Connection,
        open=False,
        min_size=0,
        max_size=config.db_pool_size,
        check=_check,
        timeout=POOL_TIMEOUT,
        reconnect_timeout=2,
        configure=set_up,
        kwargs={
            "autocommit": True,
            "prepare_threshold": None,  # connections prepare what they run themselves
            "row_factory": namedtuple_row,
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": settings.application_name,
            **KEEPALIVES,
        },
    )


def _check(connection: Connection) -> None:
    """Raises for a connection that the server has closed."""
    try:
        connection.check()
    except psycopg.OperationalError:
        _this_process().pool.drain()  # else the pool finds the dead ones one by one, with pauses
        raise


def close_pool() -> None:
    """Closes every connection of this process; does nothing where there is none."""
    process = _database.process
    if process is not None and process.pid == os.getpid():
        process.background.close()
        process.pool.close()
    _database.process = None


atexit.register(close_pool)  # else each thread of the pool delays the interpreter's end by 5 s


def pool_stats() -> Mapping[str, int]:
    """The pool's sizes and its counters since the last call, as psycopg_pool names them.

    Empty where this process has no pool.
    """
    process = _database.process
    return {} if process is None or process.pid != os.getpid() else process.pool.pop_stats()


def begin_request(seconds: float) -> None:
    """Times this thread's statements from now on; all of them end within `seconds` together."""
    deadline.begin(seconds)
    _database.thread.timings = []


def end_request() -> list[tuple[str, float]]:
    """The statements of the request in order: name and seconds."""
    thread = _database.thread
    timings, thread.timings = thread.timings or [], None
    deadline.clear()
    return timings


def extend_deadline(seconds: float) -> None:
    """Gives this thread's request, and each statement of it, `seconds` from now."""
    deadline.extend(seconds)


@contextmanager
def allowing(seconds: float) -> Iterator[None]:
    """Gives each statement of the block `seconds`, as far as this thread's request has them."""
    with deadline.allowing(seconds):
        yield


class _Loan:
    """A connection of the pool, given back at the block's end."""

    __slots__ = ("_connection", "_pool")

    def __enter__(self) -> Connection:
        process = _this_process()
        self._pool = process.pool
        self._connection = self._pool.take_idle() or _wait_for_connection(process)
        return self._connection

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and isinstance(error, OUTDATED):
            self._pool.drain()
        self._pool.putconn(self._connection)


def _wait_for_connection(process: _Process) -> Connection:
    """A connection of the pool where none is idle; raises PoolTimeout.

    While the database is away the wait is short: it holds a thread that others need.
    """
    began = monotonic()
    wait = min(AWAY_TIMEOUT if process.is_away else POOL_TIMEOUT, deadline.seconds_left())
    try:
        connection = process.pool.getconn(wait)
    except PoolTimeout:
        if wait == POOL_TIMEOUT and process.taken_at < began:
            process.is_away = True
        raise
    process.taken_at, process.is_away = monotonic(), False
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


@contextmanager
def savepoint() -> Iterator[None]:
    """Inside a transaction: an exception undoes what the block has done, and nothing before."""
    connection = _database.thread.connection
    if connection is None:
        raise RuntimeError("db.savepoint() belongs inside db.transaction()")
    with connection.transaction():
        yield


def fetch_one(
    statement: Statement[R], params: Params, *, grouped: bool = False, slow: bool = False
) -> R | None:
    """The first row, or None where there is none.

    With `grouped`, outside a transaction, the statement may be executed by group commit: for
    statements of one owner that read few rows and return soon. A `slow` one, outside a transaction
    too, may read all rows of its owner: it waits for its turn among these, and gets more time.
    """
    rows: list[R]
    if slow:
        rows = _run_slow(statement, params, Connection.rows)
    else:
        rows = _run(statement, params, Connection.rows, grouped=grouped)
    if grouped and rows:
        _this_process().note_size(params, rows[0])
    return rows[0] if rows else None


def fetch_all(statement: Statement[R], params: Params) -> list[R]:
    """Every row."""
    return _run(statement, params, Connection.rows)


def fetch_each(calls: Sequence[tuple[Statement[R], Params]]) -> list[R | None]:
    """The first row of each statement, or None; all go out in one round trip.

    Inside a transaction only. All parameters have one owner.
    """
    connection, began = _database.thread.connection, monotonic()
    if connection is None:
        raise RuntimeError("db.fetch_each() belongs inside db.transaction()")
    setting = _set_owner(connection, calls[0][1])
    try:
        results = connection.run(*setting, *calls)[len(setting) :]
        rows = [
            connection.rows(statement, result)
            for (statement, _), result in zip(calls, results, strict=True)
        ]
        return [found[0] if found else None for found in rows]
    finally:
        _note_time("pipeline", began)


def fetch_pair(
    first: tuple[Statement[R], Params], second: tuple[Statement[S], Params]
) -> tuple[R | None, S | None]:
    """The first row of each statement, or None, as fetch_each has them."""
    calls: list[tuple[Statement[Any], Params]] = [first, second]
    one, other = fetch_each(calls)
    return one, other


def execute(statement: Statement[Any], params: Params) -> int:
    """Runs the statement; returns the number of rows that it changed."""
    return _run(statement, params, _changed_rows)


def _changed_rows(_connection: Connection, _statement: Statement[Any], result: PGresult) -> int:
    return result.command_tuples or 0


def execute_later(statement: Statement[Any], params: Params) -> bool:
    """Has a thread of its own run the statement; False where it will not be run.

    For what a request must not wait for and may be lost: an error is only logged.
    """
    return _this_process().background.add(statement, params)


def _run_later(statement: Statement[Any], params: Params) -> int:
    return _run_alone(statement, params, _changed_rows)


def stream(
    statements: Iterable[Statement[R]], params: Params
) -> Generator[tuple[Statement[R], list[R]], None, None]:
    """The rows of each statement in chunks, all from one snapshot.

    Each chunk has a statement's timeout of its own. Holds a connection until it is exhausted or
    closed. Raises Unavailable where the process has as many streams as it may.
    """
    with _stream_slot(), _Loan() as connection, _snapshot(connection):
        connection.execute(RAISE_IDLE_TIMEOUT.text)
        for call, setting in _set_owner(connection, params):
            connection.execute(call.text, setting)
        for statement in statements:
            with connection.cursor(name=statement.name) as cursor:
                cursor.execute(statement.text, params)
                while chunk := cursor.fetchmany(STREAM_ROWS):
                    yield statement, chunk


@contextmanager
def _stream_slot() -> Iterator[None]:
    streams = _this_process().streams
    if not streams.acquire(blocking=False):
        raise Unavailable(STREAM_RETRY)
    try:
        yield
    finally:
        streams.release()


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """A transaction whose statements all read the same snapshot."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            yield
    finally:
        if not connection.closed:
            connection.isolation_level = None


def _run(
    statement: Statement[Any],
    params: Params,
    fetch: Fetch[T],
    *,
    grouped: bool = False,
    settings: Sequence[Call] = (),
) -> T:
    """Runs the statement on the transaction's connection, or on one of the pool's outside.

    There, the statements of `settings` go before it, in the same transaction.
    """
    thread, began = _database.thread, monotonic()
    try:
        if thread.connection is not None:
            return _run_on(thread.connection, statement, params, fetch)
        if grouped and deadline.allows_default() and _this_process().groups_owner(params):
            return _run_grouped(statement, params, fetch)
        return _run_alone(statement, params, fetch, settings)
    finally:
        _note_time(statement.name, began)


def _note_time(name: str, began: float) -> None:
    """Adds a statement to the times of the thread's request."""
    timings = _database.thread.timings
    if timings is not None:
        timings.append((name, monotonic() - began))


def _run_slow(statement: Statement[Any], params: Params, fetch: Fetch[T]) -> T:
    """Runs the statement in its turn, with the time of a slow one as far as its request has it."""
    thread, process = _database.thread, _this_process()
    if thread.connection is not None:
        raise RuntimeError("a slow statement does not belong inside db.transaction()")
    with (
        process.slow.turn(str(params["owner_id"]), LANE_TIMEOUT),
        deadline.allowing(process.slow_timeout + GRACE),
    ):
        milliseconds = max(1, round(1000 * (deadline.seconds_left() - GRACE)))
        timeout = {"statement_timeout": f"{milliseconds}ms"}
        return _run(statement, params, fetch, settings=[(SET_STATEMENT_TIMEOUT, timeout)])


def _run_on(
    connection: Connection,
    statement: Statement[Any],
    params: Params,
    fetch: Fetch[T],
    settings: Sequence[Call] = (),
) -> T:
    results = connection.run(*settings, *_calls(connection, statement, params))
    return fetch(connection, statement, results[-1])


def _calls(connection: Connection, statement: Statement[Any], params: Params) -> list[Call]:
    """The statement; with row security, behind the one that sets its owner."""
    return [*_set_owner(connection, params), (statement, params)]


def _set_owner(connection: Connection, params: Params) -> list[Call]:
    """With row security, the statement that sets the owner."""
    if _this_process().sets_owner and "owner_id" in params:
        setting = SET_OWNER_ON_NODES if connection.is_sharded else SET_OWNER
        return [(setting, {"owner_id": str(params["owner_id"])})]
    return []


def _run_alone(
    statement: Statement[Any],
    params: Params,
    fetch: Fetch[T],
    settings: Sequence[Call] = (),
) -> T:
    """A transaction of one statement, repeated once on another connection where that is safe."""
    retries = 1
    while True:
        with _Loan() as connection:
            try:
                return _run_on(connection, statement, params, fetch, settings)
            except psycopg.Error as error:
                if not retries or not _is_safe_to_repeat(connection, statement, error):
                    raise
        _this_process().pool.drain()  # what ended this connection has probably ended others
        retries -= 1


def _is_safe_to_repeat(
    connection: Connection, statement: Statement[Any], error: psycopg.Error
) -> bool:
    """Whether the statement has changed nothing, and may succeed on another connection."""
    return isinstance(error, UNPREPARED) or (statement.reads_only and _is_lost(connection, error))


def _is_lost(connection: Connection, error: psycopg.Error) -> bool:
    """Whether the connection ended before all that was sent on it was answered."""
    return connection.broken or error.sqlstate in SHUTDOWNS


def _run_grouped(statement: Statement[Any], params: Params, fetch: Fetch[T]) -> T:
    """Runs the statement in a group, and alone where its group failed."""
    job = Job(statement, params, fetch)
    process = _this_process()
    queue = process.reads if statement.reads_only else process.writes
    queue.run(job, _execute_group)
    if job.runs_alone:
        return _run_alone(statement, params, fetch)
    return job.outcome()


def _execute_group(group: Group) -> None:
    if len(group) == 1:
        (job,) = group
        job.result = _run_alone(job.statement, job.params, job.fetch)
    else:
        _execute_together(group)


def _execute_together(group: Group) -> None:
    """All statements of the group in one pipeline, which is one transaction.

    Each writer locks its owner's ledger first; in the order of owners, two groups can't deadlock.
    Where a statement fails or takes long the group is rolled back, and each job runs alone.
    """
    if not group[0].statement.reads_only:
        group = sorted(group, key=lambda job: str(job.params["owner_id"]))
    with _Loan() as connection:
        calls: list[Call] = [(SET_GROUP_TIMEOUTS, {})]
        ends = []
        for job in group:
            calls += _calls(connection, job.statement, job.params)
            ends.append(len(calls) - 1)
        try:
            results = connection.run(*calls)
        except psycopg.Error as error:
            _repeat_alone(group, connection, error)
            return
        for job, end in zip(group, ends, strict=True):
            job.result = job.fetch(connection, job.statement, results[end])


def _repeat_alone(group: Group, connection: Connection, error: psycopg.Error) -> None:
    """Has the jobs of a failed group run alone; raises where a part of it may have committed.

    PostgreSQL rolls back what it refuses, and what could not be encoded was never sent.
    """
    is_lost = _is_lost(connection, error)
    is_rolled_back = error.sqlstate is not None or isinstance(error, psycopg.DataError)
    if not (group[0].statement.reads_only if is_lost else is_rolled_back):
        raise error
    if is_lost or isinstance(error, OUTDATED):
        _this_process().pool.drain()
    for job in group:
        job.runs_alone = True
