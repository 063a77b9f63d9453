"""Query parameters of GET /tasks."""

from collections.abc import Mapping
from typing import Any, Literal

from marshmallow import ValidationError, fields, validates_schema

from app.filtering import FilterError, parse
from app.http.fields import (
    Choice,
    DayOrInstant,
    QueryFlag,
    QueryInteger,
    Repeated,
    Text,
    Zone,
)
from app.labels.schemas import MOST_LABELS
from app.ledger.schemas import PageQuery
from app.search.repository import SORTS
from app.values import Uuid, canonical_uuid

LONGEST_FILTER = 1000  # characters
NONE: Literal["none"] = "none"


class Id(fields.Field[Uuid]):
    """An id in its canonical spelling."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Uuid:
        known = canonical_uuid(value) if isinstance(value, str) else None
        if known is None:
            raise ValidationError("Must be an id.")
        return known


class IdOrNone(fields.Field[Uuid | Literal["none"]]):
    """An id, or the word none."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Uuid | Literal["none"]:
        text = value if isinstance(value, str) else ""
        known = NONE if text == NONE else canonical_uuid(text)
        if known is None:
            raise ValidationError("Must be an id, or none.")
        return known


class FilterText(Text):
    """A filter in its language, which parses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(1, LONGEST_FILTER, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            parse(text)
        except FilterError as error:
            raise ValidationError(explained(error)) from error
        return text


def explained(error: FilterError) -> str:
    """What is wrong with a filter, and where."""
    return f"Character {error.position}: {error.message}"


class ListQuery(PageQuery):
    """Parameters of GET /tasks."""

    is_completed = QueryFlag(load_default=None)
    list_id = IdOrNone(load_default=None)
    parent_id = IdOrNone(load_default=None)
    label = Repeated(Id(), load_default=())
    priority_min = QueryInteger(1, 9, load_default=None)
    priority_max = QueryInteger(1, 9, load_default=None)
    due_from = DayOrInstant(load_default=None)
    due_to = DayOrInstant(load_default=None)
    no_due = QueryFlag(load_default=None)
    overdue = QueryFlag(load_default=None)
    q = Text(1, 200, load_default=None)
    filter = FilterText(load_default=None)
    time_zone = Zone(load_default=None)
    sort = Choice(*SORTS, load_default="-created_at")

    @validates_schema
    def has_few_labels(self, data: dict[str, Any], **kwargs: Any) -> None:
        """A task has no more labels than that."""
        if len(data["label"]) > MOST_LABELS:
            raise ValidationError({"label": [f"Must be given {MOST_LABELS} times at most."]})


LIST_QUERY = ListQuery()
