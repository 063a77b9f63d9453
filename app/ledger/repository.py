"""The ledger: feed, history, pruning, verification. Each function is one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app import db
from app.errors import NotFound, SyncTokenExpired
from app.ledger import sync_token
from app.ledger.sync_token import LedgerState
from app.values import Page, Uuid


class LockedLedger(NamedTuple):
    """Whether the ledger has an expected version."""

    is_expected: bool


class ListedChanges(NamedTuple):
    """Changes as JSON, and the last one's version where there are more."""

    version: int
    pruned_version: int
    prune_count: int
    entries: bytes | None
    last_version: int | None


class ListedHistory(NamedTuple):
    """Ledger entries of one task as JSON."""

    version: int
    pruned_version: int
    entries: bytes | None
    next_position: bytes | None


class PurgeDeadline(NamedTuple):
    """The time before which entries are purged."""

    before: datetime


class VerifiedEntries(NamedTuple):
    """A page of recomputed entries, and the first one that fails."""

    entries: int
    last_version: int | None
    version: int | None
    problem: str | None
    hash: bytes


class VerifiedTasks(NamedTuple):
    """A page of tasks, and the version of the first one without an entry."""

    last_version: int | None
    version: int | None


LOCK = db.load("ledger/lock_ledger", LockedLedger)
LIST_CHANGES = db.load("ledger/list_changes", ListedChanges)
LIST_HISTORY = db.load("ledger/list_history", ListedHistory)
GET_PURGE_DEADLINE = db.load("ledger/get_purge_deadline", PurgeDeadline)
PRUNE_LEDGER = db.load("ledger/prune_ledger")
DELETE_PRUNED_ENTRIES = db.load("ledger/delete_pruned_entries")
EMPTY_TRASH = db.load("ledger/empty_trash")
VERIFY_ENTRIES = db.load("ledger/verify_entries", VerifiedEntries)
VERIFY_TASKS = db.load("ledger/verify_tasks", VerifiedTasks)

BEYOND_VERSIONS = 2**63 - 1
# Rows per statement: within a statement's timeout, and a writer's lock_timeout.
PRUNED, VERIFIED = 1000, 5000


@dataclass(frozen=True)
class Feed:
    """Changes as a JSON array, the position to go on from, and whether there are more."""

    tag: str
    position: int
    has_more: bool
    entries: bytes


class Removed(NamedTuple):
    """Rows that a step of pruning removed."""

    entries: int
    tasks: int


def feed_tag(version: int, pruned_version: int) -> str:
    """The entity tag of feed, trash and history, which pruning changes without a new version."""
    return f"{version}-{pruned_version}"


def lock(owner_id: Uuid, if_versions: Sequence[int] | None) -> bool:
    """Locks the ledger until the transaction ends; whether its version is one of `if_versions`.

    Raises NotFound where the account is gone.
    """
    row = db.fetch_one(LOCK, {"owner_id": owner_id, "if_versions": if_versions})
    if row is None:
        raise NotFound
    return row.is_expected


def changes(owner_id: Uuid, *, since: int, limit: int, known_tags: Sequence[str]) -> Feed:
    """The changes behind the position `since`; raises SyncTokenExpired where they are pruned."""
    prune_count, version = sync_token.decode(since)
    row = db.fetch_one(
        LIST_CHANGES,
        {"owner_id": owner_id, "since": version, "limit": limit, "known_tags": list(known_tags)},
        grouped=True,
    )
    if row is None:
        raise NotFound
    ledger = LedgerState(row.version, row.pruned_version, row.prune_count)
    if sync_token.is_expired(ledger, prune_count, version):
        raise SyncTokenExpired
    has_more = row.last_version is not None
    position = (
        row.version if row.last_version is None else sync_token.encode(ledger, row.last_version)
    )
    tag = feed_tag(row.version, row.pruned_version)
    return Feed(tag, position, has_more, row.entries or b"[]")


def history(
    owner_id: Uuid,
    task_id: Uuid,
    *,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of one task's entries, the newest first; also for a task in the trash."""
    row = db.fetch_one(
        LIST_HISTORY,
        {
            "owner_id": owner_id,
            "id": task_id,
            "before_version": position[0] if position else BEYOND_VERSIONS,
            "limit": limit,
            "known_tags": list(known_tags),
        },
        grouped=True,
    )
    if row is None:
        raise NotFound
    tag = feed_tag(row.version, row.pruned_version)
    return Page(tag, row.version, row.entries or b"[]", row.next_position)


def purge_deadline(older_than: timedelta) -> datetime:
    """The time `older_than` ago, by the clock that the ledger is written with."""
    (row,) = db.fetch_all(GET_PURGE_DEADLINE, {"older_than": older_than})
    return row.before


def prune(owner_id: Uuid, before: datetime, *, is_first: bool) -> Removed | None:
    """Removes at most PRUNED entries from before that time, and the trash that only they know.

    `is_first` counts a new pruning. None where no entry is that old.
    """
    owner = {"owner_id": owner_id}
    with db.transaction():
        params = {**owner, "before": before, "limit": PRUNED, "is_first": is_first}
        if db.fetch_one(PRUNE_LEDGER, params) is None:
            return None
        return Removed(db.execute(DELETE_PRUNED_ENTRIES, owner), db.execute(EMPTY_TRASH, owner))


def verify_entries(owner_id: Uuid) -> Iterator[VerifiedEntries]:
    """Recomputes the hash chain page by page; raises NotFound where there is no such ledger."""
    last: int | None = 0
    while last is not None:
        params = {"owner_id": owner_id, "after_version": last, "limit": VERIFIED}
        page = db.fetch_one(VERIFY_ENTRIES, params)
        if page is None:
            raise NotFound
        yield page
        last = page.last_version


def verify_tasks(owner_id: Uuid) -> Iterator[VerifiedTasks]:
    """Looks for tasks without an entry, page by page."""
    last: int | None = 0
    while last is not None:
        params = {"owner_id": owner_id, "after_version": last, "limit": VERIFIED}
        for page in db.fetch_all(VERIFY_TASKS, params):
            yield page
            last = page.last_version
