"""Tasks and their ledger. Each function is one transaction; its first argument owns all rows."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from app import db
from app.errors import AppError, NotFound, PreconditionFailed, SyncTokenExpired
from app.fields import Uuid, fold
from app.tasks.pages import Kept, Page, Pages
from app.web import Origin

CREATE = db.load("tasks/create")
GET = db.load("tasks/get")
UPDATE = db.load("tasks/update")
COMPLETE = db.load("tasks/complete")
DELETE = db.load("tasks/delete")
RESTORE = db.load("tasks/restore")
TRASH = db.load("tasks/trash")
HISTORY = db.load("tasks/history")
CHANGES = db.load("tasks/changes")
LOCK_LEDGER = db.load("tasks/lock_ledger")
BATCH = db.load("tasks/batch")
EXPORT = db.load("tasks/export")

FIRST_ID, LAST_ID = str(UUID(int=0)), str(UUID(int=2**128 - 1))
BEFORE_VERSIONS, BEYOND_VERSIONS = 0, 2**63 - 1
# The feed's places in a first load: FIRST_LOAD, prunes and version side by side in decimal digits,
# below the 2**53 that JSON numbers are exact to.
FIRST_LOAD, FIRST_LOAD_PRUNES, FIRST_LOAD_VERSIONS = 10**15, 10**5, 10**10
PAGES = Pages()
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


class Written(NamedTuple):
    """A task after a write: its id, its version, and itself as JSON."""

    id: Uuid
    version: int
    document: bytes


def create(
    owner_id: Uuid,
    title: str,
    description: str | None,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Written:
    """Adds a task; `if_versions` are of the owner's ledger, as the list shows it."""
    row = db.fetch_one(
        CREATE,
        {
            "owner_id": owner_id,
            "title": title,
            "title_folded": fold(title),
            "description": description,
            "description_folded": fold(description or ""),
            "if_versions": if_versions,
            **_origin(origin),
        },
        pipelined=True,
    )
    if row is None:
        raise _unlocked(if_versions)
    return Written(row.id, row.version, row.document)


def get(owner_id: Uuid, task_id: Uuid) -> Written:
    """The task; NotFound where the owner has no such task outside the trash."""
    row = db.fetch_one(GET, {"owner_id": owner_id, "id": task_id}, pipelined=True)
    if row is None:
        raise NotFound
    return Written(task_id, row.version, row.document)


def update(
    owner_id: Uuid,
    task_id: Uuid,
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
        pipelined=True,
    )
    return _written(row)


