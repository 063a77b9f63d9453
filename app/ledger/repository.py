"""The ledger: changes, feed, history, trash, pruning, verification, for items of every kind.

Each function is one transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar, cast
from uuid import UUID

import orjson

from app import db
from app.errors import (
    NO_SUCH_ITEM,
    NotFound,
    PreconditionFailed,
    SyncTokenExpired,
    ValidationFailed,
)
from app.ledger import positions
from app.ledger.sync_token import LedgerState, Position, after, is_expired
from app.values import Origin, Page, Uuid


class Written(NamedTuple):
    """An item after a change; no `document` of one in the trash."""

    id: Uuid
    version: int
    document: bytes | None


class FoundItem(NamedTuple):
    """An item that was read."""

    id: Uuid
    version: int
    document: bytes


class Document(NamedTuple):
    """An item as JSON."""

    document: bytes


class LockedLedger(NamedTuple):
    """The version of a ledger, whether it is an expected one, and the time of a change now."""

    is_expected: bool
    version: int
    at: datetime


class Siblings(NamedTuple):
    """Places in an order: an item's, and those next to it, or the first and last of all."""

    previous: str | None
    living_previous: str | None
    anchor: str | None
    living_next: str | None
    next: str | None


class OccupiedPlace(NamedTuple):
    """An item outside the trash, and its position."""

    id: Uuid
    position: str


class ListedChanges(NamedTuple):
    """Changes as JSON, and the last one where there are more; the ledger's state."""

    version: int
    pruned_version: int
    prune_count: int
    tag: str
    documents: bytes
    last: bytes | None


class ListedItems(NamedTuple):
    """A page of trash or history as JSON, and its last document where there are more."""

    version: int
    tag: str
    documents: bytes
    last: bytes | None


class ListedByPosition(NamedTuple):
    """A page of items in their order as JSON, and its last one where there are more."""

    version: int
    tag: str
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


class Sharding(NamedTuple):
    """Whether the server has Citus."""

    is_sharded: bool


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
FIND_SIBLINGS = db.load("ledger/find_siblings", Siblings)
LIST_PLACES = db.load("ledger/list_places", OccupiedPlace)
COUNT_RECOMPUTE = db.load("ledger/count_recompute")
LIST_CHANGES = db.load("ledger/list_changes", ListedChanges)
LIST_HISTORY = db.load("ledger/list_history", ListedItems)
LIST_TRASH = db.load("ledger/list_trash", ListedItems)
GET_PURGE_DEADLINE = db.load("ledger/get_purge_deadline", PurgeDeadline)
PRUNE_LEDGER = db.load("ledger/prune_ledger")
DELETE_PRUNED_ENTRIES = db.load("ledger/delete_pruned_entries")
VERIFY_ENTRIES = db.load("ledger/verify_entries", VerifiedEntries)
VERIFY_ITEMS = db.load("ledger/verify_items", VerifiedItems)
LIST_TRIGGERS = db.load("ledger/list_triggers", Trigger)
IS_SHARDED = db.load("ledger/is_sharded", Sharding)
LIST_FUNCTIONS = db.load("ledger/list_functions", Function)

BEYOND_VERSIONS = 2**63 - 1
FIRST_ID, LAST_ID = str(UUID(int=0)), str(UUID(int=2**128 - 1))
FEW = 200  # changes in one transaction that are made within a request's time
SLOWEST = 0.01  # seconds for each one where there are more
# Rows per statement: within a statement's timeout, and a writer's lock_timeout.
PRUNED, VERIFIED = 1000, 5000

Fields = Mapping[str, Any]


Versions = Sequence[int] | None  # those that a client expects; None where any will do


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


class Terms(NamedTuple):
    """Whose items a change is about, at which versions, and where it comes from."""

    owner_id: Uuid
    if_versions: Versions
    origin: Origin


Run = Callable[[Terms], Item]


