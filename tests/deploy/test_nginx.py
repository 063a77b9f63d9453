"""nginx with deploy/nginx.conf in front of gunicorn."""

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import ssl
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.config import Config
from app.http.headers import CLOSED, NOT_STORED, READABLE, SECURITY
from app.serving.worker import BUFFERED_BODY
from tests.support import services
from tests.support.api_user import PASSWORD
from tests.support.events import EventStream, head, streaming
from tests.support.processes import children, until
from tests.support.remote_user import sign_up
from tests.support.server import Reply, Server, replies, reply, serving

CONFIGURATION = services.ROOT / "deploy" / "nginx.conf"
ATTACKERS = 10  # client addresses, each within the limit on connections
ORIGIN = "https://todo.example.com"
CORS = ["Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"]
MiB = 1024 * 1024


@dataclass(frozen=True)
class Front:
    """A running nginx and the server behind it; `directory` has its files and logs."""

    port: int
    plain_port: int
    server: Server
    directory: Path
    tls: ssl.SSLContext

    def connect(self, source: str = "127.0.0.1", *, trust: bool = True) -> ssl.SSLSocket:
        """Opens a TLS connection from the address `source`."""
        raw = socket.create_connection(("127.0.0.1", self.port), 20, (source, 0))
        return (self.tls if trust else ssl.create_default_context()).wrap_socket(
            raw, server_hostname="localhost"
        )

    def raw(self, request: bytes) -> Reply:
        """Sends the bytes over TLS on a new connection; reads one response."""
        with self.connect() as connection:
            connection.sendall(request)
            return reply(connection, request.partition(b" ")[0].decode("latin-1"))

    def plain(self, request: bytes) -> Reply:
        """Sends the bytes without TLS; reads one response."""
        with socket.create_connection(("127.0.0.1", self.plain_port), 20) as connection:
            connection.sendall(request)
            return reply(connection, request.partition(b" ")[0].decode("latin-1"))

    def http2(self, path: str, *options: str, body: bytes = b"") -> Reply:
        """The response to curl over HTTP/2; `options` are curl's, `body` is its standard input."""
        command = [services.program("curl"), "--silent", "--show-error", "--include", "--http2"]
        command += ["--cacert", str(self.directory / "certificate.pem"), "--max-time", "20"]
        command += ["--resolve", f"localhost:{self.port}:127.0.0.1", *options]
        finished = subprocess.run(
            [*command, f"https://localhost:{self.port}{path}"],
            input=body,
            capture_output=True,
            check=True,
        )
        stream = io.BytesIO(finished.stdout)
        version, status = stream.readline().split()[:2]
        assert version == b"HTTP/2"
        return Reply(int(status), http.client.parse_headers(stream), stream.read())

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Sends a request over TLS; a body that is not bytes is sent as JSON."""
        sent = {"Host": "localhost", "Connection": "close", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        sent["Content-Length"] = str(len(body or b""))
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))


def certificate(directory: Path) -> tuple[Path, Path]:
    """Creates a self-signed certificate for localhost; the files of the certificate and its key."""
    key, made = directory / "key.pem", directory / "certificate.pem"
    options = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(made)]
    subprocess.run(["openssl", *options, *subject, *files], check=True, capture_output=True)
    return made, key


def configuration(
    directory: Path, server: Server, port: int, plain_port: int, events_port: int
) -> Path:
    """deploy/nginx.conf with the addresses and paths of this test."""
    made, key = certificate(directory)
    text = CONFIGURATION.read_text()
    for old, new in {
        "/tmp/": f"{directory}/",
        "server app:8000": f"server {server.host}:{server.port}",
        "server events:8002": f"server {server.host}:{events_port}",
        "listen 8080": f"listen 127.0.0.1:{plain_port}",
        "listen 8443": f"listen 127.0.0.1:{port}",
        "/run/secrets/tls_certificate": str(made),
        "/run/secrets/tls_key": str(key),
        "/run/secrets/server_name": str(directory / "server_name"),
        f"# {ORIGIN}": ORIGIN,
        "/dev/stdout": str(directory / "access.log"),
    }.items():
        assert old in text
        text = text.replace(old, new)
    file = directory / "nginx.conf"
    file.write_text(text)
    return file


@contextlib.contextmanager
def fronted(
    database_url: str, directory: Path, events_port: int | None = None, /, **settings: str
) -> Iterator[Front]:
    """nginx in front of gunicorn on that database; `settings` are the service's.

    `events_port` is where `flask events` listens; without one nothing does.
    """
    nginx = services.program("nginx")
    port, plain_port = services.free_port(), services.free_port()
    settings = {"FORWARDED_ALLOW_IPS": "127.0.0.1/32", **settings}
    with serving(database_url, directory, **settings) as server:
        file = configuration(
            directory, server, port, plain_port, events_port or services.free_port()
        )
        # If root starts it, workers run as nobody, who cannot enter the test's directory.
        directives = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        command = [nginx, "-c", str(file), "-e", "stderr", "-g", directives]
        with services.running(command, port, log=directory / "nginx.log"):
            tls = ssl.create_default_context(cafile=directory / "certificate.pem")
            yield Front(port, plain_port, server, directory, tls)


@pytest.fixture(scope="module")
def front(served_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """An nginx that all tests of this module share."""
    with fronted(
        served_database_url,
        tmp_path_factory.mktemp("nginx"),
        METRICS_TOKEN="a-token-for-prometheus",
    ) as running:
        yield running


@pytest.fixture
def http2(front: Front) -> Front:
    """nginx; skips the test if curl does not support HTTP/2."""
    version = subprocess.run(
        [services.program("curl"), "--version"], capture_output=True, check=True
    )
    if b"HTTP2" not in version.stdout:
        pytest.skip("this curl does not speak HTTP/2")
    return front


def refusal(answer: Reply, *, over_tls: bool = True) -> tuple[int, str]:
    """The status and the code of an error response, whose envelope must be complete."""
    body = answer.json
    assert answer.headers["Content-Type"] == "application/json"
    assert (body["success"], body["data"], body["error"]["details"]) == (False, None, [])
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ("Strict-Transport-Security" in answer.headers) == over_tls
    return answer.status, body["error"]["code"]


def test_requests_over_tls_reach_the_service(front: Front) -> None:
    answer = front.request("GET", "/livez", headers={"X-Request-Id": "mine.1"})
    assert answer.status == 200
    assert answer.headers.get_all("X-Request-Id") == ["mine.1"]
    assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
    assert len(answer.headers.get_all("X-Content-Type-Options") or []) == 1


@pytest.mark.proves("API-1", "OPS-86")
@pytest.mark.parametrize("host", ["localhost", "phishing.example", "localhost:1"])
def test_without_tls_a_request_is_redirected_to_the_configured_host(
    front: Front, host: str
) -> None:
    head = f"POST /api/auth/login?a=%20b HTTP/1.1\r\nHost: {host}\r\nX-Request-Id: mine\r\n\r\n"
    answer = front.plain(head.encode())
    assert refusal(answer, over_tls=False) == (308, "BAD_REQUEST")
    assert answer.headers.get_all("Location") == ["https://localhost/api/auth/login?a=%20b"]
    assert answer.headers.get_all("X-Request-Id") == ["mine"]
    sent = set(answer.headers.items())
    assert {*SECURITY, CLOSED, NOT_STORED} <= sent


@pytest.mark.proves("AUTH-172")
def test_the_origin_of_the_web_client_is_the_host_with_its_port(front: Front) -> None:
    user = sign_up(front.server)
    credentials = {"email": user.email, "password": PASSWORD}
    host = f"localhost:{front.port}"
    statuses = []
    for origin in (f"https://{host}", "https://localhost", f"http://{host}"):
        sent = {"Host": host, "Origin": origin}
        answer = front.request("POST", "/api/auth/login?cookie=true", credentials, sent)
        statuses.append(answer.status)
    body = json.dumps(credentials).encode()
    options = ["--header", f"Origin: https://{host}", "--json", "@-"]
    path = "/api/auth/login?cookie=true"
    statuses.append(front.http2(path, *options, body=body).status)
    assert statuses == [200, 403, 403, 200]


@pytest.mark.proves("WEB-1", "WEB-2")
def test_the_web_client_passes_nginx_as_it_is(front: Front) -> None:
    answer = front.request("GET", "/app/", headers={"Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert not answer.headers["ETag"].startswith("W/")
    known = {"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]}
    assert front.request("GET", "/app/", headers=known).status == 304


@pytest.mark.proves("OPS-61")
def test_browsers_of_one_address_get_all_files_of_the_web_client_at_once(front: Front) -> None:
    def visit(_: int) -> list[int]:
        with front.connect("127.0.0.9") as connection:
            connection.sendall(b"GET /app/icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
            return [each.status for each in replies(connection, 40)]

    with ThreadPoolExecutor(20) as browsers:
        statuses = list(browsers.map(visit, range(20)))
    assert statuses == [[200] * 40] * 20


@pytest.mark.proves("OPS-86")
@pytest.mark.parametrize("path", ["/", "/api/auth/me", "/metrics", "/livez", "/errors/../livez"])
def test_without_tls_no_path_reaches_the_service(front: Front, path: str) -> None:
    answer = front.plain(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: 0\r\n\r\n".encode())
    assert (answer.status, answer.headers["Location"]) == (308, f"https://localhost{path}")


@pytest.mark.proves("OPS-86")
def test_the_host_of_make_secrets_is_the_one_that_redirects_lead_to(
    served_database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "server_name").write_text("server_name todo.example.com;\n")
    with fronted(served_database_url, tmp_path) as front:
        answer = front.plain(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.headers["Location"] == "https://todo.example.com/livez"


@pytest.mark.proves("OPS-87")
def test_what_nginx_answers_itself_can_be_read_by_pages_of_the_listed_origins(
    front: Front,
) -> None:
    def headers(origin: str) -> dict[str, str | None]:
        sent = {"Origin": origin, "Content-Length": str(MiB + 1)}
        answer = front.request("GET", "/metrics", headers=sent | {"X-Large": "a" * 9000})
        assert refusal(answer) == (431, "HEADERS_TOO_LARGE")
        return {name: answer.headers[name] for name in CORS}

    assert headers(ORIGIN) == dict(zip(CORS, ["Origin", ORIGIN, READABLE], strict=True))
    assert headers("https://evil.example") == dict(zip(CORS, ["Origin", None, None], strict=True))


@pytest.mark.proves("API-12", "IMPORT-1")
def test_a_file_to_import_may_have_10_mib_and_other_bodies_one(front: Front) -> None:
    path = "/api/me/imports?source=csv"
    assert front.request("POST", path, b"a" * 10 * MiB).status == 401  # the service's answer
    assert refusal(front.request("POST", path, b"a" * (10 * MiB + 1))) == (
        413, "PAYLOAD_TOO_LARGE",
    )  # fmt: skip
    assert refusal(front.request("POST", "/api/me/batch", b"a" * (MiB + 1))) == (
        413, "PAYLOAD_TOO_LARGE",
    )  # fmt: skip


@pytest.mark.proves("API-84")
def test_tls_on_the_plain_port_ends_at_once(front: Front) -> None:
    began = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", front.plain_port), 20) as raw,
        pytest.raises(ssl.SSLError),
    ):
        front.tls.wrap_socket(raw, server_hostname="localhost")
    assert time.monotonic() - began < 1


@pytest.mark.proves("API-1", "OPS-60")
def test_nginx_errors_without_tls_have_the_envelope(front: Front) -> None:
    def refused(request: bytes) -> tuple[int, str]:
        return refusal(front.plain(request), over_tls=False)

    head = b" / HTTP/1.1\r\nHost: localhost\r\n"
    assert refused(b"BROKEN / HTTP/9.9 x\r\n\r\n") == (400, "BAD_REQUEST")
    assert refused(b"GET / HTTP/1.1\r\n\r\n") == (400, "BAD_REQUEST")
    assert refused(b"GET /errors/400" + head[2:] + b"\r\n") == (404, "NOT_FOUND")
    assert refused(b"TRACE" + head + b"\r\n") == (405, "METHOD_NOT_ALLOWED")
    assert refused(b"GET /" + b"a" * 9000 + head[2:] + b"\r\n") == (414, "URI_TOO_LONG")
    large = b"GET" + head + b"X-Large: " + b"a" * 9000 + b"\r\n\r\n"
    assert refused(large) == (431, "HEADERS_TOO_LARGE")
    coded = b"POST" + head + b"Transfer-Encoding: gzip\r\n\r\n"
    assert refused(coded) == (501, "NOT_IMPLEMENTED")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_supported(front: Front, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=front.directory / "certificate.pem")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", front.port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        cipher = connection.cipher()
    assert cipher is not None
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


def test_http_1_0_works_without_host(front: Front) -> None:
    assert front.raw(b"GET /livez HTTP/1.0\r\n\r\n").status == 200


@pytest.mark.proves("API-1", "OPS-60")
def test_nginx_errors_over_tls_have_the_envelope(front: Front) -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    assert refusal(front.raw(b"BROKEN / HTTP/9.9 x\r\n\r\n")) == (400, "BAD_REQUEST")
    assert refusal(front.raw(b"GET / HTTP/1.1\r\n\r\n")) == (400, "BAD_REQUEST")
    assert refusal(front.raw(b"TRACE" + head[3:] + b"\r\n")) == (405, "METHOD_NOT_ALLOWED")
    assert refusal(front.raw(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n")) == (
        414,
        "URI_TOO_LONG",
    )
    large = head + b"X-Large: " + b"a" * 9000 + b"\r\n\r\n"
    assert refusal(front.raw(large)) == (431, "HEADERS_TOO_LARGE")
    announced = f"Content-Length: {MiB + 1}\r\n\r\n".encode()
    assert refusal(front.raw(b"POST" + head[3:] + announced)) == (413, "PAYLOAD_TOO_LARGE")
    coded = front.raw(b"POST" + head[3:] + b"Transfer-Encoding: gzip\r\n\r\n")
    assert refusal(coded) == (501, "NOT_IMPLEMENTED")


@pytest.mark.proves("API-1", "OPS-60")
def test_errors_over_http_2_have_the_envelope(http2: Front) -> None:
    batch = "/api/me/batch"
    sent = ["--header", "Content-Type: application/json", "--data-binary", "@-"]
    large = b" " * (2 * MiB)
    too_large = (413, "PAYLOAD_TOO_LARGE")
    assert refusal(http2.http2(batch, *sent, body=large)) == too_large
    unannounced = ["--request", "POST", "--upload-file", "-"]
    assert refusal(http2.http2(batch, *unannounced, body=large)) == too_large
    assert refusal(http2.http2("/", "--request", "TRACE")) == (405, "METHOD_NOT_ALLOWED")
    assert refusal(http2.http2("/", "--header", "Host: a..b")) == (400, "BAD_REQUEST")
    assert refusal(http2.http2("/metrics")) == (404, "NOT_FOUND")


@pytest.mark.proves("API-16")
def test_urls_and_headers_that_are_too_large_after_decompression_are_refused_by_the_service(
    http2: Front,
) -> None:
    long = http2.http2("/" + "a" * 9000)
    assert (long.status, long.json["error"]["code"]) == (414, "URI_TOO_LONG")
    large = http2.http2("/", "--header", "X: " + "a" * 9000)
    assert (large.status, large.json["error"]["code"]) == (431, "HEADERS_TOO_LARGE")


def test_a_body_of_the_maximum_size_passes_over_http_2(http2: Front) -> None:
    sent = ["--header", "Content-Type: application/json", "--data-binary", "@-"]
    answer = http2.http2("/api/me/batch", *sent, body=b" " * MiB)
    assert answer.json["error"]["code"] == "UNAUTHENTICATED"


def test_a_body_of_the_maximum_size_passes(front: Front) -> None:
    answer = front.request("POST", "/api/me/batch", b" " * MiB)
    assert answer.json["error"]["code"] == "UNAUTHENTICATED"


@pytest.mark.proves("OPS-62")
def test_metrics_are_not_public(front: Front) -> None:
    bearer = {"Authorization": "Bearer a-token-for-prometheus"}
    with front.server.connect() as direct:
        direct.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
            + bearer["Authorization"].encode()
            + b"\r\n\r\n"
        )
        assert reply(direct).status == 200
    assert refusal(front.request("GET", "/metrics", headers=bearer)) == (404, "NOT_FOUND")


@pytest.mark.proves("API-5", "OPS-62")
def test_nginx_replaces_a_malformed_request_id(front: Front) -> None:
    answer = front.request("GET", "/livez", headers={"X-Request-Id": "a b<script>"})
    assert answer.headers["X-Request-Id"] in front.server.log.read_text()
    assert "<script>" not in front.server.log.read_text()


@pytest.mark.proves("OPS-62")
def test_a_forwarded_for_header_of_a_client_is_ignored(
    served_database_url: str, tmp_path: Path
) -> None:
    with fronted(served_database_url, tmp_path, RATE_LIMIT="3/day") as front:
        statuses = [
            front.request(
                "POST", "/api/auth/refresh", {}, {"X-Forwarded-For": f"203.0.113.{number}"}
            ).status
            for number in range(4)
        ]
    assert statuses == [422, 422, 422, 429]


@pytest.mark.proves("OPS-61")
def test_connections_and_requests_are_limited_per_address(front: Front) -> None:
    half = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"

    def late() -> Reply:
        with front.connect("127.0.0.99") as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return reply(connection)

    with contextlib.ExitStack() as held:
        for _ in range(100):
            held.enter_context(front.connect("127.0.0.99")).sendall(half)
        until(
            lambda: late().status != 200
        )  # nginx counts the others after it has read their requests
        assert refusal(late()) == (429, "RATE_LIMITED")
        assert front.request("GET", "/livez").status == 200
    with front.connect("127.0.0.98") as greedy:
        refused = []
        for _ in range(400):
            greedy.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = reply(greedy)
            refused += [answer] if answer.status != 200 else []
    assert {refusal(each) for each in refused} == {(429, "RATE_LIMITED")}
    assert {each.headers["Retry-After"] for each in refused} == {"1"}


@pytest.mark.proves("OPS-62", "FEED-15")
def test_the_access_log_contains_no_path(front: Front) -> None:
    front.request("GET", "/canary@example.com?token=canary")
    front.request("GET", f"/feeds/{'canary7' * 6}x.ics")
    lines = (front.directory / "access.log").read_text().splitlines()
    assert all(json.loads(line)["message"] == "proxied" for line in lines)
    assert "canary" not in "".join(lines) + (front.directory / "nginx.log").read_text()


# --- attacks and restarts -----------------------------------------------------------------------


SENTENCE = """
Without nginx, clients that send bodies over 64 KiB slowly or read exports slowly can keep others
from large batches and exports, though from nothing else, and nothing limits the number of
connections.
"""


@pytest.mark.proves("API-81", "LEDGER-80")
@pytest.mark.slow
def test_nginx_holds_off_what_the_readme_leaves_to_it(
    served_database_url: str, tmp_path: Path
) -> None:
    readme = (services.ROOT / "README.md").read_text(encoding="utf-8")
    assert " ".join(SENTENCE.split()) in " ".join(readme.split())
    assert f"over {BUFFERED_BODY // 1024} KiB" in SENTENCE
    settings = {"WEB_CONCURRENCY": "1", "WEB_THREADS": "4"}
    with fronted(served_database_url, tmp_path, **settings) as front:
        user = sign_up(front.server)
        user.create_large_tasks()
        bearer = f"HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {user.access_token}\r\n"
        export = f"GET /api/me/export {bearer}\r\n".encode()
        page = f"GET /api/me/tasks?limit=1 {bearer}\r\n".encode()
        length = BUFFERED_BODY + 1
        batch = f"POST /api/me/batch {bearer}Content-Length: {length}\r\n\r\n".encode()
        slow = batch + b"{" * BUFFERED_BODY

        def status(connect: Callable[[], socket.socket], request: bytes) -> int:
            with connect() as client:
                client.sendall(request)
                return reply(client).status

        @contextlib.contextmanager
        def slow_clients(connect: Callable[[], socket.socket]) -> Iterator[None]:
            """Twenty that stop sending their body, and twenty that do not read their export."""
            with contextlib.ExitStack() as clients:
                for _ in range(20):
                    clients.enter_context(connect()).sendall(slow)
                    stalled = clients.enter_context(connect())
                    stalled.sendall(export)
                    stalled.recv(1)
                yield

        with slow_clients(front.connect):
            assert status(front.connect, slow + b"{") == 415
            # Once nginx has read the exports, long before it gives up clients that do not (10 s).
            until(lambda: status(front.connect, export) == 200, seconds=5)
            assert status(front.connect, page) == 200
        with slow_clients(front.server.connect_narrowly):
            direct = front.server.connect
            assert [status(direct, each) for each in (slow, export, page)] == [503, 503, 200]


def p99(front: Front) -> float:
    """The 99th percentile in seconds of another client's response times."""
    seconds = []
    for _ in range(5):
        with front.connect("127.0.0.2") as connection:
            for _ in range(60):
                began = time.monotonic()
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert reply(connection).status == 200
                seconds.append(time.monotonic() - began)
                time.sleep(0.012)  # within the limit on requests
    return statistics.quantiles(seconds, n=100)[98]


