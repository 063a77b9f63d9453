"""One connection to PostgreSQL: a statement goes out under its file's name, its rows come back.

psycopg makes the connection, adapts values and keeps transactions. Statements go through
psycopg.pq, its wrapper of libpq: a cursor would cost three times what the statement does.
"""

import math
import re
import select
import threading
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from time import monotonic
from typing import Any, LiteralString

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult
from psycopg.types.string import TextLoader

CANCEL_TIMEOUT = 0.3  # seconds
PARAMETER = re.compile(r"%(?:\((\w+)\)s|%)")
GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

Params = Mapping[str, Any]
Row = Any  # a named tuple of the statement's columns; json arrives as bytes, a uuid as text


@dataclass(frozen=True)
class Statement:
    """One file below sql/, and whether running it twice could change anything."""

    name: str
    text: LiteralString
    reads_only: bool
    query: bytes = field(init=False)  # with $1, $2, ... in the place of psycopg's parameters
    parameters: tuple[str, ...] = field(init=False)  # what those are
    key: bytes = field(init=False)  # what it is prepared under
    formats: Sequence[PyFormat] = field(init=False, compare=False)  # of the parameters

    def __post_init__(self) -> None:
        numbers: dict[str, int] = {}

        def place(match: re.Match[str]) -> str:
            return f"${numbers.setdefault(match[1], len(numbers) + 1)}" if match[1] else "%"

        object.__setattr__(self, "query", PARAMETER.sub(place, self.text).encode())
        object.__setattr__(self, "parameters", tuple(numbers))
        object.__setattr__(self, "key", self.name.encode())
        object.__setattr__(self, "formats", [PyFormat.TEXT] * len(numbers))


Call = tuple[Statement, Params]


class DeadlineExceeded(psycopg.OperationalError):
    """The server did not answer within the time that there was."""


class BrokenOff(psycopg.OperationalError):
    """The server's answer did not end, or made no sense."""


class Patience(threading.local):
    """How long this thread waits for the server."""

    usual = math.inf  # seconds for one statement
    special: float | None = None  # seconds, where they are not the usual
    deadline = math.inf  # of its request, in monotonic seconds

    def seconds_left(self) -> float:
        """What a statement that is sent now may take."""
        own = Patience.usual if self.special is None else self.special
        return max(0.0, min(own, self.deadline - monotonic()))

    def has_usual(self) -> bool:
        """Whether this thread's request has as long as any statement."""
        return self.deadline - monotonic() >= Patience.usual


patience = Patience()


