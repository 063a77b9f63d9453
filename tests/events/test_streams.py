"""What a client of an event stream is told, and when: `flask events` is a process of its own."""

import statistics
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient

from app import create_app, db
from app.auth.access_tokens import LEEWAY, LIFETIME, AccessTokens
from app.config import Config
from tests.support.api_user import PASSWORD, ApiUser, data, register
from tests.support.events import Event, EventStream, Open, Streaming, head, streaming
from tests.support.faults.postgres import postgres
from tests.support.processes import until
from tests.support.roles import as_role
from tests.support.services import pgbouncer
from tests.support.tokens import READ, WRITE, make_token

SECOND = 1.5  # seconds in which a commit is told
SLOWNESS = 5  # a machine may be so many times slower than the promise is made for
SESSION_END = 2.0  # seconds in which a stream ends after its session


def told(stream: EventStream) -> Event:
    """The next event, which there must be."""
    event = stream.next()
    assert event is not None, "the stream has ended"
    return event


def await_version(stream: EventStream, version: int) -> Event:
    """Reads until that version is told; versions only grow."""
    last = -1
    while True:
        event = told(stream)
        assert last < event.id <= version
        last = event.id
        if event.id == version:
            return event


@pytest.mark.proves("EVENT-1")
def test_a_stream_tells_the_newest_version_at_once_and_each_change_in_time(
    alice: ApiUser, bob: ApiUser, opened: Open
) -> None:
    alice.create("before")
    stream, others = opened(alice), opened(bob)
    assert stream.headers["Content-Type"] == "text/event-stream"
    event = told(stream)
    assert (event.name, event.id, event.data) == ("changes", 1, {"version": 1})
    assert told(others).data == {"version": 0}
    delays = []
    for version in range(2, 7):
        began = time.monotonic()
        assert alice.create("a secret text")["version"] == version
        event = told(stream)
        assert (event.name, event.id, event.data) == ("changes", version, {"version": version})
        delays.append(event.at - began)
    assert statistics.median(delays) < SECOND * 2, "with the time of the change itself"
    assert others.is_silent(SECOND), "what changed is not bob's"


@pytest.mark.proves("EVENT-1")
def test_every_stream_of_a_user_is_told_and_by_the_path_with_the_id(
    alice: ApiUser, events: Streaming, opened: Open
) -> None:
    streams = [opened(alice), opened(alice)]
    with events.open(alice.access_token, path=f"/api/{alice.id}/events") as third:
        streams.append(third)
        assert [told(each).id for each in streams] == [0, 0, 0]
        alice.batch(*[{"op": "create", "title": "one of many"}] * 5)
        assert [await_version(each, 5).id for each in streams] == [5, 5, 5]


@pytest.mark.proves("EVENT-2")
def test_a_client_that_comes_back_is_told_at_once_what_it_has_missed(
    alice: ApiUser, opened: Open
) -> None:
    for _ in range(12):
        alice.create()
    began = time.monotonic()
    event = told(opened(alice, 8))
    assert (event.name, event.id) == ("changes", 12)
    assert event.at - began < SECOND * SLOWNESS
    current = opened(alice, 12)
    assert current.is_silent(SECOND), "it knows that version"
    alice.create()
    assert told(current).id == 13
    assert told(opened(alice, "")).id == 13, "a browser that was told nothing sends an empty one"


@pytest.mark.proves("EVENT-2")
@pytest.mark.parametrize("last", ["x", "-1", "1.5", "٣", "9" * 19, "1 2"])
def test_what_is_no_event_id_is_a_400(alice: ApiUser, events: Streaming, last: str) -> None:
    headers = {**alice.authorization, "Last-Event-ID": last}
    answer = events.request("GET", "/api/me/events", headers)
    assert answer.status == 400
    assert answer.json["error"]["code"] == "BAD_REQUEST"
    assert "Last-Event-ID" in answer.json["error"]["message"]


