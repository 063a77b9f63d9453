"""What the tests of deployment share."""

from collections.abc import Iterator

import pytest

from app import embedded
from tests.operations import parts


@pytest.fixture
def database() -> Iterator[embedded.EmbeddedPostgres]:
    """A PostgreSQL that is reached over TCP with a password, as the one in compose.yaml is."""
    with (
        parts.cluster_directory() as directory,
        embedded.start(directory, listen_tcp=True) as postgres,
    ):
        yield postgres
