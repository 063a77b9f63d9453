"""A running `flask events` on this test's database."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.config import Config
from tests.support.api_user import ApiUser
from tests.support.events import EventStream, Open, Streaming, streaming


@pytest.fixture
def events(config: Config, tmp_path: Path) -> Iterator[Streaming]:
    """The process that holds streams."""
    with streaming(tmp_path, config) as running:
        yield running


@pytest.fixture
def opened(events: Streaming) -> Iterator[Open]:
    """Opens a user's stream; all are closed after the test."""
    with ExitStack() as streams:

        def open_one(user: ApiUser, last_event_id: str | int | None = None) -> EventStream:
            return streams.enter_context(events.open(user.access_token, last_event_id))

        yield open_one
