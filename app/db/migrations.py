"""migrations/ in a database: applied and rolled back by yoyo, under a lock of the server's."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any, TypeVar

import psycopg
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.migrations import Migration, MigrationList

from app.db import distribution, schema, session

TABLE = "_yoyo_migration"
# A change of a table waits for its users, and new users wait behind it: it gives up long before the
# service's own lock_timeout, and begins again.
LOCK_TIMEOUT = "200ms"
TRIES, PAUSE = 40, 0.3  # seconds
ONLY_LOCK_TIMEOUT = "5s"  # of a migration without a transaction, which can't begin again
NAME = re.compile(r"[a-z][a-z0-9-]{0,60}")
FIRST_LINES = "-- What this migration is for, in a sentence.\n-- depends: {previous}\n\n"


# Objects belong to the schema's owner, whichever role runs the migration. Before 0004 there is no
# such role, and none ever where 0004 could not make it.
BECOME_OWNER = """
SELECT set_config('role', rolname, TRUE) FROM pg_roles
WHERE rolname = 'ownrow_owner' AND pg_has_role(oid, 'USAGE')
    AND oid = (SELECT relowner FROM pg_class WHERE pg_class.oid = to_regclass('users'))
"""

# A statement and its locks end with the process that waits for it.
NOTICE_DEATH = "SET client_connection_check_interval = '1s'"

SWITCHED_TABLES = """
SELECT format(
    'ALTER TABLE %%s %%s ROW LEVEL SECURITY',
    oid::regclass,
    CASE WHEN %(on)s THEN 'ENABLE' ELSE 'DISABLE' END
)
FROM pg_class
WHERE relforcerowsecurity AND relnamespace = 'public'::regnamespace AND relrowsecurity <> %(on)s
ORDER BY oid
"""

T = TypeVar("T")

log = logging.getLogger(__name__)
logging.getLogger("yoyo").setLevel(logging.WARNING)  # its steps are of no interest


@dataclass(frozen=True)
class _Target:
    """The URL in the place of yoyo's, whose parser knows less than libpq's."""

    url: str
    database: str = ""


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """yoyo's backend; a migration and its mark as applied commit together."""

    _is_locked: bool = False

    def connect(self, dburi: _Target) -> Any:
        connection = session.connect(dburi.url, "ownrow migration", connect_timeout=10)
        connection.add_notice_handler(_log_warning)
        connection.execute(NOTICE_DEATH)
        distribution.set_propagation(connection)
        return connection

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:
        """An advisory lock, which ends with its holder's connection."""
        if self._is_locked:
            yield
            return
        self.execute(f"SELECT pg_advisory_lock({schema.LOCK})")
        self._is_locked = True
        try:
            yield
        finally:
            self._is_locked = False
            self.execute(f"SELECT pg_advisory_unlock({schema.LOCK})")

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        self._change(migration, "apply", self.mark_one, force=force)

    def rollback_one(self, migration: Migration, force: bool = False) -> None:
        self._change(migration, "rollback", self.unmark_one, force=force)

    def _change(
        self,
        migration: Migration,
        direction: str,
        note: Callable[[Migration], None],
        *,
        force: bool,
    ) -> None:
        """Applies or rolls back a migration, again while another session holds a lock it needs."""
        migration.load()
        repeats = migration.use_transactions
        self.execute(f"SET lock_timeout = '{LOCK_TIMEOUT if repeats else ONLY_LOCK_TIMEOUT}'")

        def run() -> None:
            with self.transaction():
                self.execute(BECOME_OWNER)
                migration.process_steps(self, direction, force=force)
                note(migration)

        if repeats:
            _retry_locks(run)
        else:
            run()


def upgrade(url: str) -> list[str]:
    """Applies what is missing; returns the ids of what was applied, in order."""
    with _backend(url) as backend:
        missing = backend.to_apply(_migrations())
        backend.apply_migrations(missing)
        return [migration.id for migration in missing]


def rollback(url: str, count: int = 1) -> list[str]:
    """Rolls the newest `count` migrations back; returns their ids, the newest first."""
    with _backend(url) as backend:
        applied = backend.to_rollback(_migrations())
        newest = MigrationList(list(applied)[:count])
        backend.rollback_migrations(newest)
        return [migration.id for migration in newest]


def status(url: str) -> dict[str, bool]:
    """Each migration's id, and whether it has been applied."""
    with _backend(url) as backend:
        missing = {migration.id for migration in backend.to_apply(_migrations())}
    return {name: name not in missing for name in schema.known()}


def switch_row_security(url: str, *, on: bool) -> bool:
    """Enables or disables the policies of 0005; returns whether that was a change."""
    with session.connect(url, "ownrow migration") as connection:
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")

        def switch() -> bool:
            with connection.transaction():
                connection.execute(BECOME_OWNER)
                tables = connection.execute(SWITCHED_TABLES, {"on": on}).fetchall()
                for (statement,) in tables:
                    connection.execute(statement)
            return bool(tables)

        return _retry_locks(switch)


def new(name: str) -> tuple[Path, Path]:
    """Writes the next migration's empty file and its rollback's; returns their paths."""
    if not NAME.fullmatch(name):
        raise ValueError("name it in lower case with dashes, such as add-due-dates")
    previous = schema.known()[-1]
    file = schema.DIRECTORY / f"{int(previous[:4]) + 1:04}.{name}.sql"
    undo = file.with_name(f"{file.stem}.rollback.sql")
    file.write_text(FIRST_LINES.format(previous=previous))
    undo.write_text("")
    return file, undo


def _retry_locks(change: Callable[[], T]) -> T:
    """Runs the change, a whole transaction, again while another session holds a lock it needs."""
    for _ in range(TRIES - 1):
        try:
            return change()
        except psycopg.errors.LockNotAvailable:
            sleep(PAUSE)
    return change()


def _migrations() -> MigrationList:
    return read_migrations(str(schema.DIRECTORY))


def _log_warning(notice: psycopg.errors.Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        log.warning("%s. %s", notice.message_primary, notice.message_hint or "")


@contextmanager
def _backend(url: str) -> Iterator[_Backend]:
    backend = _Backend(_Target(url), TABLE)
    with backend, backend.lock():
        backend.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        backend.ensure_internal_schema_updated()
        yield backend
