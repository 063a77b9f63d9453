"""gunicorn's fast worker: the thread that hears of a request answers it.

All threads wait on one epoll, which wakes one of them for each connection with input. A request
takes a thread once it is complete, its body is longer than BUFFERED_BODY, or its client waits for
100 Continue. What a client does not read at once waits on the epoll, not in a thread. 1.6 times
the requests/s of gthread on the mix. Needs Linux (epoll).
"""

import contextlib
import errno
import io
import multiprocessing
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.workers.base import Worker

from app.errors import AppError, BadRequest, Internal, RequestTimeout, Unavailable
from app.serving.errors import refusal
from app.serving.handoff import asks_for_stream, hand_over, request_head
from app.serving.http1 import BodyStream, Request, RequestReader, ResponseWriter, addresses

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BUFFERED_BODY = 64 * 1024  # bytes; the application's thread waits for the rest of a longer body
RECEIVED = 16 * 1024  # bytes of one recv()
READABLE_ONCE = select.EPOLLIN | select.EPOLLONESHOT
WRITABLE_ONCE = select.EPOLLOUT | select.EPOLLONESHOT
ACCEPTS = 8  # clients that a thread accepts in a row
YIELD_TIMEOUT, YIELD_INTERVAL = 0.01, 0.001  # seconds that a client is left to idler workers
TICK = 1.0  # seconds between looks at timeouts
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
MOST_UNSENT = 32 * 1024 * 1024  # bytes that a worker keeps for clients that do not read
UNREAD_LIMIT, UNREAD_TIMEOUT = 2 * 1024 * 1024, 2.0  # bytes and seconds of a refused body
RELOAD_TIMEOUT = 10.0  # seconds that a worker serves on while its successors start
IDLE_AT_STOP = 2.0  # seconds that a stopping worker leaves idle connections to a request on its way
CUT_OFF = "The body is shorter than its Content-Length"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MAX_WORKERS, NO_WORKER = 512, 2**31 - 1

# Shared by the processes that gunicorn forks; Python 3.14 does not fork by default.
_fork = multiprocessing.get_context("fork")
_serving = _fork.Semaphore(0)  # workers that have begun to serve since the last reload
_clients = _fork.RawArray("i", [NO_WORKER] * MAX_WORKERS)  # of each worker, by its slot


def leave(slot: int) -> None:
    """Marks the worker of that slot as one that takes no more clients."""
    _clients[slot] = NO_WORKER


def begin_reload() -> None:
    """Counts from now on the workers that begin to serve."""
    while _serving.acquire(block=False):
        pass


@dataclass(slots=True)
class Response:
    """A response that the application has begun."""

    environ: "WSGIEnvironment"
    writer: ResponseWriter
    body: Iterable[bytes]
    pieces: Iterator[bytes]  # of the body, without those that were sent


