"""Request bodies and query parameters of the task endpoints."""

from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from app.http.fields import Choice, Flag, QueryFlag, StrictSchema, Text
from app.ledger.schemas import PageQuery, Target
from app.tasks.repository import SORTS


def title(**options: Any) -> Text:
    """A title: 1 to 255 characters, trimmed."""
    return Text(1, 255, trim=True, **options)


def description(**options: Any) -> Text:
    """A description: up to 5000 characters, or null."""
    return Text(0, 5000, allow_none=True, **options)


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


class ListQuery(PageQuery):
    """Parameters of GET /tasks."""

    is_completed = QueryFlag(load_default=None)
    q = Text(1, 200, load_default=None)
    sort = Choice(*SORTS, load_default="-created_at")


class Update(Target, TaskChanges):
    """The operation update."""


class Complete(Target):
    """The operation complete; toggles without is_completed."""

    is_completed = Flag()


NEW_TASK = NewTask()
TASK_CHANGES = TaskChanges()
COMPLETION = Completion()
LIST_QUERY = ListQuery()
UPDATE = Update()
COMPLETE = Complete()
TARGET = Target()
