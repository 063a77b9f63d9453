"""The service on a real Citus: what plain PostgreSQL can't tell. Skipped without TEST_CITUS_URL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Config
from app.db import distribution, migrations
from app.db.placement import DISTRIBUTED
from tests.support.api_user import PASSWORD, ApiUser, data, register
from tests.support.citus import database, needs_citus
from tests.support.services import flask

pytestmark = needs_citus

SHARD_OF = """
SELECT shardid, nodename, nodeport FROM citus_shards
WHERE table_name = 'tasks'::regclass
    AND shardid = get_shard_id_for_distribution_column('tasks', %s::uuid)
"""
OTHER_NODE = """
SELECT nodename, nodeport FROM pg_dist_node
WHERE isactive AND noderole = 'primary' AND groupid <> 0 AND (nodename, nodeport) <> (%s, %s)
LIMIT 1
"""
MOVE = """
SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, shard_transfer_mode => 'block_writes')
"""
WRITERS, WRITES = 20, 10


def user(client: FlaskClient) -> ApiUser:
    return register(client, f"{uuid4().hex}@example.com")


@pytest.mark.proves("SCALE-11")
def test_a_filled_database_is_distributed_with_its_rows_and_twice_without_harm() -> None:
    with database() as url:
        migrations.upgrade(url)
        environment = {"DATABASE_URL": url, "MIGRATION_DATABASE_URL": url}
        status, output = flask(environment, "seed", "--users", "3", "--tasks", "50")
        assert status == 0, output
        with psycopg.connect(url, autocommit=True) as connection:
            count = "SELECT count(*), max(version) FROM tasks"
            before = connection.execute(count).fetchone()
            said = list(distribution.distribute(url))
            assert "distributed tasks by owner_id" in said
            assert list(distribution.distribute(url)) == []
            assert connection.execute(count).fetchone() == before
            assert distribution.distributed_tables(connection) == set(DISTRIBUTED)
        assert flask(environment, "ledger", "verify")[0] == 0
        assert migrations.upgrade(url) == []


@pytest.mark.proves("SCALE-22")
def test_accounts_and_items_work(citus_client: FlaskClient) -> None:
    alice, bob = user(citus_client), user(citus_client)
    made = data(alice.post(json={"title": "one"}))
    assert data(alice.patch(f"/{made['id']}", json={"title": "two"}))["title"] == "two"
    assert data(alice.post(f"/{made['id']}/complete"))["is_completed"] is True
    assert [task["title"] for task in data(alice.get())] == ["two"]
    assert data(bob.get()) == []
    assert bob.get(f"/{made['id']}").status_code == 404
    settings = {"time_zone": "Europe/Berlin"}
    assert alice.call("PATCH", "/api/auth/me", json=settings).status_code == 200
    refreshed = citus_client.post("/api/auth/refresh", json={"refresh_token": alice.refresh_token})
    assert refreshed.status_code == 200
    key = {"Idempotency-Key": uuid4().hex}
    first, again = (alice.post(json={"title": "once"}, headers=key) for _ in range(2))
    assert data(first)["id"] == data(again)["id"]
    feed = alice.call("POST", "/api/me/feeds", json={})
    assert feed.status_code == 201
    erased = alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert erased.status_code == 200
    assert erased.get_json()["data"]["tasks"] == 2


@pytest.mark.proves("SCALE-22")
def test_twenty_writers_of_one_owner_get_no_503(
    citus_app: Flask, citus_client: FlaskClient, citus_url: str
) -> None:
    alice = user(citus_client)

    def write(number: int) -> set[int]:
        own = ApiUser(
            citus_app.test_client(), alice.id, alice.email, alice.access_token, alice.refresh_token
        )
        return {own.post(json={"title": f"{number}"}).status_code for _ in range(WRITES)}

    with ThreadPoolExecutor(WRITERS) as threads:
        found = set().union(*threads.map(write, range(WRITERS)))
    assert found == {201}
    assert alice.get().get_json()["meta"]["version"] == WRITERS * WRITES
    environment = {"DATABASE_URL": citus_url, "MIGRATION_DATABASE_URL": citus_url}
    status, output = flask(environment, "ledger", "verify", "--owner", alice.id)
    assert status == 0, output


@pytest.mark.proves("SCALE-23")
def test_a_shard_move_under_load_loses_no_write(citus_client: FlaskClient, citus_url: str) -> None:
    alice = user(citus_client)
    ends, answers = threading.Event(), list[int]()

    def write() -> None:
        while not ends.is_set():
            answer = alice.post(json={"title": "during a move"})
            answers.append(answer.status_code)
            assert answer.status_code == 201 or answer.headers["Retry-After"]

    with psycopg.connect(citus_url, autocommit=True) as connection:
        ((shard, host, port),) = connection.execute(SHARD_OF, [alice.id]).fetchall()
        (target,) = connection.execute(OTHER_NODE, [host, port]).fetchall()
        with ThreadPoolExecutor(1) as threads:
            writer = threads.submit(write)
            try:
                connection.execute(MOVE, [shard, host, port, *target])
            finally:
                ends.set()
            writer.result()
        ((_, moved_to, _),) = connection.execute(SHARD_OF, [alice.id]).fetchall()
    assert moved_to == target[0]
    assert set(answers) <= {201, 503}
    assert alice.post(json={"title": "after the move"}).status_code == 201
    assert alice.get().get_json()["meta"]["version"] == answers.count(201) + 1


@pytest.mark.proves("SCALE-30")
def test_every_statement_that_names_its_owner_is_one_task(citus_config: Config) -> None:
    environment = {"DATABASE_URL": citus_config.database_url or ""}
    status, output = flask(
        environment, "audit", "--scratch", citus_config.migration_database_url or "",
        "--owners", "12", "--tasks", "500",
    )  # fmt: skip
    assert status == 0, output
    assert "tasks: 1" in output


@pytest.mark.proves("SCALE-32")
def test_the_doctor_finds_nothing_to_mend(citus_config: Config) -> None:
    environment = {
        "DATABASE_URL": citus_config.database_url or "",
        "MIGRATION_DATABASE_URL": citus_config.migration_database_url or "",
        "DB_ROW_SECURITY": "on" if citus_config.db_row_security else "off",
    }
    _, output = flask(environment, "doctor")
    assert "ok    sharding: Citus with 2 worker nodes, all active" in output
    assert "BAD" not in output
