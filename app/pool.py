"""psycopg's pool of connections, with a shelf on which it finds the last ones again."""

from typing import Any

from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from app.connection import Connection


class Pool(ConnectionPool[Connection]):
    """A connection that comes back in order lies ready for the next who asks.

    The pool's own way there and back takes eight times as long. Nobody waits in the pool while a
    connection lies on the shelf: whoever begins to wait looks once more, and whoever brings one
    back looks whether somebody waits. `tidy` brings all into the pool, which ends those that are
    too old, and too many; whoever asks for its numbers does that.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._shelf: list[Connection] = []
        self._seekers = 0  # those on their way through the pool; all that ever will be, once closed
        self._drains = 0
        super().__init__(*args, **options)

    def at_hand(self) -> Connection | None:
        """A connection from the shelf, unless the server has said something on it since."""
        try:
            connection = self._shelf.pop()
        except IndexError:
            return None
        if connection.drains == self._drains and not connection.has_news():
            return connection
        super().putconn(connection)  # which ends it, or looks into it when somebody takes it
        return None

    def getconn(self, timeout: float | None = None) -> Connection:
        """A connection that works as far as one can tell; PoolTimeout where there is none."""
        drains = self._drains
        self._seek(1)
        try:
            connection = self.at_hand()
            if connection is None:
                connection = super().getconn(timeout)
                connection.drains = drains
        finally:
            self._seek(-1)
        return connection

    def putconn(self, conn: Connection) -> None:
        """Takes a connection back, whatever became of it."""
        if conn.pgconn.transaction_status != TransactionStatus.IDLE:
            super().putconn(conn)
            return
        self._shelf.append(conn)
        if self._seekers:
            self.tidy()

    def tidy(self) -> None:
        """Brings what lies on the shelf into the pool."""
        while True:
            try:
                connection = self._shelf.pop()
            except IndexError:
                return
            super().putconn(connection)

    def get_stats(self) -> dict[str, int]:
        """The sizes and counters; who waits on the shelf is available, too."""
        self.tidy()
        return super().get_stats()

    def pop_stats(self) -> dict[str, int]:
        """The same, and begins to count anew: looked at every few seconds, nothing grows old."""
        self.tidy()
        return super().pop_stats()

    def drain(self) -> None:
        """Replaces every connection, those that are out when they come back."""
        self._drains += 1
        self.tidy()
        super().drain()

    def close(self, timeout: float = 5.0) -> None:
        """Closes every connection, those that are out when they come back."""
        self._seek(1)
        super().close(timeout)
        self.tidy()

    def _seek(self, number: int) -> None:
        with self._lock:
            self._seekers += number
