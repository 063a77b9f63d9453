"""HTTP/1.1 between bytes and WSGI: requests read by httptools (llhttp), responses written here.

llhttp takes 6.7 µs for a request of the usual size, and refuses what is malformed.
"""

import io
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import httptools

from app.errors import AppError, BadRequest, HeadersTooLarge, NotImplementedHere, UriTooLong

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LONGEST_TARGET = 8190  # bytes; a cursor that holds a title, next to a search for 200 characters
LONGEST_FIELD = 8190  # bytes of a header's name and value
MOST_FIELDS = 100
LARGE_PIECE = 64 * 1024  # bytes; to copy a longer one costs more than to send the head before it
LARGEST_HEAD = LONGEST_TARGET + MOST_FIELDS * LONGEST_FIELD  # bytes
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: |\Z)")
FIELDS = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
CLOSE, KEEP_ALIVE = "close", "keep-alive"
ENVIRON = {
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


class Request:
    """A request whose head has been read, and the part of its body that has arrived."""

    def __init__(self, environ: "WSGIEnvironment", length: int, *, keep_alive: bool) -> None:
        self.environ, self.length, self.keep_alive = environ, length, keep_alive
        self.body = bytearray()
        self.is_complete = False


def addresses(client: Any, server: Any) -> dict[str, str]:
    """The part of the environ that tells which socket addresses a connection has.

    A Unix socket has none: its client's are empty.
    """
    host, port = client[:2] if isinstance(client, tuple) else ("", "")
    name, own_port = server[:2] if isinstance(server, tuple) else ("localhost", 80)
    shared = {"REMOTE_ADDR": host, "REMOTE_PORT": str(port)}
    return {**shared, "SERVER_NAME": name, "SERVER_PORT": str(own_port)}


class RequestReader:
    """Reads the requests of one connection; llhttp calls its `on_` methods.

    Behind an `error` nothing is read. `is_partial`: a request has begun, and has not ended.
    `fields` are the headers of the last one that has begun, under their names in the environ.
    """

    def __init__(self, shared: "WSGIEnvironment") -> None:
        """`shared` is the part of the environ that all requests of the connection have."""
        self.requests: deque[Request] = deque()
        self.fields: dict[str, str] = {}
        self.error: AppError | None = None
        self.is_partial = self.expects_continue = self._is_in_head = False
        self._shared, self._start, self._head_size = shared, b"", 0
        self._parser = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Reads `data`; sets `error` where it is not HTTP/1.1, or over a limit."""
        if self.error is not None:
            return
        self._start = (self._start if self._is_in_head else b"")[:32] + data[:32]
        self._head_size += len(data) if self._is_in_head else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:  # not accepted: HTTP/1.1 goes on
            self._parser = httptools.HttpRequestParser(self)
            if upgrade.args[0] < len(data):
                self.feed(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            self._fail(NotImplementedHere() if TOKEN.match(self._start) else BadRequest())
        except httptools.HttpParserError:
            self._fail(BadRequest())
        if self._is_in_head and self._head_size > LARGEST_HEAD:
            self._fail(HeadersTooLarge())

    def _fail(self, error: AppError) -> None:
        self.error = self.error or error

    def on_message_begin(self) -> None:
        """Starts a request."""
        self.is_partial = self._is_in_head = True
        self._target, self._head_size, self._field_count = b"", 0, 0
        self.fields = {}

    def on_url(self, part: bytes) -> None:
        """Adds a part of the request target."""
        self._target += part
        if len(self._target) > LONGEST_TARGET:
            self._fail(UriTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header; ignores trailers."""
        self._field_count += 1
        if self._field_count > MOST_FIELDS or len(name) + len(value) > LONGEST_FIELD:
            self._fail(HeadersTooLarge())
        key = _environ_key(name)
        if key is not None and self._is_in_head:
            text, present = value.decode("latin-1"), self.fields.get(key)
            self.fields[key] = text if present is None else f"{present},{text}"

    def on_headers_complete(self) -> None:
        """Makes the environ."""
        self._is_in_head = False
        fields, version = self.fields, self._parser.get_http_version()
        coding, expectation = fields.get("HTTP_TRANSFER_ENCODING"), fields.pop("HTTP_EXPECT", "")
        if coding is not None and coding.lower() != "chunked":
            self._fail(NotImplementedHere())
        is_readable = version == "1.1" or (version == "1.0" and coding is None)
        if not is_readable or expectation.lower() not in ("", "100-continue"):
            self._fail(BadRequest())
        self.expects_continue = expectation != "" and version == "1.1"
        path, query = _split(self._target)
        environ = {
            **ENVIRON,
            **self._shared,
            "REQUEST_METHOD": self._parser.get_method().decode(),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": f"HTTP/{version}",
            **fields,
        }
        length, keep_alive = int(fields.get("CONTENT_LENGTH", 0)), self._parser.should_keep_alive()
        if self.error is None:
            self.requests.append(Request(environ, length, keep_alive=keep_alive))

    def on_body(self, piece: bytes) -> None:
        """Adds a part of the body, without the framing of chunks."""
        self.expects_continue = False
        if self.error is None:
            self.requests[-1].body += piece

    def on_message_complete(self) -> None:
        """Ends a request."""
        self.is_partial = self.expects_continue = False
        if self.error is None:
            self.requests[-1].is_complete = True


@lru_cache(1000)
def _environ_key(name: bytes) -> str | None:
    """The header's name in the environ; None for one that only differs from another in `_`."""
    if b"_" in name:
        return None
    lower = name.lower()
    return FIELDS.get(lower) or "HTTP_" + lower.decode("latin-1").upper().replace("-", "_")


def _split(target: bytes) -> tuple[str, str]:
    """Path and query of a request target; of an absolute URL the path and query alone."""
    if not target.startswith((b"/", b"*")):
        _, _, rest = target.partition(b"://")
        target = b"/" + rest.partition(b"/")[2]
    path, _, query = target.partition(b"#")[0].partition(b"?")
    text = (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1")
    return text, query.decode("latin-1")


class BodyStream(io.RawIOBase):
    """wsgi.input of a body that has not arrived to its end."""

    def __init__(self, request: Request, receive: Callable[[], bool]) -> None:
        """`receive` feeds the reader; it returns False at the connection's end."""
        self._request, self._receive = request, receive

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer` with what has arrived; waits where nothing has."""
        request = self._request
        while not request.body and not request.is_complete and self._receive():
            pass
        count = min(len(buffer), len(request.body))
        buffer[:count] = request.body[:count]
        del request.body[:count]
        return count


class ResponseWriter:
    """Frames one response: `start` is WSGI's start_response, `send` and `end` follow."""

    def __init__(
        self, write: Callable[[bytes], None], request: Request, *, keep_alive: bool
    ) -> None:
        self._pass_on, self._request = write, request
        self._is_head = request.environ["REQUEST_METHOD"] == "HEAD"
        self._takes_chunks = request.environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        self.keep_alive = keep_alive and request.keep_alive
        self.has_begun = False
        self._head = b""
        self._has_body = self._is_chunked = False

    def start(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,  # WSGI's signature
    ) -> None:
        """Makes the head, which is sent with the first piece of the body."""
        self._has_body = not (self._is_head or status[:3] in ("204", "304"))
        is_delimited = not self._has_body or "Content-Length" in dict(headers)
        self._is_chunked = not is_delimited and self._takes_chunks
        is_framed = is_delimited or self._is_chunked
        self.keep_alive = self.keep_alive and is_framed and self._request.is_complete
        connection = KEEP_ALIVE if self.keep_alive else CLOSE
        own = [("Date", _date(int(time.time()))), ("Connection", connection)]
        if self._is_chunked:
            own.append(("Transfer-Encoding", "chunked"))
        lines = map(": ".join, own + headers)
        self._head = "\r\n".join([f"HTTP/1.1 {status}", *lines, "\r\n"]).encode("latin-1")

    def send(self, piece: bytes) -> None:
        """Sends a piece of the body."""
        if self._has_body and piece:
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece)

    def end(self) -> None:
        """Sends what is missing behind the last piece."""
        if self._is_chunked:
            self._write(b"0\r\n\r\n")
        elif not self.has_begun:
            self._write(b"")

    def _write(self, data: bytes) -> None:
        if not self.has_begun:
            self.has_begun = True
            head, self._head = self._head, b""  # an event stream is kept for long
            if len(data) > LARGE_PIECE:
                self._pass_on(head)
            else:
                data = head + data
        self._pass_on(data)


@lru_cache(2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
