"""`make backup` and `make restore`: the embedded database as one file, and back again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString, TypeAlias

import psycopg
from psycopg import sql

from app import devdb
from app.config import Config, ConfigError
from app.db import migrations
from app.db.errors import cause

Admin: TypeAlias = psycopg.Connection[tuple[object, ...]]

RESTORED, REPLACED = "ownrow_restored", "ownrow_replaced"


class BackupError(Exception):
    """A backup or a restore failed; the message says why."""


def main(action: str, name: str) -> int:
    """Exit status 0, or 1 with the reason on standard error."""
    try:
        data_dir = _data_dir(Config.from_env(os.environ))
        if action == "backup":
            message = backup(data_dir, Path(name or time.strftime("ownrow-%Y%m%d-%H%M%S.dump")))
        else:
            message = restore(data_dir, Path(name or "FILE=..."))
    except (BackupError, ConfigError, devdb.EmbeddedError) as error:
        print(error, file=sys.stderr)
        return 1
    except psycopg.Error as error:
        print(f"The database can't be used: {cause(error)}", file=sys.stderr)
        return 1
    print(message)
    return 0


def _data_dir(config: Config) -> Path:
    if config.database_url is not None:
        raise BackupError("DATABASE_URL is set: use pg_dump and pg_restore on that database")
    return config.data_dir


def backup(data_dir: Path, file: Path) -> str:
    """Writes all of the database to `file`, whether or not the service is running."""
    if file.exists():
        raise BackupError(f"{file} is there already")
    if not (data_dir / "postgres").is_dir():
        raise BackupError(f"there is no database in {data_dir}; set DATA_DIR to where it is")
    unfinished = file.with_name(f"{file.name}.unfinished")
    with _reached(data_dir) as url, _private(unfinished):
        _run("pg_dump", "--format=custom", f"--file={unfinished}", url)
        unfinished.rename(file)
    return f"The database of {data_dir} is in {file} ({file.stat().st_size:,} bytes)."


def restore(data_dir: Path, file: Path) -> str:
    """Replaces the database by the one in `file`; changes nothing on an error."""
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    _run("pg_restore", "--list", str(file))
    with devdb.start(data_dir) as server:
        # The roles belong to the server and are in no dump of a database.
        migrations.upgrade(server.url())
        with psycopg.connect(server.url("postgres", devdb.SUPERUSER), autocommit=True) as admin:
            _make_empty(admin)
            target = f"--dbname={server.url(RESTORED, devdb.SUPERUSER)}"
            _run("pg_restore", "--exit-on-error", "--single-transaction", target, str(file))
            _swap(admin)
    return f"The database of {data_dir} is as it was in {file}."


def _make_empty(admin: Admin) -> None:
    _execute(admin, "DROP DATABASE IF EXISTS {}", RESTORED)
    _execute(admin, "CREATE DATABASE {} OWNER {} TEMPLATE template0", RESTORED, devdb.OWNER)
    # Rights on the database itself are in no dump either.
    _execute(admin, "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", RESTORED)


def _swap(admin: Admin) -> None:
    _execute(admin, "DROP DATABASE IF EXISTS {}", REPLACED)
    # Both or neither: a start that finds no database makes an empty one.
    with admin.transaction():
        _execute(admin, "ALTER DATABASE {} RENAME TO {}", devdb.DATABASE, REPLACED)
        _execute(admin, "ALTER DATABASE {} RENAME TO {}", RESTORED, devdb.DATABASE)
    _execute(admin, "DROP DATABASE {}", REPLACED)


def _execute(admin: Admin, text: LiteralString, *names: str) -> None:
    admin.execute(sql.SQL(text).format(*map(sql.Identifier, names)))


@contextmanager
def _reached(data_dir: Path) -> Iterator[str]:
    """The URL of the running server, or of one started for the block."""
    url = devdb.running_url(data_dir, user=devdb.SUPERUSER)
    if url is not None:
        yield url
        return
    with devdb.start(data_dir) as server:
        yield server.url(user=devdb.SUPERUSER)


@contextmanager
def _private(file: Path) -> Iterator[None]:
    """A file with mode 0600, removed at the end unless it was renamed."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _run(name: str, *arguments: str) -> None:
    """Runs one of PostgreSQL's programs to its end."""
    command = [devdb.program(name), *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if result.returncode != 0:
        raise BackupError(result.stderr.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
