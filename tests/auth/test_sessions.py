"""Sessions: their list, and their end, which every worker enforces within two seconds."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask

from app import create_app, db
from app.auth.access_tokens import AccessTokens
from app.config import Config
from app.values import Uuid, new_uuid
from tests.support.api_user import PASSWORD, ApiUser, data, error
from tests.support.auth_rows import age_sessions, count, run
from tests.support.server import Reply, Server, reply, serving
from tests.support.services import free_port

DAY = 24 * 60 * 60  # seconds
WORKERS = 3


def log_in(user: ApiUser, **headers: str) -> dict[str, Any]:
    credentials = {"email": user.email, "password": PASSWORD}
    answer = user.client.post("/api/auth/login", json=credentials, headers=headers)
    return dict(data(answer))


def sessions(user: ApiUser) -> list[dict[str, Any]]:
    return list(data(user.call("GET", "/api/auth/sessions")))


def refuse_refresh(user: ApiUser, token: str) -> bool:
    answer = user.client.post("/api/auth/refresh", json={"refresh_token": token})
    is_refused = error(answer) == (401, "UNAUTHENTICATED")
    return is_refused and "log in again" in answer.get_json()["error"]["message"]


@pytest.mark.proves("AUTH-8")
def test_the_list_has_the_sessions_of_its_user(alice: ApiUser, bob: ApiUser) -> None:
    log_in(alice, **{"User-Agent": "phone " + "x" * 600})
    newest, oldest = sessions(alice)
    assert newest.keys() == {"id", "created_at", "last_used_at", "user_agent", "current"}
    assert newest["user_agent"] == "phone " + "x" * 506
    assert (newest["current"], oldest["current"]) == (False, True)
    assert len(sessions(bob)) == 1


def test_an_expired_session_is_not_listed(alice: ApiUser, database_url: str) -> None:
    age_sessions(database_url, 31 * DAY)
    assert sessions(alice) == []
    log_in(alice)
    assert count(database_url, "sessions") == 1


@pytest.mark.proves("AUTH-8")
def test_a_refresh_moves_its_session_to_the_top(alice: ApiUser) -> None:
    log_in(alice)
    alice.client.post("/api/auth/refresh", json={"refresh_token": alice.refresh_token})
    assert [session["current"] for session in sessions(alice)] == [True, False]


def test_a_user_can_end_another_of_their_sessions(alice: ApiUser) -> None:
    other = log_in(alice)["refresh_token"]
    (ended,) = [session["id"] for session in sessions(alice) if not session["current"]]
    answer = alice.call("DELETE", f"/api/auth/sessions/{ended}")
    assert answer.status_code == 200
    assert refuse_refresh(alice, other)
    assert [session["current"] for session in sessions(alice)] == [True]
    assert error(alice.call("DELETE", f"/api/auth/sessions/{ended}")) == (404, "NOT_FOUND")


@pytest.mark.proves("AUTH-8")
def test_a_user_cannot_end_the_session_of_another_user(alice: ApiUser, bob: ApiUser) -> None:
    (session,) = sessions(alice)
    assert error(bob.call("DELETE", f"/api/auth/sessions/{session['id']}")) == (404, "NOT_FOUND")
    assert sessions(alice) == [session]


@pytest.mark.proves("AUTH-8")
@pytest.mark.parametrize(
    "spell", [str.upper, lambda text: text.replace("-", ""), "{{{}}}".format, "x".format]
)
def test_a_session_id_in_another_spelling_is_not_found(
    alice: ApiUser, spell: Callable[[str], str]
) -> None:
    (session,) = sessions(alice)
    assert spell(session["id"]) != session["id"]
    answer = alice.call("DELETE", f"/api/auth/sessions/{spell(session['id'])}")
    assert error(answer) == (404, "NOT_FOUND")
    assert error(alice.call("DELETE", f"/api/auth/sessions/{uuid4()}")) == (404, "NOT_FOUND")


def test_a_logout_ends_the_session_and_can_be_repeated(alice: ApiUser) -> None:
    for _ in range(2):
        answer = alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
        assert (answer.status_code, data(answer)) == (200, None)
    assert refuse_refresh(alice, alice.refresh_token)


def test_a_logout_with_an_unknown_token_ends_nothing(alice: ApiUser) -> None:
    for token in ("x", alice.refresh_token[:-2] + "AA"):
        answer = alice.client.post("/api/auth/logout", json={"refresh_token": token})
        assert answer.status_code == 200
    assert len(sessions(alice)) == 1


def test_ended_sessions_are_deleted_once_their_access_tokens_have_expired(
    alice: ApiUser, database_url: str
) -> None:
    run(
        database_url,
        "INSERT INTO ended_sessions SELECT gen_random_uuid(), now() - interval '61 minutes'"
        " FROM generate_series(1, 50)",
    )
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    assert count(database_url, "ended_sessions") == 1


def test_ended_sessions_are_read_at_most_once_a_second(
    alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = itertools.count()
    execute = psycopg.Connection.execute

    def counted(*args: Any, **options: Any) -> Any:
        next(executed)
        return execute(*args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    began = time.monotonic()
    for _ in range(300):
        assert error(alice.call("GET", f"/api/{uuid4()}/tasks")) == (403, "FORBIDDEN")
    assert next(executed) <= 1 + (time.monotonic() - began)


@pytest.mark.proves("AUTH-13")
def test_requests_are_refused_while_the_ended_sessions_cannot_be_read(
    alice: ApiUser, config: Config
) -> None:
    assert len(sessions(alice)) == 1
    db.configure(replace(config, database_url=f"postgresql://127.0.0.1:{free_port()}/away"))
    time.sleep(2)
    assert error(alice.call("GET", f"/api/{uuid4()}/tasks")) == (503, "UNAVAILABLE")


def test_an_ended_session_stays_ended_after_a_restart(alice: ApiUser, config: Config) -> None:
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    restarted = create_app(config).test_client()
    answer = restarted.get("/api/auth/me", headers=alice.authorization)
    assert error(answer) == (401, "UNAUTHENTICATED")


@pytest.mark.proves("AUTH-80")
def test_a_signed_token_of_a_session_that_the_user_does_not_have_is_a_401(
    alice: ApiUser, bob: ApiUser, app: Flask
) -> None:
    tokens: AccessTokens = app.extensions["access_tokens"]
    own, foreign = (tokens.verify(user.access_token).session_id for user in (alice, bob))
    for session_id, status in ((own, 200), (new_uuid(), 401), (foreign, 401)):
        token = tokens.issue(Uuid(alice.id), session_id)
        for _ in range(2):
            answer = alice.client.get("/api/me/tasks", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
            assert (status == 401) == ("WWW-Authenticate" in answer.headers)


# --- several workers ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(served_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn with WORKERS workers of one thread each."""
    directory = tmp_path_factory.mktemp("several")
    with serving(
        served_database_url, directory, WEB_CONCURRENCY=str(WORKERS), WEB_THREADS="1"
    ) as running:
        yield running


