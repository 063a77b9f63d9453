"""Bodies and query parameters of the endpoints over all kinds of items."""

import itertools
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, validates_schema

from app.http.fields import Choice, QueryFlag, QueryInteger, StrictSchema
from app.kinds import KINDS
from app.kinds.repository import Step
from app.ledger.schemas import Token

MOST_OPERATIONS = 100
OPERATIONS = [kind.operations for kind in KINDS.values()]


class FeedQuery(StrictSchema):
    """Parameters of the sync feed."""

    since = Token(load_default=None)
    kind = Choice(*KINDS, load_default=None)
    limit = QueryInteger(1, 200, load_default=50)


class Export(StrictSchema):
    """Parameters of the export."""

    format = Choice("json", "csv", load_default="json")
    bom = QueryFlag(load_default=False)

    @validates_schema
    def marks_csv_only(self, data: dict[str, Any], **kwargs: Any) -> None:
        """JSON has no byte order mark (RFC 8259)."""
        if data["bom"] and data["format"] != "csv":
            raise ValidationError({"bom": ["Is for format=csv only."]})


class Operation(StrictSchema):
    """The fields that every operation has; the others depend on them."""

    kind = Choice(*KINDS, load_default="task")
    op = Choice(*dict.fromkeys(itertools.chain(*OPERATIONS)), required=True)


class Operations(fields.Field[list[Step]]):
    """1 to 100 operations, each loaded by the schema of its `op` for its `kind`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Step]:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_OPERATIONS:
            raise ValidationError(f"Must be an array of 1 to {MOST_OPERATIONS} operations.")
        loaded: list[Step] = []
        broken: dict[int, Any] = {}
        for ordinal, operation in enumerate(value):
            try:
                loaded.append(_step(operation))
            except ValidationError as error:
                broken[ordinal] = error.messages
        if broken:
            raise ValidationError(broken)
        return loaded


def _step(given: Any) -> Step:
    """One operation; raises ValidationError with the messages of its fields."""
    named = OPERATION.load(given, unknown=EXCLUDE)
    operation = KINDS[named["kind"]].operations.get(named["op"])
    if operation is None:
        raise ValidationError({"op": ["There is no such operation for this kind."]})
    rest = {name: value for name, value in given.items() if name not in ("kind", "op")}
    loaded = operation.schema.load(rest)
    version = loaded.pop("if_version", None)
    return Step(operation.change.prepare(loaded), None if version is None else [version])


class Batch(StrictSchema):
    """POST /batch."""

    operations = Operations(required=True)


FEED_QUERY = FeedQuery()
EXPORT = Export()
OPERATION = Operation()
BATCH = Batch()
