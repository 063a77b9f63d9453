"""Clients that do not read, or do not send what they announced: no other client waits for them."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes import children, coverage_settings, until
from tests.support.remote_user import (
    RemoteUser,
    peak_memory,
    reset_peak_memory,
    sign_up,
    workers,
)
from tests.support.server import (
    TIMEOUT,
    Reply,
    Server,
    client_ports,
    replies,
    reply,
    serving,
)

HOST = b"Host: todo.example\r\n"
THREADS = 4
CLIENTS = 6 * THREADS
EXPORTS = 1  # a fourth of the threads
REQUEST_TIMEOUT = 3  # seconds; also of a client that does not read
PROMPT = 1.0  # seconds
PIPELINED = 40  # requests; 1.6 MB of the smallest response here
MiB = 1024 * 1024


@pytest.fixture(scope="module")
def server(served_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker of few threads, which a few slow clients could occupy."""
    directory = tmp_path_factory.mktemp("slow_clients")
    settings = {"WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS), **coverage_settings()}
    timeout = ("--timeout", str(REQUEST_TIMEOUT))
    with serving(served_database_url, directory, *timeout, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def alice(server: Server) -> RemoteUser:
    """A user whose lists and export are larger than the buffers of a connection."""
    remote = sign_up(server)
    remote.create_large_tasks()
    return remote


def get(path: str, user: RemoteUser | None = None) -> bytes:
    headers = {} if user is None else user.authorization
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return b"".join([f"GET {path} HTTP/1.1\r\n".encode(), HOST, *map(str.encode, lines), b"\r\n"])


def assert_prompt(server: Server) -> None:
    """Other requests find a thread."""
    for _ in range(2 * THREADS):
        began = time.monotonic()
        assert server.request("GET", "/livez").status == 200
        assert time.monotonic() - began < PROMPT


PATHS = ["/docs/swagger-ui-bundle.js", "/openapi.json", "/api/me/tasks?limit=200"]


@pytest.mark.proves("API-80")
@pytest.mark.parametrize("path", PATHS)
def test_clients_that_do_not_read_hold_no_thread(
    server: Server, alice: RemoteUser, path: str
) -> None:
    with ExitStack() as clients:
        stalled = [clients.enter_context(server.connect_narrowly()) for _ in range(CLIENTS)]
        for client in stalled:
            client.sendall(get(path, alice) * PIPELINED)
        began = time.monotonic()
        for client in stalled:  # each of them is being answered
            assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        assert time.monotonic() - began < REQUEST_TIMEOUT
        assert_prompt(server)


@pytest.mark.proves("API-80")
@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_reads_late_gets_every_response_whole(
    server: Server, alice: RemoteUser, path: str
) -> None:
    expected = server.request("GET", path, headers=alice.authorization).body
    with server.connect_narrowly() as client:
        client.sendall(get(path, alice) * 8)
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        assert_prompt(server)
        answers = replies(client, 8)
    assert [each.status for each in answers] == [200] * 8
    assert {each.body for each in answers} == {expected}


@pytest.mark.proves("API-80")
def test_a_client_that_reads_nothing_is_disconnected_after_the_timeout(server: Server) -> None:
    with server.connect_narrowly() as client:
        client.sendall(get("/docs/swagger-ui-bundle.js") * PIPELINED)
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        (worker,) = children(server.process.pid)
        port = client.getsockname()[1]
        assert port in client_ports(server, worker)
        began = time.monotonic()
        until(lambda: port not in client_ports(server, worker))
        assert time.monotonic() - began < REQUEST_TIMEOUT + 2
        received = iter(lambda: client.recv(65536), b"")
        with pytest.raises(ConnectionError):  # so that no part passes for the whole
            list(received)


@pytest.mark.proves("API-80")
def test_a_stop_lets_a_slow_client_read_its_response(
    served_database_url: str, tmp_path: Path
) -> None:
    with serving(served_database_url, tmp_path, WEB_CONCURRENCY="1") as server:
        expected = server.request("GET", "/docs/swagger-ui-bundle.js").body
        with server.connect() as idle, server.connect_narrowly() as client:
            idle.sendall(get("/livez"))
            assert reply(idle).status == 200
            client.sendall(get("/docs/swagger-ui-bundle.js") * PIPELINED)
            assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
            server.process.terminate()
            assert idle.recv(1) == b""
            assert reply(client).body == expected
        assert server.process.wait(TIMEOUT) == 0


@pytest.mark.proves("API-82")
def test_what_clients_do_not_read_takes_a_bounded_amount_of_memory(
    server: Server, alice: RemoteUser
) -> None:
    (worker,) = workers(server)
    page = len(alice.get("/tasks?limit=200").body)
    assert page > 4_000_000
    with ExitStack() as clients:
        before = reset_peak_memory(worker)
        for _ in range(100):
            client = clients.enter_context(server.connect_narrowly())
            client.sendall(get("/api/me/tasks?limit=200", alice))
            client.recv(12, socket.MSG_PEEK)
        assert_prompt(server)
        in_work = THREADS * 6 * page  # the database's rows, and copies of them
        assert peak_memory(worker) - before < 32 * MiB + in_work


@pytest.mark.proves("API-80")
def test_refused_clients_that_stay_hold_no_thread(server: Server) -> None:
    with ExitStack() as clients:
        refused = [clients.enter_context(server.connect_narrowly()) for _ in range(CLIENTS)]
        began = time.monotonic()
        for client in refused:
            client.sendall(b"G{T / HTTP/1.1\r\n\r\n")
            assert reply(client).status == 400
        assert time.monotonic() - began < PROMPT
        assert_prompt(server)


# --- exports ------------------------------------------------------------------------------------


@pytest.mark.proves("LEDGER-80")
def test_exports_beyond_their_share_are_refused_and_other_requests_are_not(
    server: Server, alice: RemoteUser
) -> None:
    with ExitStack() as clients:
        stalled = [clients.enter_context(server.connect_narrowly()) for _ in range(CLIENTS)]
        for client in stalled:
            client.sendall(get("/api/me/export", alice))
        began = [client.recv(12, socket.MSG_PEEK)[-3:] for client in stalled]
        assert began.count(b"200") == EXPORTS
        assert began.count(b"503") == CLIENTS - EXPORTS
        refusal = alice.get("/export")
        assert (refusal.status, refusal.json["error"]["code"]) == (503, "UNAVAILABLE")
        assert refusal.headers["Retry-After"] == "5"
        assert_prompt(server)
        for _ in range(2 * THREADS):  # which need a connection of the pool as well
            assert alice.get("/tasks?limit=1").status == 200
    until(lambda: alice.get("/export").status == 200)


@pytest.mark.proves("LEDGER-80")
def test_a_stalled_export_gives_its_place_to_another_one(server: Server, alice: RemoteUser) -> None:
    with server.connect_narrowly() as client:
        client.sendall(get("/api/me/export", alice))
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        assert alice.get("/export").status == 503
        until(lambda: alice.get("/export").status == 200, REQUEST_TIMEOUT + 3)


@pytest.mark.proves("API-80", "TASK-60")
def test_an_export_that_is_read_late_is_whole(server: Server, alice: RemoteUser) -> None:
    expected = alice.get("/export").body
    with server.connect_narrowly() as client:
        client.sendall(get("/api/me/export", alice))
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        assert_prompt(server)
        assert reply(client).body == expected


# --- bodies -------------------------------------------------------------------------------------

SMALL = {
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
    "two Cookie headers": b"Cookie: a=1\r\nCookie: b=2\r\nContent-Length: 100\r\n\r\n{",
    "an underscore": b"X_Y: 1\r\nContent-Length: 100\r\n\r\n{",
    "Expect": b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    "Expect, chunked": b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
}


def posting(user: RemoteUser, path: str, rest: bytes) -> bytes:
    head = f"POST /api/me{path} HTTP/1.1\r\nAuthorization: Bearer {user.access_token}\r\n"
    return head.encode() + HOST + b"Content-Type: application/json\r\n" + rest


@pytest.mark.proves("API-17", "API-81")
@pytest.mark.parametrize("case", SMALL)
def test_small_bodies_that_do_not_end_delay_no_others(
    server: Server, alice: RemoteUser, case: str
) -> None:
    with ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(server.connect_narrowly())
            client.sendall(posting(alice, "/tasks", SMALL[case]))
        assert_prompt(server)
        body = b'{"title": "t"}'
        rest = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        with server.connect_narrowly() as client:
            client.sendall(posting(alice, "/tasks", rest))
            assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(body)
            assert reply(client).status == 201


@pytest.mark.proves("API-81")
def test_large_bodies_that_do_not_end_leave_half_of_the_threads(
    server: Server, alice: RemoteUser
) -> None:
    rest = b"Content-Length: 100000\r\n\r\n{"
    with ExitStack() as clients:
        stalled = [clients.enter_context(server.connect_narrowly()) for _ in range(CLIENTS)]
        for client in stalled:
            client.sendall(posting(alice, "/batch", rest))
        assert_prompt(server)
        answers = [reply(client) for client in stalled]
    statuses = [each.status for each in answers]
    assert (statuses.count(503), statuses.count(408)) == (CLIENTS - THREADS // 2, THREADS // 2)
    assert {each.headers["Retry-After"] for each in answers if each.status == 503} == {"1"}


# --- 100 Continue -------------------------------------------------------------------------------

EXPECT = b"Expect: 100-continue\r\n"
REFUSED_BY_HEAD = {
    "no token": (b"POST /api/me/tasks HTTP/1.1\r\n", b"Content-Length: 13\r\n", 401),
    "no token, chunked": (
        b"POST /api/me/tasks HTTP/1.1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        401,
    ),
    "a wrong token": (
        b"POST /api/me/tasks HTTP/1.1\r\nAuthorization: Bearer a.b.c\r\n",
        b"Content-Length: 13\r\n",
        401,
    ),
    "a large batch without a token": (
        b"POST /api/me/batch HTTP/1.1\r\n",
        b"Content-Length: 100000\r\n",
        401,
    ),
    "too large": (b"POST /api/auth/login HTTP/1.1\r\n", b"Content-Length: 65537\r\n", 413),
    "no such route": (b"POST /api/nowhere HTTP/1.1\r\n", b"Content-Length: 13\r\n", 404),
}


@pytest.mark.proves("API-83")
@pytest.mark.parametrize("case", REFUSED_BY_HEAD)
def test_no_100_continue_is_sent_where_the_head_alone_decides(server: Server, case: str) -> None:
    line, length, status = REFUSED_BY_HEAD[case]
    with server.connect() as client:
        client.sendall(
            line + HOST + b"Content-Type: application/json\r\n" + length + EXPECT + b"\r\n"
        )
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 %d" % status
        answer = reply(client)
        assert answer.headers["Connection"] == "close"  # the body may follow, or may not
        client.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        assert client.recv(1) == b""


@pytest.mark.proves("API-83")
@pytest.mark.parametrize("is_chunked", [False, True])
def test_100_continue_is_sent_once_where_the_body_is_read(
    server: Server, alice: RemoteUser, is_chunked: bool
) -> None:
    body = b'{"title": "t"}'
    framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if is_chunked else body
    with server.connect() as client:
        client.sendall(posting(alice, "/tasks", EXPECT + framing + b"\r\n\r\n"))
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(framed)
        answer: Reply = reply(client)
        assert answer.status == 201
        assert answer.headers["Connection"] == "keep-alive"
        client.sendall(get("/livez"))
        assert reply(client).status == 200


@pytest.mark.proves("API-83")
def test_no_100_continue_is_sent_to_a_client_that_sends_its_body_at_once(
    server: Server, alice: RemoteUser
) -> None:
    body = b'{"title": "t"}'
    with server.connect() as client:
        rest = EXPECT + b"Content-Length: %d\r\n\r\n" % len(body) + body
        client.sendall(posting(alice, "/tasks", rest))
        assert client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 201"
