"""PostgreSQL does not go away but stops answering: nobody waits beyond the deadline."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.faults.figures import Figures, outcomes
from tests.faults.load import TASKS, Load, register
from tests.faults.postgres import Postgres
from tests.faults.proxy import Proxy, proxied
from tests.faults.recorder import Recorder
from tests.faults.rides import DEADLINE, Outage, Ride, assert_all_good
from tests.serving import Server, serving

STATEMENT_DEADLINE = 2.25  # seconds, after which the service gives a silent connection up
CONNECT_DEADLINE = 2.0  # seconds, after which it begins to connect anew
ANY_BACKEND = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ownrow web' LIMIT 1"
RUN_AWAY = """
    CREATE FUNCTION run_away() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
    CREATE TRIGGER run_away BEFORE INSERT ON tasks
    FOR EACH ROW WHEN (NEW.title = 'runaway') EXECUTE FUNCTION run_away();
"""
RUNNING_AWAY = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def test_one_frozen_backend_holds_nobody_beyond_the_deadline(
    ride: Ride, database: Postgres
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

    ride("one frozen backend", freeze_one)


def test_a_frozen_postgresql_holds_nobody_beyond_the_deadline(
    ride: Ride, database: Postgres
) -> None:
    def freeze(load: Load) -> list[Outage]:
        began = monotonic()
        database.freeze()
        load.run(8)
        database.thaw()
        return [Outage(began, monotonic())]

    ride("frozen PostgreSQL", freeze)


@pytest.fixture
def proxy(database: Postgres) -> Iterator[Proxy]:
    with proxied(database.socket / ".s.PGSQL.5432") as running:
        yield running


@pytest.fixture
def proxied_ride(
    proxy: Proxy, database: Postgres, recorder: Recorder, figures: Figures, tmp_path: Path
) -> Iterator[Ride]:
    """A ride on a server that reaches PostgreSQL only through the proxy."""
    url = f"postgresql://ownrow@127.0.0.1:{proxy.port}/ownrow"
    with serving(url, tmp_path) as server:
        yield Ride(server, database.url, recorder, figures)


def test_connections_that_go_silent_are_replaced(proxied_ride: Ride, proxy: Proxy) -> None:
    def silence(load: Load) -> list[Outage]:
        began = monotonic()
        proxy.silence(newcomers=False)
        load.run(5)
        return [Outage(began, began + STATEMENT_DEADLINE)]

    proxied_ride("connections go silent", silence)


def test_a_network_that_swallows_everything_holds_nobody_beyond_the_deadline(
    proxied_ride: Ride, proxy: Proxy
) -> None:
    def swallow(load: Load) -> list[Outage]:
        began = monotonic()
        proxy.silence(newcomers=True)
        load.run(8)
        proxy.heal()
        return [Outage(began, monotonic() + CONNECT_DEADLINE)]

    proxied_ride("the network goes silent", swallow)


def test_a_locked_table_holds_nobody_beyond_the_deadline(ride: Ride, database: Postgres) -> None:
    def lock(load: Load) -> list[Outage]:
        with psycopg.connect(database.admin_url) as admin:
            began = monotonic()
            admin.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
            load.run(10)
        return [Outage(began, monotonic())]

    ride("a table locked for 10 s", lock)


def test_a_statement_that_runs_away_is_ended_and_disturbs_nobody(
    database: Postgres, server: Server, recorder: Recorder, figures: Figures
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
    figures.add("a statement runs away", {"ended_after_s": seconds, "others": len(records)})
    assert len(outcomes(records)) > 20
    assert_all_good(records)
