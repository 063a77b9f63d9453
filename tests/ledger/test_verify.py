"""`flask ledger verify` finds every change of entries, heads or tasks that bypassed the ledger."""

from uuid import UUID, uuid4

import psycopg
import pytest

from app.ledger import repository
from tests.support.api_user import ApiUser
from tests.support.services import FlaskCommand

FORGERY = """
    INSERT INTO ledger_entries (
        owner_id, version, kind, item_id, action, at, request_id, item, hash
    )
    SELECT
        owner_id, 9, kind, item_id, 'complete', at, 'forged', item,
        ledger_hash(hash, 9, kind, item_id, 'complete', at, 'forged', NULL, item)
    FROM ledger_entries WHERE version = 8
"""
MOVED_HEAD = """
    UPDATE ledgers SET version = 9, hash = ledger_entries.hash FROM ledger_entries
    WHERE ledger_entries.version = 9 AND ledgers.owner_id = ledger_entries.owner_id
"""
REWRITTEN_ENTRY = """
    UPDATE ledger_entries SET
        item = tasks.document,
        hash = ledger_hash(
            before.hash, 9, 'task', ledger_entries.item_id, 'complete', ledger_entries.at,
            'forged', NULL, tasks.document
        )
    FROM tasks, ledger_entries AS before
    WHERE ledger_entries.version = 9 AND tasks.version = 9 AND before.version = 8
"""
SMUGGLED_TASK = """
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, created_at, updated_at, version,
        last_action, request_id
    )
    SELECT owner_id, gen_random_uuid(), 't', 't', '', now(), now(), 9, 'create', 'forged'
    FROM ledgers
"""
CHAIN = """
    WITH RECURSIVE chain (version, hash) AS (
        SELECT 0::bigint, sha256('')
        UNION ALL
        SELECT
            entry.version,
            sha256(chain.hash || convert_to(json_build_array(
                entry.version, entry.kind, entry.item_id, entry.action,
                to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                entry.request_id, entry.session_id, entry.item
            )::text, 'UTF8'))
        FROM chain
        INNER JOIN ledger_entries AS entry ON entry.version = chain.version + 1
        WHERE entry.owner_id = %s
    )
    SELECT hash FROM chain ORDER BY version DESC LIMIT 1
"""


@pytest.fixture
def tamperer(superuser: psycopg.Connection) -> psycopg.Connection:
    """A superuser's connection with triggers and foreign keys switched off."""
    superuser.execute("SET session_replication_role = replica")
    return superuser


@pytest.fixture
def ledger(alice: ApiUser) -> ApiUser:
    """Alice, with eight entries: 1 to 5 create, 6 updates, 7 deletes and 8 restores."""
    tasks = [alice.create(f"task {number}") for number in range(1, 6)]
    alice.patch(f"/{tasks[0]['id']}", json={"title": "renamed"})
    alice.delete(f"/{tasks[1]['id']}")
    alice.post(f"/{tasks[1]['id']}/restore")
    return alice


def verdict(flask: FlaskCommand, *, status: int) -> str:
    result = flask("ledger", "verify")
    assert result.exit_code == status, result.output
    return result.output.strip()


@pytest.mark.proves("TASK-25")
def test_an_untouched_ledger_verifies(ledger: ApiUser, bob: ApiUser, flask: FlaskCommand) -> None:
    lines = [line.partition(", up to")[0] for line in verdict(flask, status=0).splitlines()]
    assert sorted(lines) == sorted([f"{ledger.id}: 8 entries hold", f"{bob.id}: 0 entries hold"])


