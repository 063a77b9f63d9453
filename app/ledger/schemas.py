"""Query parameters and batch operations that are the same for every kind of item."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from app.http.fields import Integer, QueryInteger, StrictSchema
from app.values import Uuid, canonical_uuid

LARGEST_VERSION = 2**63 - 1


class Token(fields.Raw):
    """A cursor or a sync token, which app.http.query turns into a position."""


class PageQuery(StrictSchema):
    """Parameters of a page."""

    limit = QueryInteger(1, 200, load_default=50)
    cursor = Token(load_default=None)


class ItemId(fields.Field[Uuid | None]):
    """An item's id; None for text that is no canonical UUID, which names no item."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Uuid | None:
        if not isinstance(value, str):
            raise ValidationError("Must be a string.")
        return canonical_uuid(value)


class Target(StrictSchema):
    """The operations of a batch that name an item and nothing else."""

    id = ItemId(required=True)
    if_version = Integer(0, LARGEST_VERSION)


PAGE_QUERY = PageQuery()