@contextmanager
def connect_to_each_worker(server: Server) -> Iterator[list[socket.socket]]:
    """A connection to each worker.

    A worker whose only thread waits for a body leaves the next connection to the others.
    """
    body = b'{"refresh_token": "unknown"}'
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
    """The status of each worker's response."""
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


def end_from_other_session(server: Server, _: dict[str, Any], other: str) -> Reply:
    listed = send(server, "GET", "/api/auth/sessions", other).json["data"]
    (ended,) = [each["id"] for each in listed if not each["current"]]
    return send(server, "DELETE", f"/api/auth/sessions/{ended}", other)


def erase(server: Server, _: dict[str, Any], other: str) -> Reply:
    return send(server, "DELETE", "/api/auth/me", other, {"password": PASSWORD})


@pytest.mark.slow
@pytest.mark.parametrize("end", [log_out, change_password, end_from_other_session, erase])
def test_every_worker_refuses_an_ended_session_within_two_seconds(
    several: Server, end: Callable[[Server, dict[str, Any], str], Reply]
) -> None:
    email = f"{uuid4().hex}@example.com"
    several.request("POST", "/api/auth/register", {"email": email, "password": PASSWORD})
    session, other = log_in_at(several, email), log_in_at(several, email)["access_token"]
    with connect_to_each_worker(several) as workers:
        assert statuses(workers, session["access_token"]) == [200] * WORKERS
        assert end(several, session, other).status == 200
        time.sleep(2)
        assert statuses(workers, session["access_token"]) == [401] * WORKERS
        expected = 401 if end is erase else 200
        assert statuses(workers, other) == [expected] * WORKERS


def end_token(server: Server, token_id: str, session: str) -> Reply:
    return send(server, "DELETE", f"/api/auth/tokens/{token_id}", session)


def end_token_by_password(server: Server, _: str, session: str) -> Reply:
    return change_password(server, {}, session)


@pytest.mark.slow
@pytest.mark.proves("AUTH-87")
@pytest.mark.parametrize("end", [end_token, end_token_by_password])
def test_every_worker_refuses_an_ended_api_token_within_two_seconds(
    several: Server, end: Callable[[Server, str, str], Reply]
) -> None:
    email = f"{uuid4().hex}@example.com"
    several.request("POST", "/api/auth/register", {"email": email, "password": PASSWORD})
    session = log_in_at(several, email)["access_token"]
    body = {"name": "a script", "scopes": ["account:read"]}
    made = send(several, "POST", "/api/auth/tokens", session, body).json["data"]
    with connect_to_each_worker(several) as workers:
        assert statuses(workers, made["token"]) == [200] * WORKERS
        assert end(several, made["id"], session).status == 200
        time.sleep(2)
        assert statuses(workers, made["token"]) == [401] * WORKERS
        assert statuses(workers, session) == [200] * WORKERS


