"""Bodies and query parameters of the endpoints over all kinds of items."""

import itertools
import re
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validates_schema

from app.http.fields import Choice, QueryFlag, QueryInteger, StrictSchema
from app.kinds import KINDS
from app.kinds.repository import Step
from app.ledger.schemas import Token
from app.values import Uuid, new_uuid

MOST_OPERATIONS = 100
REFERENCE = re.compile("[A-Za-z0-9_-]{1,64}")
REFERRING = {"id", "list_id", "parent_id", "label_ids", "after", "before"}  # fields with ids
CHANGED = {name: kind.operations for name, kind in KINDS.items() if kind.operations}


class FeedQuery(StrictSchema):
    """Parameters of the sync feed."""

    since = Token(load_default=None)
    kind = Choice(*KINDS, load_default=None)
    limit = QueryInteger(1, 200, load_default=50)


class Export(StrictSchema):
    """Parameters of the export."""

    format = Choice("json", "csv", "ics", load_default="json")
    bom = QueryFlag(load_default=False)

    @validates_schema
    def marks_csv_only(self, data: dict[str, Any], **kwargs: Any) -> None:
        """JSON has no byte order mark (RFC 8259), and calendars need none."""
        if data["bom"] and data["format"] != "csv":
            raise ValidationError({"bom": ["Is for format=csv only."]})


class Reference(fields.Field[str]):
    """A name for what an operation makes."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or not REFERENCE.fullmatch(value):
            raise ValidationError("Must be 1 to 64 of the characters A-Z, a-z, 0-9, _ and -.")
        return value


class Operation(StrictSchema):
    """The fields that every operation has; the others depend on them."""

    kind = Choice(*CHANGED, load_default="task")
    op = Choice(*dict.fromkeys(itertools.chain(*CHANGED.values())), required=True)
    ref = Reference(load_default=None)


class Operations(fields.Field[list[Step]]):
    """1 to 100 operations, each loaded by the schema of its `op` for its `kind`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Step]:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_OPERATIONS:
            raise ValidationError(f"Must be an array of 1 to {MOST_OPERATIONS} operations.")
        loaded: list[Step] = []
        broken: dict[int, Any] = {}
        placeholders: dict[str, Uuid] = {}
        for ordinal, operation in enumerate(value):
            try:
                loaded.append(_step(operation, placeholders))
            except ValidationError as error:
                broken[ordinal] = error.messages
        if broken:
            raise ValidationError(broken)
        return loaded


def _step(given: Any, placeholders: dict[str, Uuid]) -> Step:
    """One operation; raises ValidationError with the messages of its fields.

    `placeholders` stand for what the operations before it make, by their names; its own is added.
    """
    named = OPERATION.load(given, unknown=EXCLUDE)
    operation = CHANGED[named["kind"]].get(named["op"])
    if operation is None:
        raise ValidationError({"op": ["There is no such operation for this kind."]})
    rest = {name: value for name, value in given.items() if name not in ("kind", "op", "ref")}
    used: set[Uuid] = set()
    found, unknown = _with_placeholders(rest, placeholders, used)
    own = _own_placeholder(named, placeholders)
    try:
        loaded = operation.schema.load(found)
    except ValidationError as error:
        raise ValidationError({**error.messages_dict, **unknown}) from error
    if unknown:
        raise ValidationError(unknown)
    version = loaded.pop("if_version", None)
    versions = None if version is None else [version]
    completed = operation.change.complete(loaded)
    return Step(operation.change, completed, versions, own, frozenset(used))


def _own_placeholder(named: Mapping[str, Any], placeholders: dict[str, Uuid]) -> Uuid | None:
    name = named["ref"]
    if name is None:
        return None
    if named["op"] != "create":
        raise ValidationError({"ref": ["Is for the operation create only."]})
    if name in placeholders:
        raise ValidationError({"ref": ["Is the name of an operation before this one."]})
    placeholders[name] = new_uuid()
    return placeholders[name]


def _with_placeholders(
    given: Mapping[str, Any], placeholders: Mapping[str, Uuid], used: set[Uuid]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The fields with a placeholder for each `#name`, and a message for each field with no such."""
    found, unknown = dict(given), {}
    for field in REFERRING & given.keys():
        values = given[field] if isinstance(given[field], list) else [given[field]]
        names = [each for each in values if isinstance(each, str) and each.startswith("#")]
        known = {name: placeholders[name[1:]] for name in names if name[1:] in placeholders}
        for name in names:
            if name not in known:
                unknown[field] = [f"No operation before this one has made {name[:65]}."]
        used.update(known.values())
        replaced = [known.get(each, each) if isinstance(each, str) else each for each in values]
        found[field] = replaced if isinstance(given[field], list) else replaced[0]
    return found, unknown


class Batch(StrictSchema):
    """POST /batch."""

    operations = Operations(required=True)


FEED_QUERY = FeedQuery()
EXPORT = Export()
OPERATION = Operation()
BATCH = Batch()
