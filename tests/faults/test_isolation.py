"""No response contains a row of another owner while connections are terminated."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from app import devdb
from app.db import migrations
from tests.support.faults.load import Load
from tests.support.faults.postgres import TERMINATE_ONE, Postgres
from tests.support.faults.scenario import Outage, Scenario
from tests.support.server import Server, serving


@pytest.fixture(params=["off", "on"])
def row_security(request: pytest.FixtureRequest, database: Postgres) -> str:
    """With row security, each statement follows a set_config of its owner in one pipeline."""
    migrations.switch_row_security(database.url, on=request.param == "on")
    with psycopg.connect(database.admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {devdb.OWNER} BYPASSRLS".encode())  # for the checker
    return str(request.param)


@pytest.fixture
def server(database: Postgres, row_security: str, tmp_path: Path) -> Iterator[Server]:
    """A server with row security on or off."""
    with serving(database.url, tmp_path, DB_ROW_SECURITY=row_security) as running:
        yield running


def test_no_response_has_a_row_of_another_user_while_backends_are_terminated(
    scenario: Scenario, database: Postgres, row_security: str, is_full: bool
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

    records = scenario.run(name, terminate, users=2, clients=50)
    foreign = sum(len(each.outcome.foreign) for each in records if each.outcome)
    scenario.measurements.add(name, {"killed": terminated, "foreign rows": foreign})
    assert foreign == 0
    assert terminated > 20
