"""Handing a client's connection over to another process of this machine, by a Unix socket.

`make run` has one address for the API and for event streams: the fast worker reads a request's
head, and hands those for a stream over to `flask events` with the connection itself (SCM_RIGHTS).
From then on the worker has nothing to do with it.
"""

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

STREAM = re.compile("/api/[^/]+/events")
BACKLOG = 1024  # connections that have been handed over, and not yet been taken
TIMEOUT = 0.25  # seconds that a worker waits for a receiver which is behind by more
LARGEST_HEAD = 128 * 1024  # bytes; a larger one is not handed over


def asks_for_stream(environ: "WSGIEnvironment") -> bool:
    """Whether a request is one for `flask events`; other methods are the API's to answer."""
    is_read = environ["REQUEST_METHOD"] in ("GET", "HEAD")
    return is_read and STREAM.fullmatch(environ["PATH_INFO"]) is not None


def request_head(environ: "WSGIEnvironment") -> bytes:
    """The head of the request behind an environ, without what announces a body."""
    target = quote(environ["PATH_INFO"].encode("latin-1"))
    if environ["QUERY_STRING"]:
        target += f"?{environ['QUERY_STRING']}"
    lines = [f"{environ['REQUEST_METHOD']} {target} {environ['SERVER_PROTOCOL']}"]
    lines += [
        f"{name.removeprefix('HTTP_').replace('_', '-')}: {value}"
        for name, value in environ.items()
        if name.startswith("HTTP_") and name != "HTTP_TRANSFER_ENCODING"
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def hand_over(path: Path, client: socket.socket, head: bytes) -> bool:
    """Hands the connection over to the process that listens at `path`; False without one.

    The caller closes its own `client`, which does not end the connection.
    """
    if len(head) > LARGEST_HEAD:
        return False
    try:
        with _connected(path) as sender:
            socket.send_fds(sender, [head], [client.fileno()])
    except OSError:
        return False
    return True


def is_listening(path: Path) -> bool:
    """Whether a process takes connections over at `path`."""
    try:
        _connected(path).close()
    except OSError:
        return False
    return True


def _connected(path: Path) -> socket.socket:
    """A socket for one message. It waits for no one, unless BACKLOG others have not been taken."""
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sender.settimeout(TIMEOUT)
        sender.connect(str(path))
    except OSError:
        sender.close()
        raise
    return sender


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket at `path` that accepts senders, of this user only.

    It takes the place of one that an ended process has left. Raises OSError.
    """
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.setblocking(False)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def accepted(listener: socket.socket) -> Iterator[socket.socket]:
    """The senders that have connected by now."""
    while True:
        try:
            sender, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        sender.setblocking(False)
        yield sender


def received(sender: socket.socket) -> tuple[socket.socket, bytes] | None:
    """The connection that a sender hands over, with the head of its request; None without one."""
    try:
        head, descriptors, _, _ = socket.recv_fds(sender, LARGEST_HEAD, 1)
    except OSError:  # nothing has come after all
        return None
    for descriptor in descriptors:
        client = socket.socket(fileno=descriptor)
        client.setblocking(False)
        return client, head
    return None
