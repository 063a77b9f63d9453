"""Least privilege: each right that a role must not have is tried, and refused."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from app import create_app, db, devdb
from app.config import Config
from app.db import migrations
from tests.support.api_user import ApiUser, data, register
from tests.support.auth_rows import dump
from tests.support.databases import Postgres
from tests.support.items import KINDS, NAMES, Items
from tests.support.planning import make_task, read
from tests.support.processes import minimal_environment
from tests.support.roles import as_role, needs_logins
from tests.support.server import ROOT
from tests.support.services import FlaskCommand

TABLES = [f"{kind}s" for kind in KINDS]  # of items
OF_ITEMS = [
    "CREATE INDEX mine ON {} (version)",
    "ALTER TABLE {} ADD COLUMN mine text",
    "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {} NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE {0} DISABLE TRIGGER {0}_recorded",
    "DROP TRIGGER {0}_recorded ON {0}",
    "CREATE TRIGGER mine AFTER INSERT ON {} EXECUTE FUNCTION record_change('task')",
    "DROP POLICY owner ON {}",
    "DROP TABLE {} CASCADE",
    "TRUNCATE {} CASCADE",
    "DELETE FROM {}",
    "UPDATE {} SET owner_id = gen_random_uuid()",
    "UPDATE {} SET id = gen_random_uuid()",
    "UPDATE {} SET created_at = now()",
    "UPDATE {} SET document = DEFAULT",
    "COPY {0} TO '/tmp/{0}'",
]
REFUSED = {
    "ownrow_app": [
        *(statement.format(table) for table in TABLES for statement in OF_ITEMS),
        "CREATE TABLE mine (id integer)",
        "CREATE TEMPORARY TABLE mine (id integer)",
        "CREATE VIEW mine AS SELECT 1 AS one",
        "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_kept",
        "DROP FUNCTION keep_ledger_entries() CASCADE",
        "GRANT SELECT ON credentials TO ownrow_app",
        "SET ROLE ownrow_owner",
        "SET ROLE ownrow_lookup",
        "SET ROLE ownrow_ledger",
        "SET session_replication_role = replica",
        "TRUNCATE ledger_entries",
        "INSERT INTO ledger_entries SELECT * FROM ledger_entries",
        "UPDATE ledger_entries SET action = 'update'",
        "UPDATE ledger_entries SET hash = sha256('')",
        "DELETE FROM ledger_entries",
        "UPDATE ledgers SET version = version + 1",
        "UPDATE ledgers SET changed_at = now()",
        "UPDATE ledgers SET hash = sha256('')",
        "UPDATE ledgers SET pruned_version = version",
        "UPDATE ledgers SET pruned_hash = sha256('')",
        "UPDATE ledgers SET owner_id = gen_random_uuid()",
        "INSERT INTO ledgers (owner_id, version) SELECT id, 9 FROM users",
        "UPDATE users SET id = gen_random_uuid()",
        "UPDATE sessions SET created_at = now()",
        "UPDATE sessions SET owner_id = gen_random_uuid()",
        "UPDATE sessions SET id = gen_random_uuid()",
        "UPDATE idempotency_keys SET body = 'null'",
        "UPDATE outgoing_mail SET recipient = 'mallory@example.com'",
        "UPDATE outgoing_mail SET owner_id = gen_random_uuid()",
        "UPDATE account_tokens SET owner_id = gen_random_uuid()",
        "UPDATE account_tokens SET purpose = 'reset'",
        "UPDATE reset_requests SET email_key = 'mallory@example.com'",
        "SELECT note_link_event()",
        "SELECT password_hash FROM credentials",
        "SELECT * FROM credentials",
        "SELECT count(*) FROM credentials WHERE password_hash LIKE '$2%'",
        "UPDATE credentials SET changed_at = now() RETURNING password_hash",
        "UPDATE credentials SET owner_id = gen_random_uuid()",
        "DELETE FROM credentials",
        "SELECT id FROM list_accounts('', 9)",
        "SELECT token_hash FROM api_tokens",
        "UPDATE api_tokens SET scopes = ARRAY['tasks:write']",
        "UPDATE api_tokens SET expires_at = NULL",
        "UPDATE api_tokens SET owner_id = gen_random_uuid()",
        "DELETE FROM api_tokens",
        "UPDATE sessions SET kind = 'login'",
        "SELECT secret_hash FROM feeds",
        "UPDATE feeds SET list_id = NULL",
        "UPDATE feeds SET owner_id = gen_random_uuid()",
        "UPDATE second_factors SET owner_id = gen_random_uuid()",
        "SELECT event FROM auth_events",
        "INSERT INTO auth_events (event, owner_id) VALUES ('logged in', gen_random_uuid())",
        "INSERT INTO auth_events (event, at) VALUES ('refused', now())",
        "UPDATE auth_events SET event = 'logged in'",
        "DELETE FROM auth_events",
        "SELECT at FROM audit_changes",
        "INSERT INTO _yoyo_migration (migration_id) VALUES ('9999.mine')",
        "DELETE FROM _yoyo_migration",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
    ],
    "ownrow_auditor": [
        "SELECT password_hash FROM credentials",
        "SELECT token_hash FROM sessions",
        "SELECT parent_hash FROM sessions",
        "SELECT token_hash FROM api_tokens",
        "SELECT secret_hash FROM feeds",
        "SELECT id FROM find_feed(sha256(''))",
        "SELECT secret FROM second_factors",
        "SELECT recovery_hashes FROM second_factors",
        "SELECT id FROM find_api_token(sha256(''))",
        "SELECT password_hash_of(gen_random_uuid())",
        "SELECT id FROM find_credential('', ARRAY[]::bytea[])",
        "SELECT erase_auth_events(gen_random_uuid(), '{}')",
        "SELECT text FROM outgoing_mail",
        "SELECT html FROM outgoing_mail",
        "SELECT hash FROM account_tokens",
        "SELECT seed FROM account_tokens",
        "SELECT id FROM due_mail(9)",
        "SELECT task_id FROM tasks_with_due_reminders(9)",
        "SELECT secret FROM webhooks",
        "SELECT previous_secret FROM webhooks",
        "SELECT id FROM due_imports(9)",
        "SELECT file FROM imports",
        "SELECT options FROM imports",
        "SELECT notes FROM import_rows",
        "SELECT id FROM due_webhooks(9)",
        "SELECT version FROM streamed_versions(ARRAY[]::uuid[], ARRAY[]::uuid[])",
        "SELECT failing FROM count_troubled_webhooks()",
        "SELECT id FROM list_webhooks(gen_random_uuid(), gen_random_uuid(), 9)",
        "CREATE TABLE mine (id integer)",
        *(f"SET default_transaction_read_only = off; DELETE FROM {each}" for each in TABLES),
        *(
            f"SET default_transaction_read_only = off; UPDATE {each} SET version = 9"
            for each in TABLES
        ),
        *(
            f"SET default_transaction_read_only = off; INSERT INTO {each} DEFAULT VALUES"
            for each in TABLES
        ),
        "SET default_transaction_read_only = off; UPDATE users SET disabled_at = now()",
        "SET default_transaction_read_only = off; INSERT INTO ended_sessions DEFAULT VALUES",
        "SET default_transaction_read_only = off; TRUNCATE ledger_entries",
    ],
}  # fmt: skip
READABLE = ("users", "sessions", "api_tokens", "second_factors", "ended_sessions", "login_attempts",
            "known_addresses", "ledgers", *TABLES, "items", "ledger_entries", "idempotency_keys",
            "auth_events", "audit_changes", "audit_auth_events", "audit_open_sessions",
            "audit_rows_per_owner")  # fmt: skip


@pytest.fixture
def connections(database_url: str, alice: ApiUser) -> Iterator[dict[str, psycopg.Connection]]:
    """A connection per role to a database in which alice has an item of each kind."""
    for kind in KINDS:
        Items(alice, kind).create("rights")
    made = {role: psycopg.connect(as_role(database_url, role), autocommit=True) for role in REFUSED}
    yield made
    for connection in made.values():
        connection.close()


@pytest.mark.proves("OWN-6", "LEDGER-52")
@pytest.mark.parametrize(
    ("role", "statement"),
    [
        pytest.param(role, each, marks=needs_logins if each.startswith("SET ROLE") else ())
        for role, tried in REFUSED.items()
        for each in tried
    ],
)
def test_a_right_that_a_role_must_not_have_is_refused(
    connections: dict[str, psycopg.Connection], role: str, statement: str
) -> None:
    with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
        connections[role].execute(statement)


@pytest.mark.proves("TASK-26")
def test_the_service_cannot_drop_a_ledger_without_its_account(
    connections: dict[str, psycopg.Connection], alice: ApiUser
) -> None:
    with pytest.raises(errors.RestrictViolation):
        _replace_ledger(connections[devdb.APPLICATION], alice.id)
    listed = alice.get().json
    assert listed is not None
    assert listed["data"][0]["title"] == "rights"


def _replace_ledger(connection: psycopg.Connection, owner_id: str) -> None:
    with connection.transaction():
        connection.execute("SELECT set_config('app.owner_id', %s, TRUE)", (owner_id,))
        connection.execute("DELETE FROM ledgers WHERE owner_id = %s", (owner_id,))
        connection.execute("INSERT INTO ledgers (owner_id) VALUES (%s)", (owner_id,))


# --- the ledger keeps itself --------------------------------------------------------------------

ADDED = {  # columns of a new item besides those that all kinds have
    "task": ("title, title_folded, description_folded", "'t', 't', ''"),
    "list": ("title, title_folded", "'t', 't'"),
    "label": ("name, name_key", "'t', sha256(gen_random_uuid()::text::bytea)"),
    "filter": ("title, query, sort", "'t', 'overdue', 'title'"),
}


def add(version: str, at: str = "next_change_at(changed_at)", count: int = 1) -> str:
    """A statement that adds items with that version and time."""
    return f"""
        INSERT INTO {{table}} (
            owner_id, id, {{columns}}, position, created_at, updated_at, version, last_action,
            request_id
        )
        SELECT owner_id, gen_random_uuid(), {{values}}, 'h', {at}, {at}, {version}, 'create', 'r'
        FROM ledgers CROSS JOIN generate_series(1, {count}) WHERE owner_id = current_owner()
    """


FORGERIES = {
    "a version is taken twice": "UPDATE {table} SET {name} = 'forged'",
    "a version is skipped": """
        UPDATE {table} SET {name} = 'forged', version = ledgers.version + 2, updated_at = 'infinity'
        FROM ledgers WHERE ledgers.owner_id = {table}.owner_id
    """,
    "a version goes back": "UPDATE {table} SET version = version - 1",
    "a change is not later than the last": """
        UPDATE {table} SET version = ledgers.version + 1, updated_at = ledgers.changed_at
        FROM ledgers WHERE ledgers.owner_id = {table}.owner_id
    """,
    "an item is added at a version that was taken": add("version"),
    "an item is added at a time that was taken": add("version + 1", at="changed_at"),
    "two items are added at one version": add("version + 1", count=2),
}


def of_kind(statement: str, kind: str) -> bytes:
    """The statement for the table of that kind."""
    columns, values = ADDED[kind]
    words = {"table": f"{kind}s", "name": NAMES[kind], "columns": columns, "values": values}
    return statement.format(**words).encode()


@pytest.mark.proves("LEDGER-50")
@pytest.mark.parametrize("statement", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_without_its_own_version_is_refused(
    connections: dict[str, psycopg.Connection], alice: ApiUser, kind: str, statement: str
) -> None:
    """By psql as the service's role, or by a statement that is wrong."""
    before = alice.changes().data
    service = connections[devdb.APPLICATION]
    with service.transaction(force_rollback=True):
        service.execute("SELECT set_config('app.owner_id', %s, TRUE)", (alice.id,))
        with pytest.raises(errors.IntegrityError, match=r"next version|_owner_version"):
            service.execute(of_kind(statement, kind))
    assert alice.changes().data == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_forgeries_add_is_accepted_at_the_next_version(
    connections: dict[str, psycopg.Connection], alice: ApiUser, kind: str
) -> None:
    service = connections[devdb.APPLICATION]
    with service.transaction():
        service.execute("SELECT set_config('app.owner_id', %s, TRUE)", (alice.id,))
        service.execute(of_kind(add("version + 1"), kind))
    entry = data(alice.changes())[-1]
    assert (entry["kind"], entry["action"], entry["version"]) == (kind, "create", 5)