def test_concurrent_refreshes_and_logouts_never_fail(
    server: Server, served_database_url: str
) -> None:
    email = f"{uuid4().hex}@example.com"
    server.request("POST", "/api/auth/register", {"email": email, "password": PASSWORD})

    def refresh(session: dict[str, Any]) -> int:
        token = {"refresh_token": session["refresh_token"]}
        return server.request("POST", "/api/auth/refresh", token).status

    with ThreadPoolExecutor(4) as threads:
        for _ in range(10):
            session = log_in_at(server, email)
            refreshed = [threads.submit(refresh, session) for _ in range(2)]
            ended = [threads.submit(log_out, server, session, "") for _ in range(2)]
            assert {each.result() for each in refreshed} <= {200, 401}
            assert {each.result().status for each in ended} == {200}
            assert refresh(session) == 401
    open_sessions = "sessions INNER JOIN users ON users.id = owner_id WHERE email = %(email)s"
    assert count(served_database_url, open_sessions, email=email) == 0


# --- bounded rows -------------------------------------------------------------------------------

MOST = 100
ADD_SESSIONS = """
INSERT INTO sessions (owner_id, token_hash, last_used_at)
SELECT %(owner_id)s, sha256(''), now() - n * interval '1 hour'
FROM generate_series(1, %(count)s) AS n
RETURNING id::text
"""
ADD_ADDRESSES = """
INSERT INTO known_addresses (owner_id, address_hash, last_login_at)
SELECT %(owner_id)s, sha256(n::text::bytea), now() - n * interval '1 hour'
FROM generate_series(1, %(count)s) AS n
"""


def ids_of(database_url: str, user: ApiUser) -> set[str]:
    statement = "SELECT id::text FROM sessions WHERE owner_id = %(owner_id)s"
    return {row[0] for row in run(database_url, statement, owner_id=user.id)}


def add_sessions(database_url: str, user: ApiUser, number: int) -> list[str]:
    """Sessions that were last used one hour ago, two hours ago and so on."""
    added = run(database_url, ADD_SESSIONS, owner_id=user.id, count=number)
    return [row[0] for row in added]


@pytest.mark.proves("AUTH-26")
def test_a_login_ends_the_least_recently_used_sessions_beyond_a_hundred(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    (first,) = ids_of(database_url, alice)
    older = add_sessions(database_url, alice, MOST + 20)
    add_sessions(database_url, bob, MOST + 20)
    newest = log_in(alice)["access_token"]
    left = ids_of(database_url, alice)
    assert len(left) == MOST
    assert {first, *older[: MOST - 2]} < left
    announced = run(database_url, "SELECT session_id::text FROM ended_sessions")
    assert sorted(row[0] for row in announced) == sorted(older[MOST - 2 :])
    assert len(ids_of(database_url, bob)) == MOST + 21
    assert replace(alice, access_token=newest).get().status_code == 200
    assert alice.get().status_code == 200


@pytest.mark.proves("AUTH-26")
def test_the_access_tokens_of_a_surplus_session_end(
    alice: ApiUser, database_url: str, config: Config
) -> None:
    age_sessions(database_url, 10 * DAY)
    add_sessions(database_url, alice, MOST - 1)
    assert len(ids_of(database_url, alice)) == MOST
    assert log_in(alice)["user"]["id"] == alice.id
    client = create_app(config).test_client()
    answer = client.get("/api/auth/me", headers=alice.authorization)
    assert error(answer) == (401, "UNAUTHENTICATED")
    assert refuse_refresh(alice, alice.refresh_token)


@pytest.mark.proves("AUTH-26")
def test_a_login_that_fails_ends_no_session(alice: ApiUser, database_url: str) -> None:
    add_sessions(database_url, alice, MOST + 20)
    run(database_url, ADD_ADDRESSES, owner_id=alice.id, count=MOST + 20)
    run(database_url, "UPDATE users SET disabled_at = now()")
    credential = {"session_id": uuid4(), "token_hash": b"t" * 32, "address_hash": b"a" * 32}
    run(
        database_url,
        db.load("auth/start_session").text,
        **credential,
        owner_id=alice.id,
        user_agent=None,
        password_changed_at=run(database_url, "SELECT changed_at FROM credentials")[0][0],
    )
    assert count(database_url, "sessions") == MOST + 21
    assert count(database_url, "known_addresses") == MOST + 21


@pytest.mark.proves("AUTH-27")
def test_an_account_keeps_its_newest_hundred_addresses(alice: ApiUser, database_url: str) -> None:
    own = run(database_url, "SELECT address_hash FROM known_addresses")
    run(database_url, ADD_ADDRESSES, owner_id=alice.id, count=MOST + 20)
    log_in(alice)
    kept = run(database_url, "SELECT address_hash FROM known_addresses ORDER BY last_login_at DESC")
    assert len(kept) == MOST
    assert kept[0] == own[0]
    newest = run(database_url, "SELECT sha256(n::text::bytea) FROM generate_series(1, 99) AS n")
    assert set(kept[1:]) == set(newest)


def test_logins_delete_the_announcements_of_expired_access_tokens(
    alice: ApiUser, database_url: str
) -> None:
    run(
        database_url,
        "INSERT INTO ended_sessions SELECT gen_random_uuid(), now() - interval '61 minutes'"
        " FROM generate_series(1, 150)",
    )
    log_in(alice)
    assert count(database_url, "ended_sessions") == 50
    log_in(alice)
    assert count(database_url, "ended_sessions") == 0
