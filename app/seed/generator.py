"""Random accounts with tasks and a past, with a valid ledger."""

import hashlib
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app.auth import repository as accounts
from app.auth.schemas import email_key
from app.seed import repository
from app.values import Uuid, fold

NO_TASK = (None,) * 6  # the task's columns, which only its last change carries
PASSWORD = "seven quiet rivers"  # of every seeded account  # noqa: S105
BATCH = 1000  # tasks of one transaction
PAST = timedelta(days=90)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EMPTY = hashlib.sha256().digest()  # the hash before the first entry
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


class _Task(NamedTuple):
    id: UUID
    id_text: str
    title: str
    description: str | None
    created_at: datetime
    created_at_text: str


class _Change(NamedTuple):
    """A change of a task: its action, its time, and the task's completion then."""

    task: _Task
    action: str
    at: datetime
    completed_at: datetime | None
    is_last: bool


@dataclass(slots=True)
class _Ledger:
    """The head of an owner's ledger; a new ledger has no entry."""

    owner_id: Uuid
    version: int = 0
    hash: bytes = EMPTY


def account(password_hash: str) -> tuple[Uuid, str]:
    """Registers an account; returns its id and its e-mail."""
    name = f"{random.choice(FIRST_NAMES)}.{random.choice(LAST_NAMES)}"  # noqa: S311
    email = f"{name}.{secrets.token_hex(4)}@example.com"
    return accounts.register(email, email_key(email), password_hash).id, email


def tasks(owner_id: Uuid, count: int) -> Iterator[int]:
    """Gives a new account `count` tasks, some completed or deleted; yields each batch's size.

    Each batch has a period of its own, so that all of an owner's changes are in order.
    """
    sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]
    began = datetime.now(UTC) - PAST
    ledger = _Ledger(owner_id)
    for number, size in enumerate(sizes):
        made = _tasks(size, began + PAST * number / len(sizes), PAST / len(sizes))
        changes = _changes(made, began + PAST * (number + 1) / len(sizes))
        after_version = ledger.version
        rows = [_row(ledger, change) for change in changes]
        repository.store(owner_id, after_version, rows)
        yield size


def _tasks(count: int, began: datetime, duration: timedelta) -> list[_Task]:
    titles = random.choices(TITLES, k=count)  # noqa: S311
    descriptions = random.choices(DESCRIPTIONS, k=count)  # noqa: S311
    step = duration / 2 / count
    tasks = []
    for number, (title, description) in enumerate(zip(titles, descriptions, strict=True)):
        # Its number as microseconds makes each time unique.
        created_at = _after(began, step * number, number)
        made = _id(created_at)
        tasks.append(_Task(made, str(made), title, description, created_at, _utc(created_at)))
    return tasks


def _changes(tasks: list[_Task], end: datetime) -> list[_Change]:
    """The changes of the tasks, in order: all are created, most completed, some deleted."""
    changes = []
    for number, task in enumerate(tasks):
        at, completed_at = task.created_at, None
        happened: list[tuple[str, datetime, datetime | None]] = [("create", at, None)]
        for action, share in (("complete", 0.6), ("delete", 0.1)):
            if random.random() < share:  # noqa: S311
                at = _after(at, (end - at) * random.uniform(0.1, 0.9), number)  # noqa: S311
                completed_at = at if action == "complete" else completed_at
                happened.append((action, at, completed_at))
        changes += [
            _Change(task, *change, position == len(happened))
            for position, change in enumerate(happened, 1)
        ]
    return sorted(changes, key=attrgetter("at"))


def _after(began: datetime, duration: timedelta, number: int) -> datetime:
    """`duration` later in whole milliseconds; `number` as microseconds makes it unique."""
    later = began + duration
    return later.replace(microsecond=later.microsecond // 1000 * 1000 + number)


# --- the same text as the functions of migration 0003 make, which take most of a seed's time -----


def _row(ledger: _Ledger, change: _Change) -> tuple[Any, ...]:
    """The ledger's next entry and, with its last change, the task: in the order of TYPES."""
    task, action, at, completed_at, is_last = change
    ledger.version += 1
    at_text = _utc(at)
    document = None if action == "delete" else _document(ledger, change, at_text)
    entry = (
        f'[{ledger.version}, "{task.id_text}", "{action}", "{at_text}", "seed", null, '
        f"{document or 'null'}]"
    )
    ledger.hash = hashlib.sha256(ledger.hash + entry.encode()).digest()
    row = (ledger.version, task.id, action, at, document, ledger.hash)
    if not is_last:
        return row + NO_TASK
    texts = task.title, _fold(task.title), task.description, _fold(task.description or "")
    return row + texts + (completed_at, task.created_at)


def _document(ledger: _Ledger, change: _Change, at_text: str) -> str:
    """task_document()."""
    task, completed_at = change.task, change.completed_at
    completed = (
        '"is_completed" : false, "completed_at" : null'
        if completed_at is None
        else f'"is_completed" : true, "completed_at" : "{at_text}"'
    )
    return (
        f'{{"id" : "{task.id_text}", "owner_id" : "{ledger.owner_id}", '
        f'"title" : {_json(task.title)}, "description" : {_json(task.description)}, {completed}, '
        f'"created_at" : "{task.created_at_text}", "updated_at" : "{at_text}", '
        f'"version" : {ledger.version}}}'
    )


def _utc(at: datetime) -> str:
    """utc()."""
    return f"{at.isoformat(timespec='microseconds')[:-6]}Z"


def _id(at: datetime) -> UUID:
    """uuidv7_at()."""
    milliseconds, microseconds = divmod((at - EPOCH) // MICROSECOND, 1000)
    random_bits = random.getrandbits(62)
    return UUID(int=milliseconds << 80 | 7 << 76 | microseconds << 64 | 2 << 62 | random_bits)


@cache
def _json(text: str | None) -> str:
    return orjson.dumps(text).decode()


@cache
def _fold(text: str) -> str:
    return fold(text)