DERIVED = {
    *("root_id", "is_parent", "due_at", "due_begins_at", "start_at", "computed_zone"),
    *("next_reminder_at", "computed_reminder_time"),
}
UNRECORDED = """
    SELECT attname
    FROM pg_attribute
    INNER JOIN pg_trigger ON tgrelid = attrelid
    WHERE attrelid = %(table)s::regclass AND tgname = %(table)s || '_recorded'
        AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        AND cardinality(tgattr::smallint[]) > 0 AND attnum <> ALL(tgattr::smallint[])
"""
GRANTED = """
    SELECT column_name::text FROM information_schema.column_privileges
    WHERE grantee = 'ownrow_app' AND privilege_type = 'UPDATE' AND table_name = %s
"""


@pytest.mark.proves("LEDGER-50")
@pytest.mark.parametrize("kind", KINDS)
def test_every_column_but_the_derived_ones_is_one_of_the_triggers(
    superuser: psycopg.Connection, kind: str
) -> None:
    """A column that is added to a table is to be added to its trigger."""
    rows = superuser.execute(UNRECORDED, {"table": f"{kind}s"}).fetchall()
    assert {name for (name,) in rows} == (DERIVED if kind == "task" else set())


@pytest.mark.proves("LEDGER-50")
@pytest.mark.parametrize("kind", KINDS)
def test_no_column_but_the_derived_ones_changes_without_an_entry(
    connections: dict[str, psycopg.Connection],
    superuser: psycopg.Connection,
    alice: ApiUser,
    kind: str,
) -> None:
    before = alice.changes().data
    service, free = connections[devdb.APPLICATION], set()
    columns = [name for (name,) in superuser.execute(GRANTED, (f"{kind}s",)).fetchall()]
    assert {NAMES[kind], "position", "version", "deleted_at", "last_action"} <= {*columns}
    for column in columns:
        change = sql.SQL("UPDATE {0} SET {1} = {1}").format(
            sql.Identifier(f"{kind}s"), sql.Identifier(column)
        )
        with service.transaction(force_rollback=True):
            service.execute("SELECT set_config('app.owner_id', %s, TRUE)", (alice.id,))
            try:
                free |= {column} if service.execute(change).rowcount else set()
            except errors.IntegrityError:
                continue
    assert free == (DERIVED if kind == "task" else set())
    assert alice.changes().data == before


