"""Labels of tasks. The first argument of a function owns all rows."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
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
    Terms,
    Written,
    change,
    lock,
    page_by_position,
    read_item,
    write_each,
)
from app.values import Page, Uuid, nfkc_casefold

KIND = "label"


class State(NamedTuple):
    """A label with all that a change of it needs."""

    id: Uuid
    name: str
    name_key: bytes
    color: str | None
    position: str
    removed_from: int | None
    is_deleted: bool
    version: int
    document: bytes


class FoundLabel(NamedTuple):
    """A label outside the trash."""

    id: Uuid
    name_key: bytes


class TaskId(NamedTuple):
    """A task by its id."""

    id: Uuid


STATES = States(KIND, db.load("labels/find", State), db.load("labels/store", Written))
CREATE_LABEL = db.load("labels/create", Written)
GET = db.load("labels/get", FoundItem)
FIND_LABELS = db.load("labels/find_labels", FoundLabel)
FIND_TASKS = db.load("labels/find_tasks", TaskId)
FIND_UNCHANGED_TASKS = db.load("labels/find_unchanged_tasks", TaskId)
REMOVE_FROM_TASK = db.load("labels/remove_from_task", Written)
ADD_TO_TASK = db.load("labels/add_to_task", Written)
LIST_BY_POSITION = db.load("labels/list_by_position", ListedByPosition)
EXPORT = db.load("labels/export", Document)
EMPTY_TRASH = db.load("labels/empty_trash")


def name_key(name: str) -> bytes:
    """What is the same for all spellings of a name, whatever their case and normal form."""
    return hashlib.sha256(nfkc_casefold(name).encode()).digest()


def by_key(names: Iterable[str]) -> dict[bytes, str]:
    """Names by their keys; of two spellings the first one counts."""
    found: dict[bytes, str] = {}
    for name in names:
        found.setdefault(name_key(name), name)
    return found


def _with_key(fields: Fields) -> dict[str, Any]:
    key = {"name_key": name_key(fields["name"])} if "name" in fields else {}
    return {**fields, **key}


def _create(fields: Fields) -> PreparedChange:
    return PreparedChange(call=Call(CREATE_LABEL, fields))


def _delete(fields: Fields) -> PreparedChange:
    """A move to the trash, which takes the label from its tasks; each of them takes a version."""

    def run(terms: Terms) -> Item:
        with db.transaction():
            first = lock(terms.owner_id).version + 1
            state = STATES.read(terms, fields["id"])
            labelled = {"owner_id": terms.owner_id, "label_id": state.id}
            _change_tasks(terms, REMOVE_FROM_TASK, state.id, db.fetch_all(FIND_TASKS, labelled))
            deleted = state._replace(is_deleted=True, removed_from=first)
            return STATES.write(terms, deleted, "delete")

    return PreparedChange(run=run)


def _restore(fields: Fields) -> PreparedChange:
    """A return from the trash, and to those of its tasks that have not changed since."""

    def run(terms: Terms) -> Item:
        with db.transaction():
            lock(terms.owner_id)
            state = STATES.read(terms, fields["id"], in_trash=True)
            removed = {
                "owner_id": terms.owner_id,
                "from_version": state.removed_from,
                "to_version": state.version,
            }
            _change_tasks(terms, ADD_TO_TASK, state.id, db.fetch_all(FIND_UNCHANGED_TASKS, removed))
            restored = state._replace(is_deleted=False, removed_from=None)
            return STATES.write(terms, restored, "restore")

    return PreparedChange(run=run)


def _change_tasks(
    terms: Terms, statement: db.Statement[Written], label_id: Uuid, tasks: Sequence[TaskId]
) -> None:
    own = {"owner_id": terms.owner_id, "label_id": label_id, **terms.origin._asdict()}
    write_each([(statement, {**own, "id": task.id}) for task in tasks])


CREATE = Change(_create, _with_key)
UPDATE = Change(STATES.update, _with_key)
MOVE = Change(lambda fields: STATES.move(fields["id"], Place.of(fields)))
DELETE = Change(_delete)
RESTORE = Change(_restore)


def find(
    owner_id: Uuid, ids: Sequence[Uuid] = (), names: Mapping[bytes, str] | None = None
) -> list[FoundLabel]:
    """The labels outside the trash with one of these ids, or of these names by their keys."""
    params = {"owner_id": owner_id, "ids": list(ids), "name_keys": list(names or ())}
    return db.fetch_all(FIND_LABELS, params)


def make(terms: Terms, names: Mapping[bytes, str]) -> dict[bytes, Uuid]:
    """The ids of the labels of these names, by their keys; missing ones are added.

    The ledger is locked.
    """
    known = {label.name_key: label.id for label in find(terms.owner_id, names=names)}
    for key, name in names.items():
        if key not in known:
            new = Call(CREATE_LABEL, {"name": name, "name_key": key, "color": None})
            known[key] = change(PreparedChange(call=new), terms._replace(if_versions=None)).id
    return known


def get(owner_id: Uuid, label_id: Uuid | None) -> Item:
    """The label; raises NotFound where the owner has no such label outside the trash."""
    return read_item(GET, owner_id, label_id)


def search(
    owner_id: Uuid, *, position: Sequence[Any] | None, limit: int, known_tags: Sequence[str]
) -> Page:
    """A page of the labels outside the trash, in their order."""
    return page_by_position(LIST_BY_POSITION, owner_id, {}, position, limit, known_tags)
