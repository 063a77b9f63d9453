"""`flask ledger verify`: whoever tampers with a ledger, or with a task behind its back, shows."""

from uuid import UUID, uuid4

import psycopg
import pytest

from app.tasks import maintenance
from tests.callers import Caller
from tests.tasks.conftest import Command

FORGERY = """
    INSERT INTO ledger_entries (owner_id, version, task_id, action, at, request_id, task, hash)
    SELECT
        owner_id, 9, task_id, 'complete', at, 'forged', task,
        ledger_hash(hash, 9, task_id, 'complete', at, 'forged', NULL, task)
    FROM ledger_entries WHERE version = 8
"""
MOVED_HEAD = """
    UPDATE ledgers SET version = 9, hash = ledger_entries.hash FROM ledger_entries
    WHERE ledger_entries.version = 9 AND ledgers.owner_id = ledger_entries.owner_id
"""
REWRITTEN_ENTRY = """
    UPDATE ledger_entries SET
        task = tasks.document,
        hash = ledger_hash(
            before.hash, 9, ledger_entries.task_id, 'complete', ledger_entries.at, 'forged', NULL,
            tasks.document
        )
    FROM tasks, ledger_entries AS before
    WHERE ledger_entries.version = 9 AND tasks.version = 9 AND before.version = 8
"""
SMUGGLED_TASK = """
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, created_at, updated_at, version,
        last_action
    )
    SELECT owner_id, gen_random_uuid(), 't', 't', '', now(), now(), 9, 'create' FROM ledgers
"""
CHAIN = """
    SELECT ledger_chain(
        sha256(''), version, task_id, action, at, request_id, session_id, task ORDER BY version
    )
    FROM ledger_entries WHERE owner_id = %s
"""


@pytest.fixture
def tamperer(superuser: psycopg.Connection) -> psycopg.Connection:
    """A superuser who has switched the triggers and foreign keys off."""
    superuser.execute("SET session_replication_role = replica")
    return superuser


@pytest.fixture
def ledger(alice: Caller) -> Caller:
    """Alice, with eight entries: 1 to 5 create, 6 updates, 7 deletes and 8 restores."""
    tasks = [alice.create(f"task {number}") for number in range(1, 6)]
    alice.patch(f"/{tasks[0]['id']}", json={"title": "renamed"})
    alice.delete(f"/{tasks[1]['id']}")
    alice.post(f"/{tasks[1]['id']}/restore")
    return alice


def verdict(flask: Command, *, status: int) -> str:
    result = flask("ledger", "verify")
    assert result.exit_code == status, result.output
    return result.output.strip()


@pytest.mark.proves("TASK-25")
def test_a_ledger_that_nobody_touched_holds(ledger: Caller, bob: Caller, flask: Command) -> None:
    lines = [line.partition(", up to")[0] for line in verdict(flask, status=0).splitlines()]
    assert sorted(lines) == sorted([f"{ledger.id}: 8 entries hold", f"{bob.id}: 0 entries hold"])


