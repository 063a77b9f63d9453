"""Validates responses against specs/openapi.yaml; the fixtures do so for every response."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson
from werkzeug.datastructures import Headers

from tests.support import openapi
from tests.support.openapi import Node

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Headers that every response may have, documented or not.
ALWAYS_ALLOWED = frozenset({"cache-control"})


class ContractError(AssertionError):
    """A response that the contract does not describe."""


def checked(app: "WSGIApplication") -> "WSGIApplication":
    """WSGI middleware that checks each response; it raises ContractError."""

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started: list[tuple[int, Headers]] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            started.append((int(status[:3]), Headers(headers)))
            return start_response(status, headers, *rest)

        def check_body(body: bytes) -> None:
            status, headers = started[-1]
            path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
            check(environ["REQUEST_METHOD"], path, status, headers, body)

        body = app(environ, start)
        if started and "Content-Length" in started[-1][1]:
            return _checked_whole(body, check_body)
        return _checked_stream(body, check_body)

    return call


def _checked_whole(body: Iterable[bytes], check_body: Callable[[bytes], None]) -> list[bytes]:
    try:
        whole = b"".join(body)
    finally:
        _close(body)
    check_body(whole)
    return [whole]


def _checked_stream(body: Iterable[bytes], check_body: Callable[[bytes], None]) -> Iterator[bytes]:
    """Passes a streamed body on, and checks it at its end."""
    seen = []
    try:
        for chunk in body:
            seen.append(chunk)
            yield chunk
    finally:
        _close(body)
    check_body(b"".join(seen))


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def check(method: str, path: str, status: int, headers: Any, body: bytes) -> None:
    """Raises ContractError unless the contract describes this response.

    `headers.get` must ignore the case of names.
    """
    place = f"{method} {path}: {status}"
    response = _response(method, path, status)
    if response is None:
        raise ContractError(f"{place} is not documented")
    _check_headers(place, response, headers)
    if method != "HEAD":
        _check_body(place, response, headers, body)


def _response(method: str, path: str, status: int) -> Node | None:
    template = openapi.find_path(path)
    operation = openapi.find_operation(method, template) if template else None
    if operation is not None and str(status) in operation.responses:
        response: Node = operation.responses[str(status)]
        return response
    if operation is None or status in (405, 501):
        return openapi.general_responses().get(str(status))
    return None


def _check_headers(place: str, response: Node, headers: Any) -> None:
    documented = {name.lower(): node for name, node in response.get("headers", {}).items()}
    for name in _known_headers() - documented.keys() - ALWAYS_ALLOWED:
        if headers.get(name) is not None:
            raise ContractError(f"{place} has a header that is not documented: {name}")
    for name, node in documented.items():
        value = headers.get(name)
        if value is None and openapi.resolve(node).get("required"):
            raise ContractError(f"{place} lacks its header {name}")
        if value is not None and not _header_validator(name).is_valid(_header_value(name, value)):
            raise ContractError(f"{place} has a malformed header: {name}: {value}")


@cache
def _known_headers() -> frozenset[str]:
    return frozenset(_headers())


@cache
def _headers() -> Mapping[str, Node]:
    components = openapi.document()["components"]["headers"]
    return {name.lower(): node for name, node in components.items()}


@cache
def _header_validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_headers()[name]["schema"], validate_formats=True)


def _header_value(name: str, value: str) -> Any:
    is_number = _headers()[name]["schema"]["type"] == "integer" and value.isdecimal()
    return int(value) if is_number else value


def _check_body(place: str, response: Node, headers: Any, body: bytes) -> None:
    content = response.get("content", {})
    if not content:
        if body:
            raise ContractError(f"{place} has a body: {body[:200]!r}")
        return
    media_type = str(headers.get("Content-Type")).partition(";")[0]
    if media_type not in content:
        raise ContractError(f"{place} has an undocumented media type: {media_type}")
    if media_type == "application/json":
        _check_json(place, content[media_type], headers, body)


def _check_json(place: str, media: Node, headers: Any, body: bytes) -> None:
    schema = media["schema"]
    if "$ref" not in schema:
        return
    value = orjson.loads(body)
    name = schema["$ref"].rpartition("/")[2]
    try:
        openapi.validator(name).validate(value)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(str(part) for part in error.instance_path)
        raise ContractError(f"{place} is not a valid {name}: {where}: {error.message}") from error
    if name == "Failure":
        _check_error(place, media["examples"], headers, value["error"])


def _check_error(place: str, examples: Node, headers: Any, error: Node) -> None:
    """Raises ContractError unless the response has an example with this error code."""
    if error["code"] not in examples:
        raise ContractError(f"{place} is not documented with {error['code']}")
    if error["request_id"] != headers.get("X-Request-Id"):
        raise ContractError(f"{place} has different request ids in its body and its header")
