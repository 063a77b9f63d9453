"""The databases that tests get: copies of a migrated one, used again where nobody can tell.

A copy costs 16 ms, and the first connection to it 20 ms more, until PostgreSQL has read its
catalogue there and planned the service's statements. Both are spared where the copy is *proven* to
be as new. After a test its rows are deleted, and whatever else there is in the database (schema,
rights, settings, statistics, the notes about migrations) is held against the template, and the
session of each connection in the pool against one that has just begun. The least difference ends
the copy or the pool, and the next test gets another. So a test may do with its database what it
likes, and need not say so. Where nobody came but the service, whose role may change nothing but
rows, the catalogue is not read again: PostgreSQL counts the sessions.
"""

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from app import db, pool
from app.config import Config
from app.connection import Connection

MEMORY = 2 * 1024**3  # bytes free in memory, for the servers of all workers
PATIENCE = 1.0  # seconds in which closed connections end
SYSTEM = ("pg_catalog", "information_schema")
STATEMENTS = {
    statement.name: statement.query.decode()
    for statement in (
        db.load(str(file.relative_to(db.SQL).with_suffix(""))) for file in db.SQL.rglob("*.sql")
    )
}

TABLES = """
    SELECT nspname, relname FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND NOT relisshared
"""
ROWS: LiteralString = "SELECT {}, count(*), min(age(xmin)) FROM {}"
# The same of what tables that all databases share say about this one.
SHARED_ROWS = """
    SELECT 'pg_database', count(*), min(age(xmin)) FROM pg_database
    WHERE datname = current_database()
    UNION ALL
    SELECT 'pg_db_role_setting', count(*), min(age(xmin)) FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# How many rows each table has; what ANALYZE and VACUUM write without making a row anew; that no row
# was written since the copy; and that PostgreSQL plans for tables which were emptied as it does for
# new ones: it takes those that it knows nothing of for ten pages large, if they are not larger.
STATE: LiteralString = """
    SELECT
        string_agg(name || ' ' || rows, ', ' ORDER BY name),
        (SELECT sum(reltuples::bigint) || ' ' || sum(relpages) FROM pg_class),
        min(age) > age(%s::text::xid),
        (SELECT max(pg_relation_size(oid)) <= 10 * 8192 FROM pg_class WHERE oid >= 16384)
    FROM ({}) AS every_table (name, rows, age)
"""
# Those that have ended are counted before they can't be seen any more.
SESSIONS = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
# Sequences are not part of the state: they change without a new row.
EMPTY: LiteralString = """
    BEGIN;
    SET LOCAL session_replication_role = replica;
    SET LOCAL row_security = off;
    SET LOCAL lock_timeout = '1s';
    {};
    SELECT setval(seqrelid, seqstart, FALSE) FROM pg_sequence;
    COMMIT
"""
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
        AND pid <> pg_backend_pid() AND pid <> ALL(%s)
"""
# All that DISCARD ALL would reset, apart from prepared statements.
SESSION = """
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


def memory() -> str | None:
    """Where files are kept in memory, if there is room: copies take a tenth of the time there."""
    shared = Path("/dev/shm")
    has_room = shared.is_dir() and shutil.disk_usage(shared).free > MEMORY
    return str(shared) if has_room else None


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL in which databases are made and dropped."""

    admin_url: str
    owner_url: str
    admin: psycopg.Connection

    def url(self, database: str) -> str:
        return urlsplit(self.owner_url)._replace(path=f"/{database}").geturl()

    def superuser_url(self, database: str) -> str:
        return urlsplit(self.admin_url)._replace(path=f"/{database}").geturl()

    def create(self, template: str | None = None) -> str:
        """The name of a new database, empty or a copy."""
        name = f"ownrow_test_{secrets.token_hex(6)}"
        copied = (
            sql.SQL("TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
            if template
            else sql.SQL("")
        )
        owner = sql.Identifier(urlsplit(self.owner_url).username or "")
        create = sql.SQL("CREATE DATABASE {} OWNER {} {}")
        self.admin.execute(create.format(sql.Identifier(name), owner, copied))
        # A copy has the template's objects, but not the rights on the database itself.
        revoke = sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC")
        self.admin.execute(revoke.format(sql.Identifier(name)))
        return name

    def drop(self, name: str) -> None:
        """Drops the database, whoever is connected to it."""
        self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The name of a new database, empty or a copy; it is dropped at the end."""
        name = self.create(template)
        try:
            yield name
        finally:
            self.drop(name)


class Template:
    """The migrated database that others are copied from, and how to see that they equal it."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self.name = name
        with psycopg.connect(postgres.superuser_url(name)) as connection:
            names = connection.execute(TABLES).fetchall()
            rows = [
                sql.SQL(ROWS).format(sql.Literal(".".join(each)), sql.Identifier(*each))
                for each in names
            ]
            shared = sql.SQL(SHARED_ROWS)
            self._queries = {
                False: sql.SQL(STATE).format(shared),
                True: sql.SQL(STATE).format(sql.SQL(" UNION ALL ").join([*rows, shared])),
            }
            self.empty_query = self._empty(connection, names)
            since = _next_transaction(connection)
            self._state = {whole: self._read(connection, since, whole) for whole in self._queries}

    def equals(self, connection: psycopg.Connection, since: str, *, whole: bool) -> bool:
        """Whether a copy made then is like this one; its catalogue, too, where it is `whole`."""
        return bool(self._read(connection, since, whole) == self._state[whole])

    def _read(self, connection: psycopg.Connection, since: str, whole: bool) -> Any:
        return connection.execute(self._queries[whole], [since], prepare=True).fetchone()

    @staticmethod
    def _empty(connection: psycopg.Connection, names: list[tuple[str, str]]) -> sql.Composed:
        """Takes the rows out of each table that has none here."""
        own = [sql.Identifier(*each) for each in names if each[0] not in SYSTEM]
        any_row = sql.SQL("SELECT FROM {} LIMIT 1")
        empty = [each for each in own if not connection.execute(any_row.format(each)).rowcount]
        delete = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(each) for each in empty)
        return sql.SQL(EMPTY).format(delete)


