"""`make backup` and `make restore`, as they are run."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app import embedded
from tests.operations import parts
from tests.processes import bare_environment


def backup(data_dir: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "app.operations.backup", *arguments],
        cwd=parts.ROOT,
        env=bare_environment(DATA_DIR=str(data_dir), **settings),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


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
            environ = {"DATABASE_URL": server.url(), "DATA_DIR": str(directory)}
            status, told = parts.flask(environ, "ledger", "verify")
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


def test_there_must_be_a_database_to_save(tmp_path: Path) -> None:
    status, told = backup(tmp_path, "backup", str(tmp_path / "dump"))
    assert (status, "there is no database" in told) == (1, True)


def test_a_database_of_somebody_elses_is_left_to_its_own_tools(tmp_path: Path) -> None:
    url = "postgresql://ann@db.example.com/ownrow"
    status, told = backup(tmp_path, "backup", DATABASE_URL=url)
    assert (status, "use pg_dump" in told) == (1, True)
