"""Rows of tasks that tests write by themselves, with the ledger's trigger or without it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

ADD = """
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description, description_folded, position,
        created_at, updated_at, version, last_action, request_id
    )
    SELECT
        owner_id, uuidv7_at(at), 'task ' || n, 'task ' || n, repeat('x', 100), repeat('x', 100),
        first_position(version + n), at, at, version + n, 'create', 'many'
    FROM (
        SELECT
            ledgers.owner_id, ledgers.version, n,
            next_change_at(ledgers.changed_at) + n * interval '1 microsecond' AS at
        FROM ledgers CROSS JOIN generate_series(1, %(count)s) AS n
        WHERE ledgers.owner_id = %(owner_id)s
    ) AS given
    ORDER BY n
"""


def add_tasks(connection: psycopg.Connection, owner_id: str, count: int) -> None:
    """Adds `count` tasks with the titles "task 1", "task 2" and so on, in that order."""
    with connection.transaction():
        act_for(connection, owner_id)
        connection.execute(ADD, {"owner_id": owner_id, "count": count})


def act_for(connection: psycopg.Connection, owner_id: str) -> None:
    """Sets the owner whose ledger the transaction's trigger may see with row security."""
    connection.execute("SELECT set_config('app.owner_id', %s, TRUE)", [owner_id])


@contextmanager
def unrecorded(connection: psycopg.Connection) -> Iterator[None]:
    """A transaction whose changes to tasks the ledger doesn't get, by the owner of the table."""
    with connection.transaction():
        connection.execute("ALTER TABLE tasks DISABLE TRIGGER tasks_recorded")
        yield
        connection.execute("ALTER TABLE tasks ENABLE TRIGGER tasks_recorded")
