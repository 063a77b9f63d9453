"""Lists, labels, saved filters, dates, priorities and subtasks that look like a person's."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from app import zones
from app.filters import repository as filters
from app.labels.repository import name_key
from app.ledger.repository import Terms, change
from app.lists import repository as lists
from app.seed import generator, repository
from app.seed.generator import PAST, Task, new_id
from app.tasks import reminders
from app.tasks import repository as tasks
from app.tasks.dates import Dates, instants
from app.tasks.reminders import Offset
from app.values import Origin, Uuid, fold

ZONES = ("UTC", "Europe/Madrid", "Europe/Zurich", "America/New_York", "Asia/Tokyo", "Asia/Kolkata")
BEFORE = timedelta(hours=1)  # how long before their tasks lists and labels were made
SECOND = timedelta(seconds=1)
ARCHIVED = "Move to the new flat"
# What the lists are called, and what is done in them.
LISTS: dict[str, tuple[str, ...]] = {
    "Home": ("Clean the windows", "Descale the kettle", "Fix the tap", "Water the plants", "Bins"),
    "Work": ("Quarterly report", "Review the offer", "Slides for Monday", "Reply to the auditors"),
    "Shopping": ("Milk", "Bread", "Coffee beans", "Birthday card", "Batteries (AA)", "Tomatoes"),
    "Health": ("Dentist", "Book the eye test", "Run 5 km", "Renew the prescription"),
    "Travel": ("Renew the passport", "Seats on the night train", "Hotel in 東京", "Pack"),
    ARCHIVED: ("Boxes from the cellar", "Tell the bank the address", "Read the meters"),
}
INBOX: tuple[str, ...] = (
    "Call back",
    "Idea for a present",
    "Return the parcel",
    "That book about Zürich",
)
STEPS = ("Find the papers", "Ask for a price", "Write a draft", "Send it", "Put it away")
LABELS = ("errand", "phone", "computer", "waiting for", "5 minutes", "with Ada")
COLORS = ("#c03a2b", "#2b7fc0", "#3f9b4f", "#8e44ad", "#d68910", None)
FILTERS = (
    ("Overdue", "overdue", "due"),
    ("This week", "due < +7d and not completed", "due"),
    ("Important", "priority in (1, 2, 3) and not completed", "priority"),
)
# Recurring tasks: list, title, rule and basis; their reminders are an hour before.
RECURRING = (
    ("Home", "Pay the rent", "FREQ=MONTHLY", "due"),
    ("Home", "Put out the bins", "FREQ=WEEKLY;INTERVAL=2", "due"),
    ("Work", "Hand in the hours", "FREQ=WEEKLY;BYDAY=FR", "due_strict"),
    ("Health", "Call Grandmother", "FREQ=DAILY;INTERVAL=10", "completion"),
)
PRIORITIES = {0: 70, 1: 8, 5: 15, 9: 7}  # with their weights
IN_A_LIST, DUE, TIMED, ZONED, STARTED, LABELLED, PARENT = 0.8, 0.6, 0.4, 0.3, 0.2, 0.35, 0.12


def account(password_hash: str) -> tuple[Uuid, str, str]:
    """Registers an account somewhere in the world; returns its id, its e-mail and its zone."""
    zone = random.choice(ZONES)  # noqa: S311
    return *generator.account(password_hash, zone), zone


def everything(owner_id: Uuid, zone: str, count: int) -> Iterator[int]:
    """Gives a new account lists, labels, `count` tasks and filters; yields each batch's size."""
    began = datetime.now(UTC) - PAST - BEFORE
    made = [_named(began + SECOND * number, title) for number, title in enumerate(LISTS)]
    given = [{**each, "title_folded": fold(each["title"]), "description": None} for each in made]
    version = repository.store_lists(owner_id, 0, given)
    labels = [
        _label(began + SECOND * (len(LISTS) + number), name) for number, name in enumerate(LABELS)
    ]
    version = repository.store_labels(owner_id, version, labels)
    planner = Planner(
        zone, {each["title"]: each["id"] for each in made}, [each["id"] for each in labels]
    )
    recurring = list(_recurring(planner))[:count]
    yield from generator.tasks(owner_id, count - len(recurring), planner.plan, version)
    terms = Terms(owner_id, None, Origin("seed", None))
    change(lists.ARCHIVE.prepare({"id": str(planner.lists[ARCHIVED])}), terms)
    for fields in recurring:
        change(tasks.CREATE.prepare(fields), terms)
    yield len(recurring)
    for title, query, sort in FILTERS:
        fields = {"title": title, "query": query, "sort": sort}
        change(filters.CREATE.prepare(fields), terms)


