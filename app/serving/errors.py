"""Errors that the worker answers itself, in the envelope."""

from collections.abc import Sequence
from http import HTTPStatus

from app.errors import AppError
from app.http.headers import CLOSED, NOT_STORED, SECURITY, Header
from app.http.responses import failure_body


def error_response(error: AppError, request_id: str, date: str, cors: Sequence[Header]) -> bytes:
    """A whole HTTP response, after which the connection is closed."""
    body = failure_body(error, request_id)
    headers = [("Date", date), ("Connection", "close"), ("Content-Type", "application/json")]
    headers += [("Content-Length", str(len(body))), ("X-Request-Id", request_id)]
    headers += [NOT_STORED, CLOSED, *SECURITY, *cors, *error.headers.items()]
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
