"""Whatever breaks, nobody sees a row of somebody else."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from app import embedded, migrations
from tests.faults.load import Load
from tests.faults.postgres import Postgres
from tests.faults.rides import Outage, Ride
from tests.faults.test_outages import TERMINATE_ONE
from tests.serving import Server, serving


@pytest.fixture(params=["off", "on"])
def row_security(request: pytest.FixtureRequest, database: Postgres) -> str:
    """With it, each statement travels in a pipeline behind the one that says whose it is."""
    migrations.switch_row_security(database.url, on=request.param == "on")
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {embedded.OWNER} BYPASSRLS".encode())  # the checker's
    return str(request.param)


@pytest.fixture
def server(database: Postgres, row_security: str, tmp_path: Path) -> Iterator[Server]:
    with serving(database.url, tmp_path, DB_ROW_SECURITY=row_security) as running:
        yield running


def test_two_users_never_see_each_other_while_backends_are_killed(
    ride: Ride, database: Postgres, row_security: str, is_full: bool
) -> None:
    name = f"backends killed, row security {row_security}"
    terminated = 0

    def terminate(load: Load) -> list[Outage]:
        nonlocal terminated
        began = monotonic()
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            while monotonic() < began + (30 if is_full else 3):
                terminated += admin.execute(TERMINATE_ONE).rowcount
                load.run(0.05)
        return [Outage(began, monotonic())]

    records = ride(name, terminate, users=2, clients=50)
    foreign = sum(len(each.outcome.foreign) for each in records if each.outcome)
    ride.figures.add(name, {"killed": terminated, "foreign rows": foreign})
    assert foreign == 0
    assert terminated > 20
