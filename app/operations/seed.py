"""`flask seed`: accounts with tasks and a past, for demonstrations and load tests."""

import random
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from app import db
from app.auth import repository
from app.auth.schemas import email_key
from app.fields import fold

SEED_TASKS = db.load("operations/seed_tasks")
PASSWORD = "seven quiet rivers"  # of every seeded account  # noqa: S105
BATCH = 500  # tasks of one statement
PAST = timedelta(days=90)
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
REASONS = ("before the weekend", "as promised", "when it rains", "with the children", "by train")


def users(count: int, password_hash: str) -> Iterator[tuple[UUID, str]]:
    """Registers so many accounts, all with the same password; yields their ids and e-mails."""
    for _ in range(count):
        name = f"{random.choice(FIRST_NAMES)}.{random.choice(LAST_NAMES)}"  # noqa: S311
        email = f"{name}.{secrets.token_hex(4)}@example.com"
        yield repository.register(email, email_key(email), password_hash).id, email


def tasks(owner_id: UUID, count: int) -> Iterator[int]:
    """Gives the owner so many tasks, done and deleted ones among them; yields after each batch.

    Every batch has its part of the past, so that all of an owner's changes are in order.
    """
    sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]
    began = datetime.now(UTC) - PAST
    for number, size in enumerate(sizes):
        made = _tasks(size, began + PAST * number / len(sizes), PAST / len(sizes))
        events = _events(made, began + PAST * (number + 1) / len(sizes))
        params = {"tasks": orjson.dumps(made).decode(), "events": orjson.dumps(events).decode()}
        db.fetch_one(SEED_TASKS, {"owner_id": owner_id, **params})
        yield size


def _tasks(count: int, began: datetime, duration: timedelta) -> list[dict[str, Any]]:
    tasks = []
    for number in range(count):
        title = f"{random.choice(VERBS)} {random.choice(THINGS)}"  # noqa: S311
        description = random.choice((None, *REASONS))  # noqa: S311
        tasks.append(
            {
                "number": number,
                "title": title,
                "title_folded": fold(title),
                "description": description,
                "description_folded": fold(description or ""),
                # The microseconds of its number keep each time its own.
                "created_at": _after(began, duration / 2 * (number / count), number),
            }
        )
    return tasks


def _events(tasks: list[dict[str, Any]], end: datetime) -> list[dict[str, Any]]:
    """What happened to the tasks, in order: each was created, most were done, some deleted."""
    events = []
    for task in tasks:
        at, completed_at = task["created_at"], None
        happened: list[tuple[str, datetime, datetime | None]] = [("create", at, None)]
        for action, share in (("complete", 0.6), ("delete", 0.1)):
            if random.random() < share:  # noqa: S311
                at = _after(at, (end - at) * random.uniform(0.1, 0.9), task["number"])  # noqa: S311
                completed_at = at if action == "complete" else completed_at
                happened.append((action, at, completed_at))
        events += [
            {
                "task": task["number"],
                "action": action,
                "at": moment,
                "completed_at": completed,
                "is_last": position == len(happened),
            }
            for position, (action, moment, completed) in enumerate(happened, 1)
        ]
    events.sort(key=lambda event: event["at"])
    return [{"number": number, **event} for number, event in enumerate(events, 1)]


def _after(began: datetime, duration: timedelta, number: int) -> datetime:
    """A whole number of milliseconds later, with microseconds that no other task of a batch has."""
    later = began + duration
    return later.replace(microsecond=later.microsecond // 1000 * 1000 + number)
