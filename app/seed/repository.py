"""Storing seeded changes: a COPY into a temporary table, then one INSERT."""

from collections.abc import Iterable, Sequence
from typing import Any

from app import db
from app.errors import NotFound
from app.values import Uuid

CREATE_SEED_TABLE = db.load("seed/create_seed_table")
COPY_SEED = db.load("seed/copy_seed")
INSERT_SEEDED_TASKS = db.load("seed/insert_seeded_tasks")

# The types of copy_seed.sql's columns, in its order.
TYPES = (
    *("int8", "uuid", "text", "timestamptz", "text", "bytea"),
    *("text", "text", "text", "text", "timestamptz", "timestamptz"),
)


def store(owner_id: Uuid, after_version: int, rows: Iterable[Sequence[Any]]) -> None:
    """Adds changes behind that version of the owner's ledger; raises NotFound at another version.

    COPY can't write to a table under row security: the rows go through a temporary one.
    """
    target = {"owner_id": owner_id, "after_version": after_version}
    with db.transaction():
        db.execute(CREATE_SEED_TABLE, {})
        db.copy(COPY_SEED, TYPES, rows)
        if db.fetch_one(INSERT_SEEDED_TASKS, target) is None:
            raise NotFound
