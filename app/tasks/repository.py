"""Tasks and their ledger. Each function is one transaction; its first argument owns all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app import db
from app.errors import NotFound, PreconditionFailed, SyncTokenExpired
from app.fields import fold
from app.web import Origin

CREATE = db.load("tasks/create")
GET = db.load("tasks/get")
GET_STATE = db.load("tasks/get_state")
UPDATE = db.load("tasks/update")
COMPLETE = db.load("tasks/complete")
DELETE = db.load("tasks/delete")
RESTORE = db.load("tasks/restore")
TRASH = db.load("tasks/trash")
HISTORY = db.load("tasks/history")
CHANGES = db.load("tasks/changes")

FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)
BEFORE_VERSIONS, BEYOND_VERSIONS = 0, 2**63 - 1
BEYOND_TITLES = "\U0010ffff" * 256  # longer than the last title that there can be


@dataclass(frozen=True)
class Sort:
    """The statement of a sort order, its position's parameters and where its first page begins."""

    statement: db.Statement
    parameters: tuple[str, ...]
    beginning: tuple[Any, ...]


SORTS: Mapping[str, Sort] = {
    "-created_at": Sort(db.load("tasks/list_newest_created"), ("after_id",), (LAST_ID,)),
    "created_at": Sort(db.load("tasks/list_oldest_created"), ("after_id",), (FIRST_ID,)),
    "-updated_at": Sort(
        db.load("tasks/list_newest_updated"), ("after_version",), (BEYOND_VERSIONS,)
    ),
    "updated_at": Sort(
        db.load("tasks/list_oldest_updated"), ("after_version",), (BEFORE_VERSIONS,)
    ),
    "title": Sort(
        db.load("tasks/list_title_ascending"), ("after_title", "after_id"), ("", FIRST_ID)
    ),
    "-title": Sort(
        db.load("tasks/list_title_descending"),
        ("after_title", "after_id"),
        (BEYOND_TITLES, LAST_ID),
    ),
}


@dataclass(frozen=True)
class Written:
    """A task after a write: its id, its version, and itself as JSON."""

    id: UUID
    version: int
    document: bytes


@dataclass(frozen=True)
class Page:
    """A JSON array, the entity tag of what it was read from, and where the next page begins."""

    tag: str
    version: int
    items: bytes
    next_position: bytes | None


def create(owner_id: UUID, title: str, description: str | None, origin: Origin) -> Written:
    """Adds a task."""
    row = db.fetch_one(
        CREATE,
        {
            "owner_id": owner_id,
            "title": title,
            "title_folded": fold(title),
            "description": description,
            "description_folded": fold(description or ""),
            **_origin(origin),
        },
    )
    return _written(row)


def get(owner_id: UUID, task_id: UUID) -> Written:
    """The task; NotFound where the owner has no such task outside the trash."""
    row = db.fetch_one(GET, {"owner_id": owner_id, "id": task_id})
    if row is None:
        raise NotFound
    return Written(task_id, row.version, row.document)


