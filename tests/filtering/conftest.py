"""The database that filters run on: nothing changes it, so that all tests share it."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.filtering.selection import Selection
from tests.support.databases import Postgres


@pytest.fixture(scope="session")
def select(postgres: Postgres, migrated: str) -> Iterator[Selection]:
    """Selects in a migrated database."""
    with (
        postgres.database(template=migrated) as name,
        psycopg.connect(postgres.url(name), autocommit=True) as connection,
    ):
        yield Selection(connection)
