"""`make backup` and `make restore`, as they are run."""

import subprocess
import sys
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from app import embedded
from tests.operations import parts
from tests.processes import bare_environment, until

PROGRAM = [sys.executable, "-m", "app.operations.backup"]
# A database can't be renamed while somebody is connected to it; PostgreSQL waits 5 s for their end.
HELD_UP = """
import sys
from pathlib import Path
import psycopg
from app.operations import backup
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
    done = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=parts.ROOT,
        env=bare_environment(DATA_DIR=str(data_dir), **settings),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def one(url: str, query: LiteralString) -> Any:
    """The first value of the only row."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def titles(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT title FROM tasks ORDER BY owner_id, id").fetchall()
    return [row[0] for row in rows]


@pytest.mark.proves("OPS-83")
@pytest.mark.slow
def test_what_was_saved_comes_back_whole_and_its_ledgers_hold(
    used_data_dir: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "saved.dump"
    with embedded.start(used_data_dir) as server:
        environ = {"DATABASE_URL": server.url(), "DATA_DIR": str(used_data_dir)}
        assert parts.flask(environ, "seed", "--users", "3", "--tasks", "60")[0] == 0
        before = titles(server.url())
        rights = one(server.url(), parts.RIGHTS)
        status, told = backup(used_data_dir, "backup", str(dump))
        assert status == 0, told
        assert dump.stat().st_mode & 0o077 == 0
        assert backup(used_data_dir, "backup", str(dump)) == (1, f"{dump} is there already\n")
        status, told = backup(used_data_dir, "restore", str(dump))
        assert (status, "already running" in told) == (1, True)
        with psycopg.connect(server.url()) as connection:
            connection.execute("UPDATE tasks SET title = 'spoilt'")
    for directory in (used_data_dir, used_data_dir / "another"):
        status, told = backup(directory, "restore", str(dump))
        assert status == 0, told
        with embedded.start(directory) as server:
            assert titles(server.url()) == before
            assert one(server.url(), parts.RIGHTS) == rights
            migrator = server.url(user="ownrow_migrator")
            environ = {"DATABASE_URL": migrator, "DATA_DIR": str(directory)}
            for command in (["ledger", "verify"], ["seed", "--users", "1", "--tasks", "1"]):
                status, told = parts.flask(environ, *command)
                assert status == 0, told
            with psycopg.connect(server.url(user=embedded.APPLICATION)) as service:
                service.execute("SELECT count(*) FROM tasks")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    service.execute("UPDATE ledger_entries SET action = 'update'")


@pytest.mark.proves("OPS-83")
def test_a_broken_file_changes_nothing(used_data_dir: Path, tmp_path: Path) -> None:
    dump, broken = tmp_path / "saved.dump", tmp_path / "broken.dump"
    assert backup(used_data_dir, "backup", str(dump))[0] == 0
    broken.write_bytes(dump.read_bytes()[:-2000])
    for file in (broken, tmp_path / "nothing"):
        status, told = backup(used_data_dir, "restore", str(file))
        assert status == 1, told
    with embedded.start(used_data_dir) as server:
        assert titles(server.url()) == []


@pytest.mark.proves("OPS-83")
def test_a_restore_that_is_killed_between_its_renames_changes_nothing(
    used_data_dir: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "saved.dump"
    with embedded.start(used_data_dir) as server, psycopg.connect(server.url()) as connection:
        assert backup(used_data_dir, "backup", str(dump))[0] == 0
        connection.execute("INSERT INTO ended_sessions VALUES (gen_random_uuid())")
    restoring = subprocess.Popen(
        [sys.executable, "-c", HELD_UP, str(used_data_dir), str(dump)],
        cwd=parts.ROOT,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with restoring:
        assert restoring.stdout is not None
        with psycopg.connect(restoring.stdout.readline().strip(), autocommit=True) as connection:
            until(lambda: connection.execute(RENAMING).rowcount == 1)
        restoring.kill()
    with embedded.start(used_data_dir) as server:
        assert one(server.url(), "SELECT count(*) FROM ended_sessions") == 1
    status, told = backup(used_data_dir, "restore", str(dump))
    assert status == 0, told
    with embedded.start(used_data_dir) as server:
        assert one(server.url(), "SELECT count(*) FROM ended_sessions") == 0


def test_there_must_be_a_database_to_save(tmp_path: Path) -> None:
    status, told = backup(tmp_path, "backup", str(tmp_path / "dump"))
    assert (status, "there is no database" in told) == (1, True)


def test_a_database_of_somebody_elses_is_left_to_its_own_tools(tmp_path: Path) -> None:
    url = "postgresql://ann@db.example.com/ownrow"
    status, told = backup(tmp_path, "backup", DATABASE_URL=url)
    assert (status, "use pg_dump" in told) == (1, True)
