"""Tasks: their changes, reading and searching. The first argument of a function owns all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app import db
from app.errors import NotFound
from app.ledger.repository import BEYOND_VERSIONS, Change, Document, Fields, Item, Written
from app.tasks.page_cache import CachedPage, PageCache
from app.values import Page, Uuid, fold

KIND = "task"


class FoundTask(NamedTuple):
    """A task that was read."""

    id: Uuid
    version: int
    document: bytes


class ListedTasks(NamedTuple):
    """A page of tasks as JSON, its last task where there are more, and the ledger's state."""

    version: int
    hash: bytes
    documents: bytes
    last: bytes | None


def _texts(fields: Fields) -> dict[str, Any]:
    """The parameters of title and description, each with its folded text for the search."""
    title, description = fields.get("title"), fields.get("description")
    return {
        "title": title,
        "title_folded": fold(title or ""),
        "description": description,
        "description_folded": fold(description or ""),
    }


def _update(fields: Fields) -> Fields:
    changed = {"is_completed": fields.get("is_completed"), **_texts(fields)}
    return {"id": fields["id"], "fields": list(fields), **changed}


def _completion(fields: Fields) -> Fields:
    return {"id": fields["id"], "is_completed": fields.get("is_completed")}


def _target(fields: Fields) -> Fields:
    return {"id": fields["id"]}


CREATE = Change(db.load("tasks/create", Written), _texts)
UPDATE = Change(db.load("tasks/update", Written), _update)
COMPLETE = Change(db.load("tasks/complete", Written), _completion)
DELETE = Change(db.load("tasks/delete", Written), _target)
RESTORE = Change(db.load("tasks/restore", Written), _target)
GET = db.load("tasks/get", FoundTask)
EXPORT = db.load("tasks/export", Document)
EMPTY_TRASH = db.load("tasks/empty_trash")

FIRST_ID, LAST_ID = str(UUID(int=0)), str(UUID(int=2**128 - 1))
BEFORE_VERSIONS = 0
BEYOND_TITLES = "\U0010ffff" * 256  # sorts behind every title, which has at most 255 characters
PAGES = PageCache()


@dataclass(frozen=True)
class Sort:
    """A sort order: its statement, the fields that it sorts by, and the first page's position.

    The statement's parameter for a field is the field's name after `after_`.
    """

    statement: db.Statement[ListedTasks]
    fields: tuple[str, ...]
    beginning: tuple[Any, ...]

    def params(self, position: Sequence[Any] | None) -> dict[str, Any]:
        """The parameters of a position."""
        place = zip(self.fields, position or self.beginning, strict=True)
        return {f"after_{field}": value for field, value in place}

    def position(self, last: bytes) -> bytes:
        """The position behind a task, as a JSON array."""
        task = orjson.loads(last)
        return orjson.dumps([task[field] for field in self.fields])


SORTS: Mapping[str, Sort] = {
    "-created_at": Sort(db.load("tasks/list_by_created_desc", ListedTasks), ("id",), (LAST_ID,)),
    "created_at": Sort(db.load("tasks/list_by_created_asc", ListedTasks), ("id",), (FIRST_ID,)),
    "-updated_at": Sort(
        db.load("tasks/list_by_updated_desc", ListedTasks), ("version",), (BEYOND_VERSIONS,)
    ),
    "updated_at": Sort(
        db.load("tasks/list_by_updated_asc", ListedTasks), ("version",), (BEFORE_VERSIONS,)
    ),
    "title": Sort(db.load("tasks/list_by_title_asc", ListedTasks), ("title", "id"), ("", FIRST_ID)),
    "-title": Sort(
        db.load("tasks/list_by_title_desc", ListedTasks), ("title", "id"), (BEYOND_TITLES, LAST_ID)
    ),
}


def get(owner_id: Uuid, task_id: Uuid | None) -> Item:
    """The task; raises NotFound where the owner has no such task outside the trash."""
    row = db.fetch_one(GET, {"owner_id": owner_id, "id": task_id}, grouped=True)
    if row is None:
        raise NotFound
    return Item(*row)


def search(
    owner_id: Uuid,
    *,
    sort: str,
    position: Sequence[Any] | None,
    limit: int,
    is_completed: bool | None,
    words: str | None,
    known_tags: Sequence[str],
) -> Page:
    """A page of the tasks outside the trash, beyond `position`; each contains every word."""
    order = SORTS[sort]
    key = orjson.dumps([owner_id, sort, position, limit, is_completed, words])
    cached = PAGES.get(key)
    row = db.fetch_one(
        order.statement,
        {
            "owner_id": owner_id,
            "limit": limit,
            "is_completed": is_completed,
            "patterns": None if words is None else [_pattern(fold(word)) for word in words.split()],
            "known_tags": list(known_tags),
            "known_hash": None if cached is None else cached.hash,
            **order.params(position),
        },
        grouped=words is None and is_completed is None,  # else it may read all tasks
        slow=words is not None,
    )
    if row is None:
        raise NotFound
    if cached is not None and cached.hash == row.hash:
        return cached.page
    beyond = None if row.last is None else order.position(row.last)
    page = Page(str(row.version), row.version, row.documents, beyond)
    if page.tag not in known_tags:
        PAGES.store(key, CachedPage(row.hash, page))
    return page


def _pattern(word: str) -> str:
    """A LIKE pattern in which every character of the word stands for itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
