"""One connection to PostgreSQL: sends statements in pipelines, reads their rows.

psycopg makes the connection, adapts values and runs transactions. Statements go through
psycopg.pq, its wrapper of libpq: a cursor takes three times the CPU of the statement.
"""

import select
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.types.string import TextLoader

from app.db.deadline import deadline
from app.db.statements import NoRow, Statement

CANCEL_TIMEOUT = 0.3  # seconds
GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
BEGIN, COMMIT, ROLLBACK = b"BEGIN", b"COMMIT", b"ROLLBACK"
LONGEST_POLL = 2**31 - 1  # milliseconds

R = TypeVar("R", bound=tuple[Any, ...])
Params = Mapping[str, Any]
Call = tuple[Statement[Any], Params]
Sent = tuple[Statement[Any], Sequence[Buffer | None]]


class DeadlineExceeded(psycopg.OperationalError):
    """PostgreSQL did not answer within the thread's deadline."""


class BrokenConnection(psycopg.OperationalError):
    """The connection ended within an answer, or what came was no answer."""


class RawJson(Loader):
    """Passes JSON through as the bytes that PostgreSQL wrote."""

    def load(self, data: Buffer) -> bytes:
        """The bytes as they came."""
        return bytes(data)


class Connection(psycopg.Connection[Any]):
    """A connection whose waits end with the thread's deadline, even if the server is frozen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adapters.register_loader("json", RawJson)
        self.adapters.register_loader("uuid", TextLoader)
        self.drains = 0  # how often its pool had been drained when this was made
        self.is_sharded = False  # Citus commits the first statement of a pipeline by itself
        self.prepares = True  # uses prepared statements, each parsed and planned once
        self._prepared_names: set[str] = set()
        self._transformer = Transformer(self)
        self._loaders: dict[str, list[Callable[[Buffer], Any]]] = {}
        self._poll = select.poll()
        self._poll.register(self.pgconn.socket, select.POLLIN)

    def run(self, *calls: Call) -> list[PGresult]:
        """Sends the statements in one round trip; returns the result of each.

        Several go out in one pipeline and one transaction: a pooler can't lend the connection to
        another client in between, and settings local to the transaction end with it. Where Citus
        shards the database, BEGIN opens that transaction.
        """
        for statement, _ in calls:
            if statement.name not in self._prepared_names and self.prepares:
                self._prepare(statement)
        sent = [(statement, self._dump(statement, params)) for statement, params in calls]
        if self.is_sharded and self._needs_block(sent):
            return self._run_in_block(sent)
        if len(sent) == 1:
            self._send(*sent[0])
            return self._results(1)
        return self._run_pipeline(sent)

    def _needs_block(self, sent: Sequence[Sent]) -> bool:
        """Whether the statements need a transaction block, and are in none yet.

        One that names no owner may call a function that sets something on all nodes.
        """
        is_one_owners = len(sent) == 1 and "owner_id" in sent[0][0].parameters
        is_idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        return is_idle and not is_one_owners

    def _run_in_block(self, sent: Sequence[Sent]) -> list[PGresult]:
        """Runs the statements between BEGIN and COMMIT, all in one pipeline."""
        try:
            return self._run_pipeline(sent, in_block=True)[1:-1]
        finally:
            if not self.closed:
                self._roll_back()

    def _run_pipeline(self, sent: Sequence[Sent], *, in_block: bool = False) -> list[PGresult]:
        """The results of the statements; `in_block` those of BEGIN and COMMIT around them, too."""
        self.pgconn.enter_pipeline_mode()
        try:
            if in_block:
                self.pgconn.send_query_params(BEGIN, None)
            for each in sent:
                self._send(*each)
            if in_block:
                self.pgconn.send_query_params(COMMIT, None)
            self.pgconn.pipeline_sync()
            return self._results(len(sent) + 2 * in_block)
        finally:
            if not self.closed:
                self.pgconn.exit_pipeline_mode()

    def _roll_back(self) -> None:
        """Ends a transaction whose COMMIT the server has skipped, behind an error."""
        if self.pgconn.transaction_status == TransactionStatus.INERROR:
            with suppress(psycopg.Error):  # the statement's own error says more
                self.pgconn.send_query_params(ROLLBACK, None)
                self._results(1)

    def has_input(self) -> bool:
        """Whether the server has sent something that no statement asked for."""
        return bool(self._poll.poll(0))

    def check(self) -> None:
        """Reads such input; raises OperationalError where it is the server's end."""
        while self.has_input():
            self.pgconn.consume_input()

    def rows(self, statement: Statement[R], result: PGresult) -> list[R]:
        """The result's rows, of the statement's row type."""
        if statement.row is NoRow:
            return [NoRow()] * result.ntuples  # type: ignore[list-item]
        if statement.name not in self._loaders or not self.prepares:
            self._loaders[statement.name] = [
                self._transformer.get_loader(result.ftype(column), Format.TEXT).load
                for column in range(result.nfields)
            ]
        make: Callable[[list[Any]], R] = statement.row._make  # type: ignore[attr-defined]
        value, columns = result.get_value, list(enumerate(self._loaders[statement.name]))
        return [
            make(
                [
                    None if (data := value(row, column)) is None else load(data)
                    for column, load in columns
                ]
            )
            for row in range(result.ntuples)
        ]

    def _prepare(self, statement: Statement[Any]) -> None:
        """Prepares the statement at its first use on this connection."""
        self.pgconn.send_prepare(statement.key, statement.query)
        self._results(1)
        self._prepared_names.add(statement.name)

    def _dump(self, statement: Statement[Any], params: Params) -> Sequence[Buffer | None]:
        """The values as text: the server infers the parameters' types from the statement."""
        values = [params[name] for name in statement.parameters]
        # psycopg would look for the type of an empty array's elements.
        values = ["{}" if type(value) is list and not value else value for value in values]
        try:
            return self._transformer.dump_sequence(values, statement.formats)
        except ValueError as error:  # a lone surrogate has no UTF-8
            raise psycopg.DataError("a parameter can't be sent") from error

    def _send(self, statement: Statement[Any], values: Sequence[Buffer | None]) -> None:
        if self.prepares:
            self.pgconn.send_query_prepared(statement.key, values)
        else:
            self.pgconn.send_query_params(statement.query, values)

    def _results(self, count: int) -> list[PGresult]:
        """The results of `count` statements; raises the first error among them.

        In a pipeline each statement's results end with None, and all of them with a sync. libpq
        closes a connection on a protocol violation, and then returns None for ever.
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
            return BrokenConnection("the server's answer broke off")
        return error_from_result(failed)

    def _flush(self) -> None:
        """Sends what is queued; reads meanwhile, or both sides could wait for the other to read."""
        while self.pgconn.flush():
            self._poll.modify(self.pgconn.socket, select.POLLIN | select.POLLOUT)
            if self._wait() & select.POLLIN:
                self.pgconn.consume_input()
            self._poll.modify(self.pgconn.socket, select.POLLIN)

    def _wait(self) -> int:
        """Waits until the socket can be read or, in a flush, written; returns poll's events."""
        for _, events in self._poll.poll(min(deadline.seconds_left() * 1000, LONGEST_POLL)):
            return events
        self._abandon()
        raise DeadlineExceeded("the database did not answer in time")

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """psycopg's wait, for BEGIN, COMMIT and cursors; ends with the deadline."""
        try:
            seconds = deadline.seconds_left() if timeout is None else timeout
            return super().wait(gen, interval, seconds)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001  # it has no other name
            self._abandon()
            raise DeadlineExceeded("the database did not answer in time") from error
        except psycopg.DatabaseError as error:
            if self.broken and error.sqlstate is None:
                raise BrokenConnection("the server's answer broke off") from error
            raise

    def _abandon(self) -> None:
        """Closes the connection; has the server cancel its statement, which may hold locks."""
        with suppress(psycopg.Error):
            self.cancel_safe(timeout=CANCEL_TIMEOUT)
        self.close()
