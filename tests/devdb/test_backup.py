"""`make backup` and `make restore`: the program that they run."""

import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from app import devdb
from tests.support import services
from tests.support.processes import minimal_environment, until
from tests.support.task_rows import unrecorded

PROGRAM = [sys.executable, "-m", "app.devdb.backup"]
# Restores while a session is connected to the new database: PostgreSQL waits 5 s for its end before
# it renames the database.
RESTORE_WITH_OPEN_SESSION = """
import sys
from pathlib import Path
import psycopg
from app.devdb import backup
swap = backup._swap
def connect_and_swap(admin):
    with psycopg.connect(admin.info.dsn, dbname=backup.RESTORED):
        print(admin.info.dsn, flush=True)
        swap(admin)
backup._swap = connect_and_swap
backup.restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""
RENAMING = """
    SELECT FROM pg_stat_activity
    WHERE state = 'active' AND query LIKE 'ALTER DATABASE "ownrow_restored" RENAME%'
"""


def backup(data_dir: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """Runs the program; returns its exit status and output."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=services.ROOT,
        env=minimal_environment(DATA_DIR=str(data_dir), **settings),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def fetch_value(url: str, query: LiteralString) -> Any:
    """The first value of the only row."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def titles(url: str) -> list[str]:
    """The titles of all tasks."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT title FROM tasks ORDER BY owner_id, id").fetchall()
    return [row[0] for row in rows]


@pytest.mark.proves("OPS-83")
@pytest.mark.slow
def test_a_restored_backup_has_all_rows_and_rights_and_valid_ledgers(
    used_data_dir: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "saved.dump"
    with devdb.start(used_data_dir) as server:
        environ = {"DATABASE_URL": server.url(), "DATA_DIR": str(used_data_dir)}
        assert services.flask(environ, "seed", "--users", "3", "--tasks", "60")[0] == 0
        before = titles(server.url())
        rights = fetch_value(server.url(), services.RIGHTS)
        status, output = backup(used_data_dir, "backup", str(dump))
        assert status == 0, output
        assert dump.stat().st_mode & 0o077 == 0
        assert backup(used_data_dir, "backup", str(dump)) == (1, f"{dump} is there already\n")
        status, output = backup(used_data_dir, "restore", str(dump))
        assert (status, "already running" in output) == (1, True)
        with psycopg.connect(server.url()) as connection, unrecorded(connection):
            connection.execute("UPDATE tasks SET title = 'spoilt'")
    for directory in (used_data_dir, used_data_dir / "another"):
        status, output = backup(directory, "restore", str(dump))
        assert status == 0, output
        with devdb.start(directory) as server:
            assert titles(server.url()) == before
            assert fetch_value(server.url(), services.RIGHTS) == rights
            migrator = server.url(user="ownrow_migrator")
            environ = {"DATABASE_URL": migrator, "DATA_DIR": str(directory)}
            for command in (["ledger", "verify"], ["seed", "--users", "1", "--tasks", "1"]):
                status, output = services.flask(environ, *command)
                assert status == 0, output
            with psycopg.connect(server.url(user=devdb.APPLICATION)) as service:
                service.execute("SELECT count(*) FROM tasks")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    service.execute("UPDATE ledger_entries SET action = 'update'")


@pytest.mark.proves("OPS-83")
def test_restoring_an_unreadable_file_changes_nothing(used_data_dir: Path, tmp_path: Path) -> None:
    dump, broken = tmp_path / "saved.dump", tmp_path / "broken.dump"
    assert backup(used_data_dir, "backup", str(dump))[0] == 0
    broken.write_bytes(dump.read_bytes()[:-2000])
    for file in (broken, tmp_path / "nothing"):
        status, output = backup(used_data_dir, "restore", str(file))
        assert status == 1, output
    with devdb.start(used_data_dir) as server:
        assert titles(server.url()) == []


@pytest.mark.proves("OPS-83")
def test_a_restore_killed_between_its_renames_changes_nothing(
    used_data_dir: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "saved.dump"
    with devdb.start(used_data_dir) as server, psycopg.connect(server.url()) as connection:
        assert backup(used_data_dir, "backup", str(dump))[0] == 0
        connection.execute("INSERT INTO ended_sessions VALUES (gen_random_uuid())")
    restoring = subprocess.Popen(
        [sys.executable, "-c", RESTORE_WITH_OPEN_SESSION, str(used_data_dir), str(dump)],
        cwd=services.ROOT,
        env=minimal_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with restoring:
        assert restoring.stdout is not None
        with psycopg.connect(restoring.stdout.readline().strip(), autocommit=True) as connection:
            until(lambda: connection.execute(RENAMING).rowcount == 1)
        restoring.kill()
    with devdb.start(used_data_dir) as server:
        assert fetch_value(server.url(), "SELECT count(*) FROM ended_sessions") == 1
    status, output = backup(used_data_dir, "restore", str(dump))
    assert status == 0, output
    with devdb.start(used_data_dir) as server:
        assert fetch_value(server.url(), "SELECT count(*) FROM ended_sessions") == 0


def test_a_backup_without_a_database_is_an_error(tmp_path: Path) -> None:
    status, output = backup(tmp_path, "backup", str(tmp_path / "dump"))
    assert (status, "there is no database" in output) == (1, True)


def test_a_backup_of_database_url_is_refused_in_favour_of_pg_dump(tmp_path: Path) -> None:
    url = "postgresql://ann@db.example.com/ownrow"
    status, output = backup(tmp_path, "backup", DATABASE_URL=url)
    assert (status, "use pg_dump" in output) == (1, True)
