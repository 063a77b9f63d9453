"""Metrics for Prometheus."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db
from app.config import Config
from app.observability import metrics
from tests.support.api_user import PASSWORD, error, register
from tests.support.processes import children, read_proc, until
from tests.support.server import Server, reply, serving

TOKEN = "a-token-for-prometheus"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def measured(config: Config) -> Iterator[FlaskClient]:
    application = create_app(replace(config, metrics_token=TOKEN))
    yield application.test_client()
    db.close_pool()


def number(text: str, name: str, **labels: str) -> float:
    """The value of that metric; 0 where it has not been counted."""
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="(.*?)"', found[2])) == labels:
            return float(found[3])
    return 0.0


def refused(answer: TestResponse) -> str:
    """The challenge of a 401."""
    assert error(answer) == (401, "UNAUTHENTICATED")
    return answer.headers["WWW-Authenticate"]


@pytest.mark.proves("OPS-20")
def test_metrics_require_the_token(measured: FlaskClient, app: Flask) -> None:
    assert refused(measured.get("/metrics")) == "Bearer"
    for wrong in ("Bearer x", "Bearer \xff", "Bearer", f"Basic {TOKEN}", TOKEN, f"{TOKEN} "):
        answer = measured.get("/metrics", headers={"Authorization": wrong})
        assert refused(answer) == 'Bearer error="invalid_token"'
    without_token = app.test_client().get("/metrics", headers=BEARER)
    assert without_token.status_code == 404


@pytest.mark.proves("API-23")
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_metrics_take_the_scheme_in_any_case(measured: FlaskClient, scheme: str) -> None:
    answer = measured.get("/metrics", headers={"Authorization": f"{scheme}{TOKEN}"})
    assert answer.status_code == 200


@pytest.mark.proves("OPS-21")
def test_requests_are_counted_by_template_method_and_status(measured: FlaskClient) -> None:
    alice = register(measured)
    tasks = [alice.create()["id"] for _ in range(3)]
    for task in tasks:
        alice.get(f"/{task}")
    measured.open("/nowhere", method="FANCY")
    measured.get("/nowhere/else")
    text = measured.get("/metrics", headers=BEARER).text
    count = "ownrow_request_duration_seconds_count"
    route = "/api/<user_id>/tasks/<task_id>"
    assert number(text, count, route=route, method="GET", status="200") == 3
    assert number(text, count, route="unmatched", method="other", status="404") == 1
    assert number(text, count, route="unmatched", method="GET", status="404") == 1
    assert tasks[0] not in text


@pytest.mark.proves("OPS-21")
def test_logins_refusals_and_the_pool_are_counted(measured: FlaskClient) -> None:
    alice = register(measured)
    wrong = {"email": alice.email, "password": f"{PASSWORD} not"}
    measured.post("/api/auth/login", json=wrong)
    measured.get("/api/me/tasks")
    answer = measured.get("/metrics", headers=BEARER)
    assert answer.content_type.startswith("text/plain; version=")
    assert number(answer.text, "ownrow_logins_total", outcome="success") == 1
    assert number(answer.text, "ownrow_logins_total", outcome="wrong") == 1
    assert number(answer.text, "ownrow_refusals_total", code="UNAUTHENTICATED") == 1
    assert number(answer.text, "ownrow_refusals_total", code="INVALID_CREDENTIALS") == 1
    assert number(answer.text, "ownrow_pool_connections", state="open") >= 1
    assert number(answer.text, "ownrow_pool_connections", state="waiting") == 0
    assert 'ownrow_build_info{python="3' in answer.text


def workers(server: Server) -> set[int]:
    return set(children(server.process.pid))


def requests_to_livez(server: Server) -> float:
    head = f"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}"
    with server.connect() as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        text = reply(connection).body.decode()
    name = "ownrow_request_duration_seconds_count"
    return number(text, name, route="/livez", method="GET", status="200")


@pytest.mark.proves("OPS-22")
def test_counters_add_up_across_workers_and_their_replacements(
    database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path, METRICS_TOKEN=TOKEN) as server:
        before = requests_to_livez(server)
        for _ in range(20):
            server.request("GET", "/livez")
        files = metrics_files(server)
        for round_number in range(1, 4):
            old = workers(server)
            if round_number < 3:
                for pid in old:
                    os.kill(pid, signal.SIGKILL)
            else:
                os.kill(server.process.pid, signal.SIGHUP)
            until(lambda old=old: len(workers(server)) == 2 and not old & workers(server))  # type: ignore[misc]
            for _ in range(20):
                server.request("GET", "/livez")
            assert requests_to_livez(server) == before + 20 * (round_number + 1)
        assert len(metrics_files(server)) <= 2 * max(len(files), 8)


@pytest.mark.proves("OPS-63")
def test_new_workers_read_the_settings_anew(database_url: str, tmp_path: Path) -> None:
    file, old, new = tmp_path / "token", "a" * 32, "b" * 32
    file.write_text(old)

    def status(token: str) -> int:
        bearer = {"Authorization": f"Bearer {token}"}
        return server.request("GET", "/metrics", headers=bearer).status

    with serving(database_url, tmp_path, METRICS_TOKEN_FILE=str(file)) as server:
        before = workers(server)
        assert (status(old), status(new)) == (200, 401)
        file.write_text(new)
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: len(workers(server)) == 2 and not before & workers(server))
        assert (status(old), status(new)) == (401, 200)


def metrics_files(server: Server) -> list[Path]:
    """The files that the workers of this server count in."""
    maps = [read_proc(pid, "maps").decode() for pid in workers(server)]
    (directory,) = {
        Path(found).parent for found in re.findall(r"/\S*ownrow-metrics\S*", "".join(maps))
    }
    return list(directory.iterdir())


@pytest.mark.proves("OPS-22")
def test_a_replaced_worker_s_slot_is_the_lowest_free_one() -> None:
    assert metrics.free_slot([]) == 0
    assert metrics.free_slot([0, 2]) == 1
    assert metrics.free_slot([0, 1]) == 2
