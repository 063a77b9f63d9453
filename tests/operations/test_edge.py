"""Proxies, hosts, origins, and the headers that every answer has."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import request
from flask.testing import FlaskClient

from app import create_app, db
from app.config import Config
from tests.callers import Caller, error, register
from tests.serving import Server

Make = Callable[..., FlaskClient]


@pytest.fixture
def make(config: Config) -> Iterator[Make]:
    """The service with other settings."""

    def client(**settings: Any) -> FlaskClient:
        application = create_app(replace(config, **settings))
        application.add_url_rule("/who", "who", lambda: [request.remote_addr, request.scheme])
        db.open_pool()
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
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    make: Make, peer: str, forwarded: str, client: str
) -> None:
    caller = make(forwarded_allow_ips=("10.0.0.0/8",))
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    answer = caller.get("/who", headers=headers, environ_base={"REMOTE_ADDR": peer})
    trusted = not peer.startswith("11.")
    assert answer.json == [client, "https" if trusted else "http"]


@pytest.mark.proves("OPS-50")
def test_without_trusted_proxies_nobody_is_believed(make: Make) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    answer = make().get("/who", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert answer.json == ["10.0.0.7", "http"]


# --- hosts --------------------------------------------------------------------------------------


@pytest.mark.proves("OPS-51")
@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("todo.example.com", True),
        ("TODO.example.com:8443", True),
        ("api.example.org", True),
        ("example.org", True),
        ("evil.example", False),
        ("todo.example.com.evil.example", False),
        ("evil.example@todo.example.com.evil", False),
        ("badexample.org", False),
    ],
)
def test_only_allowed_hosts_are_answered_for(make: Make, host: str, is_ours: bool) -> None:
    client = make(allowed_hosts=("todo.example.com", ".example.org"))
    answer = client.get("/", headers={"Host": host})
    assert (answer.status_code == 200) is is_ours
    if not is_ours:
        assert error(answer) == (400, "BAD_REQUEST")
    for probe in ("/livez", "/readyz"):
        assert client.get(probe, headers={"Host": host}).status_code == 200


# --- other origins ------------------------------------------------------------------------------

ORIGIN = "https://todo.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.mark.proves("OPS-52")
def test_by_default_no_page_of_another_origin_may_use_the_api(client: FlaskClient) -> None:
    for answer in (
        client.options("/api/me/tasks", headers=PREFLIGHT),
        client.get("/", headers={"Origin": ORIGIN}),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.proves("OPS-52")
def test_a_listed_origin_may_send_and_read_what_the_api_needs(make: Make) -> None:
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
def test_an_origin_that_is_not_listed_gets_nothing_but_is_told_apart_by_caches(make: Make) -> None:
    client = make(cors_origins=(ORIGIN,))
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", ORIGIN.upper()):
        answer = client.options("/api/me/tasks", headers={**PREFLIGHT, "Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.vary


# --- headers ------------------------------------------------------------------------------------


@pytest.mark.proves("OPS-53")
@pytest.mark.parametrize("path", ["/", "/livez", "/api/me/tasks", "/nowhere", "/docs"])
def test_every_answer_is_sealed_against_browsers(client: FlaskClient, path: str) -> None:
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
def test_what_the_server_itself_refuses_is_sealed_too(server: Server) -> None:
    answer = server.raw(b"BROKEN\r\n\r\n")
    assert answer.status == 400
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.proves("OPS-53")
def test_browsers_are_told_to_stay_with_tls_only_by_an_answer_over_tls(make: Make) -> None:
    client = make(forwarded_allow_ips=("127.0.0.1/32",))
    answer = client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Strict-Transport-Security" not in client.get("/").headers


@pytest.mark.proves("OPS-54")
def test_each_kind_of_answer_says_who_may_keep_it(client: FlaskClient, alice: Caller) -> None:
    def kept(path: str) -> str | None:
        with client.get(path, headers=alice.authorization) as answer:
            return answer.headers.get("Cache-Control")

    assert kept("/api/auth/me") == "no-store"
    assert client.post("/api/auth/login", json={}).headers["Cache-Control"] == "no-store"
    assert kept("/api/me/tasks") == "private, no-cache"
    assert kept("/api/me/tasks/nothing") == "private, no-cache"
    assert kept("/livez") == "no-store"
    assert kept("/readyz") == "no-store"
    assert kept("/nowhere") == "no-store"
    assert kept("/") == "no-store"
    assert kept("/metrics") == "no-store"
    for revalidated in ("/openapi.json", "/docs"):
        assert kept(revalidated) == "no-cache"
