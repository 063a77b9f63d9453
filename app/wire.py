"""HTTP/1.1 as ordinary clients speak it, between bytes and WSGI.

What is out of the ordinary (chunks, expectations, repeated headers, anything malformed) is left to
gunicorn's parser, which is as strict as it is slow. Answers to both are written here.
"""

import io
import re
import socket
import sys
import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from gunicorn.util import unquote_to_wsgi_str

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LONGEST = 8000  # bytes of a head; below each of gunicorn's limits
MOST_HEADERS = 90
LINE = re.compile(
    r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/(?!/)[!\"$->@-~]*)(?:\?([!\"$-~]*))? HTTP/1\.1"
)
HEADERS = re.compile(r"(?:[A-Za-z0-9-]++:[\t\x20-\x7e\x80-\xff]*+\r\n)+")
HEADER = re.compile(r"([A-Za-z0-9-]+):[\t ]*([^\r]*)\r\n")
# A name of labels, or an IPv6 address; the form that DNS and nginx know, not all of RFC 3986's.
HOST = re.compile(
    r"(?:[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?"
)
LENGTH = re.compile(r"0|[1-9][0-9]{0,7}")
CLOSING, KEEPING = "close", "keep-alive"
# Those that say how the message goes on, or that gunicorn has an opinion on.
UNUSUAL = {
    "HTTP_TRANSFER_ENCODING",
    "HTTP_EXPECT",
    "HTTP_UPGRADE",
    "HTTP_TE",
    "HTTP_TRAILER",
    "HTTP_HTTP2_SETTINGS",
    "HTTP_X_FORWARDED_PROTOCOL",
    "HTTP_X_FORWARDED_SSL",
}
NAMES = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}
BODILESS = (204, 304)
Ordinary: TypeAlias = tuple["WSGIEnvironment", bytes]  # a request, and what follows it
ENVIRONMENT = {
    "SCRIPT_NAME": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


def read(data: bytes, connection: "WSGIEnvironment") -> Ordinary | None:
    """The request that `data` begins with, and what follows it.

    `connection` is what all requests of a connection share. None unless all of the request is here
    and nothing about it is out of the ordinary.
    """
    head = _head(data)
    if head is None:
        return None
    line, fields, end, following = head
    request = LINE.fullmatch(line)
    if request is None or "HTTP_HOST" not in fields or len(data) < following:
        return None
    method, path, query = request.groups()
    environ = {
        **ENVIRONMENT,
        **connection,
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_wsgi_str(path) if "%" in path else path,
        "QUERY_STRING": query or "",
        "wsgi.input": io.BytesIO(data[end:following]),
        **fields,
    }
    return environ, data[following:]


def lacks_body(data: bytes, limit: int) -> bool:
    """Whether an ordinary head is here, and its body of up to `limit` bytes is not."""
    head = _head(data)
    if head is None:
        return False
    _, _, end, following = head
    return following - end <= limit and len(data) < following


def _head(data: bytes) -> tuple[str, "WSGIEnvironment", int, int] | None:
    """The first line and the fields, and where head and body end; None unless it is ordinary."""
    end = data.find(b"\r\n\r\n") + 4
    if not 4 < end <= LONGEST:
        return None
    line, _, block = data[: end - 2].decode("latin-1").partition("\r\n")
    fields = _fields(block)
    if fields is None:
        return None
    return line, fields, end, end + int(fields.get("CONTENT_LENGTH", 0))


@lru_cache(1000)
def _fields(block: str) -> "WSGIEnvironment | None":
    """The header lines as WSGI has them, never to be changed: who comes again sends the same.

    None unless there are some, each once, that say nothing out of the ordinary.
    """
    headers = HEADER.findall(block) if HEADERS.fullmatch(block) else []
    fields = {_key(name): value.rstrip("\t ") for name, value in headers}
    if (
        not 0 < len(fields) == len(headers) <= MOST_HEADERS
        or not UNUSUAL.isdisjoint(fields)
        or fields.get("HTTP_CONNECTION", KEEPING).lower() not in (CLOSING, KEEPING)
        or not LENGTH.fullmatch(fields.get("CONTENT_LENGTH", "0"))
        or not is_host(fields.get("HTTP_HOST", "none"))
    ):
        return None
    return fields


@lru_cache(100)
def is_host(text: str) -> bool:
    """Whether a Host header may say this."""
    return HOST.fullmatch(text) is not None


def shared(client: Any, server: Any) -> "WSGIEnvironment":
    """What all requests of a connection share, from its two addresses; a Unix socket has none."""
    address, port = client[:2] if isinstance(client, tuple) else ("", "")
    name, own_port = server[:2] if isinstance(server, tuple) else ("localhost", 80)
    return {
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(port),
        "SERVER_NAME": name,
        "SERVER_PORT": str(own_port),
    }


def _key(name: str) -> str:
    upper = name.upper()
    return NAMES.get(upper) or "HTTP_" + upper.replace("-", "_")


class Answer:
    """An answer on its way: `start` is WSGI's start_response, then come `send` and `end`."""

    def __init__(self, client: socket.socket, environ: "WSGIEnvironment", *, keep: bool) -> None:
        self._client = client
        self._is_head = environ["REQUEST_METHOD"] == "HEAD"
        self._takes_chunks = environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        wanted = environ.get("HTTP_CONNECTION", KEEPING if self._takes_chunks else CLOSING)
        self.keep = keep and wanted.lower() == KEEPING
        self.has_begun = False
        self._head = b""
        self._has_body = self._is_chunked = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        """Makes the head, which leaves with the first piece of the body."""
        self._has_body = not (self._is_head or int(status[:3]) in BODILESS)
        has_end = not self._has_body or "Content-Length" in dict(headers)
        self._is_chunked = not has_end and self._takes_chunks
        self.keep = self.keep and (has_end or self._is_chunked)
        own = [("Date", _date(int(time.time()))), ("Connection", KEEPING if self.keep else CLOSING)]
        if self._is_chunked:
            own.append(("Transfer-Encoding", "chunked"))
        lines = map(": ".join, own + headers)
        self._head = "\r\n".join([f"HTTP/1.1 {status}", *lines, "\r\n"]).encode("latin-1")

    def send(self, piece: bytes) -> None:
        """Sends a piece of the body."""
        if not self._has_body or not piece:
            return
        if self._is_chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        self._write(piece)

    def end(self) -> None:
        """Sends what is missing after the last piece."""
        if self._is_chunked:
            self._write(b"0\r\n\r\n")
        elif not self.has_begun:
            self._write(b"")

    def _write(self, data: bytes) -> None:
        if not self.has_begun:
            self.has_begun, data = True, self._head + data
        self._client.sendall(data)


@lru_cache(2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