def _next_transaction(connection: psycopg.Connection) -> str:
    """The number of a transaction that is yet to come: whatever is older has happened already."""
    found = connection.execute(
        "SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text"
    ).fetchone()
    assert found is not None
    return str(found[0])


class Pool:
    """The pool of `app.db`, kept open from one test to the next that configures it equally."""

    def __init__(self) -> None:
        self._pool: pool.Pool | None = None
        self._config: Config | None = None
        self._session: object = None  # of a connection that has just begun

    def open(self, config: Config) -> None:
        """Opens what `app.db` was configured with, or puts what is open already in its place."""
        wanted = replace(config, data_dir=Path())
        if self._pool is not None and self._config == wanted:
            self._pool.pop_stats()
            db._database.pool = self._pool
            return
        self.close()
        db.open_pool()
        self._pool, self._config, self._session = db._pool(), wanted, None

    def put_away(self) -> None:
        """Leaves `app.db` without a pool; what is there instead of the one opened is closed."""
        if db._database.pool is self._pool:
            db._database.pool = None
        else:
            db.close_pool()
            self.close()

    def keep(self) -> list[int]:
        """The server's processes behind it, if all are idle and as new; otherwise it is closed."""
        if self._pool is None:
            return []
        stats = self._pool.get_stats()
        if not self._pool.closed and stats["pool_available"] == stats["pool_size"]:
            connections = [self._pool.getconn() for _ in range(stats["pool_size"])]
            try:
                if all(self._is_as_new(each) for each in connections):
                    return [each.info.backend_pid for each in connections]
            finally:
                for each in connections:
                    self._pool.putconn(each)
        self.close()
        return []

    def _is_as_new(self, connection: Connection) -> bool:
        """Whether it has prepared statements of the service, and is otherwise like another one."""
        if self._session is None:
            assert self._pool is not None
            with closing(self._pool._connect()) as new:
                self._session = new.execute(SESSION).fetchone()
        prepared = dict(connection.execute(PREPARED).fetchall())
        return (
            prepared.keys() == connection._known
            and prepared.items() <= STATEMENTS.items()
            and connection.execute(SESSION).fetchone() == self._session
        )

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


class Copy:
    """A copy of the template, for one test after the other."""

    def __init__(self, postgres: Postgres, template: Template) -> None:
        self._postgres, self._template = postgres, template
        self.name = postgres.create(template.name)
        self.url = postgres.url(self.name)
        self.superuser_url = postgres.superuser_url(self.name)
        self.pool = Pool()
        self._made_at = _next_transaction(postgres.admin)
        self._admin: psycopg.Connection | None = None
        self._sessions: Any = None  # how many there had been when its catalogue was read

    def renew(self) -> bool:
        """Takes the rows out; whether the copy is as good as a new one then."""
        try:
            if self._admin is None:
                self._admin = psycopg.connect(self.superuser_url, autocommit=True)
            _wait_until_alone(self._admin, self.pool.keep())
            self._admin.execute(self._template.empty_query)
            return self._is_as_new(self._admin)
        except (psycopg.Error, TimeoutError):
            return False

    def _is_as_new(self, admin: psycopg.Connection) -> bool:
        before, self._sessions = self._sessions, admin.execute(SESSIONS, prepare=True).fetchone()
        return self._template.equals(admin, self._made_at, whole=self._sessions != before)

    def drop(self) -> None:
        self.pool.close()
        if self._admin is not None:
            self._admin.close()
        self._postgres.drop(self.name)


def _wait_until_alone(connection: psycopg.Connection, accepted: list[int]) -> None:
    """Until nobody else is connected to that database; TimeoutError where somebody stays."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute(OTHERS, [accepted], prepare=True).fetchone() != (0,):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.001)


class Copies:
    """Hands out one copy at a time: the one before, if that is as good as a new one."""

    def __init__(self, postgres: Postgres, template: str) -> None:
        self._postgres = postgres
        self._template = Template(postgres, template)
        self._kept: Copy | None = None

    @contextmanager
    def lent(self) -> Iterator[Copy]:
        copy, self._kept = self._kept or Copy(self._postgres, self._template), None
        try:
            yield copy
        finally:
            if copy.renew():
                self._kept = copy
            else:
                copy.drop()

    def close(self) -> None:
        if self._kept is not None:
            self._kept.drop()
