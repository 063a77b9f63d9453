"""Rate limits: quotas of users and addresses, their headers and their stores."""

import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app, db
from app.config import Config
from app.errors import RateLimited
from app.ratelimit.limits import RateLimits, open_store
from app.ratelimit.shared_counters import LOCK_ATTEMPTS, LOCK_INTERVAL, SharedCounters
from tests.support import services
from tests.support.api_user import register
from tests.support.processes import until
from tests.support.server import serving


@pytest.fixture
def limited(config: Config) -> Iterator[Flask]:
    """The service with three requests a day for each user or address."""
    application = create_app(replace(config, rate_limit="3/day"))
    application.extensions["rate_limits"] = RateLimits("3/day", SharedCounters())
    yield application
    db.close_pool()


def limited_user(client: FlaskClient, where: int) -> dict[str, str]:
    """The headers of a new user, registered from that address."""
    client.environ_base.update(address(where))
    return register(client).authorization


def address(number: int) -> dict[str, str]:
    return {"REMOTE_ADDR": f"192.0.2.{number}"}


@pytest.mark.proves("OPS-1")
def test_each_user_has_one_quota_for_all_addresses(limited: Flask) -> None:
    client = limited.test_client()
    ann, bob = limited_user(client, 1), limited_user(client, 2)
    statuses = [
        client.get("/api/me/tasks", headers=ann, environ_base=address(9)).status_code
        for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]
    assert client.get("/api/me/tasks", headers=bob, environ_base=address(9)).status_code == 200


@pytest.mark.proves("OPS-1")
def test_requests_without_a_user_are_counted_by_address(limited: Flask) -> None:
    client = limited.test_client()
    wrong = {"refresh_token": "x"}
    statuses = [
        client.post("/api/auth/refresh", json=wrong, environ_base=address(1)).status_code
        for _ in range(4)
    ]
    assert statuses == [401, 401, 401, 429]
    other = client.post("/api/auth/refresh", json=wrong, environ_base=address(2))
    assert other.status_code == 401


@pytest.mark.proves("OPS-1", "API-3")
@pytest.mark.parametrize("kind", ["no token", "a wrong token", "another user's path"])
def test_refused_requests_are_counted_by_address(limited: Flask, kind: str) -> None:
    client = limited.test_client()
    ann = limited_user(client, 1)
    other = "00000000-0000-4000-8000-000000000000" if kind == "another user's path" else "me"
    headers = {"no token": {}, "a wrong token": {"Authorization": "Bearer x"}}.get(kind, ann)
    answers = [
        client.get(f"/api/{other}/tasks", headers=headers, environ_base=address(9))
        for _ in range(4)
    ]
    status = 403 if kind == "another user's path" else 401
    assert [each.status_code for each in answers] == [status] * 3 + [429]
    assert {each.headers["RateLimit-Policy"] for each in answers} == {'"address";q=3;w=86400'}
    assert client.get("/api/me/tasks", headers=ann, environ_base=address(9)).status_code == 200
    assert client.get("/api/me/tasks", environ_base=address(8)).status_code == 401


@pytest.mark.proves("OPS-1")
def test_the_addresses_of_an_ipv6_network_share_one_quota(limited: Flask) -> None:
    client = limited.test_client()
    statuses = [
        client.post(
            "/api/auth/refresh", json={}, environ_base={"REMOTE_ADDR": f"2001:db8:1:2::{host}"}
        ).status_code
        for host in range(4)
    ]
    assert statuses == [422, 422, 422, 429]
    other = {"REMOTE_ADDR": "2001:db8:1:3::1"}
    assert client.post("/api/auth/refresh", json={}, environ_base=other).status_code == 422


@pytest.mark.proves("OPS-1")
def test_an_ipv4_mapped_address_shares_the_quota_of_its_ipv4_address(limited: Flask) -> None:
    client = limited.test_client()
    statuses = [
        client.post("/api/auth/refresh", json={}, environ_base={"REMOTE_ADDR": peer}).status_code
        for peer in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1")
    ]
    assert statuses == [422, 422, 422, 429]
    other = {"REMOTE_ADDR": "::ffff:192.0.2.2"}
    assert client.post("/api/auth/refresh", json={}, environ_base=other).status_code == 422


