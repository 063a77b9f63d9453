"""PostgreSQL stops responding, but closes no connection: responses come within the deadline."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.support.faults.load import TASKS, Load, register
from tests.support.faults.measurements import Measurements, outcomes
from tests.support.faults.postgres import Postgres
from tests.support.faults.proxy import Proxy, proxied
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import DEADLINE, Outage, Scenario, assert_all_good
from tests.support.server import Server, serving

STATEMENT_DEADLINE = 2.25  # seconds until the service closes a connection without a response
CONNECT_DEADLINE = 2.0  # seconds until the service opens another connection
ANY_BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ownrow web' LIMIT 1"
RUN_AWAY = """
    CREATE FUNCTION run_away() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
    CREATE TRIGGER run_away BEFORE INSERT ON tasks
    FOR EACH ROW WHEN (NEW.title = 'runaway') EXECUTE FUNCTION run_away();
"""
RUNNING_AWAY = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def test_one_frozen_backend_delays_no_response_beyond_the_deadline(
    scenario: Scenario, database: Postgres
) -> None:
    def freeze_one(load: Load) -> list[Outage]:
        with psycopg.connect(database.admin_url) as admin:
            row = admin.execute(ANY_BACKEND).fetchone()
        assert row is not None
        began = monotonic()
        os.kill(row[0], signal.SIGSTOP)
        load.run(8)
        os.kill(row[0], signal.SIGCONT)
        return [Outage(began, monotonic())]

    scenario.run("one frozen backend", freeze_one)


def test_a_frozen_postgresql_delays_no_response_beyond_the_deadline(
    scenario: Scenario, database: Postgres
) -> None:
    def freeze(load: Load) -> list[Outage]:
        began = monotonic()
        database.freeze()
        load.run(8)
        database.thaw()
        return [Outage(began, monotonic())]

    scenario.run("frozen PostgreSQL", freeze)


@pytest.fixture
def proxy(database: Postgres) -> Iterator[Proxy]:
    """A proxy to PostgreSQL."""
    with proxied(database.socket / ".s.PGSQL.5432") as running:
        yield running


@pytest.fixture
def proxied_scenario(
    proxy: Proxy, database: Postgres, recorder: Recorder, measurements: Measurements, tmp_path: Path
) -> Iterator[Scenario]:
    """A scenario on a server that reaches PostgreSQL only through the proxy."""
    url = f"postgresql://ownrow@127.0.0.1:{proxy.port}/ownrow"
    with serving(url, tmp_path) as server:
        yield Scenario(server, database.url, recorder, measurements)


def test_silent_connections_are_replaced(proxied_scenario: Scenario, proxy: Proxy) -> None:
    def silence(load: Load) -> list[Outage]:
        began = monotonic()
        proxy.silence(new_connections=False)
        load.run(5)
        return [Outage(began, began + STATEMENT_DEADLINE)]

    proxied_scenario.run("connections go silent", silence)


def test_a_network_that_drops_all_data_delays_no_response_beyond_the_deadline(
    proxied_scenario: Scenario, proxy: Proxy
) -> None:
    def drop_all(load: Load) -> list[Outage]:
        began = monotonic()
        proxy.silence(new_connections=True)
        load.run(8)
        proxy.heal()
        return [Outage(began, monotonic() + CONNECT_DEADLINE)]

    proxied_scenario.run("the network goes silent", drop_all)


def test_a_locked_table_delays_no_response_beyond_the_deadline(
    scenario: Scenario, database: Postgres
) -> None:
    def lock(load: Load) -> list[Outage]:
        with psycopg.connect(database.admin_url) as admin:
            began = monotonic()
            admin.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
            load.run(10)
        return [Outage(began, monotonic())]

    scenario.run("a table locked for 10 s", lock)


def test_a_runaway_statement_is_cancelled_and_fails_no_other_call(
    database: Postgres, server: Server, recorder: Recorder, measurements: Measurements
) -> None:
    users = [register(server) for _ in range(3)]
    victim = users.pop()
    headers = {"Authorization": f"Bearer {victim.token}"}
    with psycopg.connect(database.url, autocommit=True) as owner:
        owner.execute(RUN_AWAY)
        with Load(server, users, recorder, clients=8):
            began = monotonic()
            answer = server.request("POST", TASKS, {"title": "runaway"}, headers)
            seconds = monotonic() - began
            assert owner.execute(RUNNING_AWAY).fetchone() == (0,)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert seconds < DEADLINE
    records = recorder.records()
    measurements.add("a statement runs away", {"ended_after_s": seconds, "others": len(records)})
    assert len(outcomes(records)) > 20
    assert_all_good(records)
