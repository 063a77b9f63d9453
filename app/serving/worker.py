"""gunicorn's fast worker: the thread that hears of a request answers it.

All threads wait on one epoll, which wakes one of them for each connection with input. A request
takes a thread once it is complete, or its body is longer than BUFFERED_BODY. 1.6 times the
requests/s of gthread on the mix. Needs Linux (epoll).
"""

import contextlib
import errno
import io
import math
import multiprocessing
import os
import select
import socket
import struct
import threading
import time
from typing import Any

from gunicorn import util
from gunicorn.workers.base import Worker

from app.errors import AppError, BadRequest, Internal, RequestTimeout
from app.http.request import REQUEST_ID, new_request_id
from app.serving.errors import error_response
from app.serving.http1 import BodyStream, Request, RequestReader, ResponseWriter

BUFFERED_BODY = 64 * 1024  # bytes; the application's thread waits for the rest of a longer body
RECEIVED = 16 * 1024  # bytes of one recv()
READABLE_ONCE = select.EPOLLIN | select.EPOLLONESHOT
ACCEPTS = 8  # clients that a thread accepts in a row
YIELD_TIMEOUT, YIELD_INTERVAL = 0.01, 0.001  # seconds that a client is left to idler workers
TICK = 1.0  # seconds between looks at timeouts
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
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


