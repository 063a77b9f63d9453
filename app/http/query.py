"""Query strings, validated by a schema; a cursor becomes the position that it stands for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import orjson
from marshmallow import Schema

from app.errors import BadRequest, Detail, ValidationFailed
from app.http.cursors import read_cursor
from app.http.fields import Repeated, StrictSchema, load
from app.http.request import current_request

CACHED_LENGTH = 256  # bytes; a longer query string is parsed anew each time
NOTHING = StrictSchema()


@dataclass(frozen=True)
class Query:
    """A query string as a schema loads it; the same for every user."""

    fields: Mapping[str, Any]
    broken: Sequence[Detail]
    others: bytes  # the parameters without limit and cursor, sorted, as JSON
    link: str  # the parameters without cursor, as a link carries them


ReadToken = Callable[[str, Query], Any]  # raises BadRequest


def read_query(schema: Schema = NOTHING, **tokens: ReadToken) -> dict[str, Any]:
    """The parameters as `schema` loads them; unknown and repeated ones are a 422.

    The parameter `cursor` becomes a list: the position that it stands for. So does each parameter
    of `tokens`, by the function given for it. One that is not valid is a 400, which comes first.
    """
    query = _query(schema)
    fields = dict(query.fields)
    for name, read in {"cursor": _read_cursor, **tokens}.items():
        if fields.get(name) is not None:
            fields[name] = read(fields[name], query)
    if query.broken:
        raise ValidationFailed(details=query.broken)
    return fields


def _read_cursor(text: str, query: Query) -> list[Any]:
    return read_cursor(text, query.others)


def broken_parameters(schema: Schema = NOTHING) -> Sequence[Detail]:
    """A detail for each parameter that `schema` refuses."""
    return _query(schema).broken


def query_fields(schema: Schema) -> Mapping[str, Any]:
    """The parameters that `schema` accepts, for what comes before a 422."""
    return _query(schema).fields


def _query(schema: Schema) -> Query:
    request = current_request()
    text = request.query_string
    parse = _parse if len(text) <= CACHED_LENGTH else _parse.__wrapped__
    request.query = parse(schema, text)
    return request.query


@lru_cache(1000)
def _parse(schema: Schema, text: bytes) -> Query:
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The query is not UTF-8") from error
    pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    given: dict[str, list[str]] = {}
    for pair in pairs:
        name, value = (each.encode("latin-1").decode() for each in pair)
        given.setdefault(name, []).append(value)
    lists = {name for name, field in schema.fields.items() if isinstance(field, Repeated)}
    first = {name: values if name in lists else values[0] for name, values in given.items()}
    repeated: list[Detail] = [
        {"field": name, "message": "Must be given once."}
        for name, values in given.items()
        if len(values) > 1 and name not in lists
    ]
    fields, broken = load(schema, first)
    others = sorted(pair for pair in first.items() if pair[0] not in ("limit", "cursor"))
    link = urlencode([pair for pair in first.items() if pair[0] != "cursor"], doseq=True)
    return Query(fields, repeated + broken, orjson.dumps(others), link)
