"""Where a user is logged in, and how that ends: in every worker, within two seconds."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import create_app, db
from app.config import Config
from tests.auth.database import age_sessions, count, run
from tests.callers import PASSWORD, Caller, data, error
from tests.serving import Reply, Server, reply, serving

DAY = 24 * 60 * 60  # seconds
WORKERS = 3


def log_in(caller: Caller, **headers: str) -> dict[str, Any]:
    credentials = {"email": caller.email, "password": PASSWORD}
    answer = caller.client.post("/api/auth/login", json=credentials, headers=headers)
    return dict(data(answer))


def sessions(caller: Caller) -> list[dict[str, Any]]:
    return list(data(caller.call("GET", "/api/auth/sessions")))


def refuse_refresh(caller: Caller, token: str) -> bool:
    answer = caller.client.post("/api/auth/refresh", json={"refresh_token": token})
    is_refused = error(answer) == (401, "UNAUTHENTICATED")
    return is_refused and "log in again" in answer.get_json()["error"]["message"]


@pytest.mark.proves("AUTH-8")
def test_the_list_shows_where_i_am_logged_in(alice: Caller, bob: Caller) -> None:
    log_in(alice, **{"User-Agent": "phone " + "x" * 600})
    newest, oldest = sessions(alice)
    assert newest.keys() == {"id", "created_at", "last_used_at", "user_agent", "current"}
    assert newest["user_agent"] == "phone " + "x" * 506
    assert (newest["current"], oldest["current"]) == (False, True)
    assert len(sessions(bob)) == 1


def test_a_session_that_ran_out_is_not_listed(alice: Caller, database_url: str) -> None:
    age_sessions(database_url, 31 * DAY)
    assert sessions(alice) == []
    log_in(alice)
    assert count(database_url, "sessions") == 1


@pytest.mark.proves("AUTH-8")
def test_a_refresh_moves_its_session_to_the_top(alice: Caller) -> None:
    log_in(alice)
    alice.client.post("/api/auth/refresh", json={"refresh_token": alice.refresh_token})
    assert [session["current"] for session in sessions(alice)] == [True, False]


def test_i_can_end_another_session_of_mine(alice: Caller) -> None:
    other = log_in(alice)["refresh_token"]
    (ended,) = [session["id"] for session in sessions(alice) if not session["current"]]
    answer = alice.call("DELETE", f"/api/auth/sessions/{ended}")
    assert answer.status_code == 200
    assert refuse_refresh(alice, other)
    assert [session["current"] for session in sessions(alice)] == [True]
    assert error(alice.call("DELETE", f"/api/auth/sessions/{ended}")) == (404, "NOT_FOUND")


@pytest.mark.proves("AUTH-8")
def test_a_stranger_cannot_end_my_session(alice: Caller, bob: Caller) -> None:
    (mine,) = sessions(alice)
    assert error(bob.call("DELETE", f"/api/auth/sessions/{mine['id']}")) == (404, "NOT_FOUND")
    assert sessions(alice) == [mine]


@pytest.mark.proves("AUTH-8")
@pytest.mark.parametrize(
    "spell", [str.upper, lambda text: text.replace("-", ""), "{{{}}}".format, "x".format]
)
def test_another_spelling_of_a_session_is_not_found(
    alice: Caller, spell: Callable[[str], str]
) -> None:
    (mine,) = sessions(alice)
    assert spell(mine["id"]) != mine["id"]
    answer = alice.call("DELETE", f"/api/auth/sessions/{spell(mine['id'])}")
    assert error(answer) == (404, "NOT_FOUND")
    assert error(alice.call("DELETE", f"/api/auth/sessions/{uuid4()}")) == (404, "NOT_FOUND")


def test_a_logout_ends_the_session_and_can_be_repeated(alice: Caller) -> None:
    for _ in range(2):
        answer = alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
        assert (answer.status_code, data(answer)) == (200, None)
    assert refuse_refresh(alice, alice.refresh_token)


def test_a_logout_with_a_token_of_nobody_ends_nothing(alice: Caller) -> None:
    for token in ("x", alice.refresh_token[:-2] + "AA"):
        answer = alice.client.post("/api/auth/logout", json={"refresh_token": token})
        assert answer.status_code == 200
    assert len(sessions(alice)) == 1


def test_ends_that_every_token_outlived_are_forgotten(alice: Caller, database_url: str) -> None:
    run(
        database_url,
        "INSERT INTO ended_sessions SELECT gen_random_uuid(), now() - interval '61 minutes'"
        " FROM generate_series(1, 50)",
    )
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    assert count(database_url, "ended_sessions") == 1


def test_requests_ask_the_database_for_ended_sessions_once_a_second(
    alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = itertools.count()
    execute = psycopg.Connection.execute

    def counted(*args: Any, **options: Any) -> Any:
        next(asked)
        return execute(*args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    began = time.monotonic()
    for _ in range(300):
        assert error(alice.call("GET", f"/api/{uuid4()}/tasks")) == (403, "FORBIDDEN")
    assert next(asked) <= 1 + (time.monotonic() - began)


@pytest.mark.proves("AUTH-13")
def test_while_the_ended_sessions_cannot_be_read_nobody_gets_in(
    alice: Caller, config: Config
) -> None:
    assert len(sessions(alice)) == 1
    db.close_pool()
    db.configure(config)
    time.sleep(2)
    assert error(alice.call("GET", f"/api/{uuid4()}/tasks")) == (503, "UNAVAILABLE")


def test_an_ended_session_stays_ended_after_a_restart(alice: Caller, config: Config) -> None:
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    restarted = create_app(config).test_client()
    db.open_pool()
    answer = restarted.get("/api/auth/me", headers=alice.authorization)
    assert error(answer) == (401, "UNAUTHENTICATED")


# --- over all workers ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(served_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn with more workers than the machine of the tests may have cores."""
    directory = tmp_path_factory.mktemp("several")
    with serving(
        served_database_url, directory, WEB_CONCURRENCY=str(WORKERS), WEB_THREADS="1"
    ) as running:
        yield running


