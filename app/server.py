"""gunicorn's worker, with three habits of its own.

It speaks the envelope: what reaches no route (a request line that is none, headers beyond the
limits, a transfer coding that nobody knows) is answered here. Nobody holds a thread: a request has
`timeout` seconds to arrive in, and a thread only once its head is complete, and a body of the usual
size with it. And the thread that hears of a request answers it: gthread hands each one from its
main thread to another and back, which costs more than the request does.
"""

import contextlib
import errno
import math
import multiprocessing
import select
import socket
import struct
import threading
import time
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.errors import ParseException, UnsupportedTransferCoding
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from app import wire
from app.errors import AppError, BadRequest, Internal, RequestTimeout, from_gunicorn
from app.operations import edge
from app.web import BODY_LIMIT, REQUEST_ID, failure_body, new_request_id

CHUNK = 8192  # bytes
HEAD_END = b"\r\n\r\n"
LONGEST_HEAD = 128 * 1024  # bytes; the parser refuses what it has to refuse long before
READABLE_ONCE = select.EPOLLIN | select.EPOLLONESHOT
ACCEPTS = 8  # clients at a time, of a crowd that comes at once
HEAD_START = 0.01  # seconds that other workers have for a new client, where they have fewer
GLANCE = 0.001  # seconds between looks at whether they still have
TICK = 1.0  # seconds between looks at what time has run out for
CODINGS = ("chunked", "identity")
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
UNREAD_LIMIT = 2 * 1024 * 1024  # bytes of a body that an early answer left: the largest batch's
SUCCESSION = 10.0  # seconds that a worker waits at most for those which replace it
LINGER = 2.0  # seconds that a stopping worker leaves idle connections to a request on its way

# gunicorn forks; for another way to start processes Python 3.14 would start one of its own.
_forked = multiprocessing.get_context("fork")

# Counts the workers that have begun to serve since the last reload; all processes share it.
_serving = _forked.Semaphore(0)


# How many clients each worker has, by its slot; all processes share it.
SLOTS, EMPTY = 512, 2**31 - 1
_clients = _forked.RawArray("i", [EMPTY] * SLOTS)


def leave(slot: int) -> None:
    """Says that the worker in the slot takes no more clients."""
    _clients[slot] = EMPTY


def begin_reload() -> None:
    """From now on only workers that begin to serve count as successors."""
    while _serving.acquire(block=False):
        pass


class _Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A client's connection; `timeout` is when it ends unless something comes before."""

    received = b""  # of requests that nobody has read yet
    has_ended = False  # the client sends nothing more
    is_arriving = False  # the first bytes of a request are here, others are not