@pytest.mark.proves("EVENT-3")
def test_a_client_behind_a_pruned_ledger_is_told_that_changes_are_lost(
    alice: ApiUser, opened: Open, superuser: psycopg.Connection
) -> None:
    for _ in range(9):
        alice.create()
    superuser.execute("UPDATE ledgers SET pruned_version = 6")
    behind = opened(alice, 5)
    events = [told(behind), told(behind)]
    assert [(each.name, each.id, each.data) for each in events] == [
        ("changes.lost", 9, {"version": 9}),
        ("changes", 9, {"version": 9}),
    ]
    at_the_edge = told(opened(alice, 6))
    assert (at_the_edge.name, at_the_edge.id) == ("changes", 9), "nothing behind 6 is missing"
    assert told(opened(alice)).name == "changes", "who knows nothing has lost nothing"
    alice.create()
    assert told(behind).name == "changes", "it is told once"


@pytest.mark.proves("EVENT-3")
def test_a_client_ahead_of_a_restored_backup_is_told_that_changes_are_lost(
    alice: ApiUser, opened: Open
) -> None:
    alice.create()
    ahead = opened(alice, 900)
    assert [(each.name, each.id) for each in (told(ahead), told(ahead))] == [
        ("changes.lost", 1),
        ("changes", 1),
    ]


@pytest.mark.slow
@pytest.mark.proves("EVENT-4")
def test_a_silent_stream_is_kept_alive_by_comments(alice: ApiUser, opened: Open) -> None:
    stream = opened(alice, 0)
    assert stream.is_silent(17)
    assert stream.comments == 1
    assert stream.retry is not None
    assert 1000 <= stream.retry <= 3000
    alice.create()
    assert told(stream).id == 1


def ends_in_time(stream: EventStream) -> bool:
    """Whether the stream ends in order, and soon."""
    began = time.monotonic()
    return stream.next() is None and time.monotonic() - began < SESSION_END * SLOWNESS


@pytest.mark.proves("EVENT-5")
def test_a_stream_ends_with_its_session_and_others_go_on(
    alice: ApiUser, client: FlaskClient, opened: Open
) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    other = replace(
        alice, access_token=data(client.post("/api/auth/login", json=login))["access_token"]
    )
    stream, staying = opened(alice), opened(other)
    assert told(stream).id == told(staying).id == 0
    client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    assert ends_in_time(stream)
    other.create()
    assert told(staying).id == 1
    assert opened(alice).status == 401


@pytest.mark.proves("EVENT-5")
def test_a_stream_ends_with_its_api_token_and_with_the_account(
    alice: ApiUser, opened: Open, superuser: psycopg.Connection
) -> None:
    deleted, expired = make_token(alice, READ), make_token(alice, READ)
    streams = [opened(each) for each in (deleted.user, expired.user, alice)]
    assert [told(each).id for each in streams] == [0, 0, 0]
    alice.call("DELETE", f"/api/auth/tokens/{deleted.id}")
    assert ends_in_time(streams[0])
    superuser.execute("UPDATE api_tokens SET expires_at = now() WHERE id = %s", [expired.id])
    assert ends_in_time(streams[1])
    alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert ends_in_time(streams[2])


@pytest.mark.proves("EVENT-5")
def test_a_stream_outlives_its_access_token(
    alice: ApiUser, config: Config, events: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = AccessTokens(config).verify(alice.access_token)
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: now - LIFETIME - LEEWAY + 6)
        token = AccessTokens(config).issue(known.owner_id, known.session_id)
    with events.open(token) as stream:
        assert stream.status == 200
        assert told(stream).id == 0

        def has_expired() -> bool:
            with events.open(token) as refused:
                return refused.status == 401

        until(has_expired)
        alice.create()
        assert told(stream).id == 1


@pytest.mark.proves("EVENT-6")
def test_the_eleventh_stream_of_a_user_is_a_429_until_one_ends(
    alice: ApiUser, bob: ApiUser, events: Streaming, opened: Open
) -> None:
    streams = [opened(alice) for _ in range(10)]
    assert [told(each).id for each in streams] == [0] * 10
    for method in ("GET", "HEAD"):
        refused = events.request(method, "/api/me/events", alice.authorization)
        assert refused.status == 429
        assert int(refused.headers["Retry-After"]) > 0
    answer = events.request("GET", "/api/me/events", alice.authorization)
    assert answer.json["error"]["code"] == "RATE_LIMITED"
    assert told(opened(bob)).id == 0, "another user has ten of their own"
    streams[3].close()
    until(lambda: opened(alice).status == 200)


