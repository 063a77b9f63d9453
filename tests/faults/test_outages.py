"""PostgreSQL is down for a time under load: no write is lost, and every response is in time."""

from time import monotonic

import psycopg

from tests.support.faults.load import Load
from tests.support.faults.postgres import TERMINATE_ONE, Postgres
from tests.support.faults.scenario import RECOVERY, Outage, Scenario

CLIENTS = 60  # more than there are threads to wait for PostgreSQL


def test_killing_postgresql_loses_no_write(
    scenario: Scenario, database: Postgres, is_full: bool
) -> None:
    def kill_repeatedly(load: Load) -> list[Outage]:
        outages = []
        for _ in range(20 if is_full else 3):
            began = monotonic()
            database.kill()
            load.run(0.3)
            outages.append(Outage(began, database.start()))
            load.run(RECOVERY + 0.5)
        return outages

    scenario.run("kill -9 of PostgreSQL", kill_repeatedly)


def test_calls_succeed_within_two_seconds_after_a_long_outage(
    scenario: Scenario, database: Postgres, is_full: bool
) -> None:
    def stay_away(load: Load) -> list[Outage]:
        began = monotonic()
        database.kill()
        load.run(40 if is_full else 5)
        return [Outage(began, database.start())]

    scenario.run("40 s outage" if is_full else "5 s outage", stay_away, clients=CLIENTS)


def test_a_clean_restart_loses_no_write(scenario: Scenario, database: Postgres) -> None:
    def restart(_: Load) -> list[Outage]:
        began = monotonic()
        database.stop()
        return [Outage(began, database.start())]

    scenario.run("clean restart", restart)


def test_no_read_fails_while_backends_are_terminated_one_by_one(
    scenario: Scenario, database: Postgres, is_full: bool
) -> None:
    terminated = 0

    def terminate_one_by_one(load: Load) -> list[Outage]:
        nonlocal terminated
        began = monotonic()
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            while monotonic() < began + (15 if is_full else 5):
                terminated += admin.execute(TERMINATE_ONE).rowcount
                load.run(0.1)
        return [Outage(began, monotonic())]

    records = scenario.run("backends terminated one by one", terminate_one_by_one)
    assert terminated > 20
    reads = [each.outcome for each in records if each.call.method == "GET"]
    assert {each.status for each in reads if each} <= {200, 404}
