"""Bodies are read from wsgi.input within their length, on any WSGI server (PEP 3333)."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, data, error

BODY = b'{"title": "read whole"}'
BODY_LIMIT = 64 * 1024  # bytes


class Input:
    """A wsgi.input with this content, of which each read returns at most `step` bytes.

    It is not terminated: a read beyond the content raises, where a socket would block.
    """

    def __init__(self, content: bytes, step: int = 2**16, *, is_terminated: bool = False) -> None:
        self.left, self.step, self.is_terminated = content, step, is_terminated
        self.reads = 0

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, and at most one step."""
        self.reads += 1
        if not self.is_terminated and not 0 <= size <= len(self.left):
            raise AssertionError(f"a read of {size} bytes where {len(self.left)} are left")
        size = min(size, self.step) if size >= 0 else len(self.left)
        content, self.left = self.left[:size], self.left[size:]
        return content


def create(user: ApiUser, stream: Any, **environ: Any) -> TestResponse:
    """Creates a task from that wsgi.input; `environ` has what the server says about it."""
    overrides = {"wsgi.input": stream, "wsgi.input_terminated": False, "CONTENT_LENGTH": ""}
    return user.post(content_type="application/json", environ_overrides={**overrides, **environ})


@pytest.mark.proves("RUN-32")
@pytest.mark.parametrize("step", [1, 7, len(BODY), 2**16])
def test_a_body_is_read_within_its_content_length(alice: ApiUser, step: int) -> None:
    stream = Input(BODY, step)
    answer = create(alice, stream, CONTENT_LENGTH=str(len(BODY)))
    assert data(answer)["title"] == "read whole"
    assert stream.left == b""


@pytest.mark.proves("RUN-32")
def test_bytes_after_the_content_length_are_left_to_the_server(alice: ApiUser) -> None:
    stream = Input(BODY + b"GET / HTTP/1.1")
    assert create(alice, stream, CONTENT_LENGTH=str(len(BODY))).status_code == 201
    assert stream.left == b"GET / HTTP/1.1"


@pytest.mark.proves("RUN-32")
def test_a_request_without_a_body_reads_nothing(alice: ApiUser) -> None:
    stream = Input(b"")
    path = f"/{alice.create()['id']}/complete"
    for length in ("", "0"):
        environ = {"wsgi.input": stream, "CONTENT_LENGTH": length}
        assert alice.patch(path, environ_overrides=environ).status_code == 200
    assert stream.reads == 0


@pytest.mark.proves("RUN-32")
@pytest.mark.parametrize("step", [7, 2**16])
def test_a_chunked_body_is_read_where_the_server_terminates_its_input(
    alice: ApiUser, step: int
) -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    answer = create(alice, Input(BODY, step, is_terminated=True), **chunked)
    assert data(answer)["title"] == "read whole"
    large = Input(BODY.ljust(BODY_LIMIT + 1), is_terminated=True)
    assert error(create(alice, large, **chunked)) == (413, "PAYLOAD_TOO_LARGE")
    endless = Input(BODY.ljust(10 * BODY_LIMIT), is_terminated=True)
    assert error(create(alice, endless, **chunked)) == (413, "PAYLOAD_TOO_LARGE")
    assert len(endless.left) >= 8 * BODY_LIMIT


@pytest.mark.proves("RUN-32")
def test_a_chunked_body_is_a_501_where_the_server_does_not_terminate_its_input(
    alice: ApiUser,
) -> None:
    stream = Input(BODY)
    answer = create(alice, stream, HTTP_TRANSFER_ENCODING="chunked")
    assert error(answer) == (501, "NOT_IMPLEMENTED")
    assert "Content-Length" in answer.get_json()["error"]["message"]
    assert stream.reads == 0
    assert data(alice.get()) == []


def test_a_body_shorter_than_its_content_length_is_a_bad_request(alice: ApiUser) -> None:
    stream = Input(BODY, is_terminated=True)
    answer = create(alice, stream, CONTENT_LENGTH=str(len(BODY) + 1))
    assert error(answer) == (400, "BAD_REQUEST")


def test_an_error_of_the_server_while_it_reads_is_a_bad_request(alice: ApiUser) -> None:
    class Reset:
        def read(self, _size: int) -> bytes:
            raise ConnectionResetError

    assert error(create(alice, Reset(), CONTENT_LENGTH="9")) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("length", ["-1", "+2", " 2", "2 ", "1_0", "٣", "0x2", "2, 2", "9" * 20])
def test_a_malformed_content_length_is_a_bad_request(alice: ApiUser, length: str) -> None:
    stream = Input(BODY)
    assert error(create(alice, stream, CONTENT_LENGTH=length)) == (400, "BAD_REQUEST")
    assert stream.reads == 0
