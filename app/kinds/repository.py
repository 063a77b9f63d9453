"""Batch and export over all kinds of items. Each function is one transaction."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import NamedTuple

from app import db
from app.errors import NotFound, PreconditionFailed
from app.ledger import repository as ledger
from app.ledger.repository import Document, Item, PreparedChange, Written
from app.values import Origin, Uuid


class Step(NamedTuple):
    """An operation of a batch: its change, and the versions that it expects."""

    change: PreparedChange
    if_versions: Sequence[int] | None


def batch(
    owner_id: Uuid, steps: Sequence[Step], if_versions: Sequence[int] | None, origin: Origin
) -> list[Item]:
    """Makes all changes in their order, or none, in one round trip; returns the items after each.

    `if_versions` are of the owner's ledger. Raises NotFound or PreconditionFailed, whose details
    name the operation that failed.
    """
    calls = [
        (
            step.change.statement,
            ledger.change_params(owner_id, step.change, step.if_versions, origin),
        )
        for step in steps
    ]
    with db.transaction():
        is_expected = ledger.lock(owner_id, if_versions)
        items = list(_changed(db.fetch_each(calls)))
        if not is_expected:  # last, as an item that does not exist comes first
            raise PreconditionFailed
    return items


def _changed(rows: Iterable[Written | None]) -> Iterator[Item]:
    """The item after each operation; raises what the first failed one did, naming it."""
    for ordinal, row in enumerate(rows):
        try:
            yield ledger.changed(row)
        except NotFound as error:
            details = _broken(ordinal, "id", "There is no such item.")
            raise NotFound(details=details) from error
        except PreconditionFailed as error:
            details = _broken(ordinal, "if_version", "The item has another version.")
            raise PreconditionFailed(details=details) from error


def _broken(ordinal: int, field: str, message: str) -> list[dict[str, str]]:
    return [{"field": f"operations[{ordinal}].{field}", "message": message}]


def export(
    owner_id: Uuid, statements: Sequence[db.Statement[Document]]
) -> Generator[tuple[db.Statement[Document], list[Document]], None, None]:
    """The items that each statement reads in chunks, from one snapshot."""
    return db.stream(statements, {"owner_id": owner_id})