@pytest.mark.proves("LEDGER-50")
def test_a_change_of_derived_columns_leaves_the_ledger_as_it_is(
    connections: dict[str, psycopg.Connection],
    superuser: psycopg.Connection,
    alice: ApiUser,
    flask: FlaskCommand,
) -> None:
    """As after a change of the owner's zone, which takes no version."""

    def recorded() -> list[Any]:
        heads = "SELECT to_jsonb(ledgers) FROM ledgers"
        entries = "SELECT to_jsonb(ledger_entries) FROM ledger_entries ORDER BY version"
        return [*superuser.execute(heads).fetchall(), *superuser.execute(entries).fetchall()]

    task = make_task(alice, "floating", due="2026-10-07", start="2026-10-06T09:00:00")
    before = recorded()
    service = connections[devdb.APPLICATION]
    later = "{0} = {0} + interval '9 hours'".format
    moved = ", ".join(map(later, ("due_at", "due_begins_at", "start_at")))
    with service.transaction():
        service.execute("SELECT set_config('app.owner_id', %s, TRUE)", (alice.id,))
        change = f"UPDATE tasks SET {moved}, computed_zone = 'Asia/Tokyo' WHERE due IS NOT NULL"
        assert service.execute(change.encode()).rowcount == 1
    now = read(alice, task)
    assert now["due_at"] > task["due_at"]
    assert {**now, "due_at": task["due_at"]} == task
    assert recorded() == before
    assert flask("ledger", "verify").exit_code == 0