def _recurring(planner: "Planner") -> Iterator[dict[str, Any]]:
    today = zones.local_date(datetime.now(UTC), planner.zone)
    reminder = reminders.relative(Offset(0, -3600), "due")
    for name, title, rule, basis in RECURRING:
        due = today + timedelta(days=random.randint(1, 14))  # noqa: S311
        yield {
            "list_id": str(planner.lists[name]),
            "title": title,
            "due": f"{due}T18:00:00",
            "recurrence": rule,
            "recurrence_basis": basis,
            "reminders": [reminder],
        }


def _named(at: datetime, title: str) -> dict[str, Any]:
    return {"id": new_id(at), "title": title, "color": _color(), "created_at": at}


def _label(at: datetime, name: str) -> dict[str, Any]:
    key = f"\\x{name_key(name).hex()}"
    return {"id": new_id(at), "name": name, "name_key": key, "color": _color(), "created_at": at}


def _color() -> str | None:
    return random.choice(COLORS)  # noqa: S311


@dataclass(frozen=True)
class Planner:
    """Plans the tasks of an owner who lives in a zone."""

    zone: str
    lists: dict[str, UUID]
    labels: Sequence[UUID]

    def plan(self, tasks: Sequence[Task]) -> None:
        """Gives new tasks, in the order of their creation, all that a task has beside its text."""
        parent, children = None, 0
        for task in tasks:
            self._plan(task)
            if parent is not None and children > 0:
                children -= 1
                parent["is_parent"] = True
                title = random.choice(STEPS)  # noqa: S311
                task |= {"parent_id": parent["id"], "list_id": parent["list_id"]}
                task |= {"title": title, "title_folded": fold(title)}
            elif random.random() < PARENT:  # noqa: S311
                parent, children = task, random.randint(2, 4)  # noqa: S311

    def _plan(self, task: Task) -> None:
        list_id, titles = None, INBOX
        if random.random() < IN_A_LIST:  # noqa: S311
            name = random.choice(list(LISTS))  # noqa: S311
            list_id, titles = self.lists[name], LISTS[name]
        title = random.choice(titles)  # noqa: S311
        labels = random.sample(self.labels, random.randint(1, 2))  # noqa: S311
        priorities, weights = list(PRIORITIES), list(PRIORITIES.values())
        dates = self._dates(task["created_at"])
        task |= {
            "title": title,
            "title_folded": fold(title),
            "list_id": list_id,
            "label_ids": sorted(labels) if random.random() < LABELLED else [],  # noqa: S311
            "priority": random.choices(priorities, weights)[0],  # noqa: S311
            **dates._asdict(),
            **instants(dates, self.zone)._asdict(),
        }

    def _dates(self, created_at: datetime) -> Dates:
        """A day up to a month after the creation, at times with an hour, a zone or a start."""
        if random.random() > DUE:  # noqa: S311
            return Dates(None, None, None)
        due_on = created_at.date() + timedelta(days=random.randint(0, 30))  # noqa: S311
        due, zone, start = due_on.isoformat(), None, None
        if random.random() < STARTED:  # noqa: S311
            start = (due_on - timedelta(days=random.randint(0, 3))).isoformat()  # noqa: S311
        if random.random() < TIMED:  # noqa: S311
            due += f"T{random.randint(7, 20):02}:{random.choice((0, 30)):02}:00"  # noqa: S311
            zone = random.choice(ZONES) if random.random() < ZONED else None  # noqa: S311
        return Dates(due, start, zone)
