"""The worker's HTTP/1.1: parsing requests, framing responses."""

import http.client
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import AppError, BadRequest, HeadersTooLarge, NotImplementedHere, UriTooLong
from app.serving.http1 import BodyStream, Request, RequestReader, ResponseWriter

SHARED = {"REMOTE_ADDR": "192.0.2.7", "SERVER_NAME": "192.0.2.1", "SERVER_PORT": "8000"}
GET = b"GET /api/me/tasks?limit=5&q=%20 HTTP/1.1\r\nHost: todo.example\r\nAccept: */*\r\n\r\n"
POST = b"POST /a%C3%A4 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n1;name=value\r\n \r\n0\r\nX-Trailer: 1\r\n\r\n"
)


def read(*pieces: bytes) -> RequestReader:
    """A reader that has received these pieces."""
    reader = RequestReader(SHARED)
    for piece in pieces:
        reader.feed(piece)
    return reader


def test_a_request_becomes_a_wsgi_environ() -> None:
    (request,) = read(GET).requests
    environ = request.environ
    assert environ["REQUEST_METHOD"] == "GET"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/api/me/tasks", "limit=5&q=%20")
    assert (environ["HTTP_HOST"], environ["HTTP_ACCEPT"]) == ("todo.example", "*/*")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert (request.is_complete, request.keep_alive, bytes(request.body)) == (True, True, b"")


def test_a_path_is_decoded_to_latin_1_as_pep_3333_wants_it() -> None:
    (request,) = read(POST).requests
    assert request.environ["PATH_INFO"] == "/aä".encode().decode("latin-1")
    assert (request.environ["CONTENT_LENGTH"], bytes(request.body)) == ("2", b"{}")


def test_a_chunked_body_is_read_without_its_framing_and_trailers() -> None:
    (request,) = read(CHUNKED).requests
    assert (request.is_complete, bytes(request.body)) == (True, b"{} ")
    assert "HTTP_X_TRAILER" not in request.environ


@pytest.mark.parametrize("data", [GET, POST, CHUNKED, GET + POST + CHUNKED])
def test_a_request_is_parsed_alike_in_pieces_of_any_size(data: bytes) -> None:
    whole = [(each.environ, bytes(each.body)) for each in read(data).requests]
    for size in (1, 7, 50):
        pieces = [data[begin : begin + size] for begin in range(0, len(data), size)]
        reader = read(*pieces)
        assert [(each.environ, bytes(each.body)) for each in reader.requests] == whole
        assert (reader.error, reader.is_partial) == (None, False)


@pytest.mark.parametrize("length", range(1, len(POST)))
def test_a_partial_request_is_not_complete(length: int) -> None:
    reader = read(POST[:length])
    assert reader.is_partial
    assert not [each for each in reader.requests if each.is_complete]


def head(*lines: bytes, first: bytes = b"POST /a HTTP/1.1") -> bytes:
    return b"\r\n".join([first, b"Host: a", *lines, b"", b""])


REFUSED: dict[str, tuple[bytes, type[AppError]]] = {
    "TLS": (b"\x16\x03\x01\x02\x00\r\n\r\n", BadRequest),
    "an unknown method": (head(first=b"FANCY /a HTTP/1.1"), NotImplementedHere),
    "HTTP/0.9": (b"GET /a\r\n\r\n", BadRequest),
    "HTTP/2": (head(first=b"GET /a HTTP/2.0"), BadRequest),
    "bare line feeds": (b"GET /a HTTP/1.1\nHost: a\n\n", BadRequest),
    "a blank before the colon": (head(b"X : 1"), BadRequest),
    "a folded header": (head(b"X: 1", b" 2"), BadRequest),
    "two lengths": (head(b"Content-Length: 2", b"Content-Length: 2"), BadRequest),
    "a length and chunks": (head(b"Content-Length: 2", b"Transfer-Encoding: chunked"), BadRequest),
    "chunks in HTTP/1.0": (
        head(b"Transfer-Encoding: chunked", first=b"POST /a HTTP/1.0"),
        BadRequest,
    ),
    "a coding under the chunks": (head(b"Transfer-Encoding: gzip, chunked"), NotImplementedHere),
    "an expectation": (head(b"Expect: a-miracle"), BadRequest),
    "a long target": (head(first=b"GET /" + b"a" * 9000 + b" HTTP/1.1"), UriTooLong),
    "a long header": (head(b"X: " + b"a" * 9000), HeadersTooLarge),
    "many headers": (head(*[b"X: 1"] * 200), HeadersTooLarge),
}


