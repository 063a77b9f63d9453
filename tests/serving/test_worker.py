"""The worker: its own errors are in the envelope, and slow clients block no thread."""

import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.processes import children, coverage_settings, is_stopped, until
from tests.support.server import (
    Reply,
    Server,
    connect_to_every_worker,
    connections_per_worker,
    replies,
    reply,
    serving,
)
from tests.support.services import frozen

HOST = b"Host: todo.example\r\n"
CHUNKED = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
LOGIN = b"POST /api/auth/login HTTP/1.1\r\n" + HOST
BODY_LIMIT = 64 * 1024
DOCS = ["/openapi.json", "/docs", "/docs/page.css"]
THREADS = 4
ORIGIN = "https://todo.example.com"
REQUEST_TIMEOUT = 2  # seconds in which a request must arrive at `quick_server`


def assert_is_envelope(answer: Reply, status: int, code: str) -> None:
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["success"] is False
    assert answer.json["data"] is None
    assert answer.json["error"]["details"] == []
    assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-Id"])


UNREADABLE = {
    "TLS": (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "BAD_REQUEST"),
    "no version": (b"GET /livez\r\n\r\n", 400, "BAD_REQUEST"),
    "an unknown version": (b"GET /livez HTTP/7.0\r\n\r\n", 400, "BAD_REQUEST"),
    "a malformed method": (b"G{T /livez HTTP/1.1\r\n" + HOST + b"\r\n", 400, "BAD_REQUEST"),
    "a header name with a space": (
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X Y: 1\r\n\r\n",
        400,
        "BAD_REQUEST",
    ),
    "a header with a NUL": (
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: \x00\r\n\r\n",
        400,
        "BAD_REQUEST",
    ),
    "a folded header": (
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: 1\r\n 2\r\n\r\n",
        400,
        "BAD_REQUEST",
    ),
    "two lengths": (
        LOGIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        400,
        "BAD_REQUEST",
    ),
    "a malformed length": (LOGIN + b"Content-Length: +2\r\n\r\n{}", 400, "BAD_REQUEST"),
    "a length and chunks": (LOGIN + b"Content-Length: 2\r\n" + CHUNKED, 400, "BAD_REQUEST"),
    "an expectation": (LOGIN + b"Expect: a-miracle\r\n\r\n", 400, "BAD_REQUEST"),
    "a long request line": (
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        414,
        "URI_TOO_LONG",
    ),
    "a long header": (
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n",
        431,
        "HEADERS_TOO_LARGE",
    ),
    "many headers": (
        b"GET /livez HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * 200 + b"\r\n",
        431,
        "HEADERS_TOO_LARGE",
    ),
    "a transfer coding under the chunks": (
        LOGIN + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        501,
        "NOT_IMPLEMENTED",
    ),
    "an unknown transfer coding": (
        LOGIN + b"Transfer-Encoding: bzip3\r\n\r\n",
        501,
        "NOT_IMPLEMENTED",
    ),
}


@pytest.mark.proves("API-1", "API-16")
@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_request_gets_an_error_in_the_envelope(server: Server, case: str) -> None:
    request, status, code = UNREADABLE[case]
    answer = server.raw(request)
    assert_is_envelope(answer, status, code)
    assert answer.headers["Connection"] == "close"
    assert b"gunicorn" not in answer.body


MALFORMED_HOSTS = [
    "",
    "a..b",
    ".a",
    "a b",
    "a/b",
    "me@a",
    "a:b",
    "a:1:2",
    "a,b",
    "[::1",
    "a\xe4",
    "a" * 64,
]
HOSTS = [
    "a",
    "A.example.",
    "127.0.0.1:8000",
    "[::1]:80",
    "my_service:8000",
    "xn--bcher-kva.example",
]


def send(server: Server, lines: str, version: str = "1.1") -> Reply:
    head = f"GET /openapi.json HTTP/{version}\r\nConnection: close\r\nX-Request-Id: mine\r\n"
    return server.raw(f"{head}{lines}\r\n".encode("latin-1"))


@pytest.mark.proves("API-19")
@pytest.mark.parametrize("host", [None, *MALFORMED_HOSTS])
def test_a_missing_or_malformed_host_is_a_400_each_time(
    quick_server: Server, host: str | None
) -> None:
    line = "" if host is None else f"Host: {host}\r\n"
    for _ in range(2):
        answer = send(quick_server, line)
        assert_is_envelope(answer, 400, "BAD_REQUEST")
        assert answer.headers["X-Request-Id"] == "mine"
        assert send(quick_server, "Host: a\r\n").status == 200
    assert send(quick_server, line, version="1.0").status == (200 if host is None else 400)


