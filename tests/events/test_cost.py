"""What open streams cost the other clients of the API: nothing that they notice."""

import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.config import Config
from tests.support.events import open_stream, streaming
from tests.support.processes import thread_ids
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.server import serving

STREAMS, CALLS = 200, 150


def durations(user: RemoteUser) -> list[float]:
    """The seconds that calls of the API take, one after the other."""
    seconds = []
    for _ in range(CALLS):
        began = time.perf_counter()
        assert user.get("/tasks?limit=1").status == 200
        seconds.append(time.perf_counter() - began)
    return seconds


@pytest.mark.slow
@pytest.mark.proves("EVENT-15")
def test_open_streams_take_nothing_from_the_other_clients_of_the_api(
    config: Config, database_url: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "events.sock")
    with (
        ExitStack() as streams,
        serving(database_url, tmp_path, EVENTS_SOCKET=path, WEB_THREADS="4") as server,
        streaming(tmp_path, config, EVENTS_SOCKET=path) as events,
    ):
        users = [sign_up(server) for _ in range(STREAMS // 10)]
        durations(users[0])
        before = durations(users[0])
        threads = len(thread_ids(events.process.pid))
        opened = [
            streams.enter_context(open_stream(server.port, user.access_token))
            for user in users * 10
        ]
        assert all(each.next() is not None for each in opened)
        during = durations(users[0])
        assert len(thread_ids(events.process.pid)) <= threads + 8, "of requests, not of streams"
        # Above any noise, and below what a thread that is held by a stream would cost.
        assert statistics.median(during) < 5 * statistics.median(before) + 0.05
        users[-1].create("and all of them are told")
        event = opened[-1].next()
        assert event is not None
        assert event.id == 1