BY_HAND = """
    WITH ledger AS (
        SELECT owner_id, version + 1 AS version, next_change_at(changed_at) AS at
        FROM ledgers WHERE owner_id = current_owner() FOR UPDATE
    )
    UPDATE {table}
    SET {name} = 'by hand', version = ledger.version, updated_at = ledger.at,
        last_action = 'update', request_id = 'psql', session_id = NULL
    FROM ledger WHERE {table}.owner_id = ledger.owner_id
"""


@pytest.mark.proves("LEDGER-50")
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_by_hand_has_its_entry(
    connections: dict[str, psycopg.Connection], alice: ApiUser, flask: FlaskCommand, kind: str
) -> None:
    service = connections[devdb.APPLICATION]
    with service.transaction():
        service.execute("SELECT set_config('app.owner_id', %s, TRUE)", (alice.id,))
        service.execute(of_kind(BY_HAND, kind))
    (entry,) = data(alice.changes(query=f"kind={kind}"))
    changed = entry["version"], entry["action"], entry["item"][NAMES[kind]]
    assert changed == (5, "update", "by hand")
    auditor = connections["ownrow_auditor"]
    trail = auditor.execute(
        "SELECT version, kind, action, request_id FROM audit_changes"
    ).fetchall()
    assert max(trail) == (5, kind, "update", "psql")
    assert flask("ledger", "verify").exit_code == 0


