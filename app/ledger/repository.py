"""The ledger: changes, feed, history, trash, pruning, verification, for items of every kind.

Each function is one transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from app import db
from app.errors import NotFound, PreconditionFailed, SyncTokenExpired
from app.ledger.sync_token import LedgerState, Position, after, is_expired
from app.values import Origin, Page, Uuid


class Written(NamedTuple):
    """An item that a change found; unless `is_expected`, nothing was changed.

    `version` and `document` are those after the change, both None where nothing was changed;
    `document` also where the item is in the trash.
    """

    is_expected: bool
    id: Uuid | None
    version: int | None
    document: bytes | None


class Document(NamedTuple):
    """An item as JSON."""

    document: bytes


class LockedLedger(NamedTuple):
    """Whether the ledger has an expected version."""

    is_expected: bool


class ListedChanges(NamedTuple):
    """Changes as JSON, and the last one where there are more; the ledger's state."""

    version: int
    pruned_version: int
    prune_count: int
    feed_tag: str
    documents: bytes
    last: bytes | None


class ListedItems(NamedTuple):
    """A page of trash or history as JSON, and its last document where there are more."""

    version: int
    feed_tag: str
    documents: bytes
    last: bytes | None


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


class VerifiedItems(NamedTuple):
    """A page of items, and the version of the first one without an entry."""

    last_version: int | None
    version: int | None


class Trigger(NamedTuple):
    """A trigger as PostgreSQL describes it."""

    name: str
    definition: str
    is_enabled: bool


class Function(NamedTuple):
    """A function and its body."""

    name: str
    body: str


LOCK = db.load("ledger/lock_ledger", LockedLedger)
LIST_CHANGES = db.load("ledger/list_changes", ListedChanges)
LIST_HISTORY = db.load("ledger/list_history", ListedItems)
LIST_TRASH = db.load("ledger/list_trash", ListedItems)
GET_PURGE_DEADLINE = db.load("ledger/get_purge_deadline", PurgeDeadline)
PRUNE_LEDGER = db.load("ledger/prune_ledger")
DELETE_PRUNED_ENTRIES = db.load("ledger/delete_pruned_entries")
VERIFY_ENTRIES = db.load("ledger/verify_entries", VerifiedEntries)
VERIFY_ITEMS = db.load("ledger/verify_items", VerifiedItems)
LIST_TRIGGERS = db.load("ledger/list_triggers", Trigger)
LIST_FUNCTIONS = db.load("ledger/list_functions", Function)

BEYOND_VERSIONS = 2**63 - 1
# Rows per statement: within a statement's timeout, and a writer's lock_timeout.
PRUNED, VERIFIED = 1000, 5000

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class PreparedChange:
    """A statement that changes one item, and its parameters.

    The parameters owner_id, if_versions, request_id and session_id are added to them.
    """

    statement: db.Statement[Written]
    params: Fields


@dataclass(frozen=True)
class Change:
    """A statement that changes one item, and how its parameters are made from a body's fields."""

    statement: db.Statement[Written]
    params: Callable[[Fields], Fields]

    def prepare(self, fields: Fields) -> PreparedChange:
        """The change with these fields; outside a transaction, as folding text takes time."""
        return PreparedChange(self.statement, self.params(fields))


@dataclass(frozen=True)
class Item:
    """An item after a change, or one that was read; no `document` of one in the trash."""

    id: Uuid
    version: int
    document: bytes | None

    @property
    def json(self) -> bytes:
        """The item as JSON; of one in the trash its id and version."""
        return self.document or b'{"id":"%b","version":%d}' % (self.id.encode(), self.version)


@dataclass(frozen=True)
class Feed:
    """Changes as a JSON array, the owner's version, where to go on, and whether there are more."""

    tag: str
    version: int
    position: Position
    has_more: bool
    entries: bytes


class Removed(NamedTuple):
    """Rows that a step of pruning removed."""

    entries: int
    items: int


