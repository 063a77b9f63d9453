"""What every blueprint shares: strict reading of requests, the envelope, entity tags, cursors."""

import base64
import binascii
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from urllib.parse import unquote_to_bytes, urlencode
from uuid import UUID, uuid4

import orjson
from flask import Response, current_app, g, request
from marshmallow import Schema, ValidationError

from app.errors import (
    AppError,
    BadRequest,
    Detail,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from app.fields import StrictSchema

BODY_LIMIT = 64 * 1024  # bytes
LONGEST_INTEGER = 20  # characters
DEPTH_LIMIT = 32  # arrays and objects inside each other
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ENTITY_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
VERSION = re.compile(r"0|[1-9][0-9]{0,17}")
JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
NOTHING = StrictSchema()


@dataclass(frozen=True)
class Identity:
    """Who sends the request, as the access token says."""

    owner_id: UUID
    session_id: UUID


@dataclass(frozen=True)
class Origin:
    """Where a change comes from, for the ledger."""

    request_id: str
    session_id: UUID | None


def identity() -> Identity:
    """The caller; there is one wherever a blueprint authenticates."""
    return cast("Identity", g.identity)


def owner_id() -> UUID:
    """The caller's id, from the token and from nowhere else."""
    return identity().owner_id


def origin() -> Origin:
    """The request and the session that a change is made by."""
    return Origin(g.request_id, identity().session_id)


def take_request_id() -> None:
    """Adopts X-Request-Id where it is well formed, makes one otherwise."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex


# --- reading ------------------------------------------------------------------------------------


def raw_body(limit: int = BODY_LIMIT) -> bytes:
    """The body's bytes, read once; 413 over `limit`, 400 when it is shorter than announced."""
    if "raw_body" not in g:
        g.raw_body = _read(limit)
    return cast("bytes", g.raw_body)


def _read(limit: int) -> bytes:
    announced = request.content_length
    if announced is None and "HTTP_TRANSFER_ENCODING" not in request.environ:
        return b""
    if announced is not None and announced > limit:
        raise PayloadTooLarge
    body = cast("bytes", request.environ["wsgi.input"].read(limit + 1))
    if len(body) > limit:
        raise PayloadTooLarge
    if announced is not None and len(body) < announced:
        raise BadRequest("The body is shorter than its Content-Length")
    return body


def read_body(schema: Schema, limit: int = BODY_LIMIT, *, optional: bool = False) -> dict[str, Any]:
    """The body as `schema` loads it; with `optional`, {} where there is no body at all.

    What takes a body takes no query parameters: broken fields and parameters are named together.
    """
    body = raw_body(limit)
    if optional and not body:
        read_query()
        return {}
    if request.mimetype != "application/json" or not _plain_utf8():
        raise UnsupportedMediaType
    fields, broken = _load(schema, parse_json(body))
    _, unknown = _query(NOTHING)
    return _valid(fields, unknown + broken)


def read_nothing() -> None:
    """For what takes neither a body with fields in it nor query parameters."""
    read_body(NOTHING, optional=True)


def _plain_utf8() -> bool:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    return charset in ("utf-8", "utf8") and encoding == "identity"


def parse_json(body: bytes) -> Any:
    """One JSON text as RFC 8259 has it; 400 for everything that only some parsers take."""
    if _depth(body) > DEPTH_LIMIT:
        raise BadRequest(f"The JSON is nested more than {DEPTH_LIMIT} levels deep")
    try:
        return json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_int=_number,
            parse_constant=_no_constant,
        )
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
    """Beyond what any field takes, the exact number does not matter: Python limits integers."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def read_query(schema: Schema = NOTHING) -> dict[str, Any]:
    """The query parameters as `schema` loads them; unknown and repeated ones are a 422."""
    return _valid(*_query(schema))


def _query(schema: Schema) -> tuple[dict[str, Any], list[Detail]]:
    if not request.query_string:
        return ({}, []) if schema is NOTHING else _load(schema, {})
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The query is not UTF-8") from error
    repeated: list[Detail] = [
        {"field": name, "message": "Must be given once."}
        for name, values in request.args.lists()
        if len(values) > 1
    ]
    parameters, broken = _load(schema, request.args.to_dict())
    return parameters, repeated + broken


def _load(schema: Schema, data: Any) -> tuple[dict[str, Any], list[Detail]]:
    try:
        return cast("dict[str, Any]", schema.load(data)), []
    except ValidationError as error:
        return {}, list(_details(error.messages))


def _valid(fields: dict[str, Any], broken: list[Detail]) -> dict[str, Any]:
    if broken:
        raise ValidationFailed(details=broken)
    return fields


def _details(messages: Any, path: str = "") -> list[Detail]:
    """marshmallow's nested messages as a flat list: operations[3].title."""
    if isinstance(messages, Mapping):
        return [
            detail
            for key, value in messages.items()
            for detail in _details(value, _member(path, key))
        ]
    return [{"field": path, "message": str(message)} for message in messages]


