"""The shelf in front of psycopg's pool: nobody waits for what lies there, nothing old stays."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from app.connection import Connection
from app.pool import Pool


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
    """The server's process, which shows that it is there."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def take_and_bring_back(pool: Pool) -> int:
    connection = pool.getconn(5)
    found = process(connection)
    pool.putconn(connection)
    return found


def test_what_was_brought_back_last_is_at_hand(database_url: str) -> None:
    with pool_of(2, database_url) as pool:
        first, second = pool.getconn(5), pool.getconn(5)
        pool.putconn(first)
        pool.putconn(second)
        assert pool.at_hand() is second
        assert pool.at_hand() is first
        assert pool.at_hand() is None
        pool.putconn(first)
        pool.putconn(second)
        assert pool.get_stats()["pool_available"] == 2


def test_many_share_few_connections_and_nobody_waits_in_vain(database_url: str) -> None:
    lent: set[Connection] = set()
    failures: list[Exception] = []

    def use(pool: Pool) -> None:
        try:
            for _ in range(200):
                connection = pool.at_hand() or pool.getconn(5)
                assert connection not in lent
                lent.add(connection)
                connection.execute("SELECT 1")
                lent.remove(connection)
                pool.putconn(connection)
        except Exception as error:  # noqa: BLE001  # told of below
            failures.append(error)

    with pool_of(2, database_url) as pool:
        threads = [threading.Thread(target=use, args=[pool]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert pool.get_stats()["pool_size"] == 2


def test_who_waits_gets_what_is_brought_back(database_url: str) -> None:
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


def test_a_drained_pool_gives_no_connection_of_before(database_url: str) -> None:
    with pool_of(2, database_url) as pool:
        lent, shelved = pool.getconn(5), pool.getconn(5)
        pool.putconn(shelved)
        before = {process(lent), process(shelved)}
        pool.drain()
        pool.putconn(lent)
        assert before.isdisjoint({take_and_bring_back(pool) for _ in range(4)})
        assert lent.closed
        assert shelved.closed


def test_a_closed_pool_leaves_no_connection_open(database_url: str) -> None:
    with pool_of(2, database_url) as pool:
        lent, shelved = pool.getconn(5), pool.getconn(5)
        pool.putconn(shelved)
        pool.close()
        assert shelved.closed
        pool.putconn(lent)
        assert lent.closed


def test_a_connection_that_is_too_old_ends_when_somebody_looks_at_the_numbers(
    database_url: str,
) -> None:
    with pool_of(1, database_url, max_lifetime=0) as pool:
        before = take_and_bring_back(pool)
        assert take_and_bring_back(pool) == before
        pool.pop_stats()
        assert take_and_bring_back(pool) != before


def test_a_broken_or_busy_connection_does_not_come_to_the_shelf(database_url: str) -> None:
    with pool_of(1, database_url) as pool:
        broken = pool.getconn(5)
        broken.close()
        pool.putconn(broken)
        assert pool.at_hand() is None
        busy = pool.getconn(5)
        busy.execute("BEGIN")
        pool.putconn(busy)
        again = pool.getconn(5)
        assert again.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        pool.putconn(again)
