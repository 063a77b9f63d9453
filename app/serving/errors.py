"""Errors that a server answers itself, in the envelope."""

from collections.abc import Mapping, Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, NamedTuple

from app.errors import AppError, Internal
from app.http.headers import CLOSED, NOT_STORED, SECURITY, Header, cors_headers
from app.http.request import REQUEST_ID, new_request_id
from app.http.responses import failure_body


class Refusal(NamedTuple):
    """The answer to a request that the application has not answered, and what a log tells of it."""

    error: AppError
    request_id: str
    response: bytes  # a whole one, after which the connection is closed


def refusal(cause: Exception, fields: Mapping[str, Any], cors_origins: Sequence[str]) -> Refusal:
    """The answer to `cause`: a 500 unless it is an AppError. Its text quotes nothing sent.

    `fields` are the request's headers as far as they have come, under their names in the environ.
    """
    error = cause if isinstance(cause, AppError) else Internal()
    given_id = str(fields.get("HTTP_X_REQUEST_ID", ""))
    request_id = given_id if REQUEST_ID.fullmatch(given_id) else new_request_id()
    cors = cors_headers(str(fields.get("HTTP_ORIGIN", "")), cors_origins)
    return Refusal(error, request_id, _response(error, request_id, cors))


def _response(error: AppError, request_id: str, cors: Sequence[Header]) -> bytes:
    body = failure_body(error, request_id)
    headers = [("Date", formatdate(usegmt=True)), ("Connection", "close")]
    headers += [("Content-Type", "application/json")]
    headers += [("Content-Length", str(len(body))), ("X-Request-Id", request_id)]
    headers += [NOT_STORED, CLOSED, *SECURITY, *cors, *error.headers.items()]
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
