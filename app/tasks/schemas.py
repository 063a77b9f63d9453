"""What the task endpoints take: bodies and query parameters."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.fields import Choice, Flag, QueryFlag, QueryInteger, StrictSchema, Text
from app.tasks.repository import SORTS
from app.web import read_cursor

LARGEST_VERSION = 2**63 - 1


def title(**options: Any) -> Text:
    return Text(1, 255, trim=True, **options)


def description(**options: Any) -> Text:
    return Text(0, 5000, allow_none=True, **options)


class Cursor(fields.Field[list[Any]]):
    """A place in a list; one that was not made for this list is a bad request, whatever else is."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Any]:
        return read_cursor(value)


class NewTask(StrictSchema):
    title = title(required=True)
    description = description(load_default=None)


class TaskChanges(StrictSchema):
    """What is left out stays as it is; null clears the description."""

    title = title()
    description = description()
    is_completed = Flag()

    @validates_schema
    def names_a_field(self, data: dict[str, Any], **kwargs: Any) -> None:
        if not data:
            raise ValidationError("Name at least one of title, description, is_completed.")


class Completion(StrictSchema):
    is_completed = Flag(required=True)


class Page(StrictSchema):
    limit = QueryInteger(1, 200, load_default=50)
    cursor = Cursor(load_default=None)


class Listing(Page):
    is_completed = QueryFlag(load_default=None)
    q = Text(1, 200, load_default=None)
    sort = Choice(*SORTS, load_default="-created_at")


class Feed(StrictSchema):
    since = QueryInteger(0, LARGEST_VERSION, required=True)
    limit = QueryInteger(1, 200, load_default=50)


NEW_TASK = NewTask()
TASK_CHANGES = TaskChanges()
COMPLETION = Completion()
PAGE = Page()
LISTING = Listing()
FEED = Feed()
