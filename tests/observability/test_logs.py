"""Logs: one line per request, on every level without secrets."""

import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import devdb
from app.observability.logs import Handler, RequestLog, _scrubbed
from tests.support.api_user import ApiUser
from tests.support.server import ROOT, Server, serving

PASSWORD = "canary-word-5b1e7"
EMAIL = "canary-name-77aa@example.com"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FORGED = '{"time":"2026-01-01","level":"info","message":"forged"}'


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def _json_lines(app: Flask) -> None:
    app.extensions["request_log"] = RequestLog("info", "json")


@pytest.mark.proves("OPS-10")
@pytest.mark.usefixtures("_json_lines")
def test_each_request_is_one_line_with_its_statements_and_its_user(
    alice: ApiUser, capfd: pytest.CaptureFixture[str]
) -> None:
    task = alice.create()
    capfd.readouterr()
    headers = {"X-Request-Id": "my-request.1", "traceparent": TRACEPARENT}
    alice.get(f"/{task['id']}", headers=headers)
    (line,) = lines(capfd.readouterr().err)
    assert line["request_id"] == "my-request.1"
    assert line["traceparent"] == TRACEPARENT
    assert (line["level"], line["method"], line["status"]) == ("info", "GET", 200)
    assert line["route"] == "/api/<user_id>/tasks/<task_id>"
    assert line["user_id"] == alice.id
    assert "tasks/get" in [each["name"] for each in line["statements"]]
    assert 0 < sum(each["ms"] for each in line["statements"]) < line["duration_ms"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])


