"""`flask doctor`: what it reports about a deployment."""

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from psycopg import sql

from app import db
from app.cli.connection import connected
from app.config import Config
from app.db import migrations
from tests.support import services
from tests.support.database_copies import DatabaseCopy
from tests.support.events import streaming
from tests.support.mail import mail_server
from tests.support.processes import minimal_environment
from tests.support.roles import as_role, needs_logins
from tests.support.statements import statement

SECRET = "2026-11:5f1c9e0d7b3a48628a94c6d2e0f1b357"


def run(data_dir: Path, **settings: str) -> tuple[int, str]:
    """The exit status of `flask doctor` and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "doctor"],
        cwd=services.ROOT,
        env=minimal_environment(**environment(data_dir, **settings)),
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def examine(data_dir: Path, **settings: str) -> tuple[int, str]:
    """The same as `run` without a process of its own."""
    return services.flask(environment(data_dir, **settings), "doctor")


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    return {"DATA_DIR": str(data_dir), "LOG_FORMAT": "json", **settings}


def production(database_url: str, **settings: str) -> dict[str, str]:
    return {
        "APP_ENV": "production",
        "DATABASE_URL": database_url,
        "JWT_SECRETS": SECRET,
        "ENCRYPTION_KEYS": SECRET,
        **settings,
    }


@pytest.mark.proves("OPS-80")
def test_a_sound_deployment_passes(database_url: str, tmp_path: Path) -> None:
    status, output = run(tmp_path, DATABASE_URL=database_url)
    assert status == 0, output
    for part in ("environment", "secrets", "rate limits", "database", "schema", "clock"):
        assert f"ok    {part}: " in output
    assert "BAD" not in output
    assert SECRET.partition(":")[2] not in output


@pytest.mark.proves("OPS-80")
def test_every_mistake_in_the_environment_is_reported_at_once(tmp_path: Path) -> None:
    status, output = run(tmp_path, APP_ENV="production", JWT_SECRETS="a:short", PORT="http")
    assert status == 1
    for name in ("DATABASE_URL", "JWT_SECRETS", "ENCRYPTION_KEYS", "PORT"):
        assert name in output


@pytest.mark.proves("OPS-80")
def test_an_unreachable_database_is_reported_with_its_fix(tmp_path: Path) -> None:
    url = f"postgresql://ann:canary@127.0.0.1:{services.free_port()}/ownrow"
    status, output = run(tmp_path, DATABASE_URL=url)
    assert status == 1
    assert "BAD   database: can't be used" in output
    assert "check DATABASE_URL" in output
    assert "canary" not in output


@pytest.mark.proves("OPS-80")
def test_the_cause_of_an_unreachable_database_is_on_one_line(tmp_path: Path) -> None:
    nowhere = "postgresql://ann@/ownrow?host=%2Fnowhere"
    _, output = examine(tmp_path, DATABASE_URL=nowhere)
    (line,) = re.findall("^BAD   database: .*$", output, re.MULTILINE)
    assert "there is no socket at that path: is the server running there?" in line


def test_missing_migrations_are_reported(empty_database_url: str, tmp_path: Path) -> None:
    status, output = examine(tmp_path, DATABASE_URL=empty_database_url)
    assert (status, "run: flask db upgrade" in output) == (1, True)
    migrations.upgrade(empty_database_url)
    newest = migrations.rollback(empty_database_url)[0]
    status, output = examine(tmp_path, DATABASE_URL=empty_database_url)
    assert (status, f"BAD   schema: missing: {newest}" in output) == (1, True)


@pytest.mark.proves("OPS-80")
def test_every_missing_trigger_is_reported(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as owner:
        triggers = owner.execute(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            " ORDER BY tgname"
        ).fetchall()
        for name, table in triggers:
            drop = sql.SQL("DROP TRIGGER {} ON {}")
            owner.execute(drop.format(sql.Identifier(name), sql.Identifier(table)))
    status, output = examine(tmp_path, DATABASE_URL=as_role(database_url))
    names = ", ".join(name for name, _ in triggers)
    assert (status, f"BAD   schema: without its triggers {names}\n" in output) == (1, True), output


@pytest.mark.proves("OPS-80")
def test_every_function_of_another_role_is_reported(
    database_copy: DatabaseCopy, tmp_path: Path
) -> None:
    with psycopg.connect(database_copy.superuser_url) as superuser:
        functions = superuser.execute(
            "SELECT proname, oid::regprocedure::text FROM pg_proc"
            " WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY proname"
        ).fetchall()
        for _, signature in functions:
            superuser.execute(f"ALTER FUNCTION {signature} OWNER TO CURRENT_USER".encode())
    status, output = examine(tmp_path, DATABASE_URL=database_copy.app_url)
    names = ", ".join(name for name, _ in functions)
    assert (status, f"not their role's: {names}\n" in output) == (1, True), output


def test_an_unreachable_rate_limit_store_is_reported(database_url: str, tmp_path: Path) -> None:
    store = f"valkey://127.0.0.1:{services.free_port()}"
    status, output = examine(tmp_path, DATABASE_URL=database_url, RATE_LIMIT_STORAGE_URL=store)
    assert status == 1
    assert "BAD   rate limits: the valkey store is away" in output


def test_a_reachable_rate_limit_store_passes(database_url: str, tmp_path: Path) -> None:
    with services.redis() as port:
        store = f"redis://127.0.0.1:{port}"
        status, output = examine(tmp_path, DATABASE_URL=database_url, RATE_LIMIT_STORAGE_URL=store)
    assert status == 0, output
    assert "ok    rate limits: 600/minute, counted in redis" in output


def test_a_pool_beyond_max_connections_is_reported(database_url: str, tmp_path: Path) -> None:
    status, output = examine(
        tmp_path, DATABASE_URL=database_url, DB_POOL_SIZE="100", WEB_CONCURRENCY="8"
    )
    assert (status, "BAD   connections: up to 800 of" in output) == (1, True)


def test_a_read_only_database_is_reported(database_url: str, tmp_path: Path) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    status, output = examine(tmp_path, DATABASE_URL=database_url)
    assert (status, "BAD   database: it takes no writes" in output) == (1, True)


@pytest.mark.proves("OPS-30")
@pytest.mark.parametrize(
    ("setting", "is_in_force", "finding"),
    [
        ("off", True, "BAD   row security: is in force, but DB_ROW_SECURITY is off"),
        pytest.param(
            "on",
            False,
            "note  row security: DB_ROW_SECURITY is on, but nothing binds ownrow_app",
            marks=needs_logins,
        ),
        ("on", True, "ok    row security: is in force"),
        ("off", False, "ok    row security: is off"),
    ],
)
def test_row_security_on_one_side_only_is_reported(
    database_url: str, tmp_path: Path, setting: str, is_in_force: bool, finding: str
) -> None:
    migrations.switch_row_security(database_url, on=is_in_force)
    url = as_role(database_url)
    status, output = examine(tmp_path, DATABASE_URL=url, DB_ROW_SECURITY=setting)
    assert finding in output
    assert (status == 1) == finding.startswith("BAD")


def test_a_pooler_is_reported(database_url: str, tmp_path: Path) -> None:
    with services.pgbouncer(database_url, tmp_path) as url:
        status, output = examine(tmp_path, DATABASE_URL=url)
    assert status == 0, output
    assert "pooler: one is in between" in output


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({}, "proxy: no proxy is trusted"),
        ({}, "hosts: every Host is answered for"),
        ({}, "metrics: /metrics is a 404"),
        ({"RATE_LIMIT": "off"}, "rate limits: are off"),
    ],
)
def test_production_settings_are_noted(
    database_url: str, tmp_path: Path, settings: dict[str, str], note: str
) -> None:
    _, output = examine(tmp_path, **production(database_url, **settings))
    assert f"note  {note}" in output


@pytest.mark.proves("OPS-84")
def test_a_command_has_a_longer_statement_timeout_than_a_request(
    app: Flask, config: Config
) -> None:
    slow = statement("test/slow", "SELECT pg_sleep(2.5)")

    @app.cli.command("wait")
    def wait() -> None:
        with connected():
            db.execute(slow, {})

    assert config.db_statement_timeout_ms == 2000
    result = app.test_cli_runner().invoke(args=["wait"])
    assert result.exit_code == 0, result.output


@pytest.mark.proves("EVENT-16")
def test_the_state_of_event_streams_is_reported(
    database_url: str, config: Config, tmp_path: Path
) -> None:
    path = tmp_path / "events.sock"
    settings = {"DATABASE_URL": database_url, "EVENTS_SOCKET": str(path)}
    _, output = examine(tmp_path, **settings)
    assert "note  event streams: flask events is not running here" in output
    _, output = examine(tmp_path, **production(database_url))
    assert "note  event streams: are not configured here" in output
    with streaming(tmp_path, config, EVENTS_SOCKET=str(path)) as events:
        _, output = examine(tmp_path, **settings)
        assert f"ok    event streams: flask events takes them over at {path}" in output
        elsewhere = {**settings, "EVENTS_SOCKET": "/nowhere", "EVENTS_PORT": str(events.port)}
        _, output = examine(tmp_path, **elsewhere)
        assert f"ok    event streams: flask events listens on port {events.port}" in output


@pytest.mark.proves("MAIL-8")
def test_the_state_of_the_mail_server_is_reported(database_url: str, tmp_path: Path) -> None:
    _, output = examine(tmp_path, DATABASE_URL=database_url)
    assert "ok    mail: is logged by flask worker" in output
    _, output = examine(tmp_path, **production(database_url))
    assert "note  mail: none can be sent: SMTP_URL is unset" in output
    assert "note  links: links in mail lead to http://127.0.0.1:8000" in output
    with mail_server() as (url, _):
        _, output = examine(tmp_path, DATABASE_URL=database_url, SMTP_URL=url)
        assert "ok    mail: the server takes it" in output
    away = url.replace("//", "//canary:canary@")
    status, output = examine(tmp_path, DATABASE_URL=database_url, SMTP_URL=away)
    assert status == 1
    assert "BAD   mail: can't be sent: the connection is refused" in output
    assert "canary" not in output