@pytest.mark.proves("EVENT-7")
def test_streams_are_authenticated_as_everything_is(
    alice: ApiUser, bob: ApiUser, events: Streaming
) -> None:
    def refused(path: str, token: str | None, status: int, code: str) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = events.request("GET", path, {**headers, "X-Request-Id": "mine"})
        assert (answer.status, answer.json["error"]["code"]) == (status, code)
        assert answer.json["error"]["request_id"] == answer.headers["X-Request-Id"] == "mine"

    refused("/api/me/events", None, 401, "UNAUTHENTICATED")
    refused("/api/me/events", "eyJhbGciOiJub25lIn0.e30.", 401, "UNAUTHENTICATED")
    refused(f"/api/{bob.id}/events", alice.access_token, 403, "FORBIDDEN")
    refused("/api/somebody/events", alice.access_token, 404, "NOT_FOUND")
    writer = make_token(alice, WRITE).text
    refused("/api/me/events", writer, 403, "INSUFFICIENT_SCOPE")
    refused("/api/me/events?since=3", alice.access_token, 422, "VALIDATION_FAILED")
    refused("/api/me/tasks", alice.access_token, 404, "NOT_FOUND")


@pytest.mark.proves("EVENT-7")
def test_an_api_token_that_reads_tasks_opens_a_stream(alice: ApiUser, opened: Open) -> None:
    assert told(opened(make_token(alice, READ).user)).id == 0


@pytest.mark.proves("EVENT-7")
def test_head_opens_no_stream_and_has_the_same_headers(
    alice: ApiUser, events: Streaming, opened: Open
) -> None:
    streams = [opened(alice) for _ in range(9)]
    answers = [events.request("HEAD", "/api/me/events", alice.authorization) for _ in range(3)]
    assert [(each.status, each.body) for each in answers] == [(200, b"")] * 3
    answer = answers[-1]
    differing = ("Date", "X-Request-Id", "Transfer-Encoding")
    assert {name: text for name, text in answer.headers.items() if name not in differing} == {
        name: text for name, text in streams[0].headers.items() if name not in differing
    }
    assert answer.headers["Cache-Control"] == "private, no-cache, no-transform"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Connection"] == "close"
    assert opened(alice).status == 200


