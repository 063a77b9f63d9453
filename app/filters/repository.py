"""Saved filters. The first argument of a function owns all rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app import db
from app.ledger.repository import (
    Call,
    Change,
    Document,
    FoundItem,
    Item,
    ListedByPosition,
    Place,
    PreparedChange,
    States,
    Written,
    page_by_position,
    read_item,
)
from app.values import Page, Uuid

KIND = "filter"


class State(NamedTuple):
    """A saved filter with all that a change of it needs."""

    id: Uuid
    title: str
    query: str
    sort: str
    position: str
    is_deleted: bool
    version: int
    document: bytes


STATES = States(KIND, db.load("filters/find", State), db.load("filters/store", Written))
CREATE_FILTER = db.load("filters/create", Written)
GET = db.load("filters/get", FoundItem)
LIST_BY_POSITION = db.load("filters/list_by_position", ListedByPosition)
EXPORT = db.load("filters/export", Document)
EMPTY_TRASH = db.load("filters/empty_trash")


CREATE = Change(lambda fields: PreparedChange(call=Call(CREATE_FILTER, fields)))
UPDATE = Change(STATES.update)
MOVE = Change(lambda fields: STATES.move(fields["id"], Place.of(fields)))
DELETE = Change(lambda fields: STATES.delete(fields["id"]))
RESTORE = Change(lambda fields: STATES.restore(fields["id"]))


def get(owner_id: Uuid, filter_id: Uuid | None) -> Item:
    """The filter; raises NotFound where the owner has no such filter outside the trash."""
    return read_item(GET, owner_id, filter_id)


def search(
    owner_id: Uuid, *, position: Sequence[Any] | None, limit: int, known_tags: Sequence[str]
) -> Page:
    """A page of the saved filters outside the trash, in their order."""
    return page_by_position(LIST_BY_POSITION, owner_id, {}, position, limit, known_tags)
