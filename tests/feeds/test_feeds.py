"""Feeds through the API: made and ended by their owner, read by who knows their address."""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app, db
from app.config import Config
from app.feeds.secret import is_well_formed, new_secret
from app.observability import sentry
from app.ratelimit.limits import RateLimits
from app.ratelimit.shared_counters import SharedCounters
from tests.support.api_user import ApiUser, broken_fields, data, error, register
from tests.support.auth_rows import dump
from tests.support.feeds import calendar_of, events, fetch, make_feed, path_of, todos
from tests.support.planning import change, delete, make, make_task
from tests.support.remote_user import peak_memory, reset_peak_memory, sign_up, workers
from tests.support.sentry_sink import Sink
from tests.support.server import Server
from tests.support.services import FlaskCommand, free_port
from tests.support.task_rows import add_tasks
from tests.support.tokens import READ, WRITE, make_token

URL = re.compile(r"http://127\.0\.0\.1:8000/feeds/([A-Za-z0-9_-]{43})\.ics")


def listed(user: ApiUser) -> list[dict[str, Any]]:
    return list(data(user.call("GET", "/api/me/feeds")))


def end(user: ApiUser, feed: dict[str, Any]) -> Any:
    return user.call("DELETE", f"/api/me/feeds/{feed['id']}")


def secret_of(feed: dict[str, Any]) -> str:
    match = URL.fullmatch(feed["url"])
    assert match is not None, feed["url"]
    return match[1]


# --- making and ending --------------------------------------------------------------------------


@pytest.mark.proves("FEED-1", "FEED-2")
def test_the_address_is_shown_once_and_its_secret_stored_as_a_hash(
    alice: ApiUser, database_url: str, superuser: psycopg.Connection
) -> None:
    home = make(alice, "lists", title="Home")
    made = make_feed(alice, list_id=home["id"], **{"as": "event"})
    secret = secret_of(made)
    assert made.pop("url")
    assert made == {
        "id": made["id"],
        "list_id": home["id"],
        "as": "event",
        "created_at": made["created_at"],
    }
    other = make_feed(alice)
    assert (other["list_id"], other["as"]) == (None, "todo")
    del other["url"]
    assert listed(alice) == [made, other]
    assert secret not in dump(database_url)
    stored = superuser.execute("SELECT secret_hash FROM feeds WHERE id = %s", [made["id"]])
    assert stored.fetchone() == (hashlib.sha256(secret.encode()).digest(),)


@pytest.mark.proves("FEED-2")
def test_a_retry_gets_the_same_address_which_is_stored_encrypted(
    alice: ApiUser, database_url: str
) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = (alice.call("POST", "/api/me/feeds", json={}, headers=key) for _ in range(2))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert data(again) == data(first)
    assert len(listed(alice)) == 1
    assert secret_of(data(first)) not in dump(database_url)


@pytest.mark.proves("FEED-1")
def test_the_address_is_that_of_public_url(config: Config) -> None:
    app = create_app(replace(config, public_url="https://todo.example.com"))
    user = register(app.test_client())
    answer = user.call("POST", "/api/me/feeds", json={}, headers={"Host": "evil.example"})
    assert data(answer)["url"].startswith("https://todo.example.com/feeds/")
    db.close_pool()


@pytest.mark.proves("FEED-1")
@pytest.mark.parametrize(
    ("body", "broken"),
    [
        ({"as": "journal"}, ["as"]),
        ({"as": None}, ["as"]),
        ({"list_id": "none"}, ["list_id"]),
        ({"list_id": str(uuid4())}, ["list_id"]),
        ({"url": "https://example.com"}, ["url"]),
    ],
)
def test_a_body_that_breaks_a_rule_names_the_field(
    alice: ApiUser, body: dict[str, Any], broken: list[str]
) -> None:
    assert broken_fields(alice.call("POST", "/api/me/feeds", json=body)) == broken
    assert listed(alice) == []


@pytest.mark.proves("FEED-1")
def test_a_list_must_be_the_owners_and_outside_the_trash(alice: ApiUser, bob: ApiUser) -> None:
    trashed = make(alice, "lists", title="gone")
    delete(alice, trashed, "lists")
    for home in (make(bob, "lists", title="bob's"), trashed):
        answer = alice.call("POST", "/api/me/feeds", json={"list_id": home["id"]})
        assert broken_fields(answer) == ["list_id"]