def update(
    owner_id: UUID,
    task_id: UUID,
    changes: Mapping[str, Any],
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Written:
    """Changes the fields that `changes` names; takes no version where that changes nothing."""
    row = db.fetch_one(
        UPDATE,
        {
            **_target(owner_id, task_id, if_versions, origin),
            "fields": list(changes),
            "title": changes.get("title"),
            "title_folded": fold(changes.get("title") or ""),
            "description": changes.get("description"),
            "description_folded": fold(changes.get("description") or ""),
            "is_completed": changes.get("is_completed"),
        },
    )
    return _written(row) if row else _unchanged(owner_id, task_id, if_versions)


def complete(
    owner_id: UUID,
    task_id: UUID,
    is_completed: bool | None,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Written:
    """Completes the task or opens it again; toggles where `is_completed` is None."""
    params = _target(owner_id, task_id, if_versions, origin)
    row = db.fetch_one(COMPLETE, {**params, "is_completed": is_completed})
    return _written(row) if row else _unchanged(owner_id, task_id, if_versions)


def delete(
    owner_id: UUID, task_id: UUID, if_versions: Sequence[int] | None, origin: Origin
) -> tuple[UUID, int]:
    """Moves the task to the trash; returns its id and the version of its deletion."""
    row = db.fetch_one(DELETE, _target(owner_id, task_id, if_versions, origin))
    if row is None:
        _unchanged(owner_id, task_id, if_versions)
        raise NotFound
    return row.id, row.version


def restore(
    owner_id: UUID, task_id: UUID, if_versions: Sequence[int] | None, origin: Origin
) -> Written:
    """Brings the task back from the trash; NotFound where it is not in there."""
    row = db.fetch_one(RESTORE, _target(owner_id, task_id, if_versions, origin))
    if row is None:
        state = db.fetch_one(GET_STATE, {"owner_id": owner_id, "id": task_id})
        raise PreconditionFailed if state is not None and state.is_deleted else NotFound
    return _written(row)


def search(
    owner_id: UUID,
    *,
    sort: str,
    position: Sequence[Any] | None,
    limit: int,
    is_completed: bool | None,
    words: str | None,
    known_tags: Sequence[str],
) -> Page:
    """A page of the tasks outside the trash, from `position` on; every word must occur in each."""
    order = SORTS[sort]
    place = zip(order.parameters, position or order.beginning, strict=True)
    row = db.fetch_one(
        order.statement,
        {
            "owner_id": owner_id,
            "limit": limit,
            "is_completed": is_completed,
            "patterns": None if words is None else [_pattern(word) for word in fold(words).split()],
            "known_tags": list(known_tags),
            **dict(place),
        },
    )
    if row is None:
        raise NotFound
    return Page(str(row.version), row.version, row.documents or b"[]", row.next_position)


def trash(
    owner_id: UUID, *, position: Sequence[Any] | None, limit: int, known_tags: Sequence[str]
) -> Page:
    """A page of the trash, what was deleted last first."""
    row = db.fetch_one(
        TRASH,
        {
            "owner_id": owner_id,
            "before_version": position[0] if position else BEYOND_VERSIONS,
            "limit": limit,
            "known_tags": list(known_tags),
        },
    )
    if row is None:
        raise NotFound
    return Page(_feed_tag(row), row.version, row.documents or b"[]", row.next_position)


def history(
    owner_id: UUID,
    task_id: UUID,
    *,
    position: Sequence[Any] | None,
    limit: int,
    known_tags: Sequence[str],
) -> Page:
    """A page of one task's ledger entries, the newest first; also for a task in the trash."""
    row = db.fetch_one(
        HISTORY,
        {
            "owner_id": owner_id,
            "id": task_id,
            "before_version": position[0] if position else BEYOND_VERSIONS,
            "limit": limit,
            "known_tags": list(known_tags),
        },
    )
    if row is None:
        raise NotFound
    return Page(_feed_tag(row), row.version, row.entries or b"[]", row.next_position)


@dataclass(frozen=True)
class Feed:
    """Changes as a JSON array, the version to go on from, and whether there are more."""

    tag: str
    version: int
    has_more: bool
    entries: bytes


def changes(owner_id: UUID, *, since: int, limit: int, known_tags: Sequence[str]) -> Feed:
    """What changed after `since`; SyncTokenExpired where the ledger can't tell."""
    row = db.fetch_one(
        CHANGES,
        {"owner_id": owner_id, "since": since, "limit": limit, "known_tags": list(known_tags)},
    )
    if row is None:
        raise NotFound
    if since > row.version or 0 < since < row.pruned_version:
        raise SyncTokenExpired
    has_more = row.last_version is not None
    version = row.last_version if has_more else row.version
    return Feed(_feed_tag(row), version, has_more, row.entries or b"[]")


def _feed_tag(row: db.Row) -> str:
    """Pruning takes things out of the trash and the feed without a new version."""
    return f"{row.version}-{row.pruned_version}"


def _pattern(word: str) -> str:
    """A LIKE pattern in which every character of the word stands for itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _origin(origin: Origin) -> dict[str, Any]:
    return {"request_id": origin.request_id, "session_id": origin.session_id}


def _target(
    owner_id: UUID, task_id: UUID, if_versions: Sequence[int] | None, origin: Origin
) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "id": task_id,
        "if_versions": if_versions,
        **_origin(origin),
    }


def _written(row: db.Row) -> Written:
    if row is None:
        raise NotFound
    return Written(row.id, row.version, row.document)


def _unchanged(owner_id: UUID, task_id: UUID, if_versions: Sequence[int] | None) -> Written:
    """Why a write found no row: no such task, another version, or it is as wanted already."""
    task = get(owner_id, task_id)
    if if_versions is not None and task.version not in if_versions:
        raise PreconditionFailed
    return task
