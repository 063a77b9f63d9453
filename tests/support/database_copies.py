"""The database of a test: a copy of the migrated one, reused by the next test if it is as new.

Reuse saves 21 of 127 ms of CPU time per test of tests/auth and tests/tasks: PostgreSQL copies no
files, and its sessions have read the catalogue and planned the service's statements. A test with
the URL of ownrow_app alone can change nothing but rows (tests/audit/test_rights.py has that role's
rights); they are deleted. A copy is dropped after a test that has asked for the URL of the owner or
the superuser, or whose pool is in use, closed, or has a session that differs from a new one.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from app import db
from app.config import Config
from app.db.connection import Connection
from tests.support.databases import Postgres
from tests.support.roles import as_role

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
# Sequences are reset as well.
DELETE_ROWS: LiteralString = """
    BEGIN;
    SET LOCAL session_replication_role = replica;
    SET LOCAL row_security = off;
    SET LOCAL lock_timeout = '1s';
    {};
    SELECT setval(seqrelid, seqstart, FALSE) FROM pg_sequence;
    COMMIT
"""
# PostgreSQL plans for a table without statistics as if it had ten pages, or more if it is larger.
PLANS_AS_NEW = "SELECT max(pg_relation_size(oid)) <= 10 * 8192 FROM pg_class WHERE oid >= 16384"
# Everything that DISCARD ALL would reset, except prepared statements.
SESSION_STATE = """
    SELECT
        current_user,
        session_user,
        pg_my_temp_schema() AS temporary,
        nullif(current_setting('app.owner_id', TRUE), '') AS owner_id,
        (
            SELECT string_agg(name || '=' || setting, ',' ORDER BY name) FROM pg_settings
            WHERE source <> 'default'
        ) AS settings,
        (
            SELECT count(*) FROM pg_locks
            WHERE pid = pg_backend_pid() AND locktype = 'advisory'
        ) AS locks,
        (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors,
        (SELECT count(*) FROM pg_listening_channels()) AS channels
"""
PREPARED = "SELECT name, statement FROM pg_prepared_statements"


@cache
def service_statements() -> dict[str, str]:
    """The text of every statement in sql/, by its name."""
    names = [str(file.relative_to(db.SQL).with_suffix("")) for file in db.SQL.rglob("*.sql")]
    return {name: db.load(name).query.decode() for name in names}


class DatabaseCopy:
    """A copy of the migrated database, for one test after the other."""

    def __init__(self, postgres: Postgres, template: str, delete_rows: sql.Composed) -> None:
        self.name = postgres.create(template)
        self._postgres = postgres
        self._delete_rows = delete_rows
        self._admin: psycopg.Connection | None = None
        self._has_only_app_role = True
        self._process: db._Process | None = None  # with the pool, between tests as well
        self._config: Config | None = None  # of that pool
        self._new_session: object = None  # the state of a session of that pool that has just begun
        self._is_released = False  # whether the test has used the pool and released it

    @property
    def app_url(self) -> str:
        """The URL for ownrow_app."""
        return as_role(self._postgres.url(self.name))

    @property
    def owner_url(self) -> str:
        """The URL for the owner of the schema; no other test gets this copy."""
        self._has_only_app_role = False
        return self._postgres.url(self.name)

    @property
    def superuser_url(self) -> str:
        """The URL for the superuser; no other test gets this copy."""
        self._has_only_app_role = False
        return self._postgres.superuser_url(self.name)

    @contextmanager
    def pool(self, config: Config) -> Iterator[None]:
        """Opens a pool for `app.db`, or uses that of the previous test if it has equal settings.

        Call `db.configure` first. At the end of the block `app.db` has no pool.
        """
        wanted = replace(config, data_dir=Path())
        if self._process is not None and self._config == wanted:
            self._process.pool.pop_stats()
            db._database.process = self._process
        else:
            self._close_pool()
            self._process, self._config = db._this_process(), wanted
            self._new_session = None
        try:
            yield
        finally:
            if db._database.process is self._process:
                db._database.process, self._is_released = None, True
            else:  # the test has configured another one
                db.close_pool()
                self._close_pool()

    def renew(self) -> bool:
        """Deletes all rows; False if the copy may still differ from a new one."""
        was_released, self._is_released = self._is_released, False
        try:
            return (
                self._has_only_app_role
                and was_released
                and self._pool_is_as_new()
                and self._empty_tables()
            )
        except psycopg.Error:
            return False

    def _pool_is_as_new(self) -> bool:
        assert self._process is not None
        pool = self._process.pool
        stats = pool.get_stats()
        if pool.closed or stats["pool_available"] != stats["pool_size"]:
            return False
        if self._new_session is None:
            with closing(pool._connect()) as new:
                self._new_session = new.execute(SESSION_STATE).fetchone()
        connections = [pool.getconn() for _ in range(stats["pool_size"])]
        try:
            return all(map(self._is_as_new, connections))
        finally:
            for connection in connections:
                pool.putconn(connection)

    def _is_as_new(self, connection: Connection) -> bool:
        """Whether the session is like a new one, except for prepared statements of the service."""
        prepared = dict(connection.execute(PREPARED).fetchall())
        return (
            prepared.keys() == connection._prepared_names
            and prepared.items() <= service_statements().items()
            and connection.execute(SESSION_STATE).fetchone() == self._new_session
        )

    def _empty_tables(self) -> bool:
        if self._admin is None:
            url = self._postgres.superuser_url(self.name)
            self._admin = psycopg.connect(url, autocommit=True)
        self._admin.execute(self._delete_rows)
        return self._admin.execute(PLANS_AS_NEW, prepare=True).fetchone() == (True,)

    def _close_pool(self) -> None:
        if self._process is not None:
            self._process.pool.close()
            self._process = None

    def drop(self) -> None:
        """Closes the pool and drops the database."""
        self._close_pool()
        if self._admin is not None:
            self._admin.close()
        self._postgres.drop(self.name)


class DatabaseCopies:
    """Provides a copy per test: that of the previous test if it is as new."""

    def __init__(self, postgres: Postgres, template: str) -> None:
        self._postgres, self._template = postgres, template
        with psycopg.connect(postgres.superuser_url(template)) as connection:
            tables = [sql.Identifier(name) for (name,) in connection.execute(TABLES).fetchall()]
            any_row = sql.SQL("SELECT FROM {} LIMIT 1")
            empty = [
                each for each in tables if not connection.execute(any_row.format(each)).rowcount
            ]
        deletions = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in empty)
        self._delete_rows = sql.SQL(DELETE_ROWS).format(deletions)
        self._previous: DatabaseCopy | None = None

    @contextmanager
    def copy(self) -> Iterator[DatabaseCopy]:
        """A database with all migrations and without rows, for the block alone."""
        copy, self._previous = self._previous, None
        if copy is None:
            copy = DatabaseCopy(self._postgres, self._template, self._delete_rows)
        try:
            yield copy
        finally:
            self._keep_or_drop(copy)

    def _keep_or_drop(self, copy: DatabaseCopy) -> None:
        if self._previous is None and copy.renew():
            self._previous = copy
        else:
            copy.drop()

    def close(self) -> None:
        """Drops the copy that is left."""
        if self._previous is not None:
            self._previous.drop()
            self._previous = None
