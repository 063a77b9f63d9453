"""Whatever breaks, nobody sees a row of somebody else."""

from time import monotonic

import psycopg

from tests.faults.load import Load
from tests.faults.postgres import Postgres
from tests.faults.rides import Outage, Ride
from tests.faults.test_outages import TERMINATE_ONE


def test_two_users_never_see_each_other_while_backends_are_killed(
    ride: Ride, database: Postgres, is_full: bool
) -> None:
    terminated = 0

    def terminate(load: Load) -> list[Outage]:
        nonlocal terminated
        began = monotonic()
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            while monotonic() < began + (30 if is_full else 5):
                terminated += admin.execute(TERMINATE_ONE).rowcount
                load.run(0.05)
        return [Outage(began, monotonic())]

    records = ride("two users, 50 clients, backends killed", terminate, users=2, clients=50)
    foreign = sum(len(each.outcome.foreign) for each in records if each.outcome)
    ride.figures.add(
        "two users, 50 clients, backends killed", {"killed": terminated, "foreign rows": foreign}
    )
    assert foreign == 0
    assert terminated > 20
