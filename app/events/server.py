"""The server of event streams: an event loop for connections, and threads for the application.

It is no ASGI server: requests are read and framed by the modules of the fast worker, whose limits
and errors hold here as well. An open stream takes a quarter of the memory that uvicorn needs for it
(specs/performance.md).
"""

import asyncio
import io
import logging
import signal
import socket
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import psycopg

from app.db.errors import cause
from app.errors import AppError, Internal, NotFound, RequestTimeout
from app.events.repository import FoundVersion, Session
from app.events.routes import STREAM, STREAMS
from app.events.streams import Stream, Streams, keep_alive, tell
from app.serving import handoff
from app.serving.errors import refusal
from app.serving.handoff import STREAM as STREAM_PATH
from app.serving.http1 import Request, RequestReader, ResponseWriter, addresses

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    FindVersions = Callable[[Collection[Session]], Mapping[Session, FoundVersion]]

THREADS = 8  # for requests; an open stream needs none
INTERVAL = 1.0  # seconds between looks at the versions
HEAD_TIMEOUT = 10.0  # seconds for the head of a request
UNACKNOWLEDGED = 20_000  # milliseconds after which a client that acknowledges nothing is gone
MOST_UNSENT = 16 * 1024  # bytes that are kept for a client which does not read
STOP_TIMEOUT = 2.0  # seconds in which clients take the ends of their streams
BACKLOG = 1024
PROBES = ("/livez", "/readyz", "/metrics")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


