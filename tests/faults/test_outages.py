"""PostgreSQL goes away under load and comes back: nothing is lost, and nobody waits for long."""

from time import monotonic

import psycopg

from tests.faults.load import Load
from tests.faults.postgres import Postgres
from tests.faults.rides import RECOVERY, Outage, Ride

TERMINATE_ONE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ownrow web' ORDER BY random() LIMIT 1
"""
CROWD = 60  # clients, for whom threads would not suffice if each waited for PostgreSQL


def test_a_killed_postgresql_costs_nobody_a_write(
    ride: Ride, database: Postgres, is_full: bool
) -> None:
    def kill_again_and_again(load: Load) -> list[Outage]:
        outages = []
        for _ in range(20 if is_full else 3):
            began = monotonic()
            database.kill()
            load.run(0.3)
            outages.append(Outage(began, database.start()))
            load.run(RECOVERY + 0.5)
        return outages

    ride("kill -9 of PostgreSQL", kill_again_and_again)


def test_a_long_outage_ends_soon_after_postgresql_is_back(
    ride: Ride, database: Postgres, is_full: bool
) -> None:
    def stay_away(load: Load) -> list[Outage]:
        began = monotonic()
        database.kill()
        load.run(40 if is_full else 5)
        return [Outage(began, database.start())]

    ride("40 s outage" if is_full else "5 s outage", stay_away, clients=CROWD)


def test_a_clean_restart_costs_nobody_a_write(ride: Ride, database: Postgres) -> None:
    def restart(_: Load) -> list[Outage]:
        began = monotonic()
        database.stop()
        return [Outage(began, database.start())]

    ride("clean restart", restart)


def test_a_terminated_backend_costs_no_read(ride: Ride, database: Postgres, is_full: bool) -> None:
    terminated = 0

    def terminate_one_by_one(load: Load) -> list[Outage]:
        nonlocal terminated
        began = monotonic()
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            while monotonic() < began + (15 if is_full else 5):
                terminated += admin.execute(TERMINATE_ONE).rowcount
                load.run(0.1)
        return [Outage(began, monotonic())]

    records = ride("backends terminated one by one", terminate_one_by_one)
    assert terminated > 20
    reads = [each.outcome for each in records if each.call.method == "GET"]
    assert {each.status for each in reads if each} <= {200, 404}
