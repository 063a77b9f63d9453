"""Reminders that are due: each fires once for an occurrence of its task, whoever tries.

Each transaction is one owner's: it locks the ledger, reads the tasks, records what fires and moves
the tasks on. So what was changed or fired meanwhile is seen, and a crash leaves all due or none.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app import db
from app.tasks.reminders import Schedule, pending
from app.values import Uuid

KIND = "reminder"
WORKER = "worker"  # the ledger's request id of what no request has changed
AT_ONCE = 50  # tasks in one transaction, with up to 500 reminders: within a writer's lock_timeout
LATEST = timedelta(hours=24)  # after which a reminder is of no use


class DueTask(NamedTuple):
    """A task whose next reminder is due, and what PostgreSQL's clock said."""

    id: Uuid
    title: str
    due: str | None
    start: str | None
    time_zone: str | None
    computed_zone: str | None
    reminders: list[str]
    next_reminder_at: datetime
    computed_reminder_time: str | None
    is_hidden: bool
    now: datetime


class FoundTask(NamedTuple):
    """A task, of any owner, whose next reminder is due."""

    owner_id: Uuid
    task_id: Uuid


class Locked(NamedTuple):
    """The version of a ledger."""

    version: int


class Recipient(NamedTuple):
    """Whether an owner wants mail and can get it."""

    wants_mail: bool


LIST_DUE = db.load("reminders/list_due", FoundTask)
LOCK_LEDGER = db.load("reminders/lock_ledger", Locked)
FIND_DUE = db.load("reminders/find_due", DueTask)
GET_RECIPIENT = db.load("reminders/get_recipient", Recipient)
FIRE = db.load("reminders/fire", Locked)
SET_NEXT = db.load("reminders/set_next")
DELETE_PRUNED = db.load("reminders/delete_pruned")


@dataclass(frozen=True)
class Firing:
    """A reminder that fires, or is missed, for an occurrence of its task."""

    task: DueTask
    reminder: str
    occurrence: str
    at: datetime

    @property
    def is_missed(self) -> bool:
        """Whether it comes too late to be of use."""
        return self.task.now - self.at > LATEST

    @property
    def params(self) -> dict[str, object]:
        """What the ledger records of it."""
        return {
            "task_id": self.task.id,
            "occurrence": self.occurrence,
            "reminder": self.reminder,
            "at": self.at,
            "action": "miss" if self.is_missed else "fire",
            "request_id": WORKER,
        }


@dataclass(frozen=True)
class FiredReminders:
    """How many fired and how many were missed; how late the latest of those that fired was."""

    fired: int = 0
    missed: int = 0
    lag_seconds: float = 0.0


Announce = Callable[[Uuid, Sequence[Firing]], None]


def keep_quiet(_owner_id: Uuid, _fired: Sequence[Firing]) -> None:
    """Announces nothing."""


def fire_due(limit: int, mail: Announce = keep_quiet) -> FiredReminders:
    """Fires what is due of up to `limit` tasks; another call has those that it left.

    It leaves the tasks of owners whose ledger is locked at the time. `mail` gets what fired for an
    owner who wants mail and has a verified address, within the transaction.
    """
    recorded: list[Firing] = []
    for owner_id, ids in _by_owner(db.fetch_all(LIST_DUE, {"limit": limit})):
        recorded += _fire_owner(owner_id, ids, mail)
    late = [(each.task.now - each.at).total_seconds() for each in recorded if not each.is_missed]
    return FiredReminders(len(late), len(recorded) - len(late), max(late, default=0.0))


def _by_owner(tasks: Sequence[FoundTask]) -> Iterator[tuple[Uuid, list[Uuid]]]:
    """The ids of each owner's tasks, AT_ONCE at most; the owner of the oldest comes first."""
    found: dict[Uuid, list[Uuid]] = {}
    for owner_id, task_id in tasks:
        found.setdefault(owner_id, []).append(task_id)
    for owner_id, ids in found.items():
        for start in range(0, len(ids), AT_ONCE):
            yield owner_id, ids[start : start + AT_ONCE]


def _fire_owner(owner_id: Uuid, ids: Sequence[Uuid], mail: Announce) -> list[Firing]:
    """Fires what is due of these tasks; returns what no other worker had fired."""
    with db.transaction():
        if db.fetch_one(LOCK_LEDGER, {"owner_id": owner_id}) is None:
            return []
        tasks = db.fetch_all(FIND_DUE, {"owner_id": owner_id, "ids": ids})
        if not tasks:
            return []
        due = sorted((each for task in tasks for each in _due(task)), key=lambda each: each.at)
        recorded = _record(owner_id, due)
        left = [min(_left(task), default=None) for task in tasks]
        moved = {"ids": [task.id for task in tasks], "next_reminder_at": left}
        db.execute(SET_NEXT, {"owner_id": owner_id, **moved})
        told = [each for each in recorded if not each.is_missed]
        if told and _wants_mail(owner_id):
            mail(owner_id, told)
    return recorded


def _wants_mail(owner_id: Uuid) -> bool:
    recipient = db.fetch_one(GET_RECIPIENT, {"owner_id": owner_id})
    return recipient is not None and recipient.wants_mail


def _due(task: DueTask) -> Iterator[Firing]:
    """The reminders that are due, the earliest first; none of a task that is hidden."""
    schedule = Schedule.of(task)
    for text, at in pending(task, task.reminders).items():
        if at <= task.now and not task.is_hidden:
            yield Firing(task, text, schedule.occurrence(text), at)


def _left(task: DueTask) -> Iterator[datetime]:
    """When the other pending ones fire."""
    return (at for at in pending(task, task.reminders).values() if at > task.now)


def _record(owner_id: Uuid, firings: Sequence[Firing]) -> list[Firing]:
    """Records firings in the ledger; returns those that were not recorded before."""
    if not firings:
        return []
    rows = db.fetch_each([(FIRE, {**each.params, "owner_id": owner_id}) for each in firings])
    return [each for each, row in zip(firings, rows, strict=True) if row is not None]
