"""gunicorn's worker, with two habits of its own: it speaks the envelope, and nobody holds a thread.

What reaches no route (a request line that is none, headers beyond the limits, a transfer coding
that nobody knows) is answered here; and a request has `timeout` seconds to arrive in.
"""

import math
import socket
import struct
import time
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from app.errors import AppError, Internal, RequestTimeout, from_gunicorn
from app.web import failure_body


class EnvelopeWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gthread, but for the errors that it answers itself and the time that it waits for data."""

    def handle(self, conn: TConn) -> Any:
        if conn.parser is None:
            _limit_waiting(conn.sock, self.cfg.timeout)
            conn.parser = _Parser(self.cfg, conn.sock, conn.client)
        return super().handle(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answers for a request that the application never saw, or did not survive."""
        error = exc if isinstance(exc, AppError) else from_gunicorn(exc)
        request_id = uuid4().hex
        if isinstance(error, Internal):
            self.log.error("request %s failed in the server", request_id, exc_info=exc)
        else:
            self.log.warning("request %s from %s: %s", request_id, (addr or ("",))[0], exc)
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
        return super().__next__()

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """A body that turns out to be broken after its answer left gets no second answer."""
        try:
            return bool(super().finish_body(deadline, max_bytes))
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
        **error.headers,
    }
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
