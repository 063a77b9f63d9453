"""`flask seed`: its data keeps every rule of the ledger, and its users can log in."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app import create_app
from app.cli.connection import connected
from app.config import Config
from app.db import migrations
from app.errors import NotFound
from app.seed import generator
from app.seed.generator import PASSWORD
from app.values import Uuid
from tests.support import services
from tests.support.api_user import ApiUser, data
from tests.support.processes import minimal_environment
from tests.support.roles import as_role


def run(database_url: str, data_dir: Path, *command: str, **settings: str) -> tuple[int, str]:
    """The exit status and output of a `flask` command; coverage measures the seeding only."""
    measured = command[0] == "seed"
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *command],
        cwd=services.ROOT,
        env=minimal_environment(
            measured, DATABASE_URL=database_url, DATA_DIR=str(data_dir), **settings
        ),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def assert_ledgers_hold(database_url: str, data_dir: Path) -> None:
    status, output = run(database_url, data_dir, "ledger", "verify")
    assert status == 0, output


@pytest.mark.proves("OPS-81")
def test_seeded_users_log_in_and_their_ledgers_hold(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    status, output = run(database_url, tmp_path, "seed", "--users", "7", "--tasks", "1200")
    assert status == 0, output
    assert_ledgers_hold(database_url, tmp_path)
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT count(*), count(completed_at), count(deleted_at), bool_and("
            "  CASE WHEN deleted_at IS NULL THEN document::text = item::text ELSE item IS NULL END)"
            " FROM tasks INNER JOIN ledger_entries USING (owner_id, version)"
        ).fetchone()
    assert found is not None
    total, completed, deleted, consistent = found
    assert (total, consistent) == (1200, True)
    assert 0.4 < completed / total < 0.8
    assert 0.02 < deleted / total < 0.25
    client = app.test_client()
    email = re.findall(r"one of them: (\S+),", output)[0]
    session = data(client.post("/api/auth/login", json={"email": email, "password": PASSWORD}))
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    newest = data(client.get("/api/me/tasks", headers=bearer))
    assert newest == sorted(newest, key=lambda task: task["created_at"], reverse=True)
    made = client.post("/api/me/tasks", json={"title": "one more"}, headers=bearer)
    assert made.status_code == 201
    assert_ledgers_hold(database_url, tmp_path)


def test_a_user_with_thousands_of_tasks_takes_several_batches(
    database_url: str, tmp_path: Path
) -> None:
    environ = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    for command in (["seed", "--users", "1", "--tasks", "2700"], ["ledger", "verify"]):
        status, output = services.flask(environ, *command)
        assert status == 0, output
    with psycopg.connect(database_url) as connection:
        backwards = connection.execute(
            "SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY version) AS step"
            " FROM ledger_entries) AS steps WHERE step <= interval '0'"
        ).fetchone()
    assert backwards == (0,)


@pytest.mark.proves("OPS-81")
def test_the_migrator_can_seed_behind_row_security(empty_database_url: str, tmp_path: Path) -> None:
    migrations.upgrade(empty_database_url)
    migrations.switch_row_security(empty_database_url, on=True)
    environ = {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": as_role(empty_database_url),
        "MIGRATION_DATABASE_URL": as_role(empty_database_url, "ownrow_migrator"),
        "DB_ROW_SECURITY": "on",
    }
    status, output = services.flask(environ, "seed", "--users", "3", "--tasks", "50")
    assert status == 0, output
    status, output = services.flask(environ, "ledger", "verify")
    assert (status, output.count("entries hold")) == (0, 3), output
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (50,)


@pytest.mark.proves("OPS-81")
def test_an_account_that_has_tasks_is_not_seeded(
    owner_config: Config, alice: ApiUser, database_url: str
) -> None:
    alice.create()
    app = create_app(owner_config)
    with app.app_context(), connected(), pytest.raises(NotFound):
        list(generator.tasks(Uuid(alice.id), 10))
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (1,)


@pytest.mark.proves("OPS-81")
def test_a_terminal_shows_a_progress_bar(database_url: str, tmp_path: Path) -> None:
    terminal, replica = os.openpty()
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "seed", "--users", "2"]
    with subprocess.Popen(
        [*command, "--tasks", "20"],
        cwd=services.ROOT,
        env=minimal_environment(DATABASE_URL=database_url, DATA_DIR=str(tmp_path)),
        stdout=replica,
        stderr=replica,
    ) as process:
        assert process.wait(60) == 0
    output = os.read(terminal, 65536).decode()
    os.close(replica)
    os.close(terminal)
    assert re.findall("Seeding +\\[(#+)-*\\] +(?:[0-9]+)%", output), output
    assert "100%" in output


@pytest.mark.proves("OPS-81")
def test_production_is_not_seeded(database_url: str, tmp_path: Path) -> None:
    environ = {
        "APP_ENV": "production",
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path),
        "JWT_SECRETS": "2026-11:5f1c9e0d7b3a48628a94c6d2e0f1b357",
        "ENCRYPTION_KEYS": "2026-11:5f1c9e0d7b3a48628a94c6d2e0f1b357",
    }
    status, output = services.flask(environ, "seed")
    assert status == 1
    assert "nothing for production" in output
