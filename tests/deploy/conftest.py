"""A PostgreSQL for the tests of the image and of compose.yaml."""

from collections.abc import Iterator

import pytest

from app import devdb
from tests.support import services


@pytest.fixture
def database() -> Iterator[devdb.EmbeddedPostgres]:
    """A PostgreSQL that listens on TCP with a password, like the one in compose.yaml."""
    with (
        services.cluster_directory() as directory,
        devdb.start(directory, listen_tcp=True) as postgres,
    ):
        yield postgres
