"""How long a request can take when the database does not do its part."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db, embedded
from app.config import Config
from tests.callers import Caller, error, register
from tests.databases import Postgres
from tests.operations import parts
from tests.processes import until

SLOW = db.Statement("test/slow", "SELECT pg_sleep(%(seconds)s)", True)
SLOW_WRITE = db.Statement("test/slow_write", "SELECT pg_sleep(%(seconds)s)", False)
Admin = psycopg.Connection[tuple[bool]]


def add_slow_routes(app: Flask) -> None:
    """/slow/<statements>/<seconds>: statements that take their time, one after the other."""

    def slow(count: int, seconds: float, statement: db.Statement) -> str:
        for _ in range(count):
            db.fetch_one(statement, {"seconds": seconds})
        return "done"

    rule = "<int:count>/<float:seconds>"
    app.add_url_rule(f"/slow/{rule}", "slow", slow, defaults={"statement": SLOW})
    app.add_url_rule(f"/write/{rule}", "write", slow, defaults={"statement": SLOW_WRITE})


def cut_connections(admin: Admin, database_url: str) -> None:
    """Ends every connection of the service, from the server's side."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'ownrow web' AND datname = %s",
        [name_of(database_url)],
    )


def is_sleeping(admin: Admin, database_url: str) -> bool:
    row = admin.execute(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s",
        [name_of(database_url)],
    ).fetchone()
    return row is not None and row[0]


def name_of(database_url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"])


@contextmanager
def unavailable_within(seconds: float) -> Iterator[list[TestResponse]]:
    """The answer put into the list must be a 503 that says when to come again, and come in time."""
    answers: list[TestResponse] = []
    began = time.monotonic()
    yield answers
    assert time.monotonic() - began < seconds
    assert error(answers[0]) == (503, "UNAVAILABLE")
    assert int(answers[0].headers["Retry-After"]) >= 1


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[Admin]:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def slow(config: Config) -> Iterator[FlaskClient]:
    app = create_app(config)
    add_slow_routes(app)
    db.open_pool()
    yield app.test_client()
    db.close_pool()


@pytest.mark.proves("OPS-40")
def test_a_statement_ends_after_its_two_seconds(slow: FlaskClient) -> None:
    with unavailable_within(2.6) as answers:
        answers.append(slow.get("/slow/1/30.0"))


@pytest.mark.proves("OPS-40")
def test_statements_that_are_short_by_themselves_end_after_five_seconds_together(
    slow: FlaskClient,
) -> None:
    with unavailable_within(5) as answers:
        answers.append(slow.get("/slow/20/1.5"))


@pytest.mark.proves("OPS-40")
def test_a_write_waits_half_a_second_for_a_lock(alice: Caller, database_url: str) -> None:
    task = alice.create()
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM ledgers WHERE owner_id = %s FOR UPDATE", [alice.id])
        with unavailable_within(1) as answers:
            answers.append(alice.patch(f"/{task['id']}", json={"title": "never"}))
    assert alice.patch(f"/{task['id']}", json={"title": "now"}).status_code == 200


@pytest.mark.proves("OPS-40")
def test_a_request_waits_one_second_for_a_connection(config: Config) -> None:
    app = create_app(replace(config, db_pool_size=1))
    add_slow_routes(app)
    db.open_pool()
    with ThreadPoolExecutor(1) as other:
        busy = other.submit(lambda: app.test_client().get("/slow/1/1.8").status_code)
        until(lambda: db.pool_stats().get("requests_num", 0) > 0)
        with unavailable_within(1.5) as answers:
            answers.append(app.test_client().get("/readyz"))
        assert busy.result() == 200
    db.close_pool()


@pytest.mark.proves("OPS-41")
def test_a_frozen_database_holds_a_request_for_less_than_five_seconds_and_is_used_again(
    config: Config, used_data_dir: Path
) -> None:
    with embedded.start(used_data_dir) as postgres:
        client = create_app(replace(config, database_url=postgres.url())).test_client()
        db.open_pool()
        alice = register(client)
        with parts.frozen(postgres.pid):
            with unavailable_within(5) as answers:
                answers.append(alice.get())
            with unavailable_within(5) as answers:
                answers.append(alice.post(json={"title": "lost"}))
        until(lambda: alice.get().status_code == 200, 10)
        db.close_pool()


@pytest.mark.proves("OPS-42")
def test_readers_do_not_notice_that_connections_were_cut(
    slow: FlaskClient, admin: Admin, database_url: str
) -> None:
    assert slow.get("/slow/1/0.0").status_code == 200
    cut_connections(admin, database_url)
    assert slow.get("/slow/1/0.0").status_code == 200
    with ThreadPoolExecutor(1) as other:
        reading = other.submit(lambda: slow.get("/slow/1/1.0").status_code)
        until(lambda: is_sleeping(admin, database_url))
        cut_connections(admin, database_url)
        assert reading.result() == 200


@pytest.mark.proves("OPS-42")
def test_a_write_that_was_sent_is_not_sent_again(
    slow: FlaskClient, admin: Admin, database_url: str
) -> None:
    with ThreadPoolExecutor(1) as other, unavailable_within(3) as answers:
        writing = other.submit(lambda: slow.get("/write/1/1.5"))
        until(lambda: is_sleeping(admin, database_url))
        cut_connections(admin, database_url)
        answers.append(writing.result())
        assert not is_sleeping(admin, database_url)


def test_after_a_failover_writes_go_to_the_new_primary_at_once(
    alice: Caller, admin: Admin, database_url: str
) -> None:
    alice.create()
    name = name_of(database_url)
    admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    cut_connections(admin, database_url)
    until(lambda: alice.post(json={"title": "refused"}).status_code == 503)
    admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    until(lambda: alice.post(json={"title": "taken"}).status_code == 201, 2)


@pytest.fixture
def pooled(config: Config, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """The service behind PgBouncer in transaction mode, one that can't hold prepared statements."""
    with parts.pgbouncer(database_url, tmp_path) as url:
        app = create_app(replace(config, database_url=url, db_prepare=False))
        add_slow_routes(app)
        db.open_pool()
        yield app.test_client()
        db.close_pool()


@pytest.mark.proves("OPS-41")
def test_everything_works_behind_a_transaction_pooler(pooled: FlaskClient) -> None:
    alice, bob = register(pooled), register(pooled)
    key = {"Idempotency-Key": str(uuid4())}
    first, again = (alice.post(json={"title": "once"}, headers=key) for _ in range(2))
    assert first.data == again.data
    assert [alice.create()["version"] for _ in range(20)] == list(range(2, 22))
    assert len(alice.get("/export").get_json()) == 21
    assert bob.get().get_json()["data"] == []
    assert pooled.get("/readyz").status_code == 200


@pytest.mark.proves("OPS-41")
def test_a_statement_ends_in_time_behind_a_pooler_that_hands_out_other_connections(
    pooled: FlaskClient, admin: Admin, database_url: str
) -> None:
    """PgBouncer gives the second connection, on which nobody has set a deadline."""
    for _ in range(4):
        with unavailable_within(3) as answers:
            answers.append(pooled.get("/slow/1/30.0"))
        until(lambda: not is_sleeping(admin, database_url), 1)  # the server was asked to stop