@pytest.mark.parametrize("page", [1, 3, 4, 7, 8, 9])
def test_a_ledger_verifies_in_pages_of_any_size(
    ledger: ApiUser, flask: FlaskCommand, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(repository, "VERIFIED", page)
    assert f"{ledger.id}: 8 entries hold" in verdict(flask, status=0)


@pytest.mark.proves("TASK-25", "LEDGER-41")
@pytest.mark.parametrize("page", [1, 3, 5000])
def test_one_changed_byte_is_found(
    ledger: ApiUser,
    tamperer: psycopg.Connection,
    flask: FlaskCommand,
    monkeypatch: pytest.MonkeyPatch,
    page: int,
) -> None:
    monkeypatch.setattr(repository, "VERIFIED", page)
    tamperer.execute(
        "UPDATE ledger_entries SET item = replace(item::text, 'task 3', 'task 8')::json"
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
        "item_id = gen_random_uuid()",
        "kind = 'list'",
        "hash = set_byte(hash, 31, (get_byte(hash, 31) + 1) % 256)",
    ],
)
def test_a_change_of_any_column_is_found(
    ledger: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand, change: str
) -> None:
    tamperer.execute(f"UPDATE ledger_entries SET {change} WHERE version = 4".encode())
    assert f"{ledger.id}: version 4: its hash" in verdict(flask, status=1)


@pytest.mark.proves("TASK-25", "LEDGER-41")
@pytest.mark.parametrize("page", [1, 2, 5000])
@pytest.mark.parametrize("version", [1, 4, 8])
def test_a_deleted_entry_is_found(
    ledger: ApiUser,
    tamperer: psycopg.Connection,
    flask: FlaskCommand,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    page: int,
) -> None:
    monkeypatch.setattr(repository, "VERIFIED", page)
    tamperer.execute("DELETE FROM ledger_entries WHERE version = %s", [version])
    assert verdict(flask, status=1) == (
        f"{ledger.id}: version {version}: there is no entry of that version"
    )


@pytest.mark.proves("TASK-25", "LEDGER-41")
def test_two_swapped_entries_are_found(
    ledger: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand
) -> None:
    for old, new in ((3, 100), (4, 3), (100, 4)):
        tamperer.execute("UPDATE ledger_entries SET version = %s WHERE version = %s", [new, old])
    assert f"{ledger.id}: version 3: its hash" in verdict(flask, status=1)


@pytest.mark.proves("LEDGER-41")
def test_a_forged_entry_beyond_the_head_is_found(
    ledger: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand
) -> None:
    tamperer.execute(FORGERY)
    assert verdict(flask, status=1) == (
        f"{ledger.id}: version 9: it is beyond the newest version that the ledger has given"
    )


@pytest.mark.usefixtures("ledger")
def test_a_forged_entry_with_a_forged_head_differs_from_its_task(
    tamperer: psycopg.Connection, flask: FlaskCommand
) -> None:
    tamperer.execute(FORGERY)
    tamperer.execute(MOVED_HEAD)
    assert "version 9: the item is not as its newest entry says" in verdict(flask, status=1)


