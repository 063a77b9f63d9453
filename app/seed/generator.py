"""Random accounts with tasks and a past; the database itself keeps their ledgers."""

import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app.auth import repository as accounts
from app.auth.schemas import email_key
from app.seed import repository
from app.tasks.dates import Dates, Instants
from app.values import Uuid, fold, new_uuid

PASSWORD = "seven quiet rivers"  # of every seeded account  # noqa: S105
BATCH = 250  # tasks of one statement: more would slow down its updates of one row of ledgers
PAST = timedelta(days=90)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
COMPLETED, DELETED = 0.6, 0.1  # shares of the tasks
FIRST_NAMES = ("ada", "alan", "barbara", "donald", "frances", "grace", "katherine", "margaret")
LAST_NAMES = ("allen", "dijkstra", "hamilton", "hopper", "johnson", "kay", "liskov", "lovelace")
VERBS = ("Buy", "Call", "Clean", "Find", "Fix", "Order", "Pay", "Read", "Return", "Write to")
THINGS = (
    "the bank",
    "the bicycle",
    "the book about Zürich",
    "the dentist",
    "flowers 🌷",
    "the invoice (50% off)",
    "milk & bread",
    "the neighbours",
    "snake_case names",
    "the tickets to 東京",
)
DESCRIPTIONS = (
    None,
    "before the weekend",
    "as promised",
    "when it rains",
    "with the children",
    "by train",
)
TITLES = [f"{verb} {thing}" for verb in VERBS for thing in THINGS]

Task = dict[str, Any]
Plan = Callable[[Sequence[Task]], None]  # gives new tasks of one batch more than their texts
UNPLANNED: Task = {
    "list_id": None,
    "parent_id": None,
    "is_parent": False,
    "priority": 0,
    "label_ids": [],
    **Dates(None, None, None)._asdict(),
    **Instants(None, None, None, None)._asdict(),
}


def account(password_hash: str, time_zone: str = "UTC") -> tuple[Uuid, str]:
    """Registers an account; returns its id and its e-mail."""
    name = f"{random.choice(FIRST_NAMES)}.{random.choice(LAST_NAMES)}"  # noqa: S311
    email = f"{name}.{secrets.token_hex(4)}@example.com"
    return accounts.register(
        new_uuid(), email, email_key(email), password_hash, time_zone
    ).id, email


def tasks(
    owner_id: Uuid, count: int, plan: Plan | None = None, after_version: int = 0
) -> Iterator[int]:
    """Gives an account that has none `count` tasks, some completed or deleted; yields batch sizes.

    `after_version` is that of the account's ledger. Each batch has a period of the past of its own,
    in whose thirds its tasks are created, completed and deleted, so that all of an owner's changes
    are in the order of time.
    """
    sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]
    began, version = datetime.now(UTC) - PAST, after_version
    for number, size in enumerate(sizes):
        third = PAST / len(sizes) / 3
        times = (began + PAST * number / len(sizes) + third * part for part in range(3))
        for changed in _changes(size, times, third, plan):
            version = repository.store(owner_id, version, changed)
        yield size


def _changes(
    size: int, times: Iterable[datetime], duration: timedelta, plan: Plan | None
) -> Iterator[list[Task]]:
    """The tasks as they are created, those that are then completed, those that are then deleted.

    Subtasks come after their parents, which are not completed or deleted themselves.
    """
    created, completed, deleted = times
    made = [_task(at) for at in _spread(created, duration, size)]
    if plan is not None:
        plan(made)
    yield made
    parents = {task["parent_id"] for task in made}
    free = [task for task in made if task["id"] not in parents]
    for start, share, action in ((completed, COMPLETED, "complete"), (deleted, DELETED, "delete")):
        chosen = [task for task in free if random.random() < share]  # noqa: S311
        for task, at in zip(chosen, _spread(start, duration, len(chosen)), strict=True):
            task |= {"action": action, "updated_at": at}
            task["completed_at" if action == "complete" else "deleted_at"] = at
        if chosen:
            yield chosen


def _spread(start: datetime, duration: timedelta, count: int) -> Sequence[datetime]:
    return [start + duration * number / count for number in range(count)]


def _task(at: datetime) -> Task:
    title, description = random.choice(TITLES), random.choice(DESCRIPTIONS)  # noqa: S311
    return {
        **UNPLANNED,
        "id": new_id(at),
        "title": title,
        "title_folded": fold(title),
        "description": description,
        "description_folded": fold(description or ""),
        "created_at": at,
        "updated_at": at,
        "action": "create",
    }


def new_id(at: datetime) -> UUID:
    """A version 7 UUID, as uuidv7_at() makes it."""
    milliseconds, microseconds = divmod((at - EPOCH) // MICROSECOND, 1000)
    random_bits = random.getrandbits(62)
    return UUID(int=milliseconds << 80 | 7 << 76 | microseconds << 64 | 2 << 62 | random_bits)