def _member(path: str, key: Any) -> str:
    if key == "_schema":
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = str(key).encode(errors="replace").decode()  # lone surrogates can't be sent back
    return f"{path}.{name}" if path else name


# --- conditional requests -----------------------------------------------------------------------


def if_versions() -> list[int] | None:
    """The versions that If-Match allows: None where any will do, [] where none can match."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    return [int(tag) for weak, tag in _entity_tags(header) if not weak and VERSION.fullmatch(tag)]


def known_tags() -> list[str]:
    """The opaque tags in If-None-Match, compared weakly as RFC 9110 says."""
    return [tag for _, tag in _entity_tags(request.headers.get("If-None-Match", ""))]


def _entity_tags(header: str) -> list[tuple[str, str]]:
    """(weak prefix, opaque tag) pairs; [] where the header is not a list of entity tags."""
    tags, position = [], 0
    while position < len(header):
        match = ENTITY_TAG.match(header, position)
        if match is None:
            return []
        tags.append((match[1] or "", match[2]))
        position = match.end()
    return tags


def _not_modified(tag: str) -> bool:
    return request.method in ("GET", "HEAD") and (
        tag in known_tags() or request.headers.get("If-None-Match", "").strip() == "*"
    )


# --- answering ----------------------------------------------------------------------------------


def success(
    data: bytes, *, status: int = 200, tag: str | None = None, meta: Mapping[str, Any] | None = None
) -> Response:
    """The envelope around `data` (JSON); 304 where the client has that entity tag already."""
    if tag is not None and _not_modified(tag):
        response = Response(status=304)
    else:
        tail = b"}" if meta is None else b',"meta":' + orjson.dumps(meta) + b"}"
        body = b'{"success":true,"data":' + data + b',"error":null' + tail
        response = Response(body, status, mimetype="application/json")
    if tag is not None:
        response.headers["ETag"] = f'"{tag}"'
    return response


def page(data: bytes, *, tag: str, version: int, limit: int, next_cursor: str | None) -> Response:
    """A page of a list, with the way to the next one in `meta` and in Link."""
    meta = {"next_cursor": next_cursor, "limit": limit, "version": version}
    response = success(data, tag=tag, meta=meta)
    if next_cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": next_cursor})
        response.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return response


def failure(error: AppError) -> Response:
    """The envelope of an error."""
    g.error_code = error.code
    body = failure_body(error, g.get("request_id", ""))
    response = Response(body, error.status, mimetype="application/json")
    response.headers.extend(error.headers)
    return response


def failure_body(error: AppError, request_id: str) -> bytes:
    """The JSON text of an error's envelope; also for answers made without Flask."""
    return orjson.dumps(
        {
            "success": False,
            "data": None,
            "error": {
                "code": error.code,
                "message": error.message,
                "details": error.details,
                "request_id": request_id,
            },
        }
    )


# --- cursors ------------------------------------------------------------------------------------


def cursor(position: Sequence[Any]) -> str:
    """An opaque word for a place in this list of this user."""
    payload = orjson.dumps(position)
    return (
        base64.urlsafe_b64encode(_seal(_cursor_keys()[0], payload) + payload).decode().rstrip("=")
    )


def read_cursor(text: str) -> list[Any]:
    """The position in a cursor; 400 when it was made for another list or user."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadRequest("The cursor is not valid; start from the first page") from error
    seal, payload = raw[:16], raw[16:]
    if not any(hmac.compare_digest(seal, _seal(key, payload)) for key in _cursor_keys()):
        raise BadRequest("The cursor belongs to another list; start from the first page")
    return cast("list[Any]", orjson.loads(payload))


def _seal(key: bytes, payload: bytes) -> bytes:
    """Binds a position to the path, the user and the parameters other than limit and cursor."""
    parameters = sorted(
        (name, value) for name, value in request.args.items() if name not in ("limit", "cursor")
    )
    endpoint = (
        f"{request.endpoint}{request.view_args.get('task_id', '') if request.view_args else ''}"
    )
    bound = orjson.dumps([endpoint, str(owner_id()), parameters]) + payload
    return hashlib.blake2b(bound, digest_size=16, key=key, person=b"cursor").digest()


def _cursor_keys() -> list[bytes]:
    return cast("list[bytes]", current_app.config["CURSOR_KEYS"])
