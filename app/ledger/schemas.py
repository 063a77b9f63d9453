"""Query parameters and batch operations that are the same for every kind of item."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.errors import NO_SUCH_ITEM
from app.http.fields import Integer, QueryInteger, StrictSchema, Text
from app.values import Uuid, canonical_uuid

LARGEST_VERSION = 2**63 - 1
COLOR = re.compile("#[0-9a-fA-F]{6}")


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


class Reference(fields.Field[Uuid]):
    """The id of another item, which has to exist."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Uuid:
        known = canonical_uuid(value) if isinstance(value, str) else None
        if known is None:
            raise ValidationError(NO_SUCH_ITEM)
        return known


class Color(fields.Field[str]):
    """A colour as #rrggbb, in lower case."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or not COLOR.fullmatch(value):
            raise ValidationError("Must be a colour such as #c03a2b.")
        return value.lower()


class Changes(StrictSchema):
    """The fields that a change names; those that are left out stay."""

    @validates_schema
    def names_a_field(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Requires at least one field besides those that name the item."""
        if not data.keys() - {"id", "if_version"}:
            names = [name for name in self.fields if name not in ("id", "if_version")]
            raise ValidationError(f"Name at least one of {', '.join(names)}.")


class Move(StrictSchema):
    """POST …/move: behind one item or before another; null is the beginning, or the end."""

    after = Reference(allow_none=True)
    before = Reference(allow_none=True)

    @validates_schema
    def names_one_side(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Requires one of after and before."""
        if len(data.keys() & {"after", "before"}) != 1:
            raise ValidationError("Name one of after and before.")


class Target(StrictSchema):
    """The operations of a batch that name an item and nothing else."""

    id = ItemId(required=True)
    if_version = Integer(0, LARGEST_VERSION)


class MoveTarget(Target, Move):
    """The operation move."""


def title(**options: Any) -> Text:
    """A title: 1 to 255 characters, trimmed."""
    return Text(1, 255, trim=True, **options)


def description(**options: Any) -> Text:
    """A description: up to 5000 characters, or null."""
    return Text(0, 5000, allow_none=True, **options)


PAGE_QUERY = PageQuery()
MOVE = Move()
TARGET = Target()
MOVE_TARGET = MoveTarget()