@pytest.mark.proves("OPS-10")
@pytest.mark.usefixtures("_json_lines")
def test_a_refused_request_is_logged_with_its_code(
    client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client.get("/api/me/tasks")
    client.get("/nowhere/at/all")
    first, second = lines(capfd.readouterr().err)
    assert (first["status"], first["error"], first["user_id"]) == (401, "UNAUTHENTICATED", None)
    assert (second["status"], second["route"]) == (404, "unmatched")


@pytest.mark.proves("OPS-10")
@pytest.mark.usefixtures("_json_lines")
def test_an_export_is_logged_when_it_has_ended(
    alice: ApiUser, capfd: pytest.CaptureFixture[str]
) -> None:
    alice.create()
    capfd.readouterr()
    with alice.export() as answer:
        assert capfd.readouterr().err == ""
        assert answer.get_json()
    (line,) = lines(capfd.readouterr().err)
    assert line["route"] == "/api/<user_id>/export"


@pytest.mark.proves("OPS-12")
@pytest.mark.parametrize(("level", "logged"), [("info", 1), ("warning", 0), ("error", 0)])
def test_the_level_decides_whether_successes_are_logged(
    level: str, logged: int, app: Flask, client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    app.extensions["request_log"] = RequestLog(level, "json")
    for path in ("/livez", "/nowhere"):
        client.get(path)
        assert len(capfd.readouterr().err.splitlines()) == logged


@pytest.mark.proves("OPS-12")
@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_every_level_logs_failures(
    level: str,
    app: Flask,
    client: FlaskClient,
    database_url: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    app.extensions["request_log"] = RequestLog(level, "json")
    with psycopg.connect(database_url) as owner:
        owner.execute("DELETE FROM _yoyo_migration")
    assert client.get("/readyz").status_code == 503
    (line,) = lines(capfd.readouterr().err)
    assert (line["status"], line["error"]) == (503, "UNAVAILABLE")


@pytest.mark.proves("OPS-11")
@pytest.mark.parametrize("style", ["json", "console"])
def test_no_logged_value_can_forge_a_line(style: str, capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger("test")  # noqa: LOG001  # it must not inherit pytest's handlers
    logger.addHandler(Handler(style))
    hostile = f"a\r\n{FORGED}\n\x1b[2J\x9b\u2028\u0085b"
    logger.error("%s", hostile, exc_info=ValueError(hostile))
    RequestLog("info", style).write(
        200, {"request_id": hostile, "route": hostile, "error": hostile}
    )
    logged = capfd.readouterr().err
    assert not set("\r\x1b\x9b\u2028\u0085") & set(logged)
    assert not any(line.strip() == FORGED for line in logged.splitlines())
    assert logged.count("\n") == (2 if style == "json" else 3)


@pytest.mark.proves("OPS-11")
def test_in_development_a_request_is_a_readable_line(
    app: Flask, client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    app.extensions["request_log"] = RequestLog("info", "console")
    client.get("/readyz")
    (line,) = capfd.readouterr().err.splitlines()
    assert re.match(r"\d\d:\d\d:\d\d INFO +request request_id=\w+ method=GET route=/readyz", line)
    assert "system/list_migrations=" in line


@pytest.mark.proves("OPS-11")
def test_gunicorn_logs_in_the_same_format(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"BROKEN\r\n\r\n")
        connection.recv(1000)
    logged = server.log.read_text().splitlines()
    assert any("Booting worker" in line for line in logged)
    assert all(
        re.match(r"\d\d:\d\d:\d\d [A-Z]+ ", line) or line.startswith("    ") for line in logged
    )


def use_everything(server: Server) -> str:
    """Sends valid, invalid and malformed requests, with the canaries in all of them.

    Returns the secret of a feed, which they have as well.
    """
    account = {"email": EMAIL, "password": PASSWORD}
    for body in (account, account, {**account, "extra": PASSWORD}, {"email": PASSWORD}):
        server.request("POST", "/api/auth/register", body)
    server.request("POST", "/api/auth/login", {**account, "password": f"{PASSWORD}!"})
    session = server.request("POST", "/api/auth/login", account).json["data"]
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    server.request("GET", f"/api/{EMAIL}/tasks?q={EMAIL}&token={session['access_token']}")
    server.request("GET", f"/{PASSWORD}", headers={"X-Request-Id": EMAIL, "Cookie": PASSWORD})
    server.request("GET", "/api/me/tasks", headers={"Authorization": f"Bearer {PASSWORD}"})
    feed = str(server.request("POST", "/api/me/feeds", {}, bearer).json["data"]["url"])
    address = f"/feeds/{feed.partition('/feeds/')[2]}"
    for path in (address, f"{address}?as=none", f"/{address}", address.removesuffix(".ics")):
        server.request("GET", path)
    server.raw(f"GET {address} HTTP/9.9\r\n\r\n".encode())
    server.request("POST", "/api/auth/refresh", {"refresh_token": session["refresh_token"]})
    server.request("POST", "/api/auth/refresh", {"refresh_token": session["refresh_token"]})
    change = {"current_password": PASSWORD, "new_password": f"{PASSWORD}-new"}
    server.request("PUT", "/api/auth/password", change, bearer)
    server.raw(f"GET /{EMAIL} {PASSWORD}\r\n\r\n".encode())
    server.raw(f"GET / HTTP/1.1\r\nBad Header {PASSWORD}: {EMAIL}\r\n\r\n".encode())
    return feed.rpartition("/")[2].removesuffix(".ics")


@pytest.mark.proves("OPS-13", "FEED-15")
@pytest.mark.slow
def test_no_password_token_or_email_is_in_any_log_at_any_level(
    tmp_path: Path, used_data_dir: Path
) -> None:
    loud = {"log_min_messages": "debug1", "log_min_error_statement": "debug1"}
    with devdb.start(used_data_dir, settings=loud) as postgres:
        with serving(postgres.url(), tmp_path, LOG_LEVEL="debug", LOG_FORMAT="json") as server:
            feed = use_everything(server)
            with psycopg.connect(postgres.url(user=devdb.SUPERUSER), autocommit=True) as admin:
                admin.execute("ALTER TABLE users RENAME TO users_away")
                server.request("POST", "/api/auth/login", {"email": EMAIL, "password": PASSWORD})
                admin.execute("ALTER TABLE users_away RENAME TO users")
                hashes = admin.execute("SELECT password_hash FROM credentials").fetchall()
        logged = server.log.read_text() + (used_data_dir / "postgres.log").read_text()
    assert "UndefinedTable" in logged
    assert hashes
    for secret in (PASSWORD, EMAIL, EMAIL.partition("@")[0], "eyJ", hashes[0][0], feed):
        assert secret not in logged, next(each for each in logged.splitlines() if secret in each)


@pytest.mark.proves("OPS-11")
def test_the_command_line_logs_in_the_same_format(database_url: str, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path),
        "LOG_FORMAT": "json",
    }
    code = "import logging, wsgi; logging.getLogger('x').warning('sent to %s', 'a@b.example')"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(process.stderr)["message"] == "sent to [e-mail]"


def test_scrubbing_a_long_word_takes_linear_time() -> None:
    began = time.monotonic()
    assert _scrubbed("!" * 100_000) == "!" * 100_000
    assert time.monotonic() - began < 1