class Connection:
    """A client's connection, and the monotonic second at which it times out."""

    def __init__(self, client: socket.socket, address: Any, server: Any, timeout: float) -> None:
        shared = addresses(address, server)
        self.reader = RequestReader(shared)
        self.socket, self.host = client, shared["REMOTE_ADDR"]
        self.timeout = timeout  # seconds
        self.deadline = time.monotonic() + timeout
        self.is_arriving = False  # a request has begun to arrive
        self.has_ended = False  # the client sends nothing more
        self.response: Response | None = None
        self.unsent: bytes | memoryview = b""  # what the client has not taken yet
        self.kept = 0  # bytes in memory for that
        self.is_gone = False  # the client takes nothing more
        self.is_last = False  # the response ends the connection
        self.unread: int | None = None  # bytes that may still come, once everything has been sent
        client.setblocking(True)
        # The kernel ends each wait for more of a body after that time.
        interval = struct.pack("@ll", int(timeout), 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)

    @property
    def is_sending(self) -> bool:
        """Whether a response is under way."""
        return self.response is not None or len(self.unsent) > 0

    def receive(self, flags: int = 0) -> bytes | None:
        """What has come; b"" at the end, also at a reset, and None where nothing comes in time."""
        try:
            return self.socket.recv(RECEIVED, flags)
        except BlockingIOError:
            return None
        except OSError:  # reset by the client
            return b""

    def send(self, data: bytes | memoryview) -> None:
        """Sends what the client takes at once, and keeps the rest."""
        if self.unsent:
            self.unsent = bytes(self.unsent) + data
            return
        try:
            count = self.socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            count = 0
        except OSError:
            self.is_gone, count = True, len(data)
        self.unsent = b"" if count == len(data) else memoryview(data)[count:]
        self.kept = max(self.kept, len(data)) if self.unsent else 0

    def flush(self) -> None:
        """Sends what the client takes now of what was kept."""
        if self.unsent:
            data, self.unsent = self.unsent, b""
            self.send(data)

    def send_continue(self) -> None:
        """Sends 100 Continue where the client waits for it."""
        if self.reader.expects_continue:
            self.reader.expects_continue = False
            self.send(CONTINUE)

    def next_request(self) -> Request | None:
        """The next request if it is complete, or may be answered before its body has come."""
        if not self.reader.requests:
            return None
        request = self.reader.requests[0]
        is_large = max(request.length, len(request.body)) > BUFFERED_BODY
        is_early = is_large or self.reader.expects_continue
        is_broken = self.has_ended or self.reader.error is not None
        return request if request.is_complete or (is_early and not is_broken) else None

    def feed(self, data: bytes) -> None:
        """Reads what has come; b"" is the end. A request's time begins with its first bytes."""
        self.reader.feed(data)
        self.has_ended = not data
        if self.reader.is_partial and not self.is_arriving:
            self.deadline = time.monotonic() + self.timeout
        self.is_arriving = self.reader.is_partial

    def await_input(self, keepalive: float) -> None:
        """Prepares for more of a request, or for the next one within `keepalive` seconds."""
        if not self.is_arriving:
            self.deadline = time.monotonic() + keepalive

    def stop_sending(self) -> None:
        """Begins to close it; what is still on its way is read, as a reset could overtake the
        response."""
        self.unread, self.deadline = UNREAD_LIMIT, time.monotonic() + UNREAD_TIMEOUT
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.is_gone = True

    def cut_off(self) -> None:
        """Wakes the thread that will close it: by the end of its input, or by a reset where the
        client does not read."""
        with contextlib.suppress(OSError):  # it has just been closed
            if self.is_sending:
                abort = struct.pack("ii", 1, 0)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abort)
            self.socket.shutdown(socket.SHUT_RDWR if self.is_sending else socket.SHUT_RD)


class FastWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Serves WSGI on `threads` threads; see the module."""

    slot: int  # set by gunicorn.conf.py, as are the next ones
    cors_origins: Sequence[str] = ()
    events_socket: Path | None = None  # where `flask events` takes connections over

    def init_process(self) -> None:
        """Prepares the process, and serves until it ends."""
        self._connections: dict[int, Connection] = {}  # waiting for input, by descriptor
        self._answering: set[Connection] = set()
        self._awaiting_bodies: set[Connection] = set()  # each holds a thread
        self._beginning_to_wait = threading.Lock()  # held while one is added to these
        self._listeners: dict[int, socket.socket] = {}
        self._paused: set[int] = set()  # listeners without a descriptor for the next client
        self._epoll = select.epoll()
        self._stopping = threading.Event()
        self._accepting = threading.Lock()  # held while a listener is used or closed
        super().init_process()

    def run(self) -> None:
        """Serves until a signal, then finishes the requests that have begun."""
        self._count_clients()
        for listener in self.sockets:
            listener.setblocking(False)
            self._listeners[listener.fileno()] = listener
            self._epoll.register(listener, READABLE_ONCE)
        for _ in range(self.cfg.threads):
            threading.Thread(target=self._serve, daemon=True).start()
        _serving.release()
        while not self._stopping.wait(TICK) and self._has_parent():
            self.notify()
            self._shut_down_late(time.monotonic())
            while self._paused:
                self._epoll.modify(self._paused.pop(), READABLE_ONCE)
        self._await_successors()
        self._finish()

    def _has_parent(self) -> bool:
        return bool(self.ppid == os.getppid())

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stops the worker; at the second signal it waits for no successors."""
        self.alive = not self._stopping.is_set()
        self._stopping.set()

    def _await_successors(self) -> None:
        """At a reload, serves on until the new workers do: they have the application to import."""
        latest = time.monotonic() + RELOAD_TIMEOUT
        while self.alive and self._has_parent() and _serving.get_value() < self.cfg.workers:
            self.notify()
            self.alive = time.monotonic() < latest
            time.sleep(0.05)
        self.alive = False

    def _serve(self) -> None:
        """The loop of a thread: takes one event, and does all that it calls for."""
        while True:
            for descriptor, _ in self._epoll.poll(maxevents=1):
                try:
                    if descriptor in self._listeners:
                        self._accept(descriptor)
                    else:
                        self._handle(descriptor, self._connections[descriptor])
                except Exception:  # the thread must go on
                    self.log.exception("A connection was lost in the server")

    def _accept(self, descriptor: int) -> None:
        """Accepts up to ACCEPTS clients; the listener is one-shot, so no other thread does."""
        listener = self._listeners[descriptor]
        try:
            for _ in range(ACCEPTS):
                self._yield_to_idler_workers()
                with self._accepting:
                    if not self.alive:
                        return
                    client, address = listener.accept()
                    server = listener.getsockname()
                    connection = Connection(client, address, server, self.cfg.timeout)
                    self._connections[client.fileno()] = connection
                    self._epoll.register(client, READABLE_ONCE)
                self._count_clients()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another worker accepted the client, or it has gone
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                self._paused.add(descriptor)
            raise
        finally:
            if descriptor not in self._paused:
                with contextlib.suppress(OSError):  # closed: this worker has begun to stop
                    self._epoll.modify(descriptor, READABLE_ONCE)

    def _yield_to_idler_workers(self) -> None:
        """Leaves the next client to workers with fewer clients, for YIELD_TIMEOUT at most."""
        latest = time.monotonic() + YIELD_TIMEOUT
        while _clients[self.slot] > min(_clients[:]) and time.monotonic() < latest:
            time.sleep(YIELD_INTERVAL)

    def _count_clients(self) -> None:
        _clients[self.slot] = len(self._connections) + len(self._answering)
        if not self.alive:
            leave(self.slot)

    def _handle(self, descriptor: int, connection: Connection) -> None:
        """Does what can be done without waiting for the client, then waits for its next event."""
        if not connection.is_sending and not self._receive(connection):
            self._epoll.modify(descriptor, READABLE_ONCE)
            return
        del self._connections[descriptor]  # closing the connection frees its descriptor
        self._answering.add(connection)
        events = 0
        try:
            events = self._answer_all(connection)
        finally:
            if events:
                self._connections[descriptor] = connection
            else:
                connection.socket.close()
            self._answering.discard(connection)
            if events:  # last, as another thread may go on from now on
                self._epoll.modify(descriptor, events)
            else:
                self._count_clients()

    def _receive(self, connection: Connection) -> bool:
        """Reads what has come; whether there is something to answer, or to close."""
        data = connection.receive(socket.MSG_DONTWAIT)
        if data is None:
            return False
        if connection.unread is not None:
            connection.unread -= len(data)
            return not data or connection.unread <= 0
        connection.feed(data)
        if connection.reader.expects_continue and not self._may_await_body():
            connection.send_continue()  # without asking the application: that would hold a thread
        if connection.next_request() is None and data and connection.reader.error is None:
            connection.await_input(self.cfg.keepalive)
            return False
        return True

    def _answer_all(self, connection: Connection) -> int:
        """Answers the requests that have come; the events to wait for then, 0 to close it."""
        if connection.unread is not None:
            return 0
        while self._send(connection):
            if connection.is_last or connection.is_gone:
                return self._close(connection)
            request = connection.next_request()
            error = None if request else self._error(connection)
            if request is not None and self._hands_over(connection, request):
                return 0
            if request is not None:
                self._answer(connection, request)
            elif error is not None:
                self._refuse(connection, error, connection.reader.fields)
            elif connection.has_ended:
                connection.is_last = True
            else:
                connection.await_input(self.cfg.keepalive)
                return READABLE_ONCE
        self._await_reader(connection)
        return WRITABLE_ONCE

    def _hands_over(self, connection: Connection, request: Request) -> bool:
        """Whether the process of event streams has taken the connection over."""
        if self.events_socket is None or not asks_for_stream(request.environ):
            return False
        client = connection.socket
        is_taken = hand_over(self.events_socket, client, request_head(request.environ))
        if is_taken:  # closing it here leaves the connection open, and so would the epoll keep it
            self._epoll.unregister(client)
        return is_taken

    def _error(self, connection: Connection) -> AppError | None:
        """What is wrong with the request that follows the complete ones."""
        reader = connection.reader
        if connection.has_ended and reader.is_partial and reader.error is None:
            is_late = connection.deadline <= time.monotonic()
            return RequestTimeout() if is_late else BadRequest(CUT_OFF)
        return reader.error

    def _close(self, connection: Connection) -> int:
        """Ends it; the events to wait for, as in `_answer_all`."""
        if not connection.is_gone and not connection.has_ended:
            connection.stop_sending()
        return 0 if connection.is_gone or connection.has_ended else READABLE_ONCE

    def _await_reader(self, connection: Connection) -> None:
        """Limits the time and the memory that a client which does not read may take."""
        connection.deadline = time.monotonic() + connection.timeout
        waiting = [connection, *(each for each in list(self._connections.values()) if each.unsent)]
        if sum(each.kept for each in waiting) > MOST_UNSENT:
            min(waiting, key=lambda each: each.deadline).cut_off()

    def _answer(self, connection: Connection, request: Request) -> None:
        """Calls the application; `_send` sends what it returns."""
        if request.is_complete:
            request.environ["wsgi.input"] = io.BytesIO(request.body)
        else:
            stream = BodyStream(request, partial(self._receive_body, connection))
            request.environ["wsgi.input"] = io.BufferedReader(stream)
        writer = ResponseWriter(connection.send, request, keep_alive=self.alive)
        try:
            body = self.wsgi(request.environ, writer.start)
            connection.response = Response(request.environ, writer, body, iter(body))
        except Exception as error:  # noqa: BLE001  # answered and logged there
            self._refuse(connection, error, request.environ)

    def _may_await_body(self) -> bool:
        """Whether another thread may wait for a body: half of them are for all other requests."""
        return len(self._awaiting_bodies) < max(1, int(self.cfg.threads) // 2)

    def _receive_body(self, connection: Connection) -> bool:
        """Reads more of a body, in the application's thread; False at the connection's end.

        Raises RequestTimeout, Unavailable, and the reader's error.
        """
        connection.send_continue()
        if time.monotonic() > connection.deadline:
            raise RequestTimeout
        data = connection.receive(socket.MSG_DONTWAIT)
        if data is None:
            with self._beginning_to_wait:
                if not self._may_await_body():
                    raise Unavailable
                self._awaiting_bodies.add(connection)
            try:
                data = connection.receive()
            finally:
                self._awaiting_bodies.discard(connection)
        if data is None:
            raise RequestTimeout
        connection.feed(data)
        if connection.reader.error is not None:
            raise connection.reader.error
        return bool(data)

    def _send(self, connection: Connection) -> bool:
        """Sends what the client takes now of a response; whether nothing is left of it."""
        connection.flush()
        response = connection.response
        if response is None or (connection.unsent and not connection.is_gone):
            return not connection.unsent
        try:
            for piece in () if connection.is_gone else response.pieces:
                response.writer.send(piece)
                if connection.is_gone:
                    break
                if connection.unsent:
                    return False
            else:
                response.writer.end()
        except Exception as error:
            if response.writer.has_begun:
                self.log.exception("A response broke off")
                connection.is_last = True  # without its end, so that the client can tell
            else:
                self._refuse(connection, error, response.environ)
        self._end_response(connection, response)
        return not connection.unsent

    def _end_response(self, connection: Connection, response: Response) -> None:
        connection.response = None
        connection.is_last = connection.is_last or not response.writer.keep_alive
        connection.reader.requests.popleft()
        if hasattr(response.body, "close"):
            try:
                response.body.close()
            except Exception:
                self.log.exception("A response could not be closed")

    def _refuse(self, connection: Connection, cause: Exception, fields: Mapping[str, str]) -> None:
        """Sends an error that the application has not answered; see `refusal`."""
        error, request_id, response = refusal(cause, fields, self.cors_origins)
        if isinstance(error, Internal):
            self.log.error("request %s failed in the server", request_id, exc_info=cause)
        else:
            kind = type(error).__name__
            self.log.warning("request %s from %s: %s", request_id, connection.host, kind)
        connection.is_last = True
        connection.send(response)

    def _shut_down_late(self, now: float) -> None:
        """Has timed-out connections end: a thread answers what has come of them, or closes."""
        for connection in list(self._connections.values()):
            if connection.deadline <= now:
                connection.cut_off()

    def _shut_down_idle(self) -> None:
        for connection in list(self._connections.values()):
            if not connection.is_sending:
                connection.cut_off()

    def _finish(self) -> None:
        leave(self.slot)
        with self._accepting:
            for listener in self._listeners.values():
                self._epoll.unregister(listener)
                listener.close()
        began = time.monotonic()
        while self._connections or self._answering:
            self.notify()
            if time.monotonic() > began + IDLE_AT_STOP:
                self._shut_down_idle()
            if time.monotonic() > began + self.cfg.graceful_timeout:
                return
            time.sleep(0.05)