@pytest.mark.proves("API-16")
@pytest.mark.parametrize("case", REFUSED)
def test_malformed_and_too_large_requests_are_refused(case: str) -> None:
    data, error = REFUSED[case]
    assert type(read(data).error) is error
    assert type(read(*[data[at : at + 5] for at in range(0, len(data), 5)]).error) is error


def test_an_endless_head_is_refused_at_the_limit() -> None:
    reader = read(b"GET /a HTTP/1.1\r\nX: ")
    fed = 0
    while reader.error is None:
        reader.feed(b"a" * 10_000)
        fed += 10_000
        assert fed < 1_000_000
    assert isinstance(reader.error, HeadersTooLarge)


def test_a_header_with_an_underscore_is_dropped_as_it_could_pass_for_another() -> None:
    (request,) = read(head(b"X_Forwarded_For: 1", b"X-Real: 2")).requests
    assert "HTTP_X_FORWARDED_FOR" not in request.environ
    assert request.environ["HTTP_X_REAL"] == "2"


def test_repeated_headers_are_joined_by_commas() -> None:
    (request,) = read(head(b"Accept: a", b"Accept: b")).requests
    assert request.environ["HTTP_ACCEPT"] == "a,b"


def test_an_upgrade_offer_is_ignored() -> None:
    offer = head(b"Connection: Upgrade", b"Upgrade: websocket", first=b"GET /a HTTP/1.1")
    reader = read(offer + GET)
    assert [each.environ["PATH_INFO"] for each in reader.requests] == ["/a", "/api/me/tasks"]
    assert reader.error is None


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://todo.example/a?b", "/a", "b"),
        (b"http://todo.example", "/", ""),
        (b"*", "*", ""),
        (b"/a#b", "/a", ""),
        (b"//a", "//a", ""),
    ],
)
def test_other_forms_of_a_request_target_are_parsed(target: bytes, path: str, query: str) -> None:
    (request,) = read(head(first=b"GET %b HTTP/1.1" % target)).requests
    assert (request.environ["PATH_INFO"], request.environ["QUERY_STRING"]) == (path, query)


@given(st.lists(st.binary(max_size=40), max_size=8))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_raise_no_exception(pieces: list[bytes]) -> None:
    reader = read(b"GET /a HTTP/1.1\r\n", *pieces)
    assert reader.error is None or isinstance(reader.error, AppError)


def test_a_body_stream_waits_for_the_rest_and_ends_with_the_connection() -> None:
    (request,) = (reader := read(POST[:-2])).requests
    arriving = [b"{", b"}"]

    def receive() -> bool:
        if arriving:
            reader.feed(arriving.pop(0))
            return True
        return False

    stream = BodyStream(request, receive)
    assert [stream.read(1), stream.read(5), stream.read(5)] == [b"{", b"}", b""]
    (cut_off,) = read(POST[:-1]).requests
    assert BodyStream(cut_off, lambda: False).read(5) == b"{"


def written(environ: dict[str, Any], sent: list[tuple[str, str]], *pieces: bytes) -> bytes:
    received: list[bytes] = []
    request = Request(environ, 0, keep_alive=True)
    request.is_complete = True
    response = ResponseWriter(received.append, request, keep_alive=True)
    response.start("200 OK", sent)
    for piece in pieces:
        response.send(piece)
    response.end()
    return b"".join(received)


EXPECTED = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}
LENGTH = [("Content-Length", "4")]


@pytest.mark.parametrize(
    ("environ", "headers", "body"),
    [
        (EXPECTED, LENGTH, b"abcd"),
        (EXPECTED, [], b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"),
        ({**EXPECTED, "SERVER_PROTOCOL": "HTTP/1.0"}, [], b"abcd"),
        ({**EXPECTED, "REQUEST_METHOD": "HEAD"}, LENGTH, b""),
        ({**EXPECTED, "REQUEST_METHOD": "HEAD"}, [], b""),
    ],
)
def test_a_body_is_framed_by_its_length_chunks_or_the_connection_s_end(
    environ: dict[str, str], headers: list[tuple[str, str]], body: bytes
) -> None:
    sent = written(environ, headers, b"ab", b"", b"cd")
    assert sent.partition(b"\r\n\r\n")[2] == body
    parsed = http.client.parse_headers(BytesIO(sent.partition(b"\r\n")[2]))
    is_delimited = "Content-Length" in parsed or "Transfer-Encoding" in parsed
    assert parsed["Connection"] == ("keep-alive" if is_delimited or not body else "close")
