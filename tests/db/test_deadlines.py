"""Deadlines of a request when the database is slow, silent or away."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db, devdb
from app.auth.repository import ERASE_EVENTS
from app.config import Config
from tests.support import services
from tests.support.api_user import ApiUser, error, register
from tests.support.databases import Postgres
from tests.support.processes import until
from tests.support.statements import statement

SLOW = statement("test/slow", "SELECT pg_sleep(%(seconds)s)")
SLOW_WRITE = statement("test/slow_write", "SELECT pg_sleep(%(seconds)s)", writes=True)
Admin = psycopg.Connection[tuple[bool]]


def add_slow_routes(app: Flask) -> None:
    """/slow/<count>/<seconds>: that many statements of that duration, one after the other."""

    def slow(count: int, seconds: float, statement: db.Statement[Any]) -> str:
        for _ in range(count):
            db.execute(statement, {"seconds": seconds})
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
    """Requires that the response put into the list is a 503 with Retry-After within `seconds`."""
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
    yield app.test_client()
    db.close_pool()


@pytest.mark.proves("OPS-40")
def test_a_statement_times_out_after_two_seconds(slow: FlaskClient) -> None:
    with unavailable_within(2.6) as answers:
        answers.append(slow.get("/slow/1/30.0"))


@pytest.mark.proves("OPS-40")
def test_the_statements_of_a_request_time_out_after_five_seconds_together(
    slow: FlaskClient,
) -> None:
    with unavailable_within(5) as answers:
        answers.append(slow.get("/slow/20/1.5"))


@pytest.mark.proves("OPS-40", "RUN-82")
def test_a_slow_statement_has_twice_the_time_as_far_as_its_request_has_it(config: Config) -> None:
    create_app(replace(config, db_statement_timeout_ms=600))

    def sleep(seconds: float) -> None:
        db.fetch_one(SLOW, {"owner_id": uuid4(), "seconds": seconds}, slow=True)

    sleep(0.8)
    with pytest.raises(psycopg.errors.QueryCanceled):
        sleep(30)
    db.begin_request(0.9)
    with pytest.raises(psycopg.errors.QueryCanceled):
        sleep(0.8)
    db.end_request()
    with pytest.raises(psycopg.errors.QueryCanceled):
        db.fetch_one(SLOW, {"seconds": 0.8})
    db.close_pool()


@pytest.mark.proves("OPS-40")
def test_a_write_waits_one_second_for_a_lock(alice: ApiUser, database_url: str) -> None:
    task = alice.create()
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM ledgers WHERE owner_id = %s FOR UPDATE", [alice.id])
        with unavailable_within(1.5) as answers:
            answers.append(alice.patch(f"/{task['id']}", json={"title": "never"}))
    assert alice.patch(f"/{task['id']}", json={"title": "now"}).status_code == 200


@pytest.mark.proves("OPS-40")
def test_a_request_waits_one_second_for_a_connection(config: Config) -> None:
    app = create_app(replace(config, db_pool_size=1))
    add_slow_routes(app)
    with ThreadPoolExecutor(1) as other:
        busy = other.submit(lambda: app.test_client().get("/slow/1/1.8").status_code)
        until(lambda: db.pool_stats().get("requests_num", 0) > 0)
        with unavailable_within(1.5) as answers:
            answers.append(app.test_client().get("/readyz"))
        assert busy.result() == 200
    db.close_pool()


@pytest.mark.proves("OPS-41")
def test_a_frozen_database_is_a_503_within_five_seconds_and_is_used_again(
    config: Config, used_data_dir: Path
) -> None:
    with devdb.start(used_data_dir) as postgres:
        client = create_app(replace(config, database_url=postgres.url())).test_client()
        alice = register(client)
        with services.frozen(postgres.pid):
            with unavailable_within(5) as answers:
                answers.append(alice.get())
            with unavailable_within(5) as answers:
                answers.append(alice.post(json={"title": "lost"}))
        until(lambda: alice.get().status_code == 200, 10)
        db.close_pool()


@pytest.mark.proves("OPS-42")
def test_a_read_is_retried_when_its_connection_is_lost(
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
def test_a_write_is_not_retried_when_its_connection_is_lost(
    slow: FlaskClient, admin: Admin, database_url: str
) -> None:
    with ThreadPoolExecutor(1) as other, unavailable_within(3) as answers:
        writing = other.submit(lambda: slow.get("/write/1/1.5"))
        until(lambda: is_sleeping(admin, database_url))
        cut_connections(admin, database_url)
        answers.append(writing.result())
        assert not is_sleeping(admin, database_url)


SLOW_ERASURE = """
CREATE SEQUENCE erasure_runs;
GRANT USAGE ON erasure_runs TO PUBLIC;
CREATE OR REPLACE FUNCTION erase_auth_events(owner_id uuid, account_hashes bytea[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
AS $$ BEGIN PERFORM nextval('public.erasure_runs'), pg_sleep(1.5); RETURN 0; END $$
"""


@pytest.mark.proves("OPS-42")
def test_a_select_that_writes_through_a_function_is_not_retried(
    config: Config, admin: Admin, database_url: str
) -> None:
    """erase_events.sql is a SELECT, which its header declares as @writes."""
    app = create_app(config)
    params = {"owner_id": uuid4(), "account_hashes": [b""]}
    app.add_url_rule("/erase", view_func=lambda: str(db.fetch_all(ERASE_EVENTS, params)))
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(SLOW_ERASURE)
        with ThreadPoolExecutor(1) as other, unavailable_within(3) as answers:
            erasing = other.submit(lambda: app.test_client().get("/erase"))
            until(lambda: is_sleeping(admin, database_url))
            cut_connections(admin, database_url)
            answers.append(erasing.result())
        runs = owner.execute("SELECT last_value, is_called FROM erasure_runs").fetchone()
    assert runs == (1, True)
    db.close_pool()


def test_after_a_failover_writes_go_to_the_new_primary_at_once(
    alice: ApiUser, admin: Admin, database_url: str
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
    """The service behind PgBouncer in transaction mode, without prepared statements."""
    with services.pgbouncer(database_url, tmp_path) as url:
        app = create_app(replace(config, database_url=url, db_prepare=False))
        add_slow_routes(app)
        yield app.test_client()
        db.close_pool()


@pytest.mark.proves("OPS-41")
def test_everything_works_behind_a_transaction_pooler(pooled: FlaskClient) -> None:
    alice, bob = register(pooled), register(pooled)
    key = {"Idempotency-Key": str(uuid4())}
    first, again = (alice.post(json={"title": "once"}, headers=key) for _ in range(2))
    assert first.data == again.data
    assert [alice.create()["version"] for _ in range(20)] == list(range(2, 22))
    assert len(alice.export().get_json()["tasks"]) == 21
    assert bob.get().get_json()["data"] == []
    assert pooled.get("/readyz").status_code == 200


@pytest.mark.proves("OPS-41")
def test_a_statement_times_out_behind_a_pooler_that_switches_connections(
    pooled: FlaskClient, admin: Admin, database_url: str
) -> None:
    """PgBouncer hands out a second connection, without the session's statement_timeout."""
    for _ in range(4):
        with unavailable_within(3) as answers:
            answers.append(pooled.get("/slow/1/30.0"))
        until(lambda: not is_sleeping(admin, database_url), 1)  # the server was asked to stop
