"""Tasks. Each function is one transaction; its first argument owns all rows."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app import db
from app.errors import AppError, NotFound, PreconditionFailed
from app.ledger import repository as ledger
from app.tasks.page_cache import CachedPage, PageCache
from app.values import Origin, Page, Uuid, fold


class Task(NamedTuple):
    """A task: its id, its version, and itself as JSON."""

    id: Uuid
    version: int
    document: bytes


class FoundTask(NamedTuple):
    """A task that was read."""

    version: int
    document: bytes


class WrittenTask(NamedTuple):
    """A task that a write found; unless `is_expected`, the write changed nothing."""

    id: Uuid
    is_expected: bool
    version: int
    document: bytes


class RestoredTask(NamedTuple):
    """The same; without version and document where nothing was changed."""

    id: Uuid
    is_expected: bool
    version: int | None
    document: bytes | None


class DeletedTask(NamedTuple):
    """A task that a deletion found; without a version where nothing was changed."""

    id: Uuid
    is_expected: bool
    version: int | None


class ListedTasks(NamedTuple):
    """A page of tasks as JSON, and the ledger's state that it was read at."""

    version: int
    hash: bytes
    documents: bytes | None
    next_position: bytes | None


class TrashedTasks(NamedTuple):
    """A page of the trash as JSON, and the ledger's versions."""

    version: int
    pruned_version: int
    documents: bytes | None
    next_position: bytes | None


class BatchResult(NamedTuple):
    """The outcome of one operation; `problem` is None, "missing" or "stale"."""

    ordinal: int
    op: str
    problem: str | None
    id: Uuid | None
    version: int | None
    document: bytes | None


class Document(NamedTuple):
    """A task as JSON."""

    document: bytes


CREATE = db.load("tasks/create", Task)
GET = db.load("tasks/get", FoundTask)
UPDATE = db.load("tasks/update", WrittenTask)
COMPLETE = db.load("tasks/complete", WrittenTask)
DELETE = db.load("tasks/delete", DeletedTask)
RESTORE = db.load("tasks/restore", RestoredTask)
LIST_TRASH = db.load("tasks/list_trash", TrashedTasks)
BATCH = db.load("tasks/batch", BatchResult)
EXPORT = db.load("tasks/export", Document)

FIRST_ID, LAST_ID = str(UUID(int=0)), str(UUID(int=2**128 - 1))
BEFORE_VERSIONS, BEYOND_VERSIONS = 0, 2**63 - 1
BEYOND_TITLES = "\U0010ffff" * 256  # sorts behind every title, which has at most 255 characters
PAGES = PageCache()


@dataclass(frozen=True)
class Sort:
    """A sort order: its statement, the parameters of a position, and the first page's position."""

    statement: db.Statement[ListedTasks]
    parameters: tuple[str, ...]
    beginning: tuple[Any, ...]


SORTS: Mapping[str, Sort] = {
    "-created_at": Sort(
        db.load("tasks/list_by_created_desc", ListedTasks), ("after_id",), (LAST_ID,)
    ),
    "created_at": Sort(
        db.load("tasks/list_by_created_asc", ListedTasks), ("after_id",), (FIRST_ID,)
    ),
    "-updated_at": Sort(
        db.load("tasks/list_by_updated_desc", ListedTasks), ("after_version",), (BEYOND_VERSIONS,)
    ),
    "updated_at": Sort(
        db.load("tasks/list_by_updated_asc", ListedTasks), ("after_version",), (BEFORE_VERSIONS,)
    ),
    "title": Sort(
        db.load("tasks/list_by_title_asc", ListedTasks),
        ("after_title", "after_id"),
        ("", FIRST_ID),
    ),
    "-title": Sort(
        db.load("tasks/list_by_title_desc", ListedTasks),
        ("after_title", "after_id"),
        (BEYOND_TITLES, LAST_ID),
    ),
}


