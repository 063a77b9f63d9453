"""Storing seeded items, in their states and at their times in the past."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from app import db
from app.errors import NotFound
from app.values import Uuid


class Stored(NamedTuple):
    """The ledger's version after the items were stored."""

    version: int


STORE_TASKS = db.load("seed/store_tasks", Stored)
STORE_LISTS = db.load("seed/store_lists", Stored)
STORE_LABELS = db.load("seed/store_labels", Stored)

Items = Sequence[Mapping[str, Any]]


def store(owner_id: Uuid, after_version: int, tasks: Items) -> int:
    """Adds or changes tasks, in their order; returns the ledger's version after them.

    Raises NotFound where the owner's ledger is not at `after_version`.
    """
    return _store(STORE_TASKS, owner_id, after_version, {"tasks": tasks})


def store_lists(owner_id: Uuid, after_version: int, lists: Items) -> int:
    """Adds lists, as `store` adds tasks."""
    return _store(STORE_LISTS, owner_id, after_version, {"lists": lists})


def store_labels(owner_id: Uuid, after_version: int, labels: Items) -> int:
    """Adds labels, as `store` adds tasks."""
    return _store(STORE_LABELS, owner_id, after_version, {"labels": labels})


def _store(
    statement: db.Statement[Stored], owner_id: Uuid, after_version: int, given: Mapping[str, Items]
) -> int:
    params: dict[str, Any] = {"owner_id": owner_id, "after_version": after_version}
    for name, items in given.items():
        numbered = [{"ordinal": number, **item} for number, item in enumerate(items, 1)]
        params[name] = orjson.dumps(numbered).decode()
    row = db.fetch_one(statement, params)
    if row is None:
        raise NotFound
    return row.version
