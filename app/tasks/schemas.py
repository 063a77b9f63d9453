"""Request bodies of the task endpoints."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from app.http.fields import Choice, Flag, Instant, Integer, LocalTime, StrictSchema, Text, Zone
from app.labels.schemas import MOST_LABELS, name
from app.ledger.schemas import Changes, Move, Reference, Target, description, title
from app.recurrence import BASES
from app.recurrence.rule import MAX_LENGTH
from app.tasks import reminders
from app.tasks.reminders import LONGEST_OFFSET, MOST_REMINDERS
from app.values import Uuid, canonical_uuid


class LabelIds(fields.Field[list[Uuid]]):
    """Ids of labels: up to 50, each once, in their order."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Uuid]:
        _check_array(value)
        known = {canonical_uuid(each) if isinstance(each, str) else None for each in value}
        ids = sorted(each for each in known if each is not None)
        if len(ids) < len(known):
            raise ValidationError("Has an id that is no label's.")
        return ids


class LabelNames(fields.Field[list[str]]):
    """Names of labels: up to 50; those that are missing are made."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        _check_array(value)
        return [NAME.deserialize(each) for each in value]


def _check_array(value: Any) -> None:
    if not isinstance(value, list) or len(value) > MOST_LABELS:
        raise ValidationError(f"Must be an array of up to {MOST_LABELS}.")


class Offset(fields.Field[reminders.Offset]):
    """A duration of RFC 5545, in capitals, of up to 366 days."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> reminders.Offset:
        offset = reminders.Offset.parse(value) if isinstance(value, str) else None
        if offset is None:
            raise ValidationError(
                "Must be a duration such as -PT30M, -P1D or P1W, "
                f"of at most {LONGEST_OFFSET.days} days."
            )
        return offset


class Reminder(StrictSchema):
    """A reminder: an offset from a date of the task, or an instant."""

    offset = Offset()
    relative_to = Choice("due", "start")
    at = Instant()
    snooze = Flag()

    @validates_schema
    def has_one_form(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Requires one of offset and at, with what belongs to it."""
        if len(data.keys() & {"offset", "at"}) != 1:
            raise ValidationError("Name one of offset and at.")
        if "at" in data and "relative_to" in data:
            raise ValidationError({"relative_to": ["Is for an offset only."]})
        if "offset" in data and "snooze" in data:
            raise ValidationError({"snooze": ["Is for an instant only."]})


class Reminders(fields.Field[list[str]]):
    """Up to 10 reminders in their order, each once, as they are stored."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        if not isinstance(value, list) or len(value) > MOST_REMINDERS:
            raise ValidationError(f"Must be an array of up to {MOST_REMINDERS}.")
        texts: list[str] = []
        broken: dict[int, Any] = {}
        for ordinal, each in enumerate(value):
            try:
                texts.append(_text(REMINDER.load(each)))
            except ValidationError as error:
                broken[ordinal] = error.messages
        if broken:
            raise ValidationError(broken)
        return list(dict.fromkeys(texts))


def _text(given: Mapping[str, Any]) -> str:
    if "at" in given:
        return reminders.absolute(given["at"], is_snooze=given.get("snooze", False))
    return reminders.relative(given["offset"], given.get("relative_to", "due"))


class Planning(StrictSchema):
    """What a task has besides its text."""

    list_id = Reference(allow_none=True)
    parent_id = Reference(allow_none=True)
    priority = Integer(0, 9)
    label_ids = LabelIds()
    labels = LabelNames()
    due = LocalTime(allow_none=True)
    start = LocalTime(allow_none=True)
    time_zone = Zone(allow_none=True)
    recurrence = Text(1, MAX_LENGTH, allow_none=True)
    recurrence_basis = Choice(*BASES)
    reminders = Reminders()

    @validates_schema
    def names_labels_once(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Refuses labels by id and by name at once."""
        if data.keys() >= {"label_ids", "labels"}:
            raise ValidationError(
                {"labels": ["Name the labels here or in label_ids, not in both."]}
            )


class NewTask(Planning):
    """POST /tasks, and the operation create."""

    title = title(required=True)
    description = description(load_default=None)


class TaskChanges(Planning, Changes):
    """PUT and PATCH /tasks/{id}: fields that are left out stay; null clears one."""

    title = title()
    description = description()
    is_completed = Flag()


class Completion(StrictSchema):
    """PATCH /tasks/{id}/complete; of a recurring task it names the due that was done."""

    is_completed = Flag(required=True)
    occurrence = LocalTime()


class Skip(StrictSchema):
    """POST /tasks/{id}/skip."""

    occurrence = LocalTime(required=True)


class TaskMove(Move):
    """POST /tasks/{id}/move: also to another list, or below another parent."""

    list_id = Reference(allow_none=True)
    parent_id = Reference(allow_none=True)


class Update(Target, TaskChanges):
    """The operation update."""


class Complete(Target):
    """The operation complete; toggles without is_completed."""

    is_completed = Flag()
    occurrence = LocalTime()


class SkipTarget(Target, Skip):
    """The operation skip."""


class MoveTarget(Target, TaskMove):
    """The operation move."""


NAME: Text = name()
REMINDER = Reminder()
NEW_TASK = NewTask()
TASK_CHANGES = TaskChanges()
COMPLETION = Completion()
SKIP = Skip()
TASK_MOVE = TaskMove()
UPDATE = Update()
COMPLETE = Complete()
SKIP_TARGET = SkipTarget()
MOVE_TARGET = MoveTarget()