def create(
    owner_id: Uuid,
    title: str,
    description: str | None,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Task:
    """Adds a task; `if_versions` are of the owner's ledger, as the ETag of the list shows it."""
    task = db.fetch_one(
        CREATE,
        {
            "owner_id": owner_id,
            "title": title,
            "title_folded": fold(title),
            "description": description,
            "description_folded": fold(description or ""),
            "if_versions": if_versions,
            **origin._asdict(),
        },
        grouped=True,
    )
    if task is None:
        raise _unlocked(if_versions)
    return task


def get(owner_id: Uuid, task_id: Uuid) -> Task:
    """The task; raises NotFound where the owner has no such task outside the trash."""
    row = db.fetch_one(GET, {"owner_id": owner_id, "id": task_id}, grouped=True)
    if row is None:
        raise NotFound
    return Task(task_id, row.version, row.document)


def update(
    owner_id: Uuid,
    task_id: Uuid,
    changes: Mapping[str, Any],
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Task:
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
        grouped=True,
    )
    return _written(row)


def complete(
    owner_id: Uuid,
    task_id: Uuid,
    is_completed: bool | None,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Task:
    """Completes the task or reopens it; toggles where `is_completed` is None."""
    params = _target(owner_id, task_id, if_versions, origin)
    row = db.fetch_one(COMPLETE, {**params, "is_completed": is_completed}, grouped=True)
    return _written(row)


def delete(
    owner_id: Uuid, task_id: Uuid, if_versions: Sequence[int] | None, origin: Origin
) -> tuple[Uuid, int]:
    """Moves the task to the trash; returns its id and the version of its deletion."""
    row = db.fetch_one(DELETE, _target(owner_id, task_id, if_versions, origin), grouped=True)
    if row is None:
        raise NotFound
    if row.version is None:
        raise PreconditionFailed
    return row.id, row.version


def restore(
    owner_id: Uuid, task_id: Uuid, if_versions: Sequence[int] | None, origin: Origin
) -> Task:
    """Takes the task out of the trash; raises NotFound where it is not in there."""
    row = db.fetch_one(RESTORE, _target(owner_id, task_id, if_versions, origin), grouped=True)
    if row is None:
        raise NotFound
    if row.version is None or row.document is None:
        raise PreconditionFailed
    return Task(row.id, row.version, row.document)


def batch(
    owner_id: Uuid,
    operations: Sequence[Mapping[str, Any]],
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> list[bytes]:
    """Executes all operations in their order, or none; returns their results as JSON.

    Raises NotFound or PreconditionFailed, whose details name the operation that failed.
    """
    runs = [orjson.dumps(run).decode() for run in _runs(operations)]
    results: list[bytes] = []
    with db.transaction():
        is_expected = ledger.lock(owner_id, if_versions)
        for run in runs:
            params = {"owner_id": owner_id, "operations": run, **origin._asdict()}
            results += map(_result, db.fetch_all(BATCH, params))
        if not is_expected:  # last, as a task that does not exist comes first
            raise PreconditionFailed
    return results


def _runs(operations: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Operations for one statement each: a new run begins where a task is named again."""
    run: list[dict[str, Any]] = []
    named: set[Uuid | None] = set()
    for ordinal, operation in enumerate(operations):
        task_id = operation.get("id")
        if task_id in named:
            yield run
            run, named = [], set()
        run.append(_step(ordinal, operation))
        if "id" in operation:
            named.add(task_id)
    yield run


def _step(ordinal: int, operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **operation,
        "ordinal": ordinal,
        "fields": list(operation),
        "title_folded": fold(operation.get("title") or ""),
        "description_folded": fold(operation.get("description") or ""),
    }


def _result(row: BatchResult) -> bytes:
    """The operation's result; raises its problem."""
    if row.problem == "missing":
        raise NotFound(details=_broken(row.ordinal, "id", "There is no such task."))
    if row.problem == "stale":
        details = _broken(row.ordinal, "if_version", "The task has another version.")
        raise PreconditionFailed(details=details)
    if row.op == "delete" or row.document is None:
        return orjson.dumps({"id": row.id, "version": row.version})
    return row.document


def _broken(ordinal: int, field: str, message: str) -> list[dict[str, str]]:
    return [{"field": f"operations[{ordinal}].{field}", "message": message}]


def export(owner_id: Uuid) -> Generator[list[Document], None, None]:
    """All tasks outside the trash in chunks, the oldest first."""
    return db.stream(EXPORT, {"owner_id": owner_id})


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
    place = zip(order.parameters, position or order.beginning, strict=True)
    row = db.fetch_one(
        order.statement,
        {
            "owner_id": owner_id,
            "limit": limit,
            "is_completed": is_completed,
            "patterns": None if words is None else [_pattern(fold(word)) for word in words.split()],
            "known_tags": list(known_tags),
            "known_hash": None if cached is None else cached.hash,
            **dict(place),
        },
        grouped=words is None and is_completed is None,  # else it may read all tasks
    )
    if row is None:
        raise NotFound
    if cached is not None and cached.hash == row.hash:
        return cached.page
    page = Page(str(row.version), row.version, row.documents or b"[]", row.next_position)
    if page.tag not in known_tags:
        PAGES.store(key, CachedPage(row.hash, page))
    return page


def trash(
    owner_id: Uuid, *, position: Sequence[Any] | None, limit: int, known_tags: Sequence[str]
) -> Page:
    """A page of the trash, the latest deletion first."""
    row = db.fetch_one(
        LIST_TRASH,
        {
            "owner_id": owner_id,
            "before_version": position[0] if position else BEYOND_VERSIONS,
            "limit": limit,
            "known_tags": list(known_tags),
        },
        grouped=True,
    )
    if row is None:
        raise NotFound
    tag = ledger.feed_tag(row.version, row.pruned_version)
    return Page(tag, row.version, row.documents or b"[]", row.next_position)


def _pattern(word: str) -> str:
    """A LIKE pattern in which every character of the word stands for itself."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _target(
    owner_id: Uuid, task_id: Uuid, if_versions: Sequence[int] | None, origin: Origin
) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "id": task_id,
        "if_versions": if_versions,
        **origin._asdict(),
    }


def _written(row: WrittenTask | None) -> Task:
    """The task after a write; raises NotFound or PreconditionFailed."""
    if row is None:
        raise NotFound
    if not row.is_expected:
        raise PreconditionFailed
    return Task(row.id, row.version, row.document)


def _unlocked(if_versions: Sequence[int] | None) -> AppError:
    """Why the ledger could not be locked: the account is gone, or it has another version."""
    return NotFound() if if_versions is None else PreconditionFailed()