class EventServer:
    """Answers requests for streams by the application, and tells the streams that it opened."""

    def __init__(
        self,
        application: "WSGIApplication",
        streams: Streams,
        find_versions: "FindVersions",
        cors_origins: Collection[str] = (),
    ) -> None:
        self.streams, self.cors_origins = streams, tuple(cors_origins)
        self.looked_at = monotonic()  # when the versions were found last
        self._application, self._find_versions = application, find_versions
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._requests = ThreadPoolExecutor(THREADS, "request")
        self._is_failing = False

    async def serve(self, listener: socket.socket | None, receiver: socket.socket | None) -> None:
        """Serves what comes to `listener`, or is handed over to `receiver`, until a signal."""
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stopping.set)
        server = None
        if listener is not None:
            server = await loop.create_server(
                lambda: Connection(self), sock=listener, backlog=BACKLOG
            )
        if receiver is not None:
            loop.add_reader(receiver, self._take_over, receiver)
        log.info("events: started")
        watching = asyncio.ensure_future(self._watch())
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((watching, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if server is not None:
            server.close()
        if receiver is not None:
            loop.remove_reader(receiver)
        await self._finish()
        if not watching.cancel():
            watching.result()  # raises what it has ended by
        log.info("events: ended")

    def take(self, task: Coroutine[Any, Any, None]) -> None:
        """Has the event loop do something that nobody waits for."""
        future = asyncio.ensure_future(task)
        self._tasks.add(future)
        future.add_done_callback(self._tasks.discard)

    def add(self, connection: "Connection") -> None:
        """Notes a connection, to be closed at the end."""
        self._connections.add(connection)

    def discard(self, connection: "Connection") -> None:
        """Forgets a connection that is closed."""
        self._connections.discard(connection)

    async def answer(self, request: Request, writer: ResponseWriter) -> Stream | None:
        """Writes the application's answer; the stream that goes on behind it, if any."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._requests, self._answer, request, writer)

    def _answer(self, request: Request, writer: ResponseWriter) -> Stream | None:
        environ = request.environ
        if STREAM_PATH.fullmatch(environ["PATH_INFO"]) is None and (
            environ["PATH_INFO"] not in PROBES
        ):
            raise NotFound
        environ["wsgi.input"] = io.BytesIO()
        environ[STREAMS] = self.streams
        body = self._application(environ, cast("StartResponse", writer.start))
        try:
            for piece in body:
                writer.send(piece)
        finally:
            if hasattr(body, "close"):
                body.close()
        stream: Stream | None = environ.get(STREAM)
        if stream is None:
            writer.end()
        return stream

    def _take_over(self, receiver: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for sender in handoff.accepted(receiver):
            loop.add_reader(sender, self._receive, sender)

    def _receive(self, sender: socket.socket) -> None:
        """Takes what a sender has, which is one connection."""
        asyncio.get_running_loop().remove_reader(sender)
        found = handoff.received(sender)
        sender.close()
        if found is not None:
            self.take(self._go_on(*found))

    async def _go_on(self, client: socket.socket, head: bytes) -> None:
        """Serves a connection whose first request has been read by another process."""
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.connect_accepted_socket(lambda: Connection(self), client)
        except OSError:  # it has gone
            client.close()
        else:
            connection.data_received(head)

    async def _watch(self) -> None:
        """Tells the streams what is new, once an INTERVAL."""
        while True:
            began = monotonic()
            await self._look()
            await asyncio.sleep(max(0.0, began + INTERVAL - monotonic()))

    async def _look(self) -> None:
        streams = self.streams.connected()
        sessions = {each.session for each in streams}
        try:
            found = await asyncio.to_thread(self._find_versions, sessions) if sessions else {}
        except (psycopg.Error, AppError) as error:
            self._note_failure(error)
        else:
            self._note_success()
            tell(streams, found)
        keep_alive(streams)

    def _note_failure(self, error: Exception) -> None:
        """The streams stay: what they have missed is told when the database is back."""
        if not self._is_failing:
            text = cause(error) if isinstance(error, psycopg.Error) else str(error)
            log.error("events: the versions can't be read: %s", text)
        self._is_failing = True

    def _note_success(self) -> None:
        if self._is_failing:
            log.info("events: the versions can be read again")
        self._is_failing, self.looked_at = False, monotonic()

    async def _finish(self) -> None:
        """Ends all streams; what clients have not taken in time is given up."""
        deadline = monotonic() + STOP_TIMEOUT
        while self._connections and monotonic() < deadline:
            for connection in list(self._connections):
                connection.stop()
            await asyncio.sleep(0.02)
        for connection in list(self._connections):
            connection.abort()
        self._requests.shutdown(wait=False, cancel_futures=True)


class Connection(asyncio.Protocol):
    """A client's connection, for one request: it is closed behind the response, or the stream."""

    transport: asyncio.Transport

    def __init__(self, server: EventServer) -> None:
        self._server = server
        self._reader: RequestReader | None = None  # None behind the head of the request
        self._writer: ResponseWriter | None = None
        self._stream: Stream | None = None
        self._held: list[bytes] | None = []  # what a thread has written
        self._end_reason = "its client has gone"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for the request."""
        self.transport = cast("asyncio.Transport", transport)
        client = transport.get_extra_info("socket")
        if client.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
        known = transport.get_extra_info
        self._reader = RequestReader(addresses(known("peername"), known("sockname")))
        self._server.add(self)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HEAD_TIMEOUT, self._refuse, RequestTimeout())

    def data_received(self, data: bytes) -> None:
        """Reads the request; what follows its head is not for anybody."""
        reader = self._reader
        if reader is None:
            return
        reader.feed(data)
        if reader.error is not None:
            self._refuse(reader.error)
        elif reader.requests:
            self._begin()
            self._server.take(self._respond(reader.requests[0]))

    def connection_lost(self, _error: Exception | None) -> None:
        """Gives the stream's place to another one."""
        self._timer.cancel()
        self._server.discard(self)
        stream, self._stream = self._stream, None
        if stream is not None:
            self._server.streams.close(stream)
            seconds = monotonic() - stream.opened_at
            log.info(
                "stream %s ended after %.0f s: %s", stream.request_id, seconds, self._end_reason
            )

    def write(self, data: bytes) -> None:
        """Sends a part of the stream; a client that does not read is cut off."""
        if self._writer is not None:
            self._writer.send(data)
        if self.transport.get_write_buffer_size() > MOST_UNSENT:
            self._end_reason = "its client does not read"
            self.transport.abort()

    def end(self, reason: str) -> None:
        """Ends the stream in order."""
        self._end_reason = reason
        if self._writer is not None:
            self._writer.end()
            self._writer = None
        self.transport.close()

    def stop(self) -> None:
        """Ends the stream, or the wait for a request; a request that has begun is answered."""
        if self._stream is not None:
            self.end("the server stops")
        elif self._reader is not None:
            self.transport.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        self.transport.abort()

    def _begin(self) -> None:
        self._timer.cancel()
        self._reader = None

    async def _respond(self, request: Request) -> None:
        """Has the application answer; goes on where it has opened a stream."""
        writer = ResponseWriter(self._send, request, keep_alive=False)
        try:
            stream = await self._server.answer(request, writer)
        except Exception as error:  # noqa: BLE001  # answered and logged there
            stream = request.environ.get(STREAM)
            if stream is not None:
                self._server.streams.close(stream)
            self._refuse(error, request.environ)
            return
        held, self._held = self._held or [], None
        if self.transport.is_closing():
            if stream is not None:
                self._server.streams.close(stream)
            return
        self.transport.write(b"".join(held))
        if stream is None:
            self.transport.close()
            return
        request.environ.clear()  # for as long as the stream is open, nobody needs its headers
        self._writer, self._stream, stream.client = writer, stream, self

    def _send(self, data: bytes) -> None:
        """Keeps what is written in a thread, and sends what is written in the event loop."""
        if self._held is None:
            self.transport.write(data)
        else:
            self._held.append(data)

    def _refuse(self, cause: Exception, fields: Mapping[str, Any] | None = None) -> None:
        """Sends an error that the application has not answered."""
        known = fields if fields is not None else (self._reader.fields if self._reader else {})
        error, request_id, response = refusal(cause, known, self._server.cors_origins)
        if isinstance(error, Internal):
            log.error("request %s failed in the server", request_id, exc_info=cause)
        self._begin()
        if self.transport.is_closing():
            return
        self.transport.write(response)
        self.transport.close()


def sockets(
    stack: ExitStack, host: str, port: int | None, path: Path | None
) -> tuple[socket.socket | None, socket.socket | None]:
    """What `EventServer.serve` listens on, closed with the stack. Raises OSError."""
    listener = receiver = None
    if path is not None:
        receiver = stack.enter_context(handoff.listening(path))
    if port is not None:
        listener = stack.enter_context(_listener(host, port))
    return listener, receiver


def _listener(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family, backlog=BACKLOG)
