"""Lists of tasks. The first argument of a function owns all rows."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from app import db
from app.ledger.repository import (
    Call,
    Change,
    Document,
    Fields,
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
from app.values import Page, Uuid, fold

KIND = "list"


class State(NamedTuple):
    """A list with all that a change of it needs."""

    id: Uuid
    title: str
    title_folded: str
    description: str | None
    color: str | None
    position: str
    is_archived: bool
    is_deleted: bool
    version: int
    document: bytes


class ExistingList(NamedTuple):
    """A list that is there, if only in the trash."""

    id: Uuid


STATES = States(KIND, db.load("lists/find", State), db.load("lists/store", Written))
CREATE_LIST = db.load("lists/create", Written)
GET = db.load("lists/get", FoundItem)
LIST_BY_POSITION = db.load("lists/list_by_position", ListedByPosition)
EXPORT = db.load("lists/export", Document)
EMPTY_TRASH = db.load("lists/empty_trash")
FIND_EXISTING = db.load("lists/find_existing", ExistingList)


def _with_folded(fields: Fields) -> dict[str, Any]:
    """The fields, with the folded title where there is a title."""
    folded = {"title_folded": fold(fields["title"])} if "title" in fields else {}
    return {**fields, **folded}


def _create(fields: Fields) -> PreparedChange:
    return PreparedChange(call=Call(CREATE_LIST, fields))


def _archive(fields: Fields) -> PreparedChange:
    return STATES.change("archive", fields["id"], lambda state: state._replace(is_archived=True))


def _unarchive(fields: Fields) -> PreparedChange:
    return STATES.change("unarchive", fields["id"], lambda state: state._replace(is_archived=False))


CREATE = Change(_create, _with_folded)
UPDATE = Change(STATES.update, _with_folded)
MOVE = Change(lambda fields: STATES.move(fields["id"], Place.of(fields)))
ARCHIVE = Change(_archive)
UNARCHIVE = Change(_unarchive)
DELETE = Change(lambda fields: STATES.delete(fields["id"]))
RESTORE = Change(lambda fields: STATES.restore(fields["id"]))


def get(owner_id: Uuid, list_id: Uuid | None) -> Item:
    """The list; raises NotFound where the owner has no such list outside the trash."""
    return read_item(GET, owner_id, list_id)


def exists(owner_id: Uuid, list_id: Uuid) -> bool:
    """Whether the owner has such a list outside the trash."""
    return db.fetch_one(GET, {"owner_id": owner_id, "id": list_id}) is not None


def search(
    owner_id: Uuid,
    *,
    position: Sequence[Any] | None,
    limit: int,
    is_archived: bool | None,
    known_tags: Sequence[str],
) -> Page:
    """A page of the lists outside the trash in their order, archived ones as `is_archived` says."""
    wanted = {"is_archived": is_archived}
    return page_by_position(LIST_BY_POSITION, owner_id, wanted, position, limit, known_tags)


def find_existing(owner_id: Uuid, ids: Collection[Uuid]) -> set[Uuid]:
    """Those of the lists that are there, also in the trash."""
    found = db.fetch_all(FIND_EXISTING, {"owner_id": owner_id, "ids": list(ids)})
    return {each.id for each in found}