MOVES = {
    "to another owner": "owner_id = %(bob)s",
    "to another id": "id = gen_random_uuid()",
}


@pytest.mark.proves("LEDGER-50")
@pytest.mark.parametrize("change", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("kind", KINDS)
def test_not_even_the_tables_owner_moves_a_row_while_the_trigger_is_enabled(
    database_url: str, alice: ApiUser, bob: ApiUser, kind: str, change: str
) -> None:
    Items(alice, kind).create()
    move = f"""
        UPDATE {kind}s SET {change}, version = ledgers.version + 1, updated_at = now()
        FROM ledgers WHERE ledgers.owner_id = %(bob)s
    """
    with psycopg.connect(as_role(database_url, "ownrow_migrator")) as migrator:
        migrator.execute("SELECT set_config('row_security', 'off', TRUE)")
        with pytest.raises((errors.IntegrityError, errors.InsufficientPrivilege)):
            migrator.execute(move.encode(), {"bob": bob.id})


@pytest.mark.proves("LEDGER-52")
def test_the_head_of_a_ledger_can_be_locked_and_not_moved(
    connections: dict[str, psycopg.Connection], alice: ApiUser, superuser: psycopg.Connection
) -> None:
    """UPDATE (feed_tag) is the right to lock: a generated column can only be set to itself."""
    service = connections[devdb.APPLICATION]
    row = "SELECT ledgers FROM ledgers WHERE owner_id = %s"
    before = superuser.execute(row, (alice.id,)).fetchone()
    with service.transaction():
        service.execute("SELECT set_config('app.owner_id', %s, TRUE)", (alice.id,))
        service.execute("SELECT version FROM ledgers WHERE owner_id = %s FOR UPDATE", (alice.id,))
        service.execute("UPDATE ledgers SET feed_tag = DEFAULT WHERE owner_id = %s", (alice.id,))
    with pytest.raises(errors.GeneratedAlways):
        service.execute("UPDATE ledgers SET feed_tag = '9-0'")
    assert superuser.execute(row, (alice.id,)).fetchone() == before


HOSTILE = """
    CREATE SCHEMA hostile AUTHORIZATION ownrow_app;
    GRANT USAGE ON SCHEMA hostile TO PUBLIC;
    SET ROLE ownrow_app;
    CREATE FUNCTION hostile.never(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT FALSE';
    CREATE FUNCTION hostile.always(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT TRUE';
    CREATE FUNCTION hostile.nothing(bytea, bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION hostile.zero(bigint, integer) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
    CREATE FUNCTION hostile.past(timestamptz, timestamptz) RETURNS boolean
    LANGUAGE sql AS 'SELECT TRUE';
    CREATE OPERATOR hostile.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hostile.always);
    CREATE OPERATOR hostile.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = hostile.never);
    CREATE OPERATOR hostile.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = hostile.nothing);
    CREATE OPERATOR hostile.- (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = hostile.zero);
    CREATE OPERATOR hostile.< (
        LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = hostile.past
    );
    CREATE FUNCTION hostile.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$SELECT ''::bytea$$;
    CREATE FUNCTION hostile.to_char(timestamp, text) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
    CREATE FUNCTION hostile.json_build_array(
        bigint, text, uuid, text, text, text, uuid, pg_catalog.json
    ) RETURNS pg_catalog.json LANGUAGE sql AS $$SELECT '[]'::pg_catalog.json$$;
    CREATE FUNCTION hostile.ledger_hash(
        bytea, bigint, text, uuid, text, timestamptz, text, uuid, json
    ) RETURNS bytea LANGUAGE sql AS $$SELECT ''::bytea$$;
    CREATE TABLE hostile.ledgers (LIKE public.ledgers);
    CREATE TABLE hostile.ledger_entries (LIKE public.ledger_entries);
    CREATE DOMAIN hostile.json AS text;
    CREATE DOMAIN hostile.bytea AS text;
    CREATE TEMPORARY TABLE ledgers (LIKE public.ledgers);
    CREATE TEMPORARY TABLE ledger_entries (LIKE public.ledger_entries);
    RESET ROLE;
"""


HOSTILE_CHANGE = """
    UPDATE public.{table}
    SET {name} = 'hostile', version = %s, updated_at = %s, last_action = 'update',
        request_id = 'hostile', session_id = NULL
    WHERE {table}.owner_id OPERATOR(pg_catalog.=) %s AND {table}.version OPERATOR(pg_catalog.=) 2
"""


@pytest.mark.proves("LEDGER-51")
@pytest.mark.parametrize("path", ["hostile, public, pg_catalog", "hostile, pg_temp, pg_catalog"])
@pytest.mark.parametrize("kind", KINDS)
def test_names_and_operators_of_the_caller_do_not_bend_the_ledger(
    superuser: psycopg.Connection, alice: ApiUser, flask: FlaskCommand, kind: str, path: str
) -> None:
    """The caller is given even the rights to create schemas and temporary objects."""
    assert [Items(alice, kind).create()["version"] for _ in range(2)] == [1, 2]
    change = of_kind(HOSTILE_CHANGE, kind)
    name = superuser.info.dbname
    superuser.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO ownrow_app'.encode())
    superuser.execute(HOSTILE)
    superuser.execute("SELECT set_config('app.owner_id', %s, FALSE)", (alice.id,))
    superuser.execute(f"SET search_path = {path}".encode())
    superuser.execute("SET ROLE ownrow_app")
    for version, year in ((2, 2100), (4, 2100), (3, 2000)):
        with pytest.raises(errors.IntegrityError):
            superuser.execute(change, (version, datetime(year, 1, 1, tzinfo=UTC), alice.id))
    superuser.execute(change, (3, datetime(2100, 1, 1, tzinfo=UTC), alice.id))
    assert flask("ledger", "verify").exit_code == 0
    entry = data(alice.changes())[-1]
    assert (entry["version"], entry["item"][NAMES[kind]]) == (3, "hostile")


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", READABLE)
def test_the_auditor_reads_what_is_not_secret(
    connections: dict[str, psycopg.Connection], table: str
) -> None:
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    rows = connections["ownrow_auditor"].execute(count).fetchone()
    expected = {
        "ended_sessions": 0,
        "idempotency_keys": 0,
        "api_tokens": 0,
        "second_factors": 0,
    }.get(table, 1)
    assert rows is not None
    assert rows[0] >= expected


@pytest.mark.proves("OWN-6")
def test_no_table_or_function_belongs_to_a_role_that_can_log_in(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        owners = connection.execute(
            """
            SELECT pg_get_userbyid(relowner) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace
            UNION
            SELECT pg_get_userbyid(proowner) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace
            """
        ).fetchall()
        may_log_in = connection.execute(
            "SELECT rolname FROM pg_roles"
            " WHERE rolname IN ('ownrow_owner', 'ownrow_lookup', 'ownrow_ledger')"
            " AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole)"
        ).fetchall()
    assert {owner for (owner,) in owners} == {"ownrow_owner", "ownrow_lookup", "ownrow_ledger"}
    assert may_log_in == []


def test_security_definer_functions_have_a_fixed_search_path(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        definers = connection.execute(
            "SELECT proname, proconfig FROM pg_proc WHERE prosecdef"
            " AND pronamespace = 'public'::regnamespace"
        ).fetchall()
        callable_by_all = connection.execute(
            "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
            " AND has_function_privilege('ownrow_auditor', oid, 'EXECUTE')"
        ).fetchall()
    assert {name for name, _ in definers} == {
        "find_credential",
        "password_hash_of",
        "find_api_token",
        "find_feed",
        "list_accounts",
        "due_mail",
        "tasks_with_due_reminders",
        "due_imports",
        "due_webhooks",
        "list_webhooks",
        "count_troubled_webhooks",
        "streamed_versions",
        "erase_auth_events",
        "keep_ledger_of_living_user",
        "note_auth_event",
        "note_link_event",
        "record_change",
    }
    # A setting would cost each write 7 %: record_change() names all schemas instead.
    fixed = {tuple(config) for name, config in definers if name != "record_change"}
    assert fixed == {("search_path=pg_catalog, pg_temp",)}
    assert callable_by_all == []


@pytest.mark.proves("OWN-6")
def test_the_service_cannot_delete_the_audit_events_of_an_existing_account(
    connections: dict[str, psycopg.Connection], alice: ApiUser, bob: ApiUser
) -> None:
    def trail() -> list[tuple[Any, ...]]:
        rows = connections["ownrow_auditor"].execute(
            "SELECT event, owner_id::text, account_hash::text FROM auth_events ORDER BY id"
        )
        return rows.fetchall()

    wrong = {"email": alice.email, "password": "not that one"}
    assert alice.client.post("/api/auth/login", json=wrong).status_code == 401
    erased = bob.call("DELETE", "/api/auth/me", json={"password": "seven quiet rivers"})
    assert erased.status_code == 200
    before = trail()
    assert before[-1] == ("erased", None, None)
    hashes = [bytes.fromhex(row[2][2:]) for row in before if row[2]]
    assert hashes
    for person in (alice, bob):
        connections[devdb.APPLICATION].execute(
            "SELECT erase_auth_events(%s, %s)", (person.id, hashes)
        )
    assert trail() == before


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("is_forced", [False, True])
def test_old_events_can_be_removed_by_the_migrator(database_url: str, is_forced: bool) -> None:
    migrations.switch_row_security(database_url, on=is_forced)
    with psycopg.connect(as_role(database_url, "ownrow_migrator")) as migrator:
        removed = migrator.execute("DELETE FROM auth_events WHERE at < now() + interval '1 day'")
        assert removed.rowcount == len(("registered", "logged in"))


def test_the_service_role_has_its_own_timeouts(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        (settings,) = connection.execute(
            "SELECT setconfig FROM pg_db_role_setting"
            " WHERE setrole = 'ownrow_app'::regrole AND setdatabase = 0"
        ).fetchall()[0]
    assert set(settings) == {
        "statement_timeout=2s",
        "lock_timeout=1s",
        "idle_in_transaction_session_timeout=10s",
    }


@pytest.mark.proves("TASK-26")
def test_erasing_an_account_deletes_its_ledger(alice: ApiUser, database_url: str) -> None:
    alice.post(json={"title": "to be erased"})
    erased = alice.call("DELETE", "/api/auth/me", json={"password": "seven quiet rivers"})
    assert erased.status_code == 200
    with psycopg.connect(database_url) as connection:
        (left,) = connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0]
    assert left == 0


@pytest.fixture
def plain_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of a role without CREATEROLE that is a member of no role of the project."""
    role = sql.Identifier(f"plain_{secrets.token_hex(4)}")
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        with postgres.database() as name:
            own = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            admin.execute(own.format(sql.Identifier(name), role))
            yield as_role(postgres.url(name), role.as_string(None).strip('"'))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.proves("OWN-9")
@needs_logins
def test_without_createrole_the_migrations_warn_and_the_service_works(
    config: Config, plain_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    migrations.upgrade(plain_url)
    assert "the roles were not made" in caplog.text
    assert "CREATEROLE" in caplog.text
    app = create_app(replace(config, database_url=plain_url, db_row_security=False))
    alice = register(app.test_client(), "alice@example.com")
    assert alice.post(json={"title": "without roles"}).status_code == 201
    db.close_pool()


@pytest.mark.slow
@pytest.mark.proves("OWN-9")
@needs_logins
def test_the_dba_pages_command_adds_missing_roles(
    postgres: Postgres, plain_url: str, tmp_path: Path
) -> None:
    migrations.upgrade(plain_url)
    with psycopg.connect(plain_url) as owner:
        owner.execute("INSERT INTO ended_sessions VALUES (gen_random_uuid())")
        name = owner.info.dbname
    superuser = postgres.superuser_url(name)
    page = (ROOT / "specs" / "dba.md").read_text()
    (command,) = re.findall(r"^    (while flask db status.+)$", page, re.MULTILINE)
    subprocess.run(
        ["bash", "-euc", command],
        cwd=ROOT,
        env=minimal_environment(False, DATABASE_URL=superuser, DATA_DIR=str(tmp_path))
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        timeout=120,
        check=True,
    )
    assert all(migrations.status(superuser).values())
    with psycopg.connect(as_role(postgres.url(name))) as service:
        assert service.execute("SELECT count(*) FROM ended_sessions").fetchone() == (1,)
        with pytest.raises(errors.InsufficientPrivilege):
            service.execute("SELECT count(*) FROM auth_events")


@pytest.mark.proves("OWN-10")
def test_the_dba_pages_transaction_erases_a_person(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    for person in (alice, bob):
        person.post(json={"title": "erased or not"})
    assert alice.id in dump(database_url)
    page = (ROOT / "specs" / "dba.md").read_text()
    (script,) = re.findall(r"^    BEGIN;\n.*?^    COMMIT;$", page, re.MULTILINE | re.DOTALL)
    with psycopg.connect(as_role(database_url, "ownrow_migrator"), autocommit=True) as migrator:
        migrator.execute(script.replace("person@example.com", alice.email))
    with psycopg.connect(database_url) as owner:
        left = owner.execute("SELECT DISTINCT owner_id::text FROM ledger_entries").fetchall()
        ended = owner.execute("SELECT count(*) FROM ended_sessions").fetchall()
    assert left == [(bob.id,)]
    assert ended == [(1,)]
    assert alice.id not in dump(database_url)