@pytest.mark.proves("LEDGER-42")
def test_a_consistent_forgery_differs_from_a_head_hash_kept_elsewhere(
    ledger: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand
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


def test_a_changed_head_hash_is_found(
    ledger: ApiUser, bob: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand
) -> None:
    tamperer.execute("UPDATE ledgers SET hash = sha256('forged')")
    output = verdict(flask, status=1)
    assert f"{ledger.id}: version 8: the ledger's head has another hash" in output
    assert f"{bob.id}: version 0: the ledger's head has another hash" in output


@pytest.mark.proves("TASK-25")
@pytest.mark.parametrize(
    ("change", "version"),
    [
        ("UPDATE tasks SET title = 'forged' WHERE version = 6", 6),
        ("UPDATE tasks SET deleted_at = now(), last_action = 'delete' WHERE version = 5", 5),
        ("DELETE FROM tasks WHERE version = 8", 8),
        ("UPDATE tasks SET version = 2 WHERE version = 6", 6),
    ],
)
def test_a_task_changed_without_an_entry_is_found(
    ledger: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand, change: str, version: int
) -> None:
    tamperer.execute(change.encode())
    expected = f"{ledger.id}: version {version}: the item is not as its newest entry says"
    assert verdict(flask, status=1) == expected


@pytest.mark.proves("LEDGER-41")
@pytest.mark.parametrize(
    "change", [SMUGGLED_TASK, "UPDATE tasks SET version = 9 WHERE version = 3"]
)
@pytest.mark.usefixtures("ledger")
def test_a_task_version_without_an_entry_is_found(
    tamperer: psycopg.Connection, flask: FlaskCommand, change: str
) -> None:
    tamperer.execute(change.encode())
    assert "version 9: the ledger has no entry of the item" in verdict(flask, status=1)


def test_one_owner_can_be_verified_alone(
    ledger: ApiUser, bob: ApiUser, tamperer: psycopg.Connection, flask: FlaskCommand
) -> None:
    tamperer.execute("DELETE FROM ledger_entries WHERE version = 4")
    assert flask("ledger", "verify", "--owner", bob.id).exit_code == 0
    assert flask("ledger", "verify", "--owner", ledger.id).exit_code == 1
    unknown = flask("ledger", "verify", "--owner", str(uuid4()))
    assert (unknown.exit_code, "no such ledger" in unknown.output) == (1, True)


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
def test_triggers_refuse_changes_and_deletions_of_entries(
    superuser: psycopg.Connection, statement: str
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        superuser.execute(statement.encode())
    assert superuser.execute("SELECT count(*) FROM ledger_entries").fetchone() == (8,)


@pytest.mark.proves("TASK-25")
def test_sql_can_recompute_the_hash_chain(ledger: ApiUser, superuser: psycopg.Connection) -> None:
    owner = [UUID(ledger.id)]
    head = superuser.execute("SELECT hash FROM ledgers WHERE owner_id = %s", owner).fetchone()
    assert superuser.execute(CHAIN, owner).fetchone() == head


# --- triggers and functions ---------------------------------------------------------------------


@pytest.mark.proves("LEDGER-43")
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("ALTER TABLE tasks DISABLE TRIGGER tasks_recorded", "tasks_recorded is disabled"),
        ("ALTER TABLE tasks ENABLE REPLICA TRIGGER tasks_recorded", "tasks_recorded is disabled"),
        ("DROP TRIGGER tasks_recorded ON tasks", "tasks_recorded is missing"),
        ("DROP TRIGGER ledgers_kept ON ledgers", "ledgers_kept is missing"),
        (
            (
                "CREATE OR REPLACE TRIGGER tasks_recorded AFTER INSERT ON tasks"
                " FOR EACH ROW EXECUTE FUNCTION record_change('task')"
            ),
            "tasks_recorded is not as its migration made it",
        ),
        (
            (
                "CREATE TRIGGER mine BEFORE UPDATE ON ledgers"
                " FOR EACH ROW EXECUTE FUNCTION keep_ledger_entries()"
            ),
            "mine is of no migration",
        ),
        (
            (
                "CREATE OR REPLACE FUNCTION record_change() RETURNS trigger LANGUAGE plpgsql"
                " AS 'BEGIN RETURN NULL; END'"
            ),
            "record_change is not as its migration made it",
        ),
        (
            (
                "CREATE OR REPLACE FUNCTION utc(at timestamptz) RETURNS text LANGUAGE sql IMMUTABLE"
                " RETURN '2026-01-01T00:00:00.000000Z'"
            ),
            "utc is not as its migration made it",
        ),
    ],
)
def test_a_changed_trigger_or_function_is_found(
    ledger: ApiUser,
    superuser: psycopg.Connection,
    flask: FlaskCommand,
    change: str,
    problem: str,
) -> None:
    superuser.execute(change.encode())
    output = verdict(flask, status=1)
    assert problem in output.splitlines()[-1]
    assert len(output.splitlines()) == 2
    assert output.startswith(ledger.id)