@pytest.mark.proves("OPS-3")
def test_every_counted_response_has_the_policy_and_the_remaining_quota(limited: Flask) -> None:
    client = limited.test_client()
    ann = limited_user(client, 1)
    answers = [client.get("/api/me/tasks", headers=ann) for _ in range(4)]
    left = []
    for answer in answers:
        assert answer.headers["RateLimit-Policy"] == '"user";q=3;w=86400'
        field = re.fullmatch(r'"user";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
        assert field is not None
        left.append(int(field[1]))
        assert 0 < int(field[2]) <= 86400
    assert left == [2, 1, 0, 0]
    refused = answers[-1]
    assert refused.get_json()["error"]["code"] == "RATE_LIMITED"
    assert refused.headers["Retry-After"] == re.split("t=", refused.headers["RateLimit"])[1]


@pytest.mark.proves("OPS-2")
def test_a_quota_resets_after_its_window() -> None:
    now = [1_000_000.0]
    limits = RateLimits("1/minute", SharedCounters(), clock=lambda: now[0])
    first = limits.headers("user", "ann")
    with pytest.raises(RateLimited) as refusal:
        limits.headers("user", "ann")
    wait = int(refusal.value.headers["Retry-After"])
    assert f";t={wait}" in first["RateLimit"]
    with pytest.raises(RateLimited) as refusal:
        limits.headers("user", "ann")
    assert int(refusal.value.headers["Retry-After"]) == wait
    others = {limits.headers("user", name)["RateLimit"] for name in ("bob", "carl", "dora")}
    assert len({first["RateLimit"], *others}) > 1
    now[0] += wait
    assert ";r=0;" in limits.headers("user", "ann")["RateLimit"]


@pytest.mark.proves("API-3")
def test_the_limit_is_checked_after_401_and_403_and_before_the_body(
    limited: Flask,
) -> None:
    client = limited.test_client()
    ann = limited_user(client, 1)
    for _ in range(3):
        client.get("/api/me/tasks", headers=ann)
    other_user = "/api/00000000-0000-4000-8000-000000000000/tasks"
    assert client.get("/api/nowhere", headers=ann).status_code == 404
    assert client.delete("/api/me/tasks", headers=ann).status_code == 405
    assert client.get("/api/me/tasks", environ_base=address(8)).status_code == 401
    assert client.get(other_user, headers=ann, environ_base=address(8)).status_code == 403
    too_large = client.post("/api/me/tasks", headers=ann, data=b" " * 70_000)
    assert too_large.status_code == 429


@pytest.mark.proves("OPS-1", "AUTH-84")
def test_an_api_token_shares_the_quota_of_its_user_also_where_it_lacks_a_scope(
    limited: Flask,
) -> None:
    client = limited.test_client()
    ann, bob = (limited_user(client, number) for number in (1, 2))
    body = {"name": "a script", "scopes": ["tasks:read"]}
    made = client.post("/api/auth/tokens", headers=ann, json=body).get_json()["data"]
    token = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/me/tasks", headers=token).status_code == 200
    assert client.post("/api/me/tasks", headers=token).status_code == 403
    for headers in (token, ann):
        assert client.get("/api/me/tasks", headers=headers).status_code == 429
    assert client.post("/api/me/tasks", headers=token).status_code == 429
    assert client.get("/api/me/tasks", headers=bob).status_code == 200


@pytest.mark.proves("OPS-6")
def test_paths_outside_the_api_are_never_limited(limited: Flask) -> None:
    client = limited.test_client()

    def statuses(path: str) -> Iterator[int]:
        for _ in range(9):
            with client.get(path) as answer:
                yield answer.status_code

    for path in ("/livez", "/readyz", "/", "/docs", "/openapi.json"):
        assert set(statuses(path)) == {200}
    assert set(statuses("/metrics")) == {404}


def _count(counters: SharedCounters, times: int) -> None:
    for _ in range(times):
        counters.incr("one quota", 60)


@pytest.mark.proves("OPS-4")
def test_shared_counters_are_exact_across_forked_workers() -> None:
    counters, fork = SharedCounters(), get_context("fork")
    workers = [fork.Process(target=_count, args=(counters, 2000)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counters.incr("one quota", 60) == 8001


def _die_counting(counters: SharedCounters) -> None:
    counters._take_lock()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.proves("OPS-4")
def test_a_worker_killed_while_it_holds_the_lock_blocks_no_other() -> None:
    counters = SharedCounters()
    worker = get_context("fork").Process(target=_die_counting, args=(counters,))
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    assert [counters.incr("one quota", 60) for _ in range(100)] == list(range(1, 101))
    began = time.monotonic()
    assert counters.incr("one quota", 60) == 101
    assert time.monotonic() - began < LOCK_INTERVAL * LOCK_ATTEMPTS


def test_shared_counters_have_a_fixed_size() -> None:
    counters = SharedCounters(entries=64)
    for number in range(10_000):
        counters.incr(f"user {number}", 60)
    assert counters.incr("one more", 60) == 1


@pytest.fixture
def redis_port() -> Iterator[int]:
    with services.redis() as port:
        yield port


@pytest.mark.proves("OPS-4")
@pytest.mark.parametrize("storage", ["redis", "memory"])
def test_workers_share_one_quota(
    storage: str, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "memory://"
    if storage == "redis":
        url = f"valkey://127.0.0.1:{request.getfixturevalue('redis_port')}"
    limit = {"RATE_LIMIT": "30/day", "RATE_LIMIT_STORAGE_URL": url}
    with serving(database_url, tmp_path, **limit) as server:

        def ask(_: int) -> int:  # on a connection of its own, which either worker may accept
            return server.request("POST", "/api/auth/refresh", {}).status

        with ThreadPoolExecutor(8) as askers:
            statuses = list(askers.map(ask, range(60)))
    assert statuses.count(422) == 30
    assert statuses.count(429) == 30


@pytest.mark.parametrize(
    ("url", "part", "value"),
    [
        ("redis://valkey:6379/0", "host", "valkey"),
        ("valkey://cache:6379/0", "host", "cache"),
        ("valkeys://:a-valkey-1@cache/0", "password", "a-valkey-1"),
        ("valkey+unix:///run/valkey/valkey.sock", "path", "/run/valkey/valkey.sock"),
        ("redis+unix:///run/valkey/valkey.sock", "path", "/run/valkey/valkey.sock"),
    ],
)
def test_only_the_scheme_of_a_valkey_address_is_rewritten(url: str, part: str, value: str) -> None:
    assert open_store(url).storage.get_connection_kwargs()[part] == value  # type: ignore[attr-defined]


@pytest.mark.proves("OPS-5")
def test_an_unreachable_store_limits_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nowhere = open_store(f"redis://127.0.0.1:{services.free_port()}")
    limits = RateLimits("1/day", nowhere)
    with caplog.at_level(logging.WARNING):
        assert [limits.headers("user", "ann") for _ in range(5)] == [{}] * 5
    assert [record.getMessage() for record in caplog.records] == [
        "rate limits are off: the store is away (ConnectionError)"
    ]


@pytest.mark.proves("OPS-5")
def test_a_hanging_store_delays_one_request_a_second_and_is_used_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = services.free_port()
    command = [services.program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    with services.running([*command, "--save", ""], port) as server:
        limits = RateLimits("100/day", open_store(f"redis://127.0.0.1:{port}"))
        assert limits.headers("user", "ann")
        server.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert [limits.headers("user", "ann") for _ in range(100)] == [{}] * 100
        assert time.monotonic() - began < 0.5
        server.send_signal(signal.SIGCONT)
        with caplog.at_level(logging.WARNING):
            until(lambda: limits.headers("user", "ann") != {}, 5)
    assert "rate limits are on again: the store is back" in caplog.text