@dataclass(frozen=True)
class Call:
    """A statement that changes one item, and its own parameters."""

    statement: db.Statement[Written]
    params: Fields

    def on(self, terms: Terms) -> tuple[db.Statement[Written], Fields]:
        """The statement with all of its parameters."""
        own = {"owner_id": terms.owner_id, "if_versions": terms.if_versions}
        return self.statement, {**self.params, **own, **terms.origin._asdict()}


def _refuse(terms: Terms) -> Item:
    """Raises NotFound where the account is gone, else PreconditionFailed."""
    lock(terms.owner_id)
    raise PreconditionFailed


@dataclass(frozen=True)
class PreparedChange:
    """A change whose fields are known: one statement, or a transaction that reads first.

    Where there are both, the transaction follows if the statement changed nothing. A statement
    alone changes nothing only where the account is gone, or its ledger's version not expected.
    """

    call: Call | None = None
    run: Run = _refuse


@dataclass(frozen=True)
class Change:
    """A change of one item, and how it is made from a body's fields.

    `complete` adds what follows from them alone, such as folded text, which takes time: it is
    called outside transactions.
    """

    build: Callable[[Fields], PreparedChange]
    complete: Callable[[Fields], Fields] = dict

    def prepare(self, fields: Fields) -> PreparedChange:
        """The change with these fields."""
        return self.build(self.complete(fields))


def read_item(statement: db.Statement[FoundItem], owner_id: Uuid, item_id: Uuid | None) -> Item:
    """The item that a kind's statement finds; raises NotFound where there is none."""
    row = db.fetch_one(statement, {"owner_id": owner_id, "id": item_id}, grouped=True)
    if row is None:
        raise NotFound
    return Item(*row)


def change(what: PreparedChange, terms: Terms) -> Item:
    """Changes an item; raises NotFound, or PreconditionFailed at a version that is not expected."""
    if what.call is not None:
        row = db.fetch_one(*what.call.on(terms), grouped=True)
        if row is not None:
            return Item(*row)
    return what.run(terms)


def changed(row: Written | None) -> Item:
    """The item after a change; raises NotFound where there was none."""
    if row is None:
        raise NotFound
    return Item(*row)


def write_each(calls: Sequence[tuple[db.Statement[Written], Fields]]) -> list[Item]:
    """Changes items one after the other, in one round trip; many get the time that they need."""
    if len(calls) > FEW:
        db.extend_deadline(SLOWEST * len(calls))
    return [changed(row) for row in db.fetch_each(calls)] if calls else []


def lock(owner_id: Uuid, if_versions: Versions = None) -> LockedLedger:
    """Locks the ledger until the transaction ends; raises NotFound where the account is gone.

    What reads an item's neighbours reads them in a statement after it: the one that waited for the
    lock still sees the state of its start.
    """
    row = db.fetch_one(LOCK, {"owner_id": owner_id, "if_versions": if_versions})
    if row is None:
        raise NotFound
    return row


def count_recompute(owner_id: Uuid) -> None:
    """Makes lists of items that were read before invalid, although no version was taken."""
    db.execute(COUNT_RECOMPUTE, {"owner_id": owner_id})


class State(Protocol):
    """What the row type of every kind has."""

    @property
    def id(self) -> Uuid:
        """The item's id."""

    @property
    def position(self) -> str:
        """Its place in the order."""

    @property
    def version(self) -> int:
        """The version of its last change."""

    @property
    def document(self) -> bytes:
        """The item as JSON."""


S = TypeVar("S", bound=tuple[Any, ...])  # a NamedTuple that is a State


@dataclass(frozen=True)
class Place:
    """Where an item is to go: behind or before another one, or at an end of the order."""

    anchor_id: Uuid | None
    is_after: bool
    list_id: Uuid | None = None
    parent_id: Uuid | None = None

    @classmethod
    def of(cls, fields: Fields) -> Self:
        """The place that `after` or `before` names."""
        is_after = "after" in fields
        return cls(fields["after" if is_after else "before"], is_after)


