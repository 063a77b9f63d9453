"""What every blueprint shares: strict reading of requests, the envelope, entity tags, cursors."""

import base64
import binascii
import hashlib
import hmac
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import flask
import orjson
from flask import Response
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import EnvironHeaders, Headers

from app.errors import (
    AppError,
    BadRequest,
    Detail,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from app.fields import StrictSchema, Uuid

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BODY_LIMIT = 64 * 1024  # bytes
LONGEST_INTEGER = 20  # characters
DEPTH_LIMIT = 32  # arrays and objects inside each other
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ENTITY_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
VERSION = re.compile(r"0|[1-9][0-9]{0,17}")
# Possessive, and also without its end: who leaves it out must not have each quote tried anew.
JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
REMEMBERED = 256  # bytes of a query string, at most, that is worth remembering
JSON_TYPE = ("Content-Type", "application/json")
STATUSES = {each.value: f"{each.value} {each.phrase.upper()}" for each in HTTPStatus}
NOTHING = StrictSchema()


@dataclass(frozen=True)
class Identity:
    """Who sends the request, as the access token says."""

    owner_id: Uuid
    session_id: Uuid


class Origin(NamedTuple):
    """Where a change comes from, for the ledger."""

    request_id: str
    session_id: Uuid | None


@dataclass(frozen=True)
class Query:
    """A query string as a schema loads it; the same for everybody who sends it."""

    fields: Mapping[str, Any]
    broken: Sequence[Detail]
    others: bytes  # the parameters but for limit and cursor, in their order, as JSON
    link: str  # the parameters but for cursor, as a link has them


class Request(flask.Request):
    """Flask's, with what is found out about it on its way.

    What few requests are asked for is found out when they are.
    """

    app: flask.Flask
    request_id = ""
    began = 0.0  # monotonic seconds
    path_user = "me"  # the {user_id} in its path
    identity: Identity | None = None
    query: Query | None = None
    body: bytes | None = None
    error_code: str | None = None
    rate_limit_headers: Mapping[str, str] = {}  # replaced, never changed
    shallow = False

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = environ
        self.method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"]
        if not path.isascii():
            path = path.encode("latin-1").decode(errors="replace")
        self.path = path if path[:1] == "/" else "/" + path
        self.query_string = environ.get("QUERY_STRING", "").encode("latin-1")
        self.remote_addr = environ.get("REMOTE_ADDR")

    @cached_property
    def headers(self) -> Headers:  # type: ignore[override]
        """Read from the environment, as is all that follows."""
        return EnvironHeaders(self.environ)

    @cached_property
    def scheme(self) -> str:  # type: ignore[override]
        return str(self.environ["wsgi.url_scheme"])

    @cached_property
    def server(self) -> tuple[str, int]:  # type: ignore[override]
        return self.environ["SERVER_NAME"], int(self.environ["SERVER_PORT"])

    @cached_property
    def root_path(self) -> str:  # type: ignore[override]
        return str(self.environ["SCRIPT_NAME"])


current: ContextVar[Request] = ContextVar("ownrow.request")
# The request that is being answered; flask.request would look it up for each attribute.
this_request = current.get


def identity() -> Identity:
    """The caller; there is one wherever a blueprint authenticates."""
    caller: Identity = this_request().identity  # type: ignore[assignment]
    return caller


def owner_id() -> Uuid:
    """The caller's id, from the token and from nowhere else."""
    return identity().owner_id


def origin() -> Origin:
    """The request and the session that a change is made by."""
    return Origin(this_request().request_id, identity().session_id)


def take_request_id() -> None:
    """Adopts X-Request-Id where it is well formed, makes one otherwise."""
    request = this_request()
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    request.request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """128 random bits in hexadecimal digits."""
    return os.urandom(16).hex()


# --- reading ------------------------------------------------------------------------------------


def raw_body(limit: int = BODY_LIMIT) -> bytes:
    """The body's bytes, read once; 413 over `limit`, 400 when it is shorter than announced."""
    request = this_request()
    if request.body is None:
        request.body = _read(request, limit)
    return request.body


def _read(request: Request, limit: int) -> bytes:
    given = request.environ.get("CONTENT_LENGTH")
    if not given and "HTTP_TRANSFER_ENCODING" not in request.environ:
        return b""
    announced = int(given) if given else None
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
    if not _is_json(this_request()):
        raise UnsupportedMediaType
    fields, broken = _load(schema, parse_json(body))
    return _valid(fields, [*_query(NOTHING).broken, *broken])


def read_nothing() -> None:
    """For what takes neither a body with fields in it nor query parameters."""
    read_body(NOTHING, optional=True)


def _is_json(request: Request) -> bool:
    """Whether the body is called JSON, in UTF-8 and as it is."""
    if request.environ.get("CONTENT_TYPE") != "application/json":
        charset = request.mimetype_params.get("charset", "utf-8").lower()
        if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
            return False
    return bool(request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() == "identity")


def parse_json(body: bytes) -> Any:
    """One JSON text as RFC 8259 has it; 400 for everything that only some parsers take."""
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
    """Beyond what any field takes, the exact number does not matter: Python limits integers."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_constant=_no_constant
)


def read_query(schema: Schema = NOTHING) -> dict[str, Any]:
    """The query parameters as `schema` loads them; unknown and repeated ones are a 422.

    A cursor becomes the position that it stands for.
    """
    query = _query(schema)
    given = query.fields.get("cursor")
    position = None if given is None else read_cursor(given)  # a bad one comes before a 422
    fields = _valid(dict(query.fields), query.broken)
    return fields if position is None else {**fields, "cursor": position}


def _query(schema: Schema) -> Query:
    request = this_request()
    text = request.query_string
    parse = _parse_query if len(text) <= REMEMBERED else _parse_query.__wrapped__
    request.query = parse(schema, text)
    return request.query


@lru_cache(1000)
def _parse_query(schema: Schema, text: bytes) -> Query:
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The query is not UTF-8") from error
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    given: dict[str, list[str]] = {}
    for pair in pairs:
        name, value = (each.encode("latin-1").decode() for each in pair)
        given.setdefault(name, []).append(value)
    first = {name: values[0] for name, values in given.items()}
    repeated: list[Detail] = [
        {"field": name, "message": "Must be given once."}
        for name, values in given.items()
        if len(values) > 1
    ]
    fields, broken = _load(schema, first)
    others = sorted(pair for pair in first.items() if pair[0] not in ("limit", "cursor"))
    link = urlencode([pair for pair in first.items() if pair[0] != "cursor"])
    return Query(fields, repeated + broken, orjson.dumps(others), link)


def _load(schema: Schema, data: Any) -> tuple[dict[str, Any], list[Detail]]:
    try:
        return cast("dict[str, Any]", schema.load(data)), []
    except ValidationError as error:
        loaded = error.valid_data if isinstance(error.valid_data, dict) else {}
        return loaded, list(_details(error.messages))


def _valid(fields: dict[str, Any], broken: Sequence[Detail]) -> dict[str, Any]:
    if broken:
        raise ValidationFailed(details=list(broken))
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
    header = this_request().environ.get("HTTP_IF_MATCH")
    if header is None or header.strip() == "*":
        return None
    return [int(tag) for weak, tag in _entity_tags(header) if not weak and VERSION.fullmatch(tag)]


def known_tags() -> list[str]:
    """The opaque tags in If-None-Match, compared weakly as RFC 9110 says."""
    header = this_request().environ.get("HTTP_IF_NONE_MATCH")
    return [tag for _, tag in _entity_tags(header)] if header else []


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
    request = this_request()
    header = request.environ.get("HTTP_IF_NONE_MATCH")
    if header is None or request.method not in ("GET", "HEAD"):
        return False
    return header.strip() == "*" or tag in known_tags()


# --- answering ----------------------------------------------------------------------------------


class Json(Response):
    """A JSON text: what Werkzeug's would be, with nothing to find out."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self._status, self._status_code = STATUSES[status], status
        self.headers = Headers()
        self.headers._list = [JSON_TYPE, ("Content-Length", str(len(body)))]  # noqa: SLF001
        self.body, self.response = body, [body]
        self.direct_passthrough = False
        self._on_close = []

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        start_response(self._status, self.headers._list)  # noqa: SLF001
        return () if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def add_headers(response: Response, headers: Iterable[tuple[str, str]]) -> None:
    """Adds headers that this service made: Werkzeug would look for line ends in each."""
    response.headers._list.extend(headers)  # noqa: SLF001


def success(
    data: bytes, *, status: int = 200, tag: str | None = None, meta: Mapping[str, Any] | None = None
) -> Response:
    """The envelope around `data` (JSON); 304 where the client has that entity tag already."""
    response: Response
    if tag is not None and _not_modified(tag):
        response = Response(status=304)
    else:
        tail = b"}" if meta is None else b',"meta":' + orjson.dumps(meta) + b"}"
        response = Json(b'{"success":true,"data":' + data + b',"error":null' + tail, status)
    if tag is not None:
        add_headers(response, [("ETag", f'"{tag}"')])
    return response


def page(
    data: bytes, *, tag: str, version: int, limit: int, next_position: bytes | None
) -> Response:
    """A page of a list, with the way to the next one in `meta` and in Link."""
    next_cursor = None if next_position is None else cursor(next_position)
    meta = {"next_cursor": next_cursor, "limit": limit, "version": version}
    response = success(data, tag=tag, meta=meta)
    if next_cursor is not None and response.status_code == 200:
        request = this_request()
        query: Query = request.query  # type: ignore[assignment]
        start = f"{request.path}?{query.link}".rstrip("?")
        joint = "&" if "?" in start else "?"
        link = f'<{start}{joint}cursor={next_cursor}>; rel="next"'
        add_headers(response, [("Link", link)])
    return response


def failure(error: AppError) -> Response:
    """The envelope of an error."""
    request = this_request()
    request.error_code = error.code
    response = Json(failure_body(error, request.request_id), error.status)
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


def cursor(position: bytes) -> str:
    """An opaque word for a place in this list of this user, given as a JSON array."""
    sealed = _seal(_cursor_keys()[0], position) + position
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


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
    """Binds a position to the list, the user and the parameters other than limit and cursor."""
    request = this_request()
    task_id = (request.view_args or {}).get("task_id", "")
    place = f"{request.endpoint} {task_id} {owner_id()} ".encode()
    query: Query = request.query  # type: ignore[assignment]
    bound = place + query.others + payload
    return hashlib.blake2b(bound, digest_size=16, key=key, person=b"cursor").digest()


def _cursor_keys() -> list[bytes]:
    keys: list[bytes] = this_request().app.config["CURSOR_KEYS"]
    return keys
