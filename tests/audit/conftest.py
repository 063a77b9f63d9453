"""The audits of all statements, which most tests of this folder need."""

from collections.abc import Iterator

import pytest

from tests.support.audited import Audits, auditing
from tests.support.databases import Postgres
from tests.support.reports import Reports


@pytest.fixture(scope="session")
def audits(postgres: Postgres, migrated: str) -> Iterator[Audits]:
    """The audits by a database of this session."""
    with auditing(postgres, migrated) as made:
        yield made


@pytest.fixture(scope="session")
def reports(audits: Audits) -> Reports:
    """Makes reports of them."""
    return Reports(audits)