@pytest.mark.proves("API-19")
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_a_name_or_an_address(quick_server: Server, host: str) -> None:
    assert send(quick_server, f"Host: {host}\r\n").status == 200
    assert send(quick_server, f"Host: {host}\r\nTE: trailers\r\n").status == 200


def test_a_new_worker_ignores_an_upgrade_offer(served_database_url: str, tmp_path: Path) -> None:
    offer = HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with serving(served_database_url, tmp_path, WEB_CONCURRENCY="1") as fresh:
        for _ in range(2):
            assert fresh.raw(b"GET /openapi.json HTTP/1.1\r\n" + offer).status == 200


BROKEN_CHUNKS = {
    "a malformed size": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk without its line end": b"2\r\n{}garbage",
    "a broken trailer": b"2\r\n{}\r\n0\r\nX Y: 1\r\n\r\n",
}


@pytest.mark.parametrize("case", BROKEN_CHUNKS)
def test_a_broken_chunk_is_a_bad_request(server: Server, case: str) -> None:
    answer = server.raw(LOGIN + CHUNKED + BROKEN_CHUNKS[case])
    assert_is_envelope(answer, 400, "BAD_REQUEST")


@pytest.mark.proves("API-16")
def test_large_trailers_are_a_431(server: Server) -> None:
    answer = server.raw(LOGIN + CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n")
    assert_is_envelope(answer, 431, "HEADERS_TOO_LARGE")


def test_a_request_with_a_broken_chunk_gets_one_response(server: Server) -> None:
    request = b"POST /api/me/tasks HTTP/1.1\r\n" + HOST + CHUNKED + b"zz\r\n"
    with server.connect() as connection:
        connection.sendall(request)
        assert reply(connection, "POST").status == 400
        assert connection.recv(1) == b""


@pytest.mark.proves("API-12")
def test_a_chunked_body_is_read_up_to_the_limit(server: Server) -> None:
    letters = b"a" * (BODY_LIMIT - len(b'{"email":"","password":""}'))
    body = b'{"email":"' + letters + b'","password":""}'
    assert len(body) == BODY_LIMIT
    answer = server.raw(LOGIN + CHUNKED + chunks(body))
    assert_is_envelope(answer, 401, "INVALID_CREDENTIALS")


@pytest.mark.proves("API-12")
def test_a_chunked_body_over_the_limit_is_a_413(server: Server) -> None:
    body = b'{"email":"a@example.com","password":"longenough"}' + b" " * BODY_LIMIT
    request = b"POST /api/auth/register HTTP/1.1\r\n" + HOST + CHUNKED + chunks(body)
    assert_is_envelope(server.raw(request), 413, "PAYLOAD_TOO_LARGE")


def chunks(body: bytes, size: int = 1000) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.proves("API-12")
def test_a_content_length_over_the_limit_is_a_413_before_the_body_is_sent(server: Server) -> None:
    answer = server.raw(LOGIN + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1))
    assert_is_envelope(answer, 413, "PAYLOAD_TOO_LARGE")


def test_a_body_shorter_than_its_content_length_is_a_bad_request(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            LOGIN + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{}"
        )
        connection.shutdown(socket.SHUT_WR)
        assert_is_envelope(reply(connection), 400, "BAD_REQUEST")


