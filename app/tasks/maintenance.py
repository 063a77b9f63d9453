"""What an operator does to ledgers: pruning and verifying them, owner by owner."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app import db
from app.auth.repository import list_users
from app.errors import NotFound
from app.fields import Uuid

PURGE_DEADLINE = db.load("tasks/purge_deadline")
PRUNE_LEDGER = db.load("tasks/prune_ledger")
DELETE_PRUNED_ENTRIES = db.load("tasks/delete_pruned_entries")
EMPTY_TRASH = db.load("tasks/empty_trash")
FORGET_ANSWERS = db.load("tasks/forget_answers")
VERIFY_ENTRIES = db.load("tasks/verify_entries")
VERIFY_TASKS = db.load("tasks/verify_tasks")

# Rows per statement: what a statement's deadline allows for, and a writer's patience with the lock.
PRUNED, VERIFIED = 1000, 5000


@dataclass
class Purged:
    """How many rows have gone, of how many owners."""

    owners: int = 0
    tasks: int = 0
    entries: int = 0
    answers: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a ledger is as it was written: the first entry or task that is not, and why."""

    entries: int
    hash: bytes
    version: int | None = None
    problem: str | None = None


def owners() -> Iterator[Uuid]:
    """Everybody who has a ledger."""
    return (user.id for user in list_users())


def purge(older_than: timedelta) -> Purged:
    """Empties everybody's trash and prunes everybody's ledger of what is older.

    A short transaction at a time, so that the service can go on, and a purge that was interrupted.
    """
    (deadline,) = db.fetch_all(PURGE_DEADLINE, {"older_than": older_than})
    purged = Purged()
    for owner_id in owners():
        entries = purged.entries
        _purge_owner(owner_id, deadline.before, purged)
        purged.answers += db.execute(FORGET_ANSWERS, {"owner_id": owner_id})
        purged.owners += purged.entries > entries
    return purged


def _purge_owner(owner_id: Uuid, before: datetime, purged: Purged) -> None:
    owner = {"owner_id": owner_id}
    is_first = True
    while True:
        with db.transaction():
            slice_ = {**owner, "before": before, "limit": PRUNED, "is_first": is_first}
            if db.fetch_one(PRUNE_LEDGER, slice_) is None:
                return
            purged.entries += db.execute(DELETE_PRUNED_ENTRIES, owner)
            purged.tasks += db.execute(EMPTY_TRASH, owner)
        is_first = False


def verify(owner_id: Uuid) -> Verdict:
    """Recomputes the owner's chain of hashes; raises NotFound where there is no such ledger."""
    entries, head = 0, b""
    for page in _pages(VERIFY_ENTRIES, owner_id):
        entries, head = entries + page.entries, page.hash
        if page.problem is not None:
            return Verdict(entries, head, page.version, page.problem)
    for page in _pages(VERIFY_TASKS, owner_id):
        if page.version is not None:
            return Verdict(entries, head, page.version, "unknown")
    return Verdict(entries, head)


def _pages(statement: db.Statement, owner_id: Uuid) -> Iterator[db.Row]:
    """What the statement says of all that has a version, one page after the other."""
    last: int | None = 0
    while last is not None:
        params = {"owner_id": owner_id, "after_version": last, "limit": VERIFIED}
        page = db.fetch_one(statement, params)
        if page is None:
            raise NotFound
        yield page
        last = page.last_version