def change(
    owner_id: Uuid,
    what: PreparedChange,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Item:
    """Changes an item; raises NotFound, or PreconditionFailed at a version not in `if_versions`."""
    params = change_params(owner_id, what, if_versions, origin)
    return changed(db.fetch_one(what.statement, params, grouped=True))


def change_params(
    owner_id: Uuid,
    what: PreparedChange,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Fields:
    """All parameters of the change's statement."""
    own = {"owner_id": owner_id, "if_versions": if_versions, **origin._asdict()}
    return {**what.params, **own}


def changed(row: Written | None) -> Item:
    """The item after a change; raises NotFound or PreconditionFailed where there was none."""
    if row is None:
        raise NotFound
    if not row.is_expected or row.id is None or row.version is None:
        raise PreconditionFailed
    return Item(row.id, row.version, row.document)


def lock(owner_id: Uuid, if_versions: Sequence[int] | None) -> bool:
    """Locks the ledger until the transaction ends; whether its version is one of `if_versions`.

    Raises NotFound where the account is gone.
    """
    row = db.fetch_one(LOCK, {"owner_id": owner_id, "if_versions": if_versions})
    if row is None:
        raise NotFound
    return row.is_expected


def changes(
    owner_id: Uuid,
    kinds: Sequence[str],
    *,
    since: Position,
    limit: int,
    known_tags: Sequence[str],
) -> Feed:
    """The changes of these kinds behind `since`; raises SyncTokenExpired where they are pruned."""
    row = db.fetch_one(
        LIST_CHANGES,
        {
            "owner_id": owner_id,
            "kinds": list(kinds),
            "since": since.version,
            "limit": limit,
            "known_tags": list(known_tags),
        },
        grouped=True,
    )
    if row is None:
        raise NotFound
    ledger = LedgerState(row.version, row.pruned_version, row.prune_count)
    if is_expired(ledger, since):
        raise SyncTokenExpired
    last = row.version if row.last is None else orjson.loads(row.last)["version"]
    return Feed(row.feed_tag, row.version, after(ledger, last), row.last is not None, row.documents)


def trash(
    owner_id: Uuid,
    kind: str,
    *,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of the items of a kind in the trash, the latest deletion first."""
    return _page(LIST_TRASH, owner_id, {"kind": kind}, position, limit, known_tags)


def history(
    owner_id: Uuid,
    kind: str,
    item_id: Uuid | None,
    *,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of one item's entries, the newest first; also for an item in the trash."""
    target = {"kind": kind, "id": item_id}
    return _page(LIST_HISTORY, owner_id, target, position, limit, known_tags)


def _page(
    statement: db.Statement[ListedItems],
    owner_id: Uuid,
    target: Fields,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page in the order of versions, the newest first; raises NotFound without a row."""
    params = {
        "owner_id": owner_id,
        "before_version": position[0] if position else BEYOND_VERSIONS,
        "limit": limit,
        "known_tags": list(known_tags),
        **target,
    }
    row = db.fetch_one(statement, params, grouped=True)
    if row is None:
        raise NotFound
    last = None if row.last is None else orjson.dumps([orjson.loads(row.last)["version"]])
    return Page(row.feed_tag, row.version, row.documents, last)


def purge_deadline(older_than: timedelta) -> datetime:
    """The time `older_than` ago, by the clock that the ledger is written with."""
    (row,) = db.fetch_all(GET_PURGE_DEADLINE, {"older_than": older_than})
    return row.before


def prune(
    owner_id: Uuid,
    before: datetime,
    empty_trash: Iterable[db.Statement[db.NoRow]],
    *,
    is_first: bool,
) -> Removed | None:
    """Removes at most PRUNED entries from before that time, and the trash that only they know.

    `empty_trash` has a statement for each kind; `is_first` counts a new pruning. None where no
    entry is that old.
    """
    owner = {"owner_id": owner_id}
    with db.transaction():
        params = {**owner, "before": before, "limit": PRUNED, "is_first": is_first}
        if db.fetch_one(PRUNE_LEDGER, params) is None:
            return None
        entries = db.execute(DELETE_PRUNED_ENTRIES, owner)
        return Removed(entries, sum(db.execute(each, owner) for each in empty_trash))


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


def verify_items(owner_id: Uuid) -> Iterator[VerifiedItems]:
    """Looks for items without an entry, page by page."""
    last: int | None = 0
    while last is not None:
        params = {"owner_id": owner_id, "after_version": last, "limit": VERIFIED}
        for page in db.fetch_all(VERIFY_ITEMS, params):
            yield page
            last = page.last_version


def list_triggers() -> list[Trigger]:
    """The triggers of the schema's tables."""
    return db.fetch_all(LIST_TRIGGERS, {})


def list_functions() -> list[Function]:
    """The functions of the schema that have a body as text."""
    return db.fetch_all(LIST_FUNCTIONS, {})