def test_bytes_after_the_content_length_are_the_next_request(server: Server) -> None:
    body = b'{"email":"a","password":"b"}'
    head = LOGIN + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server.connect() as connection:
        connection.sendall(head + body + b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        first, second = replies(connection, 2)
    assert_is_envelope(first, 401, "INVALID_CREDENTIALS")
    assert second.json["data"] == {"status": "alive"}


def test_an_http_1_0_connection_is_closed_after_the_response(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        answer = reply(connection)
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert connection.recv(1) == b""


@pytest.mark.proves("API-15")
@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/api/auth/me", "/nowhere", *DOCS])
def test_head_has_the_status_and_headers_of_get_and_no_body(server: Server, path: str) -> None:
    sent = {"X-Request-Id": uuid4().hex}
    head, get = server.request("HEAD", path, headers=sent), server.request("GET", path, None, sent)
    assert head.body == b""
    assert head.status == get.status
    assert without_date(head) == without_date(get)


@pytest.mark.parametrize("path", ["/livez", "/nowhere", *DOCS])
def test_a_response_has_one_date(server: Server, path: str) -> None:
    first = server.request("GET", path)
    again = server.request("GET", path, headers={"If-None-Match": first.headers.get("ETag", "")})
    assert again.status == (304 if path in DOCS else first.status)
    for answer in (first, again, server.request("HEAD", path)):
        assert len(answer.headers.get_all("Date", [])) == 1


def without_date(answer: Reply) -> list[tuple[str, str]]:
    return [item for item in answer.headers.items() if item[0] != "Date"]


@pytest.fixture(scope="module")
def quick_server(
    served_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with one worker, at which a request must arrive within REQUEST_TIMEOUT."""
    directory = tmp_path_factory.mktemp("quick_server")
    settings = {"WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS), "CORS_ORIGINS": ORIGIN}
    settings |= coverage_settings()
    with serving(
        served_database_url, directory, "--timeout", str(REQUEST_TIMEOUT), **settings
    ) as running:
        yield running


@pytest.mark.proves("API-16")
@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /livez HTTP/1.1\r\nX-Sl",
        LOGIN + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        LOGIN + CHUNKED + b"64\r\n{",
    ],
    ids=["headers", "body", "chunk"],
)
def test_a_request_that_does_not_arrive_in_time_is_a_408(
    quick_server: Server, beginning: bytes
) -> None:
    with quick_server.connect() as connection:
        connection.sendall(beginning)
        assert_is_envelope(reply(connection), 408, "REQUEST_TIMEOUT")
        assert connection.recv(1) == b""


@pytest.mark.proves("API-17")
@pytest.mark.slow
def test_a_request_that_arrives_byte_by_byte_ends_with_its_timeout(quick_server: Server) -> None:
    started = time.monotonic()
    with quick_server.connect() as connection:
        connection.settimeout(0.3)
        connection.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        while (first := send_byte(connection)) is None:
            assert time.monotonic() < started + 10 * REQUEST_TIMEOUT
    assert first == b"HTTP/1.1 408"


ORIGINS = {ORIGIN: ORIGIN, "https://evil.example": None, "null": None}
ANSWERED_BY_THE_WORKER = {
    "a late body": (b"Content-Length: 100\r\n\r\n{", 408),
    "a broken chunk": (CHUNKED + b"zz\r\n", 400),
    "large trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "a transfer coding": (b"Transfer-Encoding: gzip\r\n\r\n", 501),
}


@pytest.mark.proves("OPS-87")
@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("case", ANSWERED_BY_THE_WORKER)
def test_what_the_worker_answers_itself_can_be_read_by_pages_of_the_listed_origins(
    quick_server: Server, case: str, origin: str
) -> None:
    rest, status = ANSWERED_BY_THE_WORKER[case]
    sent = f"Origin: {origin}\r\nX-Request-Id: mine.1\r\n".encode()
    answer = quick_server.raw(LOGIN + sent + rest)
    assert answer.status == status
    assert answer.headers["X-Request-Id"] == answer.json["error"]["request_id"] == "mine.1"
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGINS[origin]
    exposed = (answer.headers["Access-Control-Expose-Headers"] or "").split(", ")
    assert ("X-Request-Id" in exposed) == (origin == ORIGIN)


@pytest.mark.proves("OPS-87")
def test_without_cors_origins_the_worker_s_answers_have_no_cors_headers(server: Server) -> None:
    answer = server.raw(LOGIN + f"Origin: {ORIGIN}\r\n".encode() + CHUNKED + b"zz\r\n")
    assert answer.status == 400
    assert answer.headers["Vary"] is answer.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.proves("API-84")
def test_tls_on_the_plain_port_ends_at_once(server: Server) -> None:
    began = time.monotonic()
    context = ssl.create_default_context()
    with server.connect() as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="localhost")
    assert time.monotonic() - began < 1


def send_byte(connection: socket.socket) -> bytes | None:
    """Sends one more byte; returns the beginning of the response once there is one."""
    connection.sendall(b"a")
    try:
        return connection.recv(12)
    except TimeoutError:
        return None


@pytest.mark.proves("API-17")
@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /livez HTTP/1.1\r\n",
        LOGIN + b"Content-Type: application/json\r\nContent-Length: 65536\r\n\r\n{",
        b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\nG",
    ],
    ids=["headers", "body", "a second request"],
)
def test_more_stalled_clients_than_threads_do_not_delay_others(
    server: Server, beginning: bytes
) -> None:
    stalled = [server.connect() for _ in range(20)]
    for connection in stalled:
        connection.sendall(beginning)
    began = time.monotonic()
    for _ in range(4):
        assert server.request("GET", "/livez").status == 200
    assert time.monotonic() - began < 10  # the stalled clients time out after 30 seconds
    for connection in stalled:
        connection.close()


@pytest.mark.proves("API-17")
def test_a_request_may_arrive_in_pieces(server: Server) -> None:
    body = b'{"email":"a","password":"b"}'
    head = LOGIN + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    whole = head + body + b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    with server.connect() as connection:
        for begin in range(0, len(whole), 9):
            connection.sendall(whole[begin : begin + 9])
            time.sleep(0.001)
        first, second = replies(connection, 2)
    assert_is_envelope(first, 401, "INVALID_CREDENTIALS")
    assert second.json["data"] == {"status": "alive"}


def test_a_cursor_of_the_longest_title_fits_the_request_line(server: Server) -> None:
    email, password = f"{uuid4().hex}@example.com", "seven quiet rivers"
    user = {"email": email, "password": password}
    assert server.request("POST", "/api/auth/register", user).status == 201
    token = server.request("POST", "/api/auth/login", user).json["data"]["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    title = "\U0001f600" * 255
    for _ in range(3):
        assert server.request("POST", "/api/me/tasks", {"title": title}, bearer).status == 201
    path, seen = f"/api/me/tasks?sort=title&limit=1&q={'%F0%9F%98%80' * 200}", []
    while path:
        answer = server.request("GET", path, headers=bearer)
        assert answer.status == 200
        seen += [task["id"] for task in answer.json["data"]]
        link = answer.headers["Link"]
        path = re.fullmatch(r'<(.+)>; rel="next"', link)[1] if link else ""  # type: ignore[index]
    assert len(set(seen)) == len(seen) == 3


def test_a_graceful_stop_serves_one_more_request_and_closes_the_idle_connection(
    database_url: str, tmp_path: Path
) -> None:
    with (
        serving(database_url, tmp_path, **coverage_settings()) as running,
        running.connect() as idle,
    ):
        idle.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        assert reply(idle).headers["Connection"] == "keep-alive"
        running.process.terminate()
        idle.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        assert reply(idle).status == 200
        assert idle.recv(1) == b""
        assert running.process.wait(30) == 0


@pytest.mark.proves("API-17")
def test_an_idle_connection_is_closed_after_its_timeout(quick_server: Server) -> None:
    with quick_server.connect() as connection:
        assert connection.recv(1) == b""


def test_an_idle_server_stops_within_ten_seconds(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path, **coverage_settings()) as running:
        assert running.request("GET", "/readyz").status == 200
        started = time.monotonic()
        running.process.terminate()
        assert running.process.wait(30) == 0
    assert time.monotonic() - started < 10


CLIENTS = 60


@pytest.mark.proves("OPS-64")
def test_connections_are_spread_over_the_workers(served_database_url: str, tmp_path: Path) -> None:
    with (
        serving(served_database_url, tmp_path, WEB_CONCURRENCY="3") as server,
        ExitStack() as clients,
    ):
        connect_to_every_worker(server, clients)
        before = sum(connections_per_worker(server))
        connections = [clients.enter_context(server.connect()) for _ in range(CLIENTS)]
        for client in connections:
            client.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
        assert {reply(client).status for client in connections} == {200}
        found = connections_per_worker(server)
    assert sum(found) == before + CLIENTS
    assert min(found) > CLIENTS / 3 / 2


def test_a_worker_may_stop_while_it_accepts_connections(
    served_database_url: str, tmp_path: Path
) -> None:
    """The stopped worker has fewer clients, so that the other one yields before each accept."""
    with serving(served_database_url, tmp_path) as server, ExitStack() as clients:
        connect_to_every_worker(server, clients)
        stopped, ending = children(server.process.pid)
        with frozen(stopped):
            until(lambda: is_stopped(stopped))
            for _ in range(20):
                clients.enter_context(server.connect())
            os.kill(ending, signal.SIGTERM)
            until(lambda: ending not in children(server.process.pid))
        log = server.log.read_text()
    assert " ERROR " not in log


@pytest.mark.proves("OPS-64")
def test_a_stopped_worker_does_not_delay_new_connections(
    served_database_url: str, tmp_path: Path
) -> None:
    with serving(served_database_url, tmp_path) as server, ExitStack() as clients:
        connect_to_every_worker(server, clients)
        stopped = children(server.process.pid)[0]
        with frozen(stopped):
            until(lambda: is_stopped(stopped))
            for _ in range(20):
                began = time.monotonic()
                with server.connect() as client:
                    client.sendall(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")
                    assert reply(client).status == 200
                assert time.monotonic() - began < 0.5