@pytest.mark.parametrize("page", [1, 3, 4, 7, 8, 9])
def test_a_ledger_of_many_pages_holds(
    ledger: Caller, flask: Command, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(maintenance, "VERIFIED", page)
    assert f"{ledger.id}: 8 entries hold" in verdict(flask, status=0)


@pytest.mark.proves("TASK-25", "LEDGER-41")
@pytest.mark.parametrize("page", [1, 3, 5000])
def test_one_byte_is_enough(
    ledger: Caller,
    tamperer: psycopg.Connection,
    flask: Command,
    monkeypatch: pytest.MonkeyPatch,
    page: int,
) -> None:
    monkeypatch.setattr(maintenance, "VERIFIED", page)
    tamperer.execute(
        "UPDATE ledger_entries SET task = replace(task::text, 'task 3', 'task 8')::json"
        " WHERE version = 3"
    )
    assert verdict(flask, status=1) == (
        f"{ledger.id}: version 3: its hash does not follow from its content and the entry before"
    )


@pytest.mark.proves("TASK-25")
@pytest.mark.parametrize(
    "change",
    [
        "action = 'restore'",
        "at = at + interval '1 microsecond'",
        "request_id = 'another'",
        "session_id = NULL",
        "task_id = gen_random_uuid()",
        "hash = set_byte(hash, 31, (get_byte(hash, 31) + 1) % 256)",
    ],
)
def test_every_column_counts(
    ledger: Caller, tamperer: psycopg.Connection, flask: Command, change: str
) -> None:
    tamperer.execute(f"UPDATE ledger_entries SET {change} WHERE version = 4".encode())
    assert f"{ledger.id}: version 4: its hash" in verdict(flask, status=1)


@pytest.mark.proves("TASK-25", "LEDGER-41")
@pytest.mark.parametrize("page", [1, 2, 5000])
@pytest.mark.parametrize("version", [1, 4, 8])
def test_a_deleted_entry_is_missed(
    ledger: Caller,
    tamperer: psycopg.Connection,
    flask: Command,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    page: int,
) -> None:
    monkeypatch.setattr(maintenance, "VERIFIED", page)
    tamperer.execute("DELETE FROM ledger_entries WHERE version = %s", [version])
    assert verdict(flask, status=1) == (
        f"{ledger.id}: version {version}: there is no entry of that version"
    )


@pytest.mark.proves("TASK-25", "LEDGER-41")
def test_a_swapped_pair_is_noticed(
    ledger: Caller, tamperer: psycopg.Connection, flask: Command
) -> None:
    for old, new in ((3, 100), (4, 3), (100, 4)):
        tamperer.execute("UPDATE ledger_entries SET version = %s WHERE version = %s", [new, old])
    assert f"{ledger.id}: version 3: its hash" in verdict(flask, status=1)


@pytest.mark.proves("LEDGER-41")
def test_an_appended_forgery_is_beyond_the_head(
    ledger: Caller, tamperer: psycopg.Connection, flask: Command
) -> None:
    tamperer.execute(FORGERY)
    assert verdict(flask, status=1) == (
        f"{ledger.id}: version 9: it is beyond the newest version that the ledger has given"
    )


@pytest.mark.usefixtures("ledger")
def test_a_forgery_that_moves_the_head_differs_from_the_task(
    tamperer: psycopg.Connection, flask: Command
) -> None:
    tamperer.execute(FORGERY)
    tamperer.execute(MOVED_HEAD)
    assert "version 9: the task is not as its newest entry says" in verdict(flask, status=1)


@pytest.mark.proves("LEDGER-42")
def test_a_forger_of_everything_is_noticed_by_the_hash_that_was_kept(
    ledger: Caller, tamperer: psycopg.Connection, flask: Command
) -> None:
    kept = verdict(flask, status=0)
    tamperer.execute(FORGERY)
    tamperer.execute(MOVED_HEAD)
    tamperer.execute("UPDATE tasks SET version = 9, last_action = 'complete' WHERE version = 8")
    tamperer.execute(REWRITTEN_ENTRY)
    tamperer.execute(MOVED_HEAD)
    forged = verdict(flask, status=0)
    assert f"{ledger.id}: 9 entries hold" in forged
    assert forged.rpartition(" ")[2] != kept.rpartition(" ")[2]


def test_a_head_of_another_hash_is_noticed(
    ledger: Caller, bob: Caller, tamperer: psycopg.Connection, flask: Command
) -> None:
    tamperer.execute("UPDATE ledgers SET hash = sha256('forged')")
    output = verdict(flask, status=1)
    assert f"{ledger.id}: version 8: the ledger's head has another hash" in output
    assert f"{bob.id}: version 0: the ledger's head has another hash" in output


@pytest.mark.proves("TASK-25")
@pytest.mark.parametrize(
    ("change", "version"),
    [
        ("UPDATE tasks SET title = 'never said' WHERE version = 6", 6),
        ("UPDATE tasks SET deleted_at = now(), last_action = 'delete' WHERE version = 5", 5),
        ("DELETE FROM tasks WHERE version = 8", 8),
        ("UPDATE tasks SET version = 2 WHERE version = 6", 6),
    ],
)
def test_a_task_changed_behind_the_ledgers_back_is_noticed(
    ledger: Caller, tamperer: psycopg.Connection, flask: Command, change: str, version: int
) -> None:
    tamperer.execute(change.encode())
    expected = f"{ledger.id}: version {version}: the task is not as its newest entry says"
    assert verdict(flask, status=1) == expected


@pytest.mark.proves("LEDGER-41")
@pytest.mark.parametrize(
    "change", [SMUGGLED_TASK, "UPDATE tasks SET version = 9 WHERE version = 3"]
)
@pytest.mark.usefixtures("ledger")
def test_a_task_that_no_entry_speaks_of_is_noticed(
    tamperer: psycopg.Connection, flask: Command, change: str
) -> None:
    tamperer.execute(change.encode())
    assert "version 9: the ledger has no entry of the task" in verdict(flask, status=1)


def test_one_owner_can_be_verified_alone(
    ledger: Caller, bob: Caller, tamperer: psycopg.Connection, flask: Command
) -> None:
    tamperer.execute("DELETE FROM ledger_entries WHERE version = 4")
    assert flask("ledger", "verify", "--owner", bob.id).exit_code == 0
    assert flask("ledger", "verify", "--owner", ledger.id).exit_code == 1
    stranger = flask("ledger", "verify", "--owner", str(uuid4()))
    assert (stranger.exit_code, "no such ledger" in stranger.output) == (1, True)


@pytest.mark.proves("TASK-26")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET request_id = 'x'",
        "DELETE FROM ledger_entries",
        "DELETE FROM ledger_entries WHERE version = 8",
        "TRUNCATE ledger_entries",
    ],
)
@pytest.mark.usefixtures("ledger")
def test_nobody_can_change_or_delete_entries(superuser: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        superuser.execute(statement.encode())
    assert superuser.execute("SELECT count(*) FROM ledger_entries").fetchone() == (8,)


@pytest.mark.proves("TASK-25")
def test_sql_alone_can_recompute_the_chain(ledger: Caller, superuser: psycopg.Connection) -> None:
    owner = [UUID(ledger.id)]
    head = superuser.execute("SELECT hash FROM ledgers WHERE owner_id = %s", owner).fetchone()
    assert superuser.execute(CHAIN, owner).fetchone() == head