@pytest.mark.proves("FEED-3")
def test_an_account_has_up_to_50_feeds(alice: ApiUser, superuser: psycopg.Connection) -> None:
    superuser.execute(
        "INSERT INTO feeds (owner_id, id, component, secret_hash)"
        " SELECT %s, gen_random_uuid(), 'todo', sha256('') FROM generate_series(1, 49)",
        [alice.id],
    )
    made = make_feed(alice)
    assert broken_fields(alice.call("POST", "/api/me/feeds", json={})) == [""]
    assert end(alice, made).status_code == 200
    make_feed(alice)


@pytest.mark.proves("FEED-4")
def test_an_ended_feed_is_like_one_that_never_was(alice: ApiUser) -> None:
    ended, kept = make_feed(alice), make_feed(alice)
    assert fetch(alice.client, ended).status_code == 200
    assert end(alice, ended).status_code == 200
    assert error(end(alice, ended)) == (404, "NOT_FOUND")
    answers = [
        alice.client.get(f"/feeds/{secret}.ics", headers={"X-Request-Id": "same"})
        for secret in (secret_of(ended), new_secret(), "short", "x" * 44, "é" * 43)
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert len({tuple(answer.headers) for answer in answers}) == 1
    assert error(answers[0]) == (404, "NOT_FOUND")
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert fetch(alice.client, kept).status_code == 200


@pytest.mark.proves("FEED-4")
def test_ended_and_unknown_feeds_take_the_same_statements(
    alice: ApiUser, capfd: pytest.CaptureFixture[str]
) -> None:
    """The time of an answer is that of its statements: the same ones, which find no row."""
    ended = make_feed(alice)
    end(alice, ended)
    capfd.readouterr()
    for secret in (secret_of(ended), new_secret()):
        alice.client.get(f"/feeds/{secret}.ics")
    lines = [line for line in capfd.readouterr().err.splitlines() if "/feeds/" in line]
    assert [re.findall(r" (\w+/\w+)=", line) for line in lines] == [["feeds/find_feed"]] * 2


@pytest.mark.proves("FEED-4")
def test_a_malformed_secret_needs_no_database(alice: ApiUser, config: Config) -> None:
    db.configure(replace(config, database_url=f"postgresql://127.0.0.1:{free_port()}/away"))
    assert alice.client.get("/feeds/short.ics").status_code == 404
    assert error(alice.client.get(f"/feeds/{new_secret()}.ics")) == (503, "UNAVAILABLE")


@pytest.mark.proves("FEED-2")
def test_secrets_are_of_one_form_and_none_is_made_twice() -> None:
    made = {new_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert all(map(is_well_formed, made))


@pytest.mark.proves("FEED-6")
def test_the_feeds_of_a_disabled_or_erased_account_are_gone(
    alice: ApiUser, bob: ApiUser, flask: FlaskCommand
) -> None:
    of_alice, of_bob = make_feed(alice), make_feed(bob)
    assert flask("users", "disable", alice.email).exit_code == 0
    assert error(fetch(alice.client, of_alice)) == (404, "NOT_FOUND")
    assert flask("users", "enable", alice.email).exit_code == 0
    assert fetch(alice.client, of_alice).status_code == 200
    removed = bob.call("DELETE", "/api/auth/me", json={"password": "seven quiet rivers"})
    assert data(removed)["feeds"] == 1
    assert error(fetch(bob.client, of_bob)) == (404, "NOT_FOUND")


@pytest.mark.proves("FEED-7")
def test_a_token_that_may_read_tasks_may_make_and_end_feeds(alice: ApiUser) -> None:
    reader, writer = make_token(alice, READ).user, make_token(alice, WRITE).user
    made = make_feed(reader)
    assert [each["id"] for each in listed(reader)] == [made["id"]]
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{made['id']}")):
        answer = writer.call(method, f"/api/me/feeds{path}", json={} if path == "" else None)
        assert error(answer) == (403, "INSUFFICIENT_SCOPE")
    assert end(reader, made).status_code == 200


@pytest.mark.proves("FEED-8")
def test_the_trail_has_feeds_that_were_made_and_ended(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    end(alice, make_feed(alice))
    events = superuser.execute(
        "SELECT event, owner_id::text FROM audit_auth_events ORDER BY at DESC LIMIT 2"
    ).fetchall()
    assert events == [("feed ended", alice.id), ("feed made", alice.id)]


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.proves("FEED-10")
def test_a_calendar_needs_no_token_and_is_not_kept_by_others(alice: ApiUser) -> None:
    make_task(alice, "a task")
    answer = fetch(alice.client, make_feed(alice))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ownrow.ics"'
    assert answer.headers["Cache-Control"] == "private, no-cache, no-transform"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.proves("FEED-11")
def test_the_reader_may_ask_for_the_other_component(alice: ApiUser) -> None:
    make_task(alice, due="2026-02-05")
    feed = make_feed(alice, **{"as": "event"})
    shown = {
        query: fetch(alice.client, feed, query).data.decode()
        for query in ("", "?as=event", "?as=todo")
    }
    assert shown[""] == shown["?as=event"]
    assert (len(events(shown[""])), len(todos(shown["?as=todo"]))) == (1, 1)
    assert broken_fields(fetch(alice.client, feed, "?as=journal")) == ["as"]
    assert broken_fields(fetch(alice.client, feed, "?when=now")) == ["when"]


@pytest.mark.proves("FEED-12")
def test_what_has_not_changed_is_a_304_that_reads_no_task(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    make_task(alice)
    feed = make_feed(alice)
    first = fetch(alice.client, feed)
    tag = first.headers["ETag"]
    with superuser.transaction():
        superuser.execute("LOCK TABLE tasks")
        again = fetch(alice.client, feed, If_None_Match=tag)
        weak = fetch(alice.client, feed, If_None_Match=f'"x", W/{tag}')
        assert error(fetch(alice.client, feed)) == (503, "UNAVAILABLE")
    for answer in (again, weak):
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["Cache-Control"] == "private, no-cache, no-transform"
    assert fetch(alice.client, feed, "?as=event", If_None_Match=tag).status_code == 200


@pytest.mark.proves("FEED-12")
def test_the_tag_changes_with_the_calendar_and_the_calendar_with_the_tag(alice: ApiUser) -> None:
    reminder = {"offset": "PT0S", "relative_to": "due"}
    label = make(alice, "labels", name="home")
    task = make_task(alice, due="2030-02-05", reminders=[reminder], label_ids=[label["id"]])
    feed = make_feed(alice)

    def read() -> tuple[str, bytes]:
        answer = fetch(alice.client, feed)
        assert fetch(alice.client, feed).data == answer.data  # the time alone changes nothing
        return answer.headers["ETag"], answer.data

    seen = [read()]
    steps: list[Callable[[], Any]] = [
        lambda: change(alice, task, title="another"),
        lambda: change(alice, label, "labels", name="work"),
        lambda: data(alice.call("PATCH", "/api/auth/me", json={"reminder_time": "07:30"})),
        lambda: delete(alice, task),
    ]
    for step in steps:
        step()
        seen.append(read())
    assert len({tag for tag, _ in seen}) == len({body for _, body in seen}) == len(seen)
    assert b"TRIGGER;RELATED=END:PT7H30M" in seen[3][1]


@pytest.mark.proves("FEED-16")
def test_a_feed_is_one_snapshot(alice: ApiUser, superuser: psycopg.Connection) -> None:
    add_tasks(superuser, alice.id, 601)
    feed = make_feed(alice)
    before = fetch(alice.client, feed)
    answer = alice.client.get(path_of(feed))
    chunks = answer.iter_encoded()
    body = next(chunks)
    delete(alice, data(alice.get("?limit=1"))[0])
    body += b"".join(chunks)
    answer.close()
    assert body == before.data
    assert answer.headers["ETag"] == before.headers["ETag"]
    assert fetch(alice.client, feed).data != before.data


@pytest.mark.proves("FEED-16")
@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_tasks(
    server: Server, served_database_url: str
) -> None:
    remote = sign_up(server)
    answer = remote.call("POST", "/feeds", {})
    path = "/feeds/" + answer.json["data"]["url"].partition("/feeds/")[2]
    for _ in range(20):  # each worker has answered one
        assert server.request("GET", path).status == 200
    with psycopg.connect(served_database_url, autocommit=True) as owner:
        add_tasks(owner, remote.id, 20_000)
    before = {worker: reset_peak_memory(worker) for worker in workers(server)}
    assert len(server.request("GET", path).body) > 5_000_000
    assert max(peak_memory(worker) - before[worker] for worker in before) < 4_000_000


@pytest.mark.proves("FEED-16")
@pytest.mark.slow
def test_ten_thousand_tasks_take_two_seconds_of_a_core(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    """Of this process, client included; a slow machine may take three times as long."""
    add_tasks(superuser, alice.id, 10_000)
    superuser.execute(
        "UPDATE tasks SET version = version + 10000, last_action = 'update',"
        " updated_at = updated_at + interval '1 second', due = '2026-10-25T02:30:00',"
        " time_zone = 'Europe/Madrid', computed_zone = 'Europe/Madrid', due_at = now(),"
        " due_begins_at = now(), priority = 3, recurrence = 'FREQ=WEEKLY;BYDAY=SU',"
        " recurrence_from = '2026-10-25T02:30:00',"
        """ reminders = '{"{\\"offset\\":\\"-PT30M\\",\\"relative_to\\":\\"due\\"}"}'"""
    )
    feed = make_feed(alice)
    began = time.process_time()
    body = fetch(alice.client, feed).data
    seconds = time.process_time() - began
    assert body.count(b"BEGIN:VTODO") == body.count(b"BEGIN:VALARM") == 10_000
    assert seconds < 3 * 2


@pytest.mark.proves("FEED-13")
def test_head_has_the_headers_of_get_and_reads_no_task(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    make_task(alice)
    feed = make_feed(alice)
    get = fetch(alice.client, feed)
    with superuser.transaction():
        superuser.execute("LOCK TABLE tasks")
        head = alice.client.head(path_of(feed))
    assert (head.status_code, head.data) == (200, b"")
    ignored = ("Content-Length", "X-Request-Id")
    assert [each for each in head.headers if each[0] not in ignored] == [
        each for each in get.headers if each[0] not in ignored
    ]
    missing = alice.client.head(f"/feeds/{new_secret()}.ics")
    assert (missing.status_code, missing.data) == (404, b"")
    assert alice.client.post(path_of(feed)).status_code == 405


@pytest.mark.proves("FEED-14")
def test_requests_are_limited_by_address(config: Config) -> None:
    app = create_app(replace(config, rate_limit="3/day"))
    app.extensions["rate_limits"] = RateLimits("3/day", SharedCounters())
    statuses = [app.test_client().get(f"/feeds/{new_secret()}.ics").status_code for _ in range(4)]
    assert statuses == [404, 404, 404, 429]
    db.close_pool()


@pytest.mark.proves("FEED-15")
def test_the_secret_is_in_no_log_and_no_metric(
    app: Flask, alice: ApiUser, capfd: pytest.CaptureFixture[str], superuser: psycopg.Connection
) -> None:
    feed = make_feed(alice)
    secret = secret_of(feed)
    fetch(alice.client, feed)
    with superuser.transaction():
        superuser.execute("LOCK TABLE tasks")
        fetch(alice.client, feed)  # an error
    superuser.execute("ALTER TABLE feeds RENAME TO gone")  # and another, with a stack
    assert fetch(alice.client, feed).status_code == 500
    superuser.execute("ALTER TABLE gone RENAME TO feeds")
    err = capfd.readouterr().err
    assert "route=/feeds/<secret>.ics" in err
    assert secret not in err
    assert secret not in app.extensions["metrics"].text().decode()


@pytest.mark.proves("FEED-15")
def test_a_report_of_an_error_has_the_route_alone(
    config: Config, sink: Sink, superuser: psycopg.Connection
) -> None:
    app = create_app(replace(config, sentry_dsn=sink.dsn))
    user = register(app.test_client())
    feed = make_feed(user)
    superuser.execute("ALTER TABLE feeds RENAME TO gone")
    assert fetch(user.client, feed).status_code == 500
    sentry.flush(app)
    db.close_pool()
    (report,) = sink.received
    assert "/feeds/<secret>.ics" in report
    assert secret_of(feed) not in report


@pytest.mark.proves("FEED-10")
def test_a_feed_outlives_sessions_and_is_no_token_for_anything_else(
    alice: ApiUser, client: FlaskClient
) -> None:
    make_task(alice, "seen")
    feed = make_feed(alice)
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    assert len(todos(fetch(client, feed).data.decode())) == 1
    headers = {"Authorization": f"Bearer {secret_of(feed)}"}
    assert client.get("/api/me/tasks", headers=headers).status_code == 401


@pytest.mark.proves("FEED-31")
def test_purging_a_list_ends_its_feeds(alice: ApiUser, superuser: psycopg.Connection) -> None:
    home = make(alice, "lists", title="Home")
    feed = make_feed(alice, list_id=home["id"])
    delete(alice, home, "lists")
    assert fetch(alice.client, feed).status_code == 200
    superuser.execute("DELETE FROM lists WHERE id = %s", [home["id"]])
    assert error(fetch(alice.client, feed)) == (404, "NOT_FOUND")
    assert calendar_of(alice)