class RawJson(Loader):
    """JSON passes through as the bytes that PostgreSQL made."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class Connection(psycopg.Connection[Row]):
    """One that waits for the server no longer than the request may take, even if that is frozen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adapters.register_loader("json", RawJson)
        self.adapters.register_loader("uuid", TextLoader)
        self.drains = 0  # of its pool, when that gave it away
        self.keeps_statements = True  # prepared ones, so that each is parsed and planned once
        self._known: set[str] = set()
        self._values = Transformer(self)
        self._columns: dict[str, tuple[type[Row], list[Callable[[Buffer], Any]]]] = {}
        self._poll = select.poll()
        self._poll.register(self.pgconn.socket, select.POLLIN)

    def run(self, *calls: Call) -> list[PGresult]:
        """Sends the statements in one round trip; returns the result of each.

        Several go out in one pipeline. They commit together, so that a pooler can't lend the
        connection to anybody in between, and what one sets for its transaction is gone afterwards.
        """
        for statement, _ in calls:
            if statement.name not in self._known and self.keeps_statements:
                self._prepare(statement)
        sent = [(statement, self._dump(statement, params)) for statement, params in calls]
        if len(sent) == 1:
            self._send(*sent[0])
            return self._results(1)
        self.pgconn.enter_pipeline_mode()
        try:
            for each in sent:
                self._send(*each)
            self.pgconn.pipeline_sync()
            return self._results(len(sent))
        finally:
            if not self.closed:
                self.pgconn.exit_pipeline_mode()

    def has_news(self) -> bool:
        """Whether the server said something unasked."""
        return bool(self._poll.poll(0))

    def take_news(self) -> None:
        """Hears what the server said unasked; raises where that was that it closed."""
        while self.has_news():
            self.pgconn.consume_input()

    def rows(self, statement: Statement, result: PGresult) -> list[Row]:
        """The result's rows."""
        if statement.name not in self._columns or not self.keeps_statements:
            self._columns[statement.name] = self._describe(result)
        make, reads = self._columns[statement.name]
        value, places = result.get_value, list(enumerate(reads))
        return [
            make(
                *[
                    None if (data := value(row, column)) is None else read(data)
                    for column, read in places
                ]
            )
            for row in range(result.ntuples)
        ]

    def _describe(self, result: PGresult) -> tuple[type[Row], list[Callable[[Buffer], Any]]]:
        columns = range(result.nfields)
        names = tuple((result.fname(column) or b"").decode() for column in columns)
        loaders = [self._values.get_loader(result.ftype(each), Format.TEXT) for each in columns]
        return _row_type(names), [loader.load for loader in loaders]

    def _prepare(self, statement: Statement) -> None:
        """Makes the statement known to the server, at its first use on this connection."""
        self.pgconn.send_prepare(statement.key, statement.query)
        self._results(1)
        self._known.add(statement.name)

    def _dump(self, statement: Statement, params: Params) -> Sequence[Buffer | None]:
        """The values as text: the server infers the parameters' types from the statement."""
        values = [params[name] for name in statement.parameters]
        # psycopg would look for the type of what an empty array has none of.
        values = ["{}" if type(value) is list and not value else value for value in values]
        try:
            return self._values.dump_sequence(values, statement.formats)
        except ValueError as error:  # text that there is no UTF-8 for
            raise psycopg.DataError("a parameter can't be sent") from error

    def _send(self, statement: Statement, values: Sequence[Buffer | None]) -> None:
        if self.keeps_statements:
            self.pgconn.send_query_prepared(statement.key, values)
        else:
            self.pgconn.send_query_params(statement.query, values)

    def _results(self, count: int) -> list[PGresult]:
        """The results of so many statements; raises the first error among them.

        In a pipeline each statement's results end with None, and all of them with a sync. libpq
        gives a connection up on which it reads nonsense, and then has nothing but None.
        """
        pgconn = self.pgconn
        in_pipeline = pgconn.pipeline_status
        good: list[PGresult] = []
        failed = None
        self._flush()
        while True:
            while pgconn.is_busy():
                self._wait()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                if not in_pipeline or pgconn.status == ConnStatus.BAD:
                    break
            elif result.status in GOOD:
                good.append(result)
            elif result.status == ExecStatus.PIPELINE_SYNC:
                break
            else:
                failed = failed or result
        if len(good) != count or failed is not None or pgconn.status == ConnStatus.BAD:
            raise self._failure(failed)
        return good

    def _failure(self, failed: PGresult | None) -> psycopg.Error:
        if failed is None or self.closed:
            return BrokenOff("the server's answer broke off")
        return error_from_result(failed)

    def _flush(self) -> None:
        """Sends what is queued; takes in what comes meanwhile, or neither side would go on."""
        while self.pgconn.flush():
            self._poll.modify(self.pgconn.socket, select.POLLIN | select.POLLOUT)
            if self._wait() & select.POLLIN:
                self.pgconn.consume_input()
            self._poll.modify(self.pgconn.socket, select.POLLIN)

    def _wait(self) -> int:
        """Waits until the server has something to say, or takes more; returns poll's events."""
        for _, events in self._poll.poll(min(patience.seconds_left() * 1000, 2**31 - 1)):
            return events
        self._abandon()
        raise DeadlineExceeded("the database did not answer in time")

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """For what psycopg sends by itself: BEGIN, COMMIT, and the streams' cursors."""
        try:
            seconds = patience.seconds_left() if timeout is None else timeout
            return super().wait(gen, interval, seconds)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001  # it has no other name
            self._abandon()
            raise DeadlineExceeded("the database did not answer in time") from error
        except psycopg.DatabaseError as error:
            if self.broken and error.sqlstate is None:
                raise BrokenOff("the server's answer broke off") from error
            raise

    def _abandon(self) -> None:
        """Asks the server to stop, as what it does may hold locks; it may be beyond asking."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=CANCEL_TIMEOUT)
        self.close()


@cache
def _row_type(names: tuple[str, ...]) -> type[Row]:
    return namedtuple("Row", names)
