"""Batch and export over all kinds of items. Each function is one transaction."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from app import db
from app.errors import (
    NO_SUCH_ITEM,
    NameTaken,
    NotFound,
    PreconditionFailed,
    ValidationFailed,
)
from app.ledger import repository as ledger
from app.ledger.repository import Change, Document, Fields, Item, PreparedChange, Terms
from app.values import Origin, Uuid

FEW = 50  # operations that are made one by one within a request's time
SLOWEST = 0.05  # seconds for each one where there are more


@dataclass(frozen=True)
class Step:
    """An operation of a batch.

    `placeholder` stands for the id that it makes, `placeholders` for those that operations before
    it have made.
    """

    change: Change
    fields: Fields  # completed
    if_versions: ledger.Versions = None
    placeholder: Uuid | None = None
    placeholders: frozenset[Uuid] = frozenset()

    def prepare(self, made: Mapping[Uuid, Uuid]) -> PreparedChange:
        """The change, with the ids that were made in place of their placeholders."""
        known = {each: made[each] for each in self.placeholders}
        return self.change.build(_replaced(self.fields, known) if known else self.fields)


def _replaced(value: Any, known: Mapping[Any, Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _replaced(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, known) for each in value]
    return known.get(value, value)


def batch(
    owner_id: Uuid, steps: Sequence[Step], if_versions: ledger.Versions, origin: Origin
) -> list[Item]:
    """Makes all changes in their order, or none; returns the items after each.

    Changes that are one statement each go out in one round trip. `if_versions` are of the owner's
    ledger. Raises NotFound, PreconditionFailed and others, whose details name the operation.
    """
    with db.transaction():
        is_expected = ledger.lock(owner_id, if_versions).is_expected
        terms = Terms(owner_id, None, origin)
        items = _together(steps, terms) or _one_by_one(steps, terms)
        if not is_expected:  # last, as an item that does not exist comes first
            raise PreconditionFailed
    return items


def _together(steps: Sequence[Step], terms: Terms) -> list[Item] | None:
    """Makes all changes in one round trip; None where that does not do, without any change."""
    if any(step.placeholders for step in steps):
        return None
    calls = [
        prepared.call.on(terms._replace(if_versions=step.if_versions))
        for step in steps
        if (prepared := step.prepare({})).call is not None
    ]
    if len(calls) < len(steps):
        return None
    try:
        with db.savepoint():
            return [ledger.changed(row) for row in db.fetch_each(calls)]
    except (NotFound, psycopg.errors.UniqueViolation):
        return None


def _one_by_one(steps: Sequence[Step], terms: Terms) -> list[Item]:
    """Makes each change after the one before."""
    made: dict[Uuid, Uuid] = {}
    items = []
    if len(steps) > FEW:
        db.extend_deadline(SLOWEST * len(steps))
    for ordinal, step in enumerate(steps):
        expected = terms._replace(if_versions=step.if_versions)
        with _naming(ordinal):
            item = ledger.change(step.prepare(made), expected)
        if step.placeholder is not None:
            made[step.placeholder] = item.id
        items.append(item)
    return items


@contextmanager
def _naming(ordinal: int) -> Iterator[None]:
    """Has an error's details name the operation of a batch that it comes from."""
    try:
        yield
    except NotFound as error:
        raise NotFound(details=_details(ordinal, ("id", NO_SUCH_ITEM))) from error
    except PreconditionFailed as error:
        details = _details(ordinal, ("if_version", "The item has another version."))
        raise PreconditionFailed(details=details) from error
    except psycopg.errors.UniqueViolation as error:
        raise NameTaken(details=_details(ordinal, ("name", "Is taken."))) from error
    except ValidationFailed as error:
        broken = [(detail["field"], detail["message"]) for detail in error.details]
        raise ValidationFailed(details=_details(ordinal, *broken)) from error


def _details(ordinal: int, *broken: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"field": f"operations[{ordinal}].{field}", "message": message} for field, message in broken
    ]


def export(
    owner_id: Uuid, statements: Sequence[db.Statement[Document]]
) -> Generator[tuple[db.Statement[Document], list[Document]], None, None]:
    """The items that each statement reads in chunks, from one snapshot."""
    return db.stream(statements, {"owner_id": owner_id})