@contextlib.contextmanager
def thousand_slow_connections(front: Front) -> Iterator[None]:
    """Half of them are in the headers, half in the body; each sends a byte per second."""
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\n"
    body = head + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    stop, lock, held = threading.Event(), threading.Lock(), list[tuple[ssl.SSLSocket, bytes]]()

    def open_one(number: int) -> None:
        connection = front.connect(f"127.0.1.{number % ATTACKERS + 1}")
        connection.sendall(head if number % 2 else body)
        with lock:
            held.append((connection, b"X" if number % 2 else b" "))

    def drip() -> None:
        while not stop.wait(1):
            for connection, byte in held:
                with contextlib.suppress(OSError):  # closed by nginx
                    connection.sendall(byte)

    with ThreadPoolExecutor(8) as openers:
        list(openers.map(open_one, range(1000)))
    assert len(held) == 1000
    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        yield
    finally:
        stop.set()
        dripping.join()
        for connection, _ in held:
            connection.close()


@pytest.mark.proves("API-17", "OPS-61")
@pytest.mark.slow
def test_a_thousand_slow_connections_do_not_double_the_p99_of_others(front: Front) -> None:
    """Other load on the machine may distort a round: one of three must pass."""
    rounds = []
    for _ in range(3):
        quiet = p99(front)
        with thousand_slow_connections(front):
            attacked = p99(front)
        rounds.append((quiet, attacked))
        if attacked <= 2 * quiet:
            return
    pytest.fail(f"p99 in seconds, quiet and attacked: {rounds}")


