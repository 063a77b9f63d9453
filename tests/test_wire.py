"""Requests that the service reads by itself mean to it what they mean to gunicorn's parser."""

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser
from hypothesis import given
from hypothesis import strategies as st

from app import wire

CLIENT, SERVER = ("192.0.2.1", 4711), ("192.0.2.2", 80)
METHODS = [b"GET", b"POST", b"HEAD", b"DELETE"]
ODD_METHODS = [b"get", b"TRACE", b"G ET", b""]
TARGETS = [
    b"/",
    b"/api/me/tasks",
    b"/api/me/tasks?q=a%20b&limit=5",
    b"/a%2Fb/%E2%82%AC/%00",
    b"/a?b?c",
]
ODD_TARGETS = [
    b"//host/a", b"/a#b", b"/a;b=c", b"http://host/a", b"*", b"/a\x80", b"/%", b"/a b",
    b"/\xc3\xa4",
]  # fmt: skip
ODD_VERSIONS = [b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1.10"]
HEADERS = [
    b"Host: a", b"Accept: */*", b"X-Long: " + b"a" * 300, b"Connection: close", b"X-Empty:",
    b"Connection: keep-alive", b"Content-Type: application/json", b"A-B:  c ", b"X-Tab:\ta\tb\t",
    b"X-Latin: \xe4\xf6", b"X-Forwarded-For: 198.51.100.1", b"Authorization: Bearer a.b.c",
]  # fmt: skip
ODD_HEADERS = [
    b"host:b", b"Content-Length: 04", b"Content-Length: +4", b"Content-Length: 4, 4", b"Trailer: a",
    b"Content-Length : 4", b"Content-Length: 4 ", b"Content-Length:", b"Content_Length: 4",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked", b"Connection: Upgrade",
    b": empty", b"Expect: 100-continue", b" folded: yes", b"\tmore", b"No-Colon", b"X-NUL: a\0b",
    b"X-CR: a\rb", b"X-LF: a\nb", b"TE: trailers", b"\x7f: a", b"Accept: text/html",
    b"Content-Length: 4",
]  # fmt: skip
BODIES = [b"", b"abcd", b"abcdGET / HTTP/1.1\r\n\r\n", b"4\r\nabcd\r\n0\r\n\r\n", b"ab"]


def mostly(good: list[bytes], odd: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the good ones nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda dice: st.sampled_from(good if dice else odd))


def by_gunicorn(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """WSGI's environment, the body and what follows, as the parser has them; raises as it does."""
    config = Config()
    parser = RequestParser(config, [data], CLIENT)
    request = next(parser)
    _, environ = wsgi.create(request, None, CLIENT, SERVER, config)
    body = request.body.read()
    return environ, body, parser.unreader.take_buffered()


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request, half of them good ones."""
    end = draw(mostly([b"\r\n"], [b"\n", b"\r"]))
    line = [
        draw(mostly(METHODS, ODD_METHODS)),
        draw(mostly(TARGETS, ODD_TARGETS)),
        draw(mostly([b"HTTP/1.1"], ODD_VERSIONS)),
    ]
    body = draw(st.sampled_from(BODIES))
    headers = draw(st.lists(mostly(HEADERS, ODD_HEADERS), max_size=4, unique=True))
    if draw(st.booleans()):
        headers.append(b"Content-Length: %d" % min(4, len(body)))
    data = end.join([b" ".join(line), *headers, b"", body])
    if draw(st.integers(0, 4)):
        return data
    place = draw(st.integers(0, len(data)))
    return data[:place] + draw(st.binary(max_size=2)) + data[place + draw(st.integers(0, 1)) :]


def agree(data: bytes) -> None:
    """Holds what the service reads by itself, if it does, against what the parser reads."""
    ours = wire.read(data, wire.shared(CLIENT, SERVER))
    if ours is None:
        return
    environ, following = ours
    theirs, body, rest = by_gunicorn(data)
    assert environ["wsgi.input"].read() == body
    assert following == rest
    assert {name: value for name, value in environ.items() if name.isupper()} == {
        name: value for name, value in theirs.items() if name in environ and name.isupper()
    }
    assert {name for name in theirs if name.startswith(("HTTP_", "CONTENT_"))} <= environ.keys()


@given(requests())
def test_what_is_read_without_the_parser_is_what_the_parser_reads(data: bytes) -> None:
    agree(data)


ODD_LINES = [
    *(b"%s / HTTP/1.1" % each for each in ODD_METHODS),
    *(b"POST %s HTTP/1.1" % each for each in [*TARGETS, *ODD_TARGETS]),
    *(b"POST / %s" % each for each in ODD_VERSIONS),
]


@pytest.mark.parametrize("line", ODD_LINES)
def test_an_odd_request_line_means_the_same_to_both(line: bytes) -> None:
    agree(line + b"\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize("header", [*HEADERS, *ODD_HEADERS])
@pytest.mark.parametrize("body", BODIES)
def test_an_odd_header_means_the_same_to_both(header: bytes, body: bytes) -> None:
    for usual in (b"Host: a", b"Accept: */*\r\nContent-Length: 4", b"Content-Length: 0"):
        agree(b"\r\n".join([b"POST / HTTP/1.1", usual, header, b"", body]))


def test_an_ordinary_request_is_read_without_the_parser() -> None:
    assert wire.read(b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcdGET", {}) is not None
