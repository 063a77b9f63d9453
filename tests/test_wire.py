"""What is read quickly is read as gunicorn's parser reads it; what that refuses is left to it."""

import socket
from io import BytesIO
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from app import wire

CLIENT, SERVER = ("192.0.2.7", 40001), ("192.0.2.1", 8000)
SHARED = wire.shared(CLIENT, SERVER)
COMPARED = [
    *("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SCRIPT_NAME", "SERVER_PROTOCOL"),
    *("REMOTE_ADDR", "REMOTE_PORT", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme"),
]
ORDINARY = b"GET /api/me/tasks?limit=5 HTTP/1.1\r\nHost: todo.example\r\nAccept: */*\r\n\r\n"
WITH_BODY = b"POST /a%C3%A4 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"

TOKENS = st.text(st.sampled_from("abcXYZ0189-"), min_size=1, max_size=8)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
ANYTHING = st.text(st.characters(codec="latin-1"), max_size=8)
NAMES = "Host host Content-Length Content-Type Transfer-Encoding Connection Expect Upgrade TE"
NAMES += " X_Y X-Y Script-Name X-Forwarded-Proto X-Forwarded-SSL Trailer HTTP2-Settings"


def mostly(usual: st.SearchStrategy[str], *odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The usual nine times of ten: one odd part is enough to have a request refused."""
    return st.integers(0, 9).flatmap(lambda number: st.one_of(*odd) if number == 0 else usual)


methods = mostly(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]), ANYTHING
)
targets = mostly(
    st.one_of(PRINTABLE.map(lambda text: f"/{text.replace(' ', '+')}"), st.just("/a%C3%A4?b=%20")),
    st.sampled_from(["//a", "/a?b?c", "/a#b", "*", "http://a/b", "/%41%zz%00"]),
    ANYTHING.map(lambda text: f"/{text}"),
)
versions = mostly(st.just("HTTP/1.1"), st.sampled_from(["HTTP/1.0", "HTTP/2.0", "http/1.1", ""]))
names = mostly(TOKENS, st.sampled_from([*NAMES.split(), "X Y", ""]), ANYTHING)
values = mostly(
    PRINTABLE,
    st.sampled_from(["0", "2", "02", "+2", "1e1", "chunked", "keep-alive", "Close", "upgrade"]),
    ANYTHING,
)
spaces = st.sampled_from(["", " ", "  ", "\t", " \t"])
ends = mostly(st.just("\r\n"), st.sampled_from(["\r\n", "\r\n", "\n", "\r", "\r\n "]))
hosts = mostly(st.just("Host: todo.example:8000\r\n"), st.sampled_from(["", "Host: a..b\r\n"]))
headers = st.lists(st.tuples(names, spaces, values, spaces, ends), min_size=1, max_size=4)
bodies = st.sampled_from([b"", b"", b"{}", b"{}GET / HTTP/1.1\r\n\r\n", b"\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request."""
    lines = [f"{draw(methods)} {draw(targets)} {draw(versions)}\r\n", draw(hosts)]
    lines += [
        f"{name}:{before}{value}{after}{end}" for name, before, value, after, end in draw(headers)
    ]
    return "".join([*lines, "\r\n"]).encode("latin-1") + draw(bodies)


def strictly(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The environment that gunicorn makes of it, and the body; raises where it refuses."""
    parser = RequestParser(Config(), iter([data]), CLIENT)
    request = next(parser)
    near, far = socket.socketpair()
    with near, far:
        _, environ = wsgi.create(request, near, CLIENT, SERVER, Config())
    return environ, environ["wsgi.input"].read()


def headers_of(environ: dict[str, Any]) -> dict[str, str]:
    return {
        name: value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))
    }


@pytest.mark.proves("API-16")
@given(requests())
@example(ORDINARY)
@example(WITH_BODY)
@settings(max_examples=600, deadline=None)
def test_what_is_read_quickly_is_what_the_strict_parser_reads(data: bytes) -> None:
    read = wire.read(data, SHARED)
    if read is None:
        return
    environ, following = read
    event("read quickly")
    strict, body = strictly(data)
    assert headers_of(environ) == headers_of(strict)
    assert {name: environ[name] for name in COMPARED} == {name: strict[name] for name in COMPARED}
    assert environ["wsgi.input"].read() == body
    assert data.endswith(body + following)


@pytest.mark.parametrize("data", [ORDINARY, WITH_BODY])
def test_what_is_ordinary_is_read_and_leaves_what_follows(data: bytes) -> None:
    read = wire.read(data + ORDINARY, SHARED)
    assert read is not None
    assert read[1] == ORDINARY


@pytest.mark.parametrize("length", range(len(WITH_BODY)))
def test_what_is_not_all_here_is_not_read(length: int) -> None:
    assert wire.read(WITH_BODY[:length], SHARED) is None


class Client:
    """A socket's other end, which takes a few bytes at a time."""

    def __init__(self) -> None:
        self.taken = BytesIO()

    def sendall(self, data: bytes) -> None:
        self.taken.write(data)


def answered(environ: dict[str, str], sent: list[tuple[str, str]], *pieces: bytes) -> bytes:
    client = Client()
    answer = wire.Answer(client, environ, keep=True)  # type: ignore[arg-type]
    answer.start("200 OK", sent)
    for piece in pieces:
        answer.send(piece)
    answer.end()
    return client.taken.getvalue().partition(b"\r\n\r\n")[2]


GET = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}
LENGTH = [("Content-Length", "4")]


@pytest.mark.parametrize(
    ("environ", "headers", "body"),
    [
        (GET, LENGTH, b"abcd"),
        (GET, [], b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"),
        ({**GET, "SERVER_PROTOCOL": "HTTP/1.0"}, [], b"abcd"),
        ({**GET, "REQUEST_METHOD": "HEAD"}, LENGTH, b""),
        ({**GET, "REQUEST_METHOD": "HEAD"}, [], b""),
    ],
)
def test_a_body_leaves_as_its_client_can_take_it(
    environ: dict[str, str], headers: list[tuple[str, str]], body: bytes
) -> None:
    assert answered(environ, headers, b"ab", b"", b"cd") == body