@pytest.mark.proves("EVENT-7")
def test_pages_of_cors_origins_may_read_streams(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    origin = "https://todo.example.com"
    with streaming(tmp_path, config, CORS_ORIGINS=origin) as events:
        headers = {**alice.authorization, "Origin": origin}
        answer = events.request("HEAD", "/api/me/events", headers)
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        preflight = events.request("OPTIONS", "/api/me/events", asked)
        assert preflight.status == 200
        assert "Last-Event-ID" in preflight.headers["Access-Control-Allow-Headers"]
        assert "GET" in preflight.headers["Access-Control-Allow-Methods"]


@pytest.mark.proves("EVENT-7")
def test_openings_are_counted_by_the_rate_limit(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    with streaming(tmp_path, config, RATE_LIMIT="2/hour") as events:
        first = events.request("HEAD", "/api/me/events", alice.authorization)
        assert first.headers["RateLimit"].startswith('"user";r=1')
        events.request("HEAD", "/api/me/events", alice.authorization)
        assert events.request("GET", "/api/me/events", alice.authorization).status == 429
        assert "counted per process" not in events.output()


@pytest.mark.slow
@pytest.mark.proves("EVENT-8")
def test_streams_work_through_pgbouncer_in_transaction_mode(
    alice: ApiUser, bob: ApiUser, config: Config, tmp_path: Path
) -> None:
    assert config.database_url is not None
    with pgbouncer(config.database_url, tmp_path) as pooled:
        behind = replace(config, database_url=pooled)
        with (
            streaming(tmp_path, behind) as events,
            events.open(alice.access_token) as hers,
            events.open(bob.access_token) as his,
        ):
            assert told(hers).id == told(his).id == 0
            for version in (1, 2, 3):
                alice.create()
                assert told(hers).id == version
                bob.create()
                assert told(his).id == version


def failures(events: Streaming) -> int:
    """How often the log tells that the versions can't be read."""
    return events.output().count("can't be read")


def await_failures(events: Streaming, number: int) -> None:
    """Waits until the log has told so that often."""
    until(lambda: failures(events) == number)


@pytest.mark.slow
@pytest.mark.proves("EVENT-9")
def test_streams_outlive_a_kill_of_postgresql_and_miss_nothing(
    used_data_dir: Path, config: Config, tmp_path: Path
) -> None:
    with postgres(used_data_dir) as server:
        here = replace(config, database_url=as_role(server.url), db_row_security=False)
        user = register(create_app(here).test_client())
        try:
            with streaming(tmp_path, here) as events, events.open(user.access_token) as stream:
                assert told(stream).id == 0
                for version in (1, 2, 3):
                    server.kill()
                    await_failures(events, version)
                    assert stream.is_silent(0.5), "it stays open"
                    server.start()
                    until(lambda: user.post(json={"title": "after it"}).status_code == 201)
                    event = told(stream)
                    assert (event.name, event.id) == ("changes", version)
                assert "Traceback" not in events.output()
                assert failures(events) == 3, "one line for each outage"
                server.freeze()
                try:
                    assert stream.is_silent(SECOND), "a question is on its way"
                    events.process.terminate()
                    assert stream.next() is None
                    assert events.process.wait(30) == 0
                finally:
                    server.thaw()
        finally:
            db.close_pool()


@pytest.mark.proves("EVENT-10")
def test_sigterm_ends_all_streams_in_order_and_the_process(
    alice: ApiUser, bob: ApiUser, events: Streaming, opened: Open
) -> None:
    streams = [opened(alice), opened(alice), opened(bob)]
    assert [told(each).id for each in streams] == [0, 0, 0]
    with events.connect() as raw, events.connect():  # the last one asks for nothing
        raw.sendall(head("GET", "/api/me/events", alice.authorization))
        received = raw.recv(65536)
        began = time.monotonic()
        events.process.terminate()
        while part := raw.recv(65536):
            received += part
        assert received.endswith(b"\r\n0\r\n\r\n"), "the last chunk, as in a whole response"
        assert [each.next() for each in streams] == [None, None, None]
        assert time.monotonic() - began < 2 * SLOWNESS
        assert events.process.wait(30) == 0
    assert "Traceback" not in events.output()


@pytest.mark.proves("EVENT-14")
def test_metrics_and_log_tell_of_streams_and_nothing_of_their_users(
    alice: ApiUser, config: Config, tmp_path: Path
) -> None:
    settings = {"METRICS_TOKEN": "a token for scrapers"[:20].replace(" ", "-")}
    with streaming(tmp_path, config, **settings) as events:
        scraper = {"Authorization": f"Bearer {settings['METRICS_TOKEN']}"}

        def shows(line: str) -> bool:
            return line in events.request("GET", "/metrics", scraper).body.decode().splitlines()

        assert events.request("GET", "/livez").json["data"] == {"status": "alive"}
        assert events.request("GET", "/metrics").status == 401
        with events.open(alice.access_token) as stream:
            alice.create("a secret text")
            await_version(stream, 1)
            assert shows("ownrow_open_streams 1.0")
            request_id = stream.headers["X-Request-Id"]
        until(lambda: shows("ownrow_open_streams 0.0"))
        text = events.request("GET", "/metrics", scraper).body.decode()
        (lag,) = (line for line in text.splitlines() if line.startswith("ownrow_streams_lag"))
        assert 0 <= float(lag.split()[1]) < 30
        until(lambda: f"stream {request_id} ended" in events.output())
        assert "its client has gone" in events.output()
        for secret in (alice.access_token, alice.email, "a secret text"):
            assert secret not in events.output()
