"""The API's address leads to streams: gunicorn's fast worker hands their connections over."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config import Config
from app.serving.handoff import request_head
from app.serving.http1 import RequestReader
from tests.support.events import EventStream, Streaming, head, open_stream, streaming
from tests.support.processes import children, until
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.server import Server, client_ports, reply, serving

KEY = "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957"


@dataclass(frozen=True)
class Together:
    """gunicorn with its two workers, and `flask events`, which have one database and one socket."""

    server: Server
    events: Streaming
    user: RemoteUser

    def open(self, last_event_id: int | None = None) -> EventStream:
        """Opens a stream at gunicorn's address."""
        return open_stream(self.server.port, self.user.access_token, last_event_id)


@pytest.fixture
def together(config: Config, database_url: str, tmp_path: Path) -> Iterator[Together]:
    """Both, on this test's database."""
    path = str(tmp_path / "events.sock")
    with (
        serving(database_url, tmp_path, EVENTS_SOCKET=path) as server,
        streaming(tmp_path, config, EVENTS_SOCKET=path) as events,
    ):
        yield Together(server, events, sign_up(server))


@pytest.mark.proves("EVENT-12", "EVENT-1")
def test_a_stream_at_the_api_s_address_is_told_of_changes_by_any_worker(together: Together) -> None:
    with together.open() as stream:
        first = stream.next()
        assert first is not None
        assert first.id == 0
        for version in (1, 2, 3):
            together.user.create("by whichever worker takes it")
            event = stream.next()
            assert event is not None
            assert event.id == version
        workers = children(together.server.process.pid)
        until(lambda: not any(client_ports(together.server, each) for each in workers))
        assert stream.headers["Connection"] == "close"
    assert not stream.is_silent(0.1)


@pytest.mark.proves("EVENT-12")
def test_a_connection_that_has_carried_other_requests_is_handed_over_as_well(
    together: Together,
) -> None:
    with together.server.connect() as connection:
        connection.sendall(head("GET", "/livez", {}))
        assert b"alive" in connection.recv(65536)
        authorization = together.user.authorization
        connection.sendall(head("GET", "/api/me/events", authorization))
        connection.settimeout(30)
        received = b""
        while b'data: {"version":0}' not in received:
            received += connection.recv(65536)
        assert b"text/event-stream" in received


@pytest.mark.proves("EVENT-12", "EVENT-7")
def test_errors_at_the_api_s_address_are_those_of_the_api(together: Together) -> None:
    server, authorization = together.server, together.user.authorization
    assert server.request("GET", "/api/me/events").status == 401
    assert server.request("HEAD", "/api/me/events", headers=authorization).status == 200
    other = "/api/00000000-0000-4000-8000-000000000000/events"
    assert server.request("GET", other, headers=authorization).status == 403
    wrong = server.request("POST", "/api/me/events", {}, authorization)
    assert wrong.status == 405
    assert "GET" in wrong.headers["Allow"]
    assert server.request("GET", "/api/me/events?x=1", headers=authorization).status == 422


@pytest.mark.proves("EVENT-12", "EVENT-10")
def test_a_client_comes_back_to_a_new_process_and_misses_nothing(
    together: Together, config: Config, tmp_path: Path
) -> None:
    with together.open() as stream:
        assert stream.next() is not None
        together.events.end()
        assert stream.next() is None
    refused = together.server.request("GET", "/api/me/events", headers=together.user.authorization)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert "flask events" in refused.json["error"]["message"]
    together.user.create("while nobody listens")
    path = str(tmp_path / "events.sock")
    with streaming(tmp_path, config, EVENTS_SOCKET=path), together.open(0) as again:
        event = again.next()
        assert event is not None
        assert (event.name, event.id) == ("changes", 1)


@pytest.mark.proves("EVENT-12")
def test_a_killed_process_leaves_a_socket_that_the_next_one_takes_over(
    together: Together, config: Config, tmp_path: Path
) -> None:
    path = tmp_path / "events.sock"
    os.kill(together.events.process.pid, signal.SIGKILL)
    together.events.process.wait()
    assert path.exists()
    answer = together.server.request("GET", "/api/me/events", headers=together.user.authorization)
    assert answer.status == 503
    with streaming(tmp_path, config, EVENTS_SOCKET=str(path)), together.open() as stream:
        assert stream.status == 200
        assert path.stat().st_mode & 0o077 == 0, "other users may hand nothing over"


@pytest.mark.proves("EVENT-12")
def test_many_connections_are_handed_over_while_the_process_is_busy(together: Together) -> None:
    with ExitStack() as clients:
        os.kill(together.events.process.pid, signal.SIGSTOP)
        try:
            opened = [clients.enter_context(together.server.connect()) for _ in range(40)]
            sent = head("GET", "/api/me/events", {})
            for connection in opened:
                connection.sendall(sent)
            workers = children(together.server.process.pid)
            until(lambda: not any(client_ports(together.server, each) for each in workers))
            assert together.user.get("/tasks").status == 200, "no thread of the API waits"
        finally:
            os.kill(together.events.process.pid, signal.SIGCONT)
        assert [reply(each).status for each in opened] == [401] * 40


@pytest.mark.proves("EVENT-12")
def test_a_proxy_that_the_service_trusts_is_trusted_for_streams(
    config: Config, database_url: str, tmp_path: Path
) -> None:
    path, limit = str(tmp_path / "events.sock"), "1/hour"
    trusting = {"EVENTS_SOCKET": path, "FORWARDED_ALLOW_IPS": "127.0.0.1", "RATE_LIMIT": limit}
    with (
        serving(database_url, tmp_path, **trusting) as server,
        streaming(tmp_path, config, **trusting),
    ):
        for client in ("203.0.113.5", "203.0.113.6"):
            sent = {"X-Forwarded-For": client}
            answers = [server.request("GET", "/api/me/events", headers=sent) for _ in range(2)]
            assert [each.status for each in answers] == [401, 429], "counted by address"


@pytest.mark.parametrize(
    "target", ["/api/me/events", "/api/m%2Fe/events?x=%0d%0a&y=a%20b", "/api/%E2%82%AC/events?"]
)
def test_the_head_that_is_handed_over_says_what_was_sent(target: str) -> None:
    fields = {"Authorization": "Bearer x", "Last-Event-ID": "12", "X-Forwarded-For": "a,  b"}
    reader, again = RequestReader({}), RequestReader({})
    reader.feed(head("GET", target, fields))
    environ = reader.requests[0].environ
    again.feed(request_head(environ))
    assert again.error is None
    assert again.requests[0].environ == environ
