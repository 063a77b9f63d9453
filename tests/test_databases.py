"""A database is used again only where no test could tell it from one just made."""

import psycopg
import pytest
from psycopg import sql

from app import db
from tests import databases
from tests.callers import Caller, register
from tests.databases import Copies, Copy

DEEDS = [
    "ALTER TABLE users ADD COLUMN nickname text",
    "ALTER TABLE tasks DROP CONSTRAINT tasks_pkey CASCADE",
    "DROP INDEX ended_sessions_ended_at",
    "CREATE INDEX ON users (created_at)",
    "CREATE TABLE made (number integer)",
    "CREATE FUNCTION made() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION utc(at timestamptz) RETURNS text LANGUAGE sql AS 'SELECT $1::text'",
    "ALTER TABLE users DISABLE TRIGGER ALL",
    "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY owner ON users",
    "GRANT SELECT ON credentials TO PUBLIC",
    "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
    "GRANT TEMPORARY ON DATABASE {name} TO PUBLIC",
    "ALTER DATABASE {name} SET work_mem = '1MB'",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "COMMENT ON TABLE users IS 'Changed.'",
    "DELETE FROM _yoyo_migration",
    "UPDATE _yoyo_migration SET applied_at_utc = now()",
    "ANALYZE users",
    "VACUUM users",
    "SELECT lo_create(0)",
    "INSERT INTO ended_sessions SELECT gen_random_uuid() FROM generate_series(1, 3000)",
]


def administer(copy: Copy, statement: str) -> None:
    with psycopg.connect(copy.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(name=sql.Identifier(copy.name)))


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_not_rows_ends_it(copies: Copies, deed: str) -> None:
    with copies.lent() as changed:
        administer(changed, deed)
    with copies.lent() as other:
        assert other.name != changed.name


def test_it_is_used_again_without_the_rows(copies: Copies) -> None:
    add = "INSERT INTO users (email, email_key) VALUES ('a@b.c', 'a@b.c')"
    note = "INSERT INTO auth_events (event) VALUES ('registered') RETURNING id"
    names, numbers = set(), set()
    for _ in range(3):
        with copies.lent() as copy, psycopg.connect(copy.url) as connection:
            names.add(copy.name)
            connection.execute(add)
            numbers.add(connection.execute(note).fetchone())
    assert (len(names), len(numbers)) == (1, 1)


def test_who_stays_connected_ends_it(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "PATIENCE", 0.1)
    with copies.lent() as left:
        connection = psycopg.connect(left.url)
    with connection, copies.lent() as other:
        assert other.name != left.name


def keeps_pool(copy: Copy) -> bool:
    """Whether the pool would be there in the next test, too."""
    copy.pool.put_away()
    return copy.pool.keep() != []


def test_connections_are_kept_with_what_they_have_prepared(alice: Caller, copy: Copy) -> None:
    assert alice.create()
    assert keeps_pool(copy)


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize(
    "deed",
    [
        "SET search_path = pg_catalog",
        "SET work_mem = '1MB'",
        "SELECT set_config('app.owner_id', 'somebody', FALSE)",
        "SELECT pg_advisory_lock(1)",
        "LISTEN something",
        "DECLARE kept CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE other AS SELECT 1",
        "DEALLOCATE ALL",
    ],
)
def test_a_session_that_is_not_as_it_began_ends_the_pool(copy: Copy, deed: str) -> None:
    with db._pool().connection() as connection:
        connection.execute(deed)
    assert not keeps_pool(copy)


def test_a_pool_of_other_settings_is_not_kept(alice: Caller, copy: Copy) -> None:
    pool = db._pool()
    db.configure(alice.client.application.extensions["settings"])
    db.open_pool()
    assert db._pool() is not pool
    register(alice.client)
    assert not keeps_pool(copy)
