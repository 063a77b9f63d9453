"""Request bodies: read within their length, as strict JSON."""

import itertools
import json
import re
from typing import Any, NoReturn

from marshmallow import Schema
from werkzeug.http import parse_options_header

from app.errors import (
    AppError,
    BadRequest,
    NotImplementedHere,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from app.http.fields import StrictSchema, load
from app.http.query import broken_parameters, read_query
from app.http.request import Request, current_request

BODY_LIMIT = 64 * 1024  # bytes
LONGEST_INTEGER = 20  # digits
DEPTH_LIMIT = 32  # arrays and objects inside each other
LENGTH = re.compile(r"[0-9]{1,19}")
# Possessive quantifiers, and the closing quote is optional: without them, text that lacks its end
# takes quadratic time.
JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
NOTHING = StrictSchema()


def raw_body(limit: int = BODY_LIMIT) -> bytes:
    """The body, read once; 413 over `limit` bytes, 400 where it is shorter than its length."""
    request = current_request()
    if request.body is None:
        request.body = _read(request, limit)
    return request.body


def _read(request: Request, limit: int) -> bytes:
    """Reads no byte beyond the body: wsgi.input may be the bare socket (PEP 3333)."""
    environ = request.environ
    length = _content_length(environ.get("CONTENT_LENGTH"))
    if length is None and not environ.get("wsgi.input_terminated"):
        if request.header("TRANSFER_ENCODING") is not None:
            raise NotImplementedHere("This server takes no chunked body; send a Content-Length")
        return b""
    if length is not None and length > limit:
        raise PayloadTooLarge
    wanted = limit + 1 if length is None else length
    body = _read_exactly(environ["wsgi.input"], wanted) if wanted else b""
    if length is None and len(body) > limit:
        raise PayloadTooLarge
    if length is not None and len(body) < length:
        raise BadRequest("The body is shorter than its Content-Length")
    return body


def _content_length(text: str | None) -> int | None:
    if not text:
        return None
    if not LENGTH.fullmatch(text):
        raise BadRequest("The Content-Length is not a number")
    return int(text)


def _read_exactly(stream: Any, count: int) -> bytes:
    """`count` bytes, or fewer where the stream ends; one read may return less than it is asked."""
    pieces, left = [], count
    try:
        while left and (piece := stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
    except AppError:
        raise
    except Exception as error:  # each WSGI server has its own for a body that breaks off
        raise BadRequest("The body can't be read to its end") from error
    return b"".join(pieces)


def read_body(
    schema: Schema,
    limit: int = BODY_LIMIT,
    *,
    optional: bool = False,
    query: Schema = NOTHING,
) -> dict[str, Any]:
    """The body as `schema` loads it; with `optional`, {} where there is none.

    A route with a body takes no query parameters but those of `query`. Broken fields and parameters
    are one 422.
    """
    body = raw_body(limit)
    if optional and not body:
        read_query(query)
        return {}
    fields, broken = load(schema, read_json(limit))
    broken = [*broken_parameters(query), *broken]
    if broken:
        raise ValidationFailed(details=broken)
    return fields


def read_json(limit: int = BODY_LIMIT) -> Any:
    """The body as JSON of any type."""
    body = raw_body(limit)
    if not _is_json(current_request()):
        raise UnsupportedMediaType
    return parse_json(body)


def read_nothing() -> None:
    """For routes that take neither query parameters nor a body with fields."""
    read_body(NOTHING, optional=True)


def _is_json(request: Request) -> bool:
    """Whether the body is declared as JSON in UTF-8 without a content coding."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    if content_type != "application/json":
        media_type, options = parse_options_header(content_type)
        charset = options.get("charset", "utf-8").lower()
        if media_type.lower() != "application/json" or charset not in ("utf-8", "utf8"):
            return False
    return (request.header("CONTENT_ENCODING") or "identity").lower() == "identity"


def parse_json(body: bytes) -> Any:
    """One JSON text as RFC 8259 has it; 400 for extensions that only some parsers accept."""
    if _depth(body) > DEPTH_LIMIT:
        raise BadRequest(f"The JSON is nested more than {DEPTH_LIMIT} levels deep")
    try:
        return DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise BadRequest("The body is not UTF-8") from error
    except ValueError as error:
        raise BadRequest(f"The body is not valid JSON: {error}") from error


def _depth(body: bytes) -> int:
    if body.count(b"[") + body.count(b"{") <= DEPTH_LIMIT:
        return 0
    brackets = re.sub(rb"[^][{}]", b"", JSON_STRING.sub(b"", body))
    return max(itertools.accumulate(1 if byte in b"[{" else -1 for byte in brackets), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has the same key twice")
    return members


def _number(digits: str) -> int | float:
    """Python limits the digits of an integer; no field accepts a longer one, exact or not."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_constant=_no_constant
)
