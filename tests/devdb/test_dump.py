"""Backup and restore with pg_dump and pg_restore, by the commands in specs/dba.md."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from app import devdb
from app.db import migrations
from app.devdb.postgres import APPLICATION, OWNER, SUPERUSER, EmbeddedPostgres
from tests.support import services

pytestmark = pytest.mark.slow

PAGE = (services.ROOT / "specs" / "dba.md").read_text(encoding="utf-8")
README = (services.ROOT / "README.md").read_text(encoding="utf-8")
RESTORED = "ownrow_restored"


def blocks() -> list[list[str]]:
    """The commands of the section, one list per block."""
    (section,) = re.findall(r"^## Backup and restore\n(.+?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    return [found.split("\n    ") for found in re.findall(r"\n\n    (.+(?:\n    .+)*)", section)]


SAVE, RESTORE, SWAP, AS_OWNER = blocks()
RESTORE_AS_OWNER = [*RESTORE[:-1], AS_OWNER[0], RESTORE[-1], AS_OWNER[1]]


def run(server: EmbeddedPostgres, role: str, directory: Path, *commands: str) -> str:
    """Runs the commands in sequence as that role; returns their output."""
    (host,) = parse_qs(urlsplit(server.url()).query)["host"]
    programs = Path(devdb.program("pg_dump")).parent
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=directory,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": host, "PGUSER": role},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def flask(server: EmbeddedPostgres, data_dir: Path, *command: str, **settings: str) -> str:
    """Runs a `flask` command on the restored database; returns its output."""
    environ = {
        "DATABASE_URL": server.url(RESTORED, APPLICATION),
        "MIGRATION_DATABASE_URL": server.url(RESTORED, "ownrow_migrator"),
        "DATA_DIR": str(data_dir),
    }
    status, output = services.flask(environ | settings, *command)
    assert status == 0, output
    return output


def content(server: EmbeddedPostgres, database: str) -> tuple[Any, str]:
    """The rights on the database, and its dump."""
    with psycopg.connect(server.url(database, SUPERUSER)) as connection:
        rights = connection.execute(services.RIGHTS).fetchone()
    # Without comments, which differ by dump, and without \restrict with its random key.
    dump = run(server, SUPERUSER, Path("/"), f"pg_dump {database}")
    return rights, re.sub(r"^(--|\\(un)?restrict ).*\n", "", dump, flags=re.MULTILINE)


@pytest.fixture
def server(used_data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A server with accounts and tasks."""
    with devdb.start(used_data_dir) as started:
        environ = {"DATABASE_URL": started.url(), "DATA_DIR": str(used_data_dir)}
        assert services.flask(environ, "seed", "--users", "2", "--tasks", "20")[0] == 0
        yield started


@pytest.mark.parametrize(
    ("saving", "restoring", "row_security"),
    [
        (SUPERUSER, SUPERUSER, "off"),
        (SUPERUSER, SUPERUSER, "on"),
        ("ownrow_migrator", OWNER, "off"),
        (SUPERUSER, OWNER, "on"),
    ],
)
def test_the_documented_commands_restore_everything(
    server: EmbeddedPostgres, tmp_path: Path, saving: str, restoring: str, row_security: str
) -> None:
    migrations.switch_row_security(server.url(), on=row_security == "on")
    with psycopg.connect(server.url(user=SUPERUSER)) as admin:
        admin.execute("ALTER ROLE ownrow CREATEDB")
    before = content(server, "ownrow")
    run(server, saving, tmp_path, *SAVE)
    run(server, restoring, tmp_path, *(RESTORE if restoring == SUPERUSER else RESTORE_AS_OWNER))
    assert content(server, RESTORED) == before
    assert "BAD" not in flask(server, tmp_path, "doctor", DB_ROW_SECURITY=row_security)
    verified = flask(server, tmp_path, "ledger", "verify", DB_ROW_SECURITY=row_security)
    assert verified.count("entries hold") == 2
    run(server, restoring, tmp_path, *SWAP)
    assert content(server, "ownrow") == before


def test_on_another_server_migrations_create_the_roles_before_the_restore(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    before = content(server, "ownrow")
    run(server, SUPERUSER, tmp_path, *SAVE)
    with services.cluster_directory() as directory, devdb.start(directory) as other:
        migrations.upgrade(other.url())
        run(other, SUPERUSER, tmp_path, *RESTORE)
        assert content(other, RESTORED) == before
        assert "BAD" not in flask(other, tmp_path, "doctor")


@pytest.mark.parametrize(
    ("role", "row_security", "refusal"),
    [
        (APPLICATION, False, "permission denied"),
        ("ownrow_migrator", True, "affected by row-level security"),
    ],
)
def test_pg_dump_fails_for_roles_that_may_not_read_all_rows(
    server: EmbeddedPostgres, tmp_path: Path, role: str, row_security: bool, refusal: str
) -> None:
    migrations.switch_row_security(server.url(), on=row_security)
    with pytest.raises(AssertionError, match=refusal):
        run(server, role, tmp_path, *SAVE)


def test_the_readme_has_the_same_pg_dump_command() -> None:
    assert f"\n    {SAVE[0]}\n" in README