@contextmanager
def one_to_each(server: Server) -> Iterator[list[socket.socket]]:
    """A connection to each worker: while its only thread waits for a body, others take the next."""
    body = b'{"refresh_token": "nobody"}'
    head = (
        f"POST /api/auth/logout HTTP/1.1\r\nHost: {server.host}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with ExitStack() as opened:
        connections = []
        for _ in range(WORKERS):
            connection = opened.enter_context(server.connect())
            connection.sendall(head.encode())
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connections.append(connection)
        for connection in connections:
            connection.sendall(body)
            assert reply(connection).status == 200
        yield connections


def statuses(connections: list[socket.socket], token: str) -> list[int]:
    """What each worker answers."""
    request = f"GET /api/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    for connection in connections:
        connection.sendall(request.encode())
    return [reply(connection).status for connection in connections]


def send(server: Server, method: str, path: str, token: str, body: Any = None) -> Reply:
    return server.request(method, path, body, {"Authorization": f"Bearer {token}"})


def log_in_at(server: Server, email: str) -> dict[str, Any]:
    answer = server.request("POST", "/api/auth/login", {"email": email, "password": PASSWORD})
    return dict(answer.json["data"])


def log_out(server: Server, session: dict[str, Any], _: str) -> Reply:
    return server.request("POST", "/api/auth/logout", {"refresh_token": session["refresh_token"]})


def change_password(server: Server, _: dict[str, Any], other: str) -> Reply:
    body = {"current_password": PASSWORD, "new_password": "other quiet rivers"}
    return send(server, "PUT", "/api/auth/password", other, body)


def end_from_elsewhere(server: Server, _: dict[str, Any], other: str) -> Reply:
    listed = send(server, "GET", "/api/auth/sessions", other).json["data"]
    (ended,) = [each["id"] for each in listed if not each["current"]]
    return send(server, "DELETE", f"/api/auth/sessions/{ended}", other)


def erase(server: Server, _: dict[str, Any], other: str) -> Reply:
    return send(server, "DELETE", "/api/auth/me", other, {"password": PASSWORD})


@pytest.mark.slow
@pytest.mark.parametrize("end", [log_out, change_password, end_from_elsewhere, erase])
def test_an_ended_session_is_out_of_every_worker_within_two_seconds(
    several: Server, end: Callable[[Server, dict[str, Any], str], Reply]
) -> None:
    email = f"{uuid4().hex}@example.com"
    several.request("POST", "/api/auth/register", {"email": email, "password": PASSWORD})
    session, other = log_in_at(several, email), log_in_at(several, email)["access_token"]
    with one_to_each(several) as workers:
        assert statuses(workers, session["access_token"]) == [200] * WORKERS
        assert end(several, session, other).status == 200
        time.sleep(2)
        assert statuses(workers, session["access_token"]) == [401] * WORKERS
        goes_on = 401 if end is erase else 200
        assert statuses(workers, other) == [goes_on] * WORKERS


def test_refreshing_and_ending_a_session_at_once_never_fails(
    server: Server, served_database_url: str
) -> None:
    email = f"{uuid4().hex}@example.com"
    server.request("POST", "/api/auth/register", {"email": email, "password": PASSWORD})

    def refresh_it(session: dict[str, Any]) -> int:
        token = {"refresh_token": session["refresh_token"]}
        return server.request("POST", "/api/auth/refresh", token).status

    with ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            session = log_in_at(server, email)
            refreshed = [threads.submit(refresh_it, session) for _ in range(2)]
            ended = [threads.submit(log_out, server, session, "") for _ in range(2)]
            assert {each.result() for each in refreshed} <= {200, 401}
            assert {each.result().status for each in ended} == {200}
            assert refresh_it(session) == 401
    theirs = "sessions INNER JOIN users ON users.id = owner_id WHERE email = %(email)s"
    assert count(served_database_url, theirs, email=email) == 0