@pytest.mark.proves("OPS-63")
@pytest.mark.slow
def test_a_reload_under_load_fails_no_request(served_database_url: str, tmp_path: Path) -> None:
    with fronted(served_database_url, tmp_path) as front:
        stop, statuses = threading.Event(), list[int]()

        def ask() -> None:
            while not stop.is_set():
                with front.connect() as connection:
                    for _ in range(20):
                        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        statuses.append(reply(connection).status)
                        stop.wait(0.05)

        def workers() -> set[int]:
            return set(children(front.server.process.pid))

        with ThreadPoolExecutor(4) as load:
            asking = [load.submit(ask) for _ in range(4)]
            for _ in range(2):
                before, seen = workers(), len(statuses)
                os.kill(front.server.process.pid, signal.SIGHUP)
                until(lambda before=before: len(workers()) == 2 and not before & workers())  # type: ignore[misc]
                until(lambda seen=seen: len(statuses) > seen + 40)  # type: ignore[misc]
            stop.set()
            for each in asking:
                each.result()
        assert set(statuses) == {200}


@pytest.mark.proves("OPS-60", "OPS-63")
def test_without_the_service_the_response_is_503_with_retry_after(
    served_database_url: str, tmp_path: Path
) -> None:
    with fronted(served_database_url, tmp_path) as front:
        front.server.process.terminate()
        front.server.process.wait(30)
        answer = front.request("GET", "/livez")
        assert refusal(answer) == (503, "UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"


@pytest.mark.slow
@pytest.mark.proves("EVENT-12", "EVENT-4")
def test_nginx_passes_each_event_on_at_once_and_keeps_a_silent_stream(
    config: Config, database_url: str, tmp_path: Path
) -> None:
    with (
        streaming(tmp_path, config, FORWARDED_ALLOW_IPS="127.0.0.1/32") as events,
        fronted(database_url, tmp_path, events.port) as front,
    ):
        user = sign_up(front.server)
        connection = front.connect()
        connection.sendall(head("GET", "/api/me/events", user.authorization))
        response = http.client.HTTPResponse(connection, method="GET")
        response.begin()
        connection.settimeout(None)
        with EventStream(connection, response) as stream:
            assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
            for version in (0, 1, 2, 3):
                event = stream.next()
                assert event is not None
                assert event.id == version
                user.create("one more")
            event = stream.next()
            assert event is not None
            assert stream.is_silent(45), "longer than nginx waits for an upstream that is silent"
            assert stream.comments >= 2
            events.end()
            assert stream.next() is None
        refused = front.request("GET", "/api/me/events", headers=user.authorization)
        assert (refused.status, refused.json["error"]["code"]) == (503, "UNAVAILABLE")
        assert refused.headers["Retry-After"] == "1"
