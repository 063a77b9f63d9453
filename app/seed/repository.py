"""Storing seeded tasks, in their states and at their times in the past."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from app import db
from app.errors import NotFound
from app.values import Uuid


class Stored(NamedTuple):
    """The ledger's version after the tasks were stored."""

    version: int


STORE_TASKS = db.load("seed/store_tasks", Stored)


def store(owner_id: Uuid, after_version: int, tasks: Sequence[Mapping[str, Any]]) -> int:
    """Adds or changes tasks, in their order; returns the ledger's version after them.

    Raises NotFound where the owner's ledger is not at `after_version`.
    """
    numbered = [{"ordinal": number, **task} for number, task in enumerate(tasks, 1)]
    params = {
        "owner_id": owner_id,
        "after_version": after_version,
        "tasks": orjson.dumps(numbered).decode(),
    }
    row = db.fetch_one(STORE_TASKS, params)
    if row is None:
        raise NotFound
    return row.version
