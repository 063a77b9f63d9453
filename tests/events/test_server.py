"""The server of event streams by itself: clients that are slow, silent, or speak no HTTP."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack

import pytest

from app.events.repository import FoundVersion, Session
from app.events.server import MOST_UNSENT, Connection, EventServer
from app.events.streams import Stream, Streams
from app.values import new_uuid
from tests.support.events import Streaming, head
from tests.support.processes import thread_ids
from tests.support.server import reply


@pytest.mark.slow
@pytest.mark.proves("EVENT-11")
def test_a_client_that_sends_no_request_is_answered_and_let_go(events: Streaming) -> None:
    threads = len(thread_ids(events.process.pid))
    with events.connect() as silent, events.connect() as slow:
        slow.sendall(b"GET /api/me/events HTTP/1.1\r\nHost: ")
        for connection in (silent, slow):
            answer = reply(connection)
            assert (answer.status, answer.json["error"]["code"]) == (408, "REQUEST_TIMEOUT")
            assert connection.recv(1) == b""
    assert len(thread_ids(events.process.pid)) == threads


@pytest.mark.proves("EVENT-7")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused_in_the_envelope(
    events: Streaming, sent: bytes, status: int
) -> None:
    with events.connect() as connection:
        connection.sendall(sent)
        answer = reply(connection)
    assert answer.status == status
    assert answer.json["success"] is False
    assert answer.headers["X-Request-Id"] == answer.json["error"]["request_id"]


def opened_by(streams: Streams) -> Callable[..., list[bytes]]:
    """An application that opens a stream for whoever asks."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        stream = streams.open(Session(new_uuid(), new_uuid()), "mine", None)
        environ["ownrow.stream"] = stream
        return [b"retry: 1000\n\n"]

    return application


@pytest.mark.proves("EVENT-11")
def test_a_client_that_does_not_read_is_cut_off_and_one_that_vanished_is_given_up() -> None:
    streams = Streams()

    async def run() -> None:
        server = EventServer(opened_by(streams), streams, lambda _: {})
        loop = asyncio.get_running_loop()
        connections: list[Connection] = []

        def connection() -> Connection:
            connections.append(Connection(server))
            return connections[-1]

        listening = await loop.create_server(connection, "127.0.0.1", 0)
        client = socket.create_connection(listening.sockets[0].getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(head("GET", "/api/me/events", {}))
        while not streams.connected():
            await asyncio.sleep(0.01)
        own = connections[0].transport.get_extra_info("socket")
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        (stream,) = streams.connected()
        written = await _write_until_cut_off(streams, stream)
        assert written > MOST_UNSENT
        assert len(streams) == 0
        client.close()
        listening.close()

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.slow
@pytest.mark.proves("EVENT-8", "EVENT-10")
def test_all_streams_together_are_one_question_a_second_and_none_without_streams() -> None:
    streams, questions = Streams(), list[frozenset[Session]]()

    def find(sessions: Collection[Session]) -> Mapping[Session, FoundVersion]:
        questions.append(frozenset(sessions))
        return {each: FoundVersion(*each, version=7, pruned_version=0) for each in sessions}

    async def run() -> None:
        server = EventServer(opened_by(streams), streams, find)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.ensure_future(server.serve(listener, None))
        await asyncio.sleep(1.5)
        assert questions == []
        with ExitStack() as clients:
            for _ in range(30):
                client = socket.create_connection(listener.getsockname())
                clients.enter_context(client)
                client.sendall(head("GET", "/api/me/events", {}))
            while len(streams.connected()) < 30:
                await asyncio.sleep(0.01)
            everybody = {each.session for each in streams.connected()}
            began, known = time.monotonic(), len(questions)
            while len(questions) < known + 4:
                await asyncio.sleep(0.01)
            assert time.monotonic() - began > 2.5
            assert questions[-1] == everybody
            os.kill(os.getpid(), signal.SIGTERM)
            await serving

    asyncio.run(asyncio.wait_for(run(), 60))


async def _write_until_cut_off(streams: Streams, stream: Stream) -> int:
    written, deadline = 0, time.monotonic() + 30
    while len(streams) and time.monotonic() < deadline:
        assert stream.client is not None
        stream.client.write(b"x" * 1000)
        written += 1000
        await asyncio.sleep(0)
    return written