@dataclass(frozen=True)
class States(Generic[S]):
    """How the items of a kind are read and written; each call is inside a transaction."""

    kind: str
    find: db.Statement[S]
    store: db.Statement[Written]

    def read(self, terms: Terms, item_id: Uuid | None, *, in_trash: bool = False) -> S:
        """The item, in the trash or outside it; raises NotFound or PreconditionFailed."""
        state: Any = db.fetch_one(self.find, {"owner_id": terms.owner_id, "id": item_id})
        if state is None or state.is_deleted != in_trash:
            raise NotFound
        expect(state, terms.if_versions)
        return cast("S", state)

    def write(self, terms: Terms, state: Any, action: str) -> Item:
        """Gives the item that state, and takes a version."""
        own = {"owner_id": terms.owner_id, "action": action, **terms.origin._asdict()}
        return changed(db.fetch_one(self.store, {**state._asdict(), **own}))

    def change(
        self, action: str, item_id: Uuid | None, decide: Callable[[S], S], *, in_trash: bool = False
    ) -> PreparedChange:
        """A change to the state that `decide` makes of the present one, if that is another."""

        def run(terms: Terms) -> Item:
            with db.transaction():
                lock(terms.owner_id)
                state = self.read(terms, item_id, in_trash=in_trash)
                wanted: Any = decide(state)
                return unchanged(wanted) if wanted == state else self.write(terms, wanted, action)

        return PreparedChange(run=run)

    def update(self, fields: Fields) -> PreparedChange:
        """A change of the fields that stand beside the item's `id`."""
        changes = {name: fields[name] for name in fields if name != "id"}
        return self.change("update", fields["id"], lambda state: _replaced(state, **changes))

    def delete(self, item_id: Uuid | None) -> PreparedChange:
        """A move to the trash."""
        return self.change("delete", item_id, lambda state: _replaced(state, is_deleted=True))

    def restore(self, item_id: Uuid | None) -> PreparedChange:
        """A return from the trash."""
        return self.change(
            "restore", item_id, lambda state: _replaced(state, is_deleted=False), in_trash=True
        )

    def move(self, item_id: Uuid | None, place: Place) -> PreparedChange:
        """A change of the item's place; none where it is there already."""

        def run(terms: Terms) -> Item:
            with db.transaction():
                version = lock(terms.owner_id).version + 1
                state: Any = self.read(terms, item_id)
                placed = find_place(terms.owner_id, self.kind, state, place, version)
                if placed.position == state.position:
                    return unchanged(state)
                for other_id, position in placed.others:
                    other: Any = self.read(terms._replace(if_versions=None), other_id)
                    self.write(terms, other._replace(position=position), "move")
                return self.write(terms, state._replace(position=placed.position), "move")

        return PreparedChange(run=run)


def _replaced(state: Any, **changes: Any) -> Any:
    return state._replace(**changes)


def expect(state: State, if_versions: Versions) -> None:
    """Raises PreconditionFailed where the item's version is not an expected one."""
    if if_versions is not None and state.version not in if_versions:
        raise PreconditionFailed


def unchanged(state: State) -> Item:
    """The item as it was."""
    return Item(state.id, state.version, state.document)


class Placed(NamedTuple):
    """A position, and new ones for items whose positions have become too long."""

    position: str
    others: list[tuple[Uuid, str]]


