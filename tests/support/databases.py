"""The PostgreSQL of the tests: databases are created, copied and dropped on it."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

MIN_FREE_MEMORY = 2 * 1024**3  # bytes, for the servers of all workers of pytest-xdist
# Settings of a server whose data need not survive a crash.
VOLATILE_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "shared_buffers": "64MB",
}


def memory_directory() -> str | None:
    """A directory in memory, if it has MIN_FREE_MEMORY: copies take a tenth of the time there."""
    shared = Path("/dev/shm")
    has_room = shared.is_dir() and shutil.disk_usage(shared).free > MIN_FREE_MEMORY
    return str(shared) if has_room else None


@dataclass(frozen=True)
class Postgres:
    """A server; `admin` is a superuser's connection to it, in autocommit mode."""

    admin_url: str
    owner_url: str
    admin: psycopg.Connection

    def url(self, database: str) -> str:
        """The database's URL for the owner of the schema."""
        return urlsplit(self.owner_url)._replace(path=f"/{database}").geturl()

    def superuser_url(self, database: str) -> str:
        """The database's URL for the superuser."""
        return urlsplit(self.admin_url)._replace(path=f"/{database}").geturl()

    def create(self, template: str | None = None) -> str:
        """Creates a database, empty or as a copy; returns its name."""
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
        """Terminates all sessions of the database and drops it."""
        self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The name of a database, empty or a copy, that is dropped at the end of the block."""
        name = self.create(template)
        try:
            yield name
        finally:
            self.drop(name)
