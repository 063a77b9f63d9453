"""A task's row with all that a change of it needs."""

from datetime import datetime
from typing import NamedTuple

from app.values import Uuid


class State(NamedTuple):
    """The columns of a task that its next state depends on."""

    id: Uuid
    title: str
    title_folded: str
    description: str | None
    description_folded: str
    is_completed: bool
    list_id: Uuid | None
    parent_id: Uuid | None
    root_id: Uuid | None
    position: str
    priority: int
    label_ids: list[Uuid]
    due: str | None
    start: str | None
    time_zone: str | None
    due_at: datetime | None
    due_begins_at: datetime | None
    start_at: datetime | None
    computed_zone: str | None
    recurrence: str | None
    recurrence_basis: str
    recurrence_from: str | None
    recurrence_left: int | None
    reminders: list[str]
    next_reminder_at: datetime | None
    computed_reminder_time: str | None
    is_deleted: bool
    deleted_from: int | None
    is_list_deleted: bool
    version: int
    document: bytes
