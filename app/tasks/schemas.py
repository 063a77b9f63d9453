"""Request bodies and query parameters of the task endpoints."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, ValidationError, fields, validates_schema

from app.http.fields import (
    Choice,
    Flag,
    Integer,
    QueryFlag,
    QueryInteger,
    StrictSchema,
    Text,
)
from app.tasks.repository import SORTS
from app.values import Uuid, canonical_uuid

LARGEST_VERSION = 2**63 - 1
MOST_OPERATIONS = 100


def title(**options: Any) -> Text:
    """A title: 1 to 255 characters, trimmed."""
    return Text(1, 255, trim=True, **options)


def description(**options: Any) -> Text:
    """A description: up to 5000 characters, or null."""
    return Text(0, 5000, allow_none=True, **options)


class Cursor(fields.Raw):
    """A cursor, which app.http.query turns into a position."""


class NewTask(StrictSchema):
    """POST /tasks, and the operation create."""

    title = title(required=True)
    description = description(load_default=None)


class TaskChanges(StrictSchema):
    """PUT and PATCH /tasks/{id}: fields that are left out stay; null clears the description."""

    CHANGEABLE: ClassVar = {"title", "description", "is_completed"}

    title = title()
    description = description()
    is_completed = Flag()

    @validates_schema
    def names_a_field(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Requires at least one field."""
        if not data.keys() & self.CHANGEABLE:
            raise ValidationError("Name at least one of title, description, is_completed.")


class Completion(StrictSchema):
    """PATCH /tasks/{id}/complete."""

    is_completed = Flag(required=True)


class PageQuery(StrictSchema):
    """Parameters of a page."""

    limit = QueryInteger(1, 200, load_default=50)
    cursor = Cursor(load_default=None)


class ListQuery(PageQuery):
    """Parameters of GET /tasks."""

    is_completed = QueryFlag(load_default=None)
    q = Text(1, 200, load_default=None)
    sort = Choice(*SORTS, load_default="-created_at")


class FeedQuery(StrictSchema):
    """Parameters of the sync feed."""

    since = QueryInteger(0, LARGEST_VERSION, required=True)
    limit = QueryInteger(1, 200, load_default=50)


class Export(StrictSchema):
    """Parameters of the export."""

    format = Choice("json", "csv", load_default="json")


class TaskId(fields.Field[Uuid | None]):
    """A task's id; None for text that is no canonical UUID, which names no task."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Uuid | None:
        if not isinstance(value, str):
            raise ValidationError("Must be a string.")
        return canonical_uuid(value)


class Target(StrictSchema):
    """The operations delete and restore."""

    id = TaskId(required=True)
    if_version = Integer(0, LARGEST_VERSION)


class Update(Target, TaskChanges):
    """The operation update."""


class Complete(Target):
    """The operation complete; toggles without is_completed."""

    is_completed = Flag()


OPERATIONS: Mapping[str, StrictSchema] = {
    "create": NewTask(),
    "update": Update(),
    "complete": Complete(),
    "delete": Target(),
    "restore": Target(),
}


class Operation(StrictSchema):
    """The field that every operation has; the others depend on it."""

    op = Choice(*OPERATIONS, required=True)


class Operations(fields.Field[list[dict[str, Any]]]):
    """1 to 100 operations, each loaded by the schema of its `op`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not 1 <= len(value) <= MOST_OPERATIONS:
            raise ValidationError(f"Must be an array of 1 to {MOST_OPERATIONS} operations.")
        loaded: list[dict[str, Any]] = []
        broken: dict[int, Any] = {}
        for ordinal, operation in enumerate(value):
            try:
                loaded.append(_operation(operation))
            except ValidationError as error:
                broken[ordinal] = error.messages
        if broken:
            raise ValidationError(broken)
        return loaded


def _operation(given: Any) -> dict[str, Any]:
    """One operation; raises ValidationError with the messages of its fields."""
    kind = OPERATION.load(given, unknown=EXCLUDE)["op"]
    rest = {name: value for name, value in given.items() if name != "op"}
    return {"op": kind, **OPERATIONS[kind].load(rest)}


class Batch(StrictSchema):
    """POST /tasks/batch."""

    operations = Operations(required=True)


NEW_TASK = NewTask()
TASK_CHANGES = TaskChanges()
COMPLETION = Completion()
PAGE_QUERY = PageQuery()
LIST_QUERY = ListQuery()
FEED_QUERY = FeedQuery()
EXPORT = Export()
OPERATION = Operation()
BATCH = Batch()