class EnvelopeWorker(ThreadWorker):  # type: ignore[misc]
    """gthread's requests and answers, in a loop of its own.

    All threads wait on one epoll, which tells one of them of each request that has come; until
    then no thread waits for it, and until the answer left no other thread hears of it.
    """

    def init_process(self) -> None:
        self._connections: dict[int, _Connection] = {}
        self._answering: set[_Connection] = set()
        self._listeners: dict[int, socket.socket] = {}
        self._without_room: set[int] = set()  # listeners whose next client there is no room for
        self._poll = select.epoll()
        self._stopping = threading.Event()
        self._listening = threading.Lock()  # held by who uses or closes a listener
        super().init_process()

    def run(self) -> None:
        """Serves until a signal ends it, then finishes what has begun."""
        self._count_clients()
        for listener in self.sockets:
            listener.setblocking(False)
            self._listeners[listener.fileno()] = listener
            self._poll.register(listener, READABLE_ONCE)  # for every worker: one may be stuck
        for _ in range(self.cfg.threads):
            threading.Thread(target=self._serve, daemon=True).start()
        _serving.release()
        while not self._stopping.wait(TICK) and self.is_parent_alive():
            self.notify()
            self._end_late(time.monotonic())
            while self._without_room:
                self._poll.modify(self._without_room.pop(), READABLE_ONCE)
        self._await_successors()
        self._finish()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """The first time it ends in order, the second time it waits for no successors."""
        self.alive = not self._stopping.is_set()
        self._stopping.set()

    def _await_successors(self) -> None:
        """At a reload goes on until the new workers serve, which have the application to load."""
        latest = time.monotonic() + SUCCESSION
        while self.alive and self.is_parent_alive() and _serving.get_value() < self.cfg.workers:
            self.notify()
            self.alive = time.monotonic() < latest
            time.sleep(0.05)
        self.alive = False

    def _serve(self) -> None:
        """What each thread does: take an event, and do all there is to do for it."""
        while True:
            for descriptor, _ in self._poll.poll(maxevents=1):
                try:
                    self._on_event(descriptor)
                except Exception:  # none may end the thread
                    self.log.exception("A connection was lost on our side")

    def _on_event(self, descriptor: int) -> None:
        if descriptor in self._listeners:
            self._accept(descriptor)
            return
        connection = self._connections[descriptor]
        if self._head_is_here(connection):
            self._answer(connection)
        else:
            self._poll.modify(descriptor, READABLE_ONCE)

    def _accept(self, descriptor: int) -> None:
        """Takes in several clients: until the next turn all who are here are served once.

        Others, who have fewer, come first: a crowd on one worker would leave the others idle. No
        second thread of this one hears of new clients meanwhile; where there is no room for
        another, none does until the next tick.
        """
        listener = self._listeners[descriptor]
        try:
            for _ in range(ACCEPTS):
                self._give_way()
                with self._listening:
                    if not self.alive:
                        return
                    client, address = listener.accept()
                    self._welcome(client, address, listener)
                self._count_clients()
        except (BlockingIOError, ConnectionAbortedError):
            return  # others were quicker, or it gave up
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._without_room.add(descriptor)
            raise
        finally:
            if descriptor not in self._without_room:
                with contextlib.suppress(OSError):  # this worker has begun to stop
                    self._poll.modify(descriptor, READABLE_ONCE)

    def _give_way(self) -> None:
        """Leaves the next client to those who have fewer, until they have as many, or too long."""
        latest = time.monotonic() + HEAD_START
        while _clients[self.slot] > min(_clients[:]) and time.monotonic() < latest:
            time.sleep(GLANCE)

    def _count_clients(self) -> None:
        _clients[self.slot] = len(self._connections) + len(self._answering)
        if not self.alive:  # it has left already, perhaps just now
            leave(self.slot)

    def _welcome(self, client: socket.socket, address: Any, listener: socket.socket) -> None:
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        client.setblocking(True)
        _limit_waiting(client, self.cfg.timeout)
        connection.parser = _Parser(self.cfg, client, address)
        connection.environ = wire.shared(address, connection.server)
        connection.data_ready = True  # epoll tells of the first byte; gthread need not wait for it
        connection.timeout = time.monotonic() + self.cfg.timeout
        self._connections[client.fileno()] = connection
        self._poll.register(client, READABLE_ONCE)

    def _head_is_here(self, connection: _Connection) -> bool:
        """Takes what has come; whether that completes a head, or nothing will."""
        try:
            data = connection.sock.recv(CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:  # the client has reset the connection
            data = b""
        connection.received += data
        connection.has_ended = not data
        if not data or HEAD_END in connection.received or len(connection.received) > LONGEST_HEAD:
            return True
        self._await_rest(connection)
        return False

    def _await_rest(self, connection: _Connection) -> None:
        """All of a request has the same time to arrive in, however often a part of it comes."""
        if not connection.is_arriving:
            connection.is_arriving = True
            connection.timeout = time.monotonic() + self.cfg.timeout

    def _answer(self, connection: _Connection) -> None:
        """Answers the request that has come, and those that came with it."""
        descriptor = connection.sock.fileno()
        del self._connections[descriptor]  # an answer that breaks off frees the number for another
        self._answering.add(connection)
        keep = False
        try:
            keep = self._answer_all(connection)
            if keep:
                self._connections[descriptor] = connection
            elif connection.sock.fileno() >= 0:
                connection.close(graceful=True)
        finally:
            self._answering.discard(connection)
            if keep:  # last of all: now another thread may answer the next request
                self._poll.modify(descriptor, READABLE_ONCE)
            else:
                self._count_clients()

    def _answer_all(self, connection: _Connection) -> bool:
        """Whether the connection may have more requests, of which a part may be here."""
        if connection.is_arriving and connection.timeout <= time.monotonic():
            self.handle_error(None, connection.sock, connection.client, RequestTimeout())
            return False
        while True:
            ordinary = wire.read(connection.received, connection.environ)
            if ordinary is None and self._is_cut_short(connection):
                self._await_rest(connection)
                return True
            connection.is_arriving = False
            if not self._answer_next(connection, ordinary):
                return False
            if not connection.received:
                connection.timeout = time.monotonic() + self.cfg.keepalive
                return True

    def _is_cut_short(self, connection: _Connection) -> bool:
        """Whether to wait for more: nothing of the usual size holds a thread while it arrives."""
        received = connection.received
        is_short = len(received) <= LONGEST_HEAD and not connection.has_ended
        return is_short and (HEAD_END not in received or wire.lacks_body(received, BODY_LIMIT))

    def _answer_next(self, connection: _Connection, ordinary: wire.Ordinary | None) -> bool:
        """Answers what came first, by gunicorn's parser where it is out of the ordinary."""
        if ordinary is None:
            connection.parser.unreader.unread(connection.received)
            keep = self.handle(connection)
            connection.received = connection.parser.unreader.take_buffered()
            return bool(keep)
        environ, connection.received = ordinary
        try:
            return self._reply(connection.sock, environ)
        except OSError as gone:
            self.log.debug("A client did not wait: %s", gone)
        except Exception as error:  # noqa: BLE001  # none of it may end the thread
            self.handle_error(None, connection.sock, connection.client, error)
        return False

    def handle_request(self, req: Any, conn: _Connection) -> bool:
        """For what gunicorn's parser has read, which asks for no Host, and for no form of it."""
        host = dict(req.headers).get("HOST")
        if not (req.version < (1, 1) if host is None else wire.is_host(host)):
            raise BadRequest("The request does not say in one Host header whom it is for")
        _, environ = wsgi.create(req, conn.sock, conn.client, conn.server, self.cfg)
        return self._reply(conn.sock, environ) and not req.should_close()

    def _reply(self, client: socket.socket, environ: dict[str, Any]) -> bool:
        """Runs the application; whether the connection may have more requests."""
        answer = wire.Answer(client, environ, keep=self.alive)
        body = self.wsgi(environ, answer.start)
        try:
            for piece in body:
                answer.send(piece)
            answer.end()
        except Exception as error:
            if not answer.has_begun or isinstance(error, OSError):  # the client has gone
                raise
            self.log.exception("An answer broke off")
            return False  # its end is missing, so that nobody takes it for whole
        finally:
            if hasattr(body, "close"):
                body.close()
        return answer.keep

    def _end_late(self, now: float) -> None:
        """Ends what time has run out for: its reader finds the connection at its end."""
        for connection in list(self._connections.values()):
            if connection.timeout <= now:
                with contextlib.suppress(OSError):  # it has just ended by itself
                    connection.sock.shutdown(socket.SHUT_RD)

    def _finish(self) -> None:
        leave(self.slot)
        with self._listening:
            for listener in self._listeners.values():
                self._poll.unregister(listener)
                listener.close()
        began = time.monotonic()
        deadline = began + self.cfg.graceful_timeout
        while (self._connections or self._answering) and time.monotonic() < deadline:
            self.notify()
            if time.monotonic() > began + LINGER:
                self._end_late(math.inf)
            time.sleep(0.05)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answers for a request that the application never saw, or did not survive."""
        error = exc if isinstance(exc, AppError) else from_gunicorn(exc)
        given = dict(req.headers).get("X-REQUEST-ID", "") if req else ""
        request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()
        if isinstance(error, Internal):
            self.log.error("request %s failed in the server", request_id, exc_info=exc)
        else:
            kind = type(exc).__name__  # its message would quote what was sent
            self.log.warning("request %s from %s: %s", request_id, (addr or ("",))[0], kind)
        try:
            util.write(client, _answer(error, request_id))
        except OSError as gone:
            self.log.debug("request %s: its client did not wait: %s", request_id, gone)


class _Unreader(SocketUnreader):  # type: ignore[misc]
    """Bytes of the socket, until the deadline."""

    deadline = math.inf

    def chunk(self, size_hint: int | None = None) -> bytes:
        if time.monotonic() > self.deadline:
            raise RequestTimeout
        try:
            return bytes(super().chunk(size_hint))
        except BlockingIOError as error:  # the kernel's own timeout
            raise RequestTimeout from error


class _Parser(RequestParser):  # type: ignore[misc]
    """Requests of one connection, each with its own deadline."""

    def __init__(self, cfg: Any, source: socket.socket, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.unreader = _Unreader(source)

    def __next__(self) -> Any:
        self.unreader.deadline = time.monotonic() + self.cfg.timeout
        request = super().__next__()
        for name, value in request.headers:
            if name == "TRANSFER-ENCODING" and value.strip().lower() not in CODINGS:
                raise UnsupportedTransferCoding(value)  # gunicorn looks at the last of several
        return request

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """A body that turns out to be broken after its answer left gets no second answer."""
        try:
            return bool(super().finish_body(deadline, max_bytes or UNREAD_LIMIT))
        except (ParseException, RequestTimeout):
            return False


def _limit_waiting(connection: socket.socket, seconds: int) -> None:
    """Ends each single wait for the client, to send or to take something, after `seconds`."""
    interval = struct.pack("@ll", seconds, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)


def _answer(error: AppError, request_id: str) -> bytes:
    body = failure_body(error, request_id)
    headers = {
        "Date": util.http_date(),
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Request-Id": request_id,
        **dict(edge.CLOSED_HEADERS),
        **error.headers,
    }
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
