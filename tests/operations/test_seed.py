"""`flask seed`: data that is believed because it keeps every rule."""

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from app.operations.seed import PASSWORD
from tests.callers import data
from tests.operations import parts
from tests.processes import bare_environment


def run(database_url: str, data_dir: Path, *command: str, **settings: str) -> tuple[int, str]:
    """The exit status of a `flask` command and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *command],
        cwd=parts.ROOT,
        env=bare_environment(DATABASE_URL=database_url, DATA_DIR=str(data_dir), **settings),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def assert_ledgers_hold(database_url: str, data_dir: Path) -> None:
    status, told = run(database_url, data_dir, "ledger", "verify")
    assert status == 0, told


@pytest.mark.proves("OPS-81")
def test_seeded_users_log_in_and_their_ledgers_hold(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    status, told = run(database_url, tmp_path, "seed", "--users", "7", "--tasks", "1200")
    assert status == 0, told
    assert_ledgers_hold(database_url, tmp_path)
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT count(*), count(completed_at), count(deleted_at),"
            " bool_and(document ->> 'version' = version::text) FROM tasks"
        ).fetchone()
    assert found is not None
    total, completed, deleted, consistent = found
    assert (total, consistent) == (1200, True)
    assert 0.4 < completed / total < 0.8
    assert 0.02 < deleted / total < 0.25
    client = app.test_client()
    email = re.findall(r"one of them: (\S+),", told)[0]
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
    status, told = run(database_url, tmp_path, "seed", "--users", "1", "--tasks", "1700")
    assert status == 0, told
    assert_ledgers_hold(database_url, tmp_path)
    with psycopg.connect(database_url) as connection:
        backwards = connection.execute(
            "SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY version) AS step"
            " FROM ledger_entries) AS steps WHERE step <= interval '0'"
        ).fetchone()
    assert backwards == (0,)


@pytest.mark.proves("OPS-81")
def test_production_is_not_seeded(database_url: str, tmp_path: Path) -> None:
    status, told = run(
        database_url,
        tmp_path,
        "seed",
        APP_ENV="production",
        JWT_SECRETS="2026-11:5f1c9e0d7b3a48628a94c6d2e0f1b357",
    )
    assert status == 1
    assert "nothing for production" in told