class Connection:
    """A client's connection, and the monotonic second at which it times out."""

    def __init__(self, client: socket.socket, address: Any, server: Any, timeout: float) -> None:
        host, port = address[:2] if isinstance(address, tuple) else ("", "")  # "": a Unix socket
        name, own_port = server[:2] if isinstance(server, tuple) else ("localhost", 80)
        shared = {"REMOTE_ADDR": host, "REMOTE_PORT": str(port)}
        self.reader = RequestReader({**shared, "SERVER_NAME": name, "SERVER_PORT": str(own_port)})
        self.socket, self.host = client, host
        self.timeout = timeout  # seconds
        self.deadline = time.monotonic() + timeout
        self.is_arriving = False  # a request has begun to arrive
        self.has_ended = False  # the client sends nothing more
        client.setblocking(True)
        self.limit_waits(timeout)

    def limit_waits(self, seconds: float) -> None:
        """Has the kernel end each single wait to send or to receive after `seconds`."""
        interval = struct.pack("@ll", int(seconds), 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)

    def receive(self) -> bool:
        """Waits for more of a large body, in the application's thread; False at its end.

        Raises RequestTimeout, and the reader's error.
        """
        self.send_continue()
        if time.monotonic() > self.deadline:
            raise RequestTimeout
        try:
            data = self.socket.recv(RECEIVED)
        except BlockingIOError as error:
            raise RequestTimeout from error
        self.feed(data)
        if self.reader.error is not None:
            raise self.reader.error
        return bool(data)

    def send_continue(self) -> None:
        """Sends 100 Continue where the client waits for it."""
        if self.reader.expects_continue:
            self.reader.expects_continue = False
            self.socket.sendall(CONTINUE)

    def next_request(self) -> Request | None:
        """The next request if it is complete, large or cut off."""
        if not self.reader.requests:
            return None
        request = self.reader.requests[0]
        is_large = max(request.length, len(request.body)) > BUFFERED_BODY
        is_broken = self.has_ended or self.reader.error is not None
        return request if request.is_complete or (is_large and not is_broken) else None

    def feed(self, data: bytes) -> None:
        """Reads what has come; b"" is the end. A request's time begins with its first bytes."""
        self.reader.feed(data)
        self.has_ended = not data
        if self.reader.is_partial and not self.is_arriving:
            self.deadline = time.monotonic() + self.timeout
        self.is_arriving = self.reader.is_partial

    def await_input(self, keepalive: float) -> None:
        """Prepares for more of a request, or for the next one within `keepalive` seconds."""
        self.send_continue()
        if not self.is_arriving:
            self.deadline = time.monotonic() + keepalive

    def close(self) -> None:
        """Closes it, after reading what is on its way: a reset could overtake the response."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self.limit_waits(UNREAD_TIMEOUT)
            latest, left = time.monotonic() + UNREAD_TIMEOUT, UNREAD_LIMIT
            while not self.has_ended and left > 0 and time.monotonic() < latest:
                data = self.socket.recv(RECEIVED)
                left, self.has_ended = left - len(data), not data
        self.socket.close()


class FastWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Serves WSGI on `threads` threads; see the module."""

    slot: int  # set by gunicorn.conf.py

    def init_process(self) -> None:
        """Prepares the process, and serves until it ends."""
        self._connections: dict[int, Connection] = {}  # waiting for input, by descriptor
        self._answering: set[Connection] = set()
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
                        self._read(descriptor, self._connections[descriptor])
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

    def _read(self, descriptor: int, connection: Connection) -> None:
        """Reads what has come, and answers the requests that it completes."""
        try:
            data = connection.socket.recv(RECEIVED, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._epoll.modify(descriptor, READABLE_ONCE)
            return
        except OSError:  # reset by the client
            data = b""
        connection.feed(data)
        request = connection.next_request()
        if request is None and data and connection.reader.error is None:
            connection.await_input(self.cfg.keepalive)
            self._epoll.modify(descriptor, READABLE_ONCE)
            return
        del self._connections[descriptor]  # closing the connection frees its descriptor
        self._answering.add(connection)
        keep = False
        try:
            keep = self._answer_all(connection, request)
            if keep:
                connection.await_input(self.cfg.keepalive)
                self._connections[descriptor] = connection
            else:
                connection.close()
        finally:
            self._answering.discard(connection)
            if keep:  # last, as another thread may answer the next request from now on
                self._epoll.modify(descriptor, READABLE_ONCE)
            else:
                self._count_clients()

    def _answer_all(self, connection: Connection, request: Request | None) -> bool:
        """Answers the requests that have come; whether the connection may have more."""
        reader = connection.reader
        while request is not None:
            if not self._answer(connection, request):
                return False
            reader.requests.popleft()
            request = connection.next_request()
        if connection.has_ended and reader.is_partial and reader.error is None:
            is_late = connection.deadline <= time.monotonic()
            reader.error = RequestTimeout() if is_late else BadRequest(CUT_OFF)
        if reader.error is not None:
            self._refuse(connection, reader.error)
        return reader.error is None and not connection.has_ended

    def _answer(self, connection: Connection, request: Request) -> bool:
        """Runs the application; whether the connection may have more requests."""
        try:
            return self._run(connection, request)
        except OSError as gone:
            self.log.debug("A client did not wait: %s", gone)
        except Exception as error:  # noqa: BLE001  # answered and logged here
            failure = error if isinstance(error, AppError) else Internal()
            self._refuse(connection, failure, request.environ.get("HTTP_X_REQUEST_ID"), error)
        return False

    def _run(self, connection: Connection, request: Request) -> bool:
        if request.is_complete:
            request.environ["wsgi.input"] = io.BytesIO(request.body)
        else:
            stream = BodyStream(request, connection.receive)
            request.environ["wsgi.input"] = io.BufferedReader(stream)
        response = ResponseWriter(connection.socket, request, keep_alive=self.alive)
        body = self.wsgi(request.environ, response.start)
        try:
            for piece in body:
                response.send(piece)
            response.end()
        except Exception as error:
            if not response.has_begun or isinstance(error, OSError):
                raise
            self.log.exception("A response broke off")
            return False  # without its end, so that the client can tell
        finally:
            if hasattr(body, "close"):
                body.close()
        return response.keep_alive

    def _refuse(
        self,
        connection: Connection,
        error: AppError,
        given_id: str | None = None,
        cause: Exception | None = None,
    ) -> None:
        """Sends an error that the application has not answered; its text quotes nothing sent."""
        request_id = given_id if REQUEST_ID.fullmatch(given_id or "") else new_request_id()
        if isinstance(error, Internal):
            self.log.error("request %s failed in the server", request_id, exc_info=cause)
        else:
            kind = type(error).__name__
            self.log.warning("request %s from %s: %s", request_id, connection.host, kind)
        try:
            response = error_response(error, str(request_id), util.http_date())
            connection.socket.sendall(response)
        except OSError as gone:
            self.log.debug("request %s: its client did not wait: %s", request_id, gone)

    def _shut_down_late(self, now: float) -> None:
        """Shuts down timed-out connections: a thread reads their end, and answers or closes."""
        for connection in list(self._connections.values()):
            if connection.deadline <= now:
                with contextlib.suppress(OSError):  # it has just been closed
                    connection.socket.shutdown(socket.SHUT_RD)

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
                self._shut_down_late(math.inf)
            if time.monotonic() > began + self.cfg.graceful_timeout:
                return
            time.sleep(0.05)