def find_place(owner_id: Uuid, kind: str, state: State, place: Place, version: int) -> Placed:
    """The position for an item at that place: its own where it is there already.

    `version` is the owner's next one. Raises ValidationFailed where the anchor is not there.
    """
    order = {
        "owner_id": owner_id,
        "kind": kind,
        "id": state.id,
        "list_id": place.list_id,
        "parent_id": place.parent_id,
    }
    row = db.fetch_one(FIND_SIBLINGS, {**order, "anchor_id": place.anchor_id})
    siblings = row or Siblings(None, None, None, None, None)
    living = siblings._replace(previous=siblings.living_previous, next=siblings.living_next)
    low, high = _gap(place, living)
    if (low or "") < state.position and (high is None or state.position < high):
        return Placed(state.position, [])
    low, high = _gap(place, siblings)
    position = positions.last(version) if high is None else positions.between(low, high)
    if len(position) <= positions.LONGEST:
        return Placed(position, [])
    places = [(other.id, other.position) for other in db.fetch_all(LIST_PLACES, order)]
    return Placed(*positions.respaced(low, places))


def _gap(place: Place, siblings: Siblings) -> tuple[str | None, str | None]:
    """The positions between which the place is."""
    if place.anchor_id is None:
        return (None, siblings.next) if place.is_after else (siblings.previous, None)
    if siblings.anchor is None:
        field = "after" if place.is_after else "before"
        raise ValidationFailed(details=[{"field": field, "message": NO_SUCH_ITEM}])
    if place.is_after:
        return siblings.anchor, siblings.next
    return siblings.previous, siblings.anchor


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
    return Feed(row.tag, row.version, after(ledger, last), row.last is not None, row.documents)


def trash(
    owner_id: Uuid,
    kind: str,
    *,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of the items of a kind in the trash, the latest deletion first."""
    return page_by_version(LIST_TRASH, owner_id, {"kind": kind}, position, limit, known_tags)


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
    return page_by_version(LIST_HISTORY, owner_id, target, position, limit, known_tags)


def page_by_version(
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
    return Page(row.tag, row.version, row.documents, last)


def page_by_position(
    statement: db.Statement[ListedByPosition],
    owner_id: Uuid,
    wanted: Fields,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of items in their order; raises NotFound where the account is gone."""
    after_position, after_id = position or ("", FIRST_ID)
    params = {
        "owner_id": owner_id,
        "after_position": after_position,
        "after_id": after_id,
        "limit": limit,
        "known_tags": list(known_tags),
        **wanted,
    }
    row = db.fetch_one(statement, params, grouped=True)
    if row is None:
        raise NotFound
    last = None if row.last is None else orjson.loads(row.last)
    beyond = None if last is None else orjson.dumps([last["position"], last["id"]])
    return Page(row.tag, row.version, row.documents, beyond)


def purge_deadline(older_than: timedelta) -> datetime:
    """The time `older_than` ago, by the clock that the ledger is written with."""
    (row,) = db.fetch_all(GET_PURGE_DEADLINE, {"older_than": older_than})
    return row.before


def prune(
    owner_id: Uuid,
    before: datetime,
    empty_trash: Iterable[db.Statement[db.NoRow]],
    clean_up: Callable[[Uuid], None],
    *,
    is_first: bool,
) -> Removed | None:
    """Removes at most PRUNED entries from before that time, and the trash that only they know.

    `empty_trash` has a statement for each kind; `clean_up` removes what belonged to the items;
    `is_first` counts a new pruning. None where no entry is that old.
    """
    owner = {"owner_id": owner_id}
    with db.transaction():
        params = {**owner, "before": before, "limit": PRUNED, "is_first": is_first}
        if db.fetch_one(PRUNE_LEDGER, params) is None:
            return None
        entries = db.execute(DELETE_PRUNED_ENTRIES, owner)
        items = sum(db.execute(each, owner) for each in empty_trash)
        if items:
            clean_up(owner_id)
        return Removed(entries, items)


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


def is_sharded() -> bool:
    """Whether Citus may have the tables on several nodes."""
    return any(row.is_sharded for row in db.fetch_all(IS_SHARDED, {}))


def list_triggers() -> list[Trigger]:
    """The triggers of the schema's tables."""
    return db.fetch_all(LIST_TRIGGERS, {})


def list_functions() -> list[Function]:
    """The functions of the schema that have a body as text."""
    return db.fetch_all(LIST_FUNCTIONS, {})
