"""What reminders cost: 100,000 pending ones next to nothing, 1,000 at once a few seconds."""

from time import monotonic
from typing import Any

import psycopg
import pytest

from app.reminders.repository import fire_due
from tests.support.api_user import ApiUser
from tests.support.reminders import firings, local

PENDING = 100_000
DUE = 1000
REMINDER = '{"offset":"PT0S","relative_to":"due"}'
ADD_OWNERS = """
INSERT INTO users (id, email, email_key)
SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@example.com', n || '@example.com'
FROM generate_series(1, %(owners)s) AS n;

INSERT INTO ledgers (owner_id) SELECT id FROM users ON CONFLICT DO NOTHING;
"""
# Without the trigger: these tasks have no entries, and no version that the ledger gave.
ADD_TASKS = """
ALTER TABLE tasks DISABLE TRIGGER tasks_recorded;
INSERT INTO tasks (
    owner_id, id, title, title_folded, description_folded, position, due, due_at, due_begins_at,
    computed_zone, reminders, next_reminder_at, created_at, updated_at, version, last_action,
    request_id
)
SELECT
    users.id, uuidv7_at(now()), 'a', 'a', '', first_position(n), %(due)s::text, given.at, given.at,
    'UTC',
    ARRAY[%(reminder)s], given.at, now(), now(), 0, 'create', 'test'
FROM
    (SELECT id FROM users WHERE id::text LIKE %(owner)s ORDER BY id LIMIT %(owners)s) AS users
    CROSS JOIN generate_series(1, %(tasks)s) AS n
    CROSS JOIN (SELECT %(due)s::text::timestamp AT TIME ZONE 'UTC' AS at) AS given;
ALTER TABLE tasks ENABLE TRIGGER tasks_recorded;
"""


def add(connection: psycopg.Connection, script: str, **given: Any) -> None:
    params = {"reminder": REMINDER, "owner": "%", **given}
    for statement in script.split(";\n")[:-1]:
        connection.execute(statement, params)


def poll(connection: psycopg.Connection) -> tuple[float, int]:
    """The milliseconds and the pages of a look for what is due."""
    row = connection.execute(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM tasks_with_due_reminders(1000)"
    ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return plan["Actual Total Time"], plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.slow
@pytest.mark.proves("TASK-265")
def test_pending_reminders_cost_a_look_for_due_ones_nothing(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    add(superuser, ADD_TASKS, due="2099-10-07T09:00:00", owners=1, tasks=PENDING)
    superuser.execute("ANALYZE tasks")
    poll(superuser)  # plans it
    _, pages = poll(superuser)
    assert pages < 20
    assert fire_due(DUE).fired == 0
    assert firings(alice) == []


@pytest.mark.slow
@pytest.mark.proves("TASK-265")
def test_a_thousand_at_once_fire_within_seconds(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    """Of one user, and then of a thousand users one each."""
    due = local(seconds=-10)
    add(superuser, ADD_TASKS, due=due, owners=1, tasks=DUE, owner=alice.id)
    began = monotonic()
    assert fire_due(DUE).fired == DUE
    assert monotonic() - began < 30
    assert len(firings(alice)) == DUE
    add(superuser, ADD_OWNERS, owners=DUE)
    add(superuser, ADD_TASKS, due=due, owners=DUE, tasks=1, owner="0000%")
    began = monotonic()
    assert fire_due(DUE).fired == DUE
    assert monotonic() - began < 30