def complete(
    owner_id: Uuid,
    task_id: Uuid,
    is_completed: bool | None,
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> Written:
    """Completes the task or opens it again; toggles where `is_completed` is None."""
    params = _target(owner_id, task_id, if_versions, origin)
    row = db.fetch_one(COMPLETE, {**params, "is_completed": is_completed}, pipelined=True)
    return _written(row)


def delete(
    owner_id: Uuid, task_id: Uuid, if_versions: Sequence[int] | None, origin: Origin
) -> tuple[Uuid, int]:
    """Moves the task to the trash; returns its id and the version of its deletion."""
    params = _target(owner_id, task_id, if_versions, origin)
    row = _found(db.fetch_one(DELETE, params, pipelined=True))
    return row.id, row.version


def restore(
    owner_id: Uuid, task_id: Uuid, if_versions: Sequence[int] | None, origin: Origin
) -> Written:
    """Brings the task back from the trash; NotFound where it is not in there."""
    params = _target(owner_id, task_id, if_versions, origin)
    return _written(db.fetch_one(RESTORE, params, pipelined=True))


def batch(
    owner_id: Uuid,
    operations: Sequence[Mapping[str, Any]],
    if_versions: Sequence[int] | None,
    origin: Origin,
) -> list[bytes]:
    """Carries out all operations in their order, or none; returns their results as JSON.

    Raises NotFound or PreconditionFailed with the operation that can't be carried out in details.
    """
    results: list[bytes] = []
    with db.transaction():
        ledger = db.fetch_one(LOCK_LEDGER, {"owner_id": owner_id, "if_versions": if_versions})
        if ledger is None:
            raise NotFound
        for run in _runs(operations):
            steps = orjson.dumps(run).decode()
            params = {"owner_id": owner_id, "operations": steps, **_origin(origin)}
            results += map(_result, db.fetch_all(BATCH, params))
        if not ledger.is_expected:  # last, as a task that does not exist comes first
            raise PreconditionFailed
    return results


def _runs(operations: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Steps for one statement each: a new one begins where a task is named again."""
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


def _result(row: db.Row) -> bytes:
    """The operation's result; raises what stands against it."""
    if row.problem == "missing":
        raise NotFound(details=_broken(row.ordinal, "id", "There is no such task."))
    if row.problem == "stale":
        details = _broken(row.ordinal, "if_version", "The task has another version.")
        raise PreconditionFailed(details=details)
    if row.op == "delete":
        return orjson.dumps({"id": row.id, "version": row.version})
    return bytes(row.document)


def _broken(ordinal: int, field: str, message: str) -> list[dict[str, str]]:
    return [{"field": f"operations[{ordinal}].{field}", "message": message}]


def export(owner_id: Uuid) -> Generator[list[db.Row], None, None]:
    """All tasks but the trash in chunks of rows with a document, the oldest first."""
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
    """A page of the tasks outside the trash, from `position` on; every word must occur in each."""
    order = SORTS[sort]
    key = orjson.dumps([owner_id, sort, position, limit, is_completed, words])
    kept = PAGES.get(key)
    place = zip(order.parameters, position or order.beginning, strict=True)
    row = db.fetch_one(
        order.statement,
        {
            "owner_id": owner_id,
            "limit": limit,
            "is_completed": is_completed,
            "patterns": None if words is None else [_pattern(fold(word)) for word in words.split()],
            "known_tags": list(known_tags),
            "known_hash": None if kept is None else kept.hash,
            **dict(place),
        },
        pipelined=words is None and is_completed is None,  # else it may look at all tasks
    )
    if row is None:
        raise NotFound
    if kept is not None and kept.hash == row.hash:
        return kept.page
    page = Page(str(row.version), row.version, row.documents or b"[]", row.next_position)
    if page.tag not in known_tags:
        PAGES.keep(key, Kept(row.hash, page))
    return page


def trash(
    owner_id: Uuid, *, position: Sequence[Any] | None, limit: int, known_tags: Sequence[str]
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
        pipelined=True,
    )
    if row is None:
        raise NotFound
    return Page(_feed_tag(row), row.version, row.documents or b"[]", row.next_position)


def history(
    owner_id: Uuid,
    task_id: Uuid,
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
        pipelined=True,
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


def changes(owner_id: Uuid, *, since: int, limit: int, known_tags: Sequence[str]) -> Feed:
    """What changed after `since`; SyncTokenExpired where the ledger can't tell."""
    prunes, position = _read_place(since)
    row = db.fetch_one(
        CHANGES,
        {"owner_id": owner_id, "since": position, "limit": limit, "known_tags": list(known_tags)},
        pipelined=True,
    )
    if row is None:
        raise NotFound
    if position > row.version or _is_pruned(prunes, position, row):
        raise SyncTokenExpired
    has_more = row.last_version is not None
    version = _place(row, row.last_version) if has_more else row.version
    return Feed(_feed_tag(row), version, has_more, row.entries or b"[]")


def _place(row: db.Row, version: int) -> int:
    """Where a feed goes on: a version, or a place in a first load that is still among the pruned.

    A bare version of those would say that the client has seen what was pruned.
    """
    if version >= row.pruned_version:
        return version
    return FIRST_LOAD + _prunes(row) * FIRST_LOAD_VERSIONS + version


def _read_place(since: int) -> tuple[int | None, int]:
    """The number of prunes in a first load's place or None, and the version."""
    if since < FIRST_LOAD:
        return None, since
    return divmod(since - FIRST_LOAD, FIRST_LOAD_VERSIONS)


def _is_pruned(prunes: int | None, position: int, row: db.Row) -> bool:
    """Whether the ledger has been pruned of what a client at that place would have to be told."""
    if prunes is None:
        return bool(0 < position < row.pruned_version)
    return bool(prunes != _prunes(row) or position >= row.pruned_version)


def _prunes(row: db.Row) -> int:
    return int(row.prunes) % FIRST_LOAD_PRUNES


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
    owner_id: Uuid, task_id: Uuid, if_versions: Sequence[int] | None, origin: Origin
) -> dict[str, Any]:
    return {
        "owner_id": owner_id,
        "id": task_id,
        "if_versions": if_versions,
        **_origin(origin),
    }


def _written(row: db.Row | None) -> Written:
    found = _found(row)
    return Written(found.id, found.version, found.document)


def _found(row: db.Row | None) -> db.Row:
    """What a write to one task found; raises NotFound or PreconditionFailed."""
    if row is None:
        raise NotFound
    if not row.is_expected:
        raise PreconditionFailed
    return row


def _unlocked(if_versions: Sequence[int] | None) -> AppError:
    """Why the ledger could not be locked: its account is gone, or it has another version."""
    return NotFound() if if_versions is None else PreconditionFailed()
