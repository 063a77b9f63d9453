"""The pool's idle connections: taken without a wait, closed when broken, drained or too old."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from app.db.connection import Connection
from app.db.pool import Pool


@contextmanager
def pool_of(size: int, database_url: str, max_lifetime: float = 3600) -> Iterator[Pool]:
    pool = Pool(
        database_url,
        connection_class=Connection,
        open=False,
        min_size=0,
        max_size=size,
        max_lifetime=max_lifetime,
        kwargs={"autocommit": True},
    )
    pool.open()
    yield pool
    pool.close()


def process(connection: Connection) -> int:
    """The id of the connection's server process."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def use(pool: Pool) -> int:
    connection = pool.getconn(5)
    found = process(connection)
    pool.putconn(connection)
    return found


def test_the_connection_returned_last_is_taken_first(database_url: str) -> None:
    with pool_of(2, database_url) as pool:
        first, second = pool.getconn(5), pool.getconn(5)
        pool.putconn(first)
        pool.putconn(second)
        assert pool.take_idle() is second
        assert pool.take_idle() is first
        assert pool.take_idle() is None
        pool.putconn(first)
        pool.putconn(second)
        assert pool.get_stats()["pool_available"] == 2


def test_many_threads_share_few_connections(database_url: str) -> None:
    lent: set[Connection] = set()
    failures: list[Exception] = []

    def use_often(pool: Pool) -> None:
        try:
            for _ in range(200):
                connection = pool.take_idle() or pool.getconn(5)
                assert connection not in lent
                lent.add(connection)
                connection.execute("SELECT 1")
                lent.remove(connection)
                pool.putconn(connection)
        except Exception as error:  # noqa: BLE001  # reported below
            failures.append(error)

    with pool_of(2, database_url) as pool:
        threads = [threading.Thread(target=use_often, args=[pool]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert pool.get_stats()["pool_size"] == 2


def test_a_waiting_thread_gets_a_returned_connection(database_url: str) -> None:
    with pool_of(1, database_url) as pool:
        connection = pool.getconn(5)
        began = monotonic()
        with pytest.raises(PoolTimeout):
            pool.getconn(0.2)
        assert monotonic() - began < 2
        threading.Timer(0.2, pool.putconn, [connection]).start()
        assert pool.getconn(5) is connection
        assert monotonic() - began < 3
        pool.putconn(connection)


def test_drain_closes_every_earlier_connection(database_url: str) -> None:
    with pool_of(2, database_url) as pool:
        lent, idle = pool.getconn(5), pool.getconn(5)
        pool.putconn(idle)
        before = {process(lent), process(idle)}
        pool.drain()
        pool.putconn(lent)
        assert before.isdisjoint({use(pool) for _ in range(4)})
        assert lent.closed
        assert idle.closed


def test_a_closed_pool_leaves_no_connection_open(database_url: str) -> None:
    with pool_of(2, database_url) as pool:
        lent, idle = pool.getconn(5), pool.getconn(5)
        pool.putconn(idle)
        pool.close()
        assert idle.closed
        pool.putconn(lent)
        assert lent.closed


def test_pop_stats_closes_connections_past_their_lifetime(
    database_url: str,
) -> None:
    with pool_of(1, database_url, max_lifetime=0) as pool:
        before = use(pool)
        assert use(pool) == before
        pool.pop_stats()
        assert use(pool) != before


def test_a_broken_or_busy_connection_does_not_become_idle(database_url: str) -> None:
    with pool_of(1, database_url) as pool:
        broken = pool.getconn(5)
        broken.close()
        pool.putconn(broken)
        assert pool.take_idle() is None
        busy = pool.getconn(5)
        busy.execute("BEGIN")
        pool.putconn(busy)
        again = pool.getconn(5)
        assert again.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        pool.putconn(again)
