"""Pruning and verifying the ledgers of all owners, for an operator."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.auth.repository import list_users
from app.idempotency.repository import delete_expired_keys
from app.ledger import repository
from app.ledger.kinds import Kind
from app.values import Uuid


@dataclass
class Purged:
    """How many rows were removed, of how many owners."""

    owners: int = 0
    items: int = 0
    entries: int = 0
    keys: int = 0


@dataclass(frozen=True)
class Verdict:
    """The number of entries, the head's hash and, where it fails, the first version and why."""

    entries: int
    hash: bytes
    version: int | None = None
    problem: str | None = None


def owners() -> Iterator[Uuid]:
    """Every owner of a ledger."""
    return (user.id for user in list_users())


def purge(
    older_than: timedelta, kinds: Collection[Kind], clean_up: Callable[[Uuid], None]
) -> Purged:
    """Empties the trash and prunes the ledger of every owner, of what is older.

    `clean_up` removes what belonged to an owner's items, and is no item itself.
    In short transactions: the service goes on meanwhile, and an interrupted purge can go on later.
    """
    before = repository.purge_deadline(older_than)
    purged = Purged()
    for owner_id in owners():
        entries = purged.entries
        _purge_owner(owner_id, before, kinds, clean_up, purged)
        purged.keys += delete_expired_keys(owner_id)
        purged.owners += purged.entries > entries
    return purged


def _purge_owner(
    owner_id: Uuid,
    before: datetime,
    kinds: Collection[Kind],
    clean_up: Callable[[Uuid], None],
    purged: Purged,
) -> None:
    empty_trash = [kind.empty_trash for kind in kinds]
    removed = repository.prune(owner_id, before, empty_trash, clean_up, is_first=True)
    while removed is not None:
        purged.entries += removed.entries
        purged.items += removed.items
        removed = repository.prune(owner_id, before, empty_trash, clean_up, is_first=False)


def verify(owner_id: Uuid) -> Verdict:
    """Recomputes the owner's hash chain; raises NotFound where there is no such ledger."""
    entries, head = 0, b""
    for page in repository.verify_entries(owner_id):
        entries, head = entries + page.entries, page.hash
        if page.problem is not None:
            return Verdict(entries, head, page.version, page.problem)
    for items in repository.verify_items(owner_id):
        if items.version is not None:
            return Verdict(entries, head, items.version, "unknown")
    return Verdict(entries, head)
