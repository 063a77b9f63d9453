"""Proxies, hosts, CORS, and the headers of every response."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse

from app import create_app, db
from app.config import Config
from tests.support.api_user import ApiUser, error, register
from tests.support.server import Server

Make = Callable[..., FlaskClient]


@pytest.fixture
def make(config: Config) -> Iterator[Make]:
    """Makes a client of the service with other settings."""

    def client(**settings: Any) -> FlaskClient:
        application = create_app(replace(config, **settings))
        application.add_url_rule("/client", "client", lambda: [request.remote_addr, request.scheme])
        return application.test_client()

    yield client
    db.close_pool()


# --- proxies ------------------------------------------------------------------------------------


@pytest.mark.proves("OPS-50")
@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.7", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.7", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("10.0.0.7", "203.0.113.9, nonsense", "10.0.0.7"),
        ("10.0.0.7", "nonsense, 10.1.2.3", "10.1.2.3"),
        ("10.0.0.7", "", "10.0.0.7"),
        ("11.0.0.7", "203.0.113.9", "11.0.0.7"),
        ("::ffff:10.0.0.7", "2001:db8::9", "2001:db8::9"),
        ("10.0.0.7", "203.0.113.5:41000", "203.0.113.5"),
        ("10.0.0.7", "[2001:db8::1]:41000", "2001:db8::1"),
        ("10.0.0.7", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.7", "[::ffff:203.0.113.5]:41000", "203.0.113.5"),
        ("10.0.0.7", "198.51.100.1:5, 203.0.113.5:41000, 10.1.2.3:80", "203.0.113.5"),
        ("10.0.0.7", "203.0.113.5:", "10.0.0.7"),
        ("10.0.0.7", "203.0.113.5:x", "10.0.0.7"),
        ("10.0.0.7", "[203.0.113.5", "10.0.0.7"),
        ("10.0.0.7", "203.0.113.5:410001", "10.0.0.7"),
    ],
)
def test_the_client_is_the_last_untrusted_address_of_x_forwarded_for(
    make: Make, peer: str, forwarded: str, client: str
) -> None:
    user = make(forwarded_allow_ips=("10.0.0.0/8",))
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    answer = user.get("/client", headers=headers, environ_base={"REMOTE_ADDR": peer})
    trusted = not peer.startswith("11.")
    assert answer.json == [client, "https" if trusted else "http"]


@pytest.mark.proves("OPS-50")
@pytest.mark.parametrize("spelling", ["203.0.113.{}", "[2001:db8:0:{}::1]"])
def test_clients_behind_a_gateway_that_adds_ports_are_counted_separately(
    make: Make, spelling: str
) -> None:
    user = make(forwarded_allow_ips=("10.0.0.0/8",), rate_limit="2/minute")

    def send(client: int) -> int:
        peer = {"REMOTE_ADDR": "10.0.0.7"}
        headers = {"X-Forwarded-For": f"{spelling.format(client)}:{next(ports)}"}
        answer = user.post("/api/auth/login", json={}, headers=headers, environ_base=peer)
        return answer.status_code

    ports = itertools.count(41_000)
    assert [send(1), send(1), send(1)] == [422, 422, 429]
    assert send(2) == 422


@pytest.mark.proves("OPS-50")
def test_forwarded_headers_are_ignored_without_trusted_proxies(make: Make) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    answer = make().get("/client", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert answer.json == ["10.0.0.7", "http"]


# --- hosts --------------------------------------------------------------------------------------


@pytest.mark.proves("OPS-51")
@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("todo.example.com", True),
        ("TODO.example.com:8443", True),
        ("api.example.org", True),
        ("example.org", True),
        ("evil.example", False),
        ("todo.example.com.evil.example", False),
        ("badexample.org", False),
    ],
)
def test_a_host_outside_allowed_hosts_is_refused(make: Make, host: str, is_allowed: bool) -> None:
    client = make(allowed_hosts=("todo.example.com", ".example.org"))
    answer = client.get("/", headers={"Host": host})
    assert (answer.status_code == 200) is is_allowed
    if not is_allowed:
        assert error(answer) == (400, "BAD_REQUEST")
    for probe in ("/livez", "/readyz"):
        assert client.get(probe, headers={"Host": host}).status_code == 200


HOSTS = [
    ("todo.example.com", 200),
    ("TODO.example.com.", 200),
    ("my_service:8000", 200),
    ("127.0.0.1:8000", 200),
    ("[::1]:80", 200),
    ("", 400),
    ("a..b", 400),
    (".a", 400),
    ("a b", 400),
    ("a/b", 400),
    ("me@a", 400),
    ("a:b", 400),
    ("a:1:2", 400),
    ("a,b", 400),
    ("[::1", 400),
    ("a\xe4", 400),
    ("a\n", 400),
    ("a" * 64, 400),
]


def send_host(app: Flask, host: str | None, protocol: str = "HTTP/1.1") -> TestResponse:
    """GET /livez with that Host header, or with none."""
    request = EnvironBuilder("/livez").get_request()
    request.environ["SERVER_PROTOCOL"] = protocol
    del request.environ["HTTP_HOST"]
    if host is not None:
        request.environ["HTTP_HOST"] = host
    return app.test_client(use_cookies=False).open(request)


@pytest.mark.proves("OPS-55", "API-19")
@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_the_application_refuses_a_malformed_host(make: Make, host: str, status: int) -> None:
    app = make().application
    for protocol in ("HTTP/1.1", "HTTP/1.0"):
        for _ in range(2):  # the second request is answered from the table of paths
            answer = send_host(app, host, protocol)
            assert answer.status_code == status
            assert status == 200 or error(answer) == (400, "BAD_REQUEST")


@pytest.mark.proves("OPS-55", "API-19")
def test_the_application_refuses_http_1_1_without_a_host(make: Make) -> None:
    app = make().application
    for _ in range(2):
        assert error(send_host(app, None)) == (400, "BAD_REQUEST")
        assert send_host(app, None, "HTTP/1.0").status_code == 200


# --- CORS ---------------------------------------------------------------------------------------

ORIGIN = "https://todo.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.mark.proves("OPS-52")
def test_cors_is_off_by_default(client: FlaskClient) -> None:
    for answer in (
        client.options("/api/me/tasks", headers=PREFLIGHT),
        client.get("/", headers={"Origin": ORIGIN}),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.proves("OPS-52")
def test_cors_allows_a_listed_origin(make: Make) -> None:
    client = make(cors_origins=(ORIGIN,))
    allowed = client.options("/api/me/tasks", headers=PREFLIGHT)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    sendable = allowed.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "if-match", "idempotency-key"} <= set(sendable)
    alice = register(client)
    for answer in (
        alice.get(headers={"Origin": ORIGIN}),
        client.get("/api/me/tasks", headers={"Origin": ORIGIN}),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        readable = answer.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Link", "Location", "Retry-After", "X-Request-Id"} <= set(readable)
        assert {"Origin", "Authorization"} <= set(answer.vary)


@pytest.mark.proves("OPS-52")
def test_cors_refuses_other_origins_and_varies_by_origin(make: Make) -> None:
    client = make(cors_origins=(ORIGIN,))
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", ORIGIN.upper()):
        answer = client.options("/api/me/tasks", headers={**PREFLIGHT, "Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.vary


# --- headers ------------------------------------------------------------------------------------


@pytest.mark.proves("OPS-53")
@pytest.mark.parametrize("path", ["/", "/livez", "/api/me/tasks", "/nowhere", "/docs"])
def test_every_response_has_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    (policy,) = headers.getlist("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert ("script-src" in policy) is (path == "/docs")
    assert "Strict-Transport-Security" not in headers


@pytest.mark.proves("OPS-53")
def test_error_responses_of_the_server_have_the_security_headers(server: Server) -> None:
    answer = server.raw(b"BROKEN\r\n\r\n")
    assert answer.status == 400
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.proves("OPS-53")
def test_hsts_is_sent_over_tls_only(make: Make) -> None:
    client = make(forwarded_allow_ips=("127.0.0.1/32",))
    answer = client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Strict-Transport-Security" not in client.get("/").headers


@pytest.mark.proves("OPS-54")
def test_each_kind_of_response_has_its_cache_control(client: FlaskClient, alice: ApiUser) -> None:
    def cache_control(path: str) -> str | None:
        with client.get(path, headers=alice.authorization) as answer:
            return answer.headers.get("Cache-Control")

    assert cache_control("/api/auth/me") == "no-store"
    assert client.post("/api/auth/login", json={}).headers["Cache-Control"] == "no-store"
    assert cache_control("/api/me/tasks") == "private, no-cache, no-transform"
    assert cache_control("/api/me/tasks/nothing") == "private, no-cache, no-transform"
    assert cache_control("/livez") == "no-store"
    assert cache_control("/readyz") == "no-store"
    assert cache_control("/nowhere") == "no-store"
    assert cache_control("/") == "no-store"
    assert cache_control("/metrics") == "no-store"
    for revalidated in ("/openapi.json", "/docs"):
        assert cache_control(revalidated) == "no-cache, no-transform"
