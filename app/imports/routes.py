"""/api/{user_id}/imports: reads the request, calls the repository once, answers."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from app.auth.access import authenticate, take_path_user
from app.http.body import raw_body
from app.http.dispatch import DirectBlueprint
from app.http.query import read_query
from app.http.request import current_request, origin, owner_id
from app.http.responses import JsonResponse, page_of, success
from app.idempotency.repository import WriteResponse
from app.idempotency.responses import answer_once, delete_once
from app.imports import repository
from app.imports.reading import FILE_LIMIT
from app.imports.repository import Import, NotedRow, Row
from app.imports.schemas import NEW_IMPORT, ROWS_QUERY
from app.imports.sources import check
from app.values import canonical_uuid, new_uuid

blueprint = DirectBlueprint("imports", __name__, url_prefix="/api/<user_id>/imports")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_imports() -> JsonResponse:
    """All imports that are kept, without their errors and warnings."""
    read_query()
    found = repository.list_imports(owner_id())
    return success(orjson.dumps([_shown(each, ()) for each in found]))


@blueprint.post("")
def create_import() -> JsonResponse:
    """Takes a file, which a worker imports."""
    file = raw_body(FILE_LIMIT)
    query = read_query(NEW_IMPORT)
    options = {name: query[name] for name in ("time_zone", "date_order", "list_title")}
    options["columns"] = list(query["column"])
    check(query["source"], file, options)
    owner, by, path = owner_id(), origin(), current_request().path

    def write() -> WriteResponse:
        made = repository.create(
            owner, new_uuid(), by, source=query["source"], is_dry_run=query["dry_run"],
            options=options, file=file,
        )  # fmt: skip
        return WriteResponse(202, orjson.dumps(_shown(made, ())), location=f"{path}/{made.id}")

    return answer_once(write)


@blueprint.get("/<item:import_id>")
def get_import(import_id: str) -> JsonResponse:
    """How far an import is, and what it has found wrong."""
    read_query()
    found = repository.get(owner_id(), canonical_uuid(import_id))
    noted = repository.list_noted(owner_id(), found.id)
    return success(orjson.dumps(_shown(found, noted)))


@blueprint.get("/<item:import_id>/rows")
def list_rows(import_id: str) -> JsonResponse:
    """A page of what came of each row."""
    query = read_query(ROWS_QUERY)
    (after,) = query["cursor"] or (0,)
    limit: int = query["limit"]
    rows = repository.list_rows(owner_id(), canonical_uuid(import_id), after, limit + 1)
    shown = rows[:limit]
    beyond = orjson.dumps([shown[-1].number]) if len(rows) > limit else None
    return page_of(orjson.dumps([_shown_row(row) for row in shown]), limit, beyond)


@blueprint.delete("/<item:import_id>")
def delete_import(import_id: str) -> JsonResponse:
    """Ends an import, and deletes its report."""
    return delete_once(partial(repository.delete, owner_id(), canonical_uuid(import_id)))


def _shown(found: Import, noted: list[NotedRow] | tuple[()]) -> Mapping[str, Any]:
    """The import as the API shows it; a row in which something is wrong may be named twice."""
    notes = [
        (note["error"], {"file": row.file, "line": row.line, **_message(note)})
        for row in noted
        for note in row.told
    ]
    return {
        "id": found.id,
        "source": found.source,
        "dry_run": found.is_dry_run,
        "state": found.state,
        "message": found.failure,
        "percent": found.percent,
        "read": found.created + found.skipped + found.failed,
        "created": found.created,
        "skipped": found.skipped,
        "failed": found.failed,
        "lists": found.lists,
        "labels": found.labels,
        "filters": found.filters,
        "error_count": found.errors,
        "warning_count": found.warnings,
        "errors": [shown for is_error, shown in notes if is_error],
        "warnings": [shown for is_error, shown in notes if not is_error],
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }


def _message(note: Mapping[str, Any]) -> Mapping[str, str]:
    return {"field": note["field"], "message": note["message"]}


def _shown_row(row: Row) -> Mapping[str, Any]:
    notes = orjson.loads(row.notes or b"[]")
    return {
        "file": row.file,
        "line": row.line,
        "kind": row.kind,
        "outcome": row.outcome,
        "id": row.item_id,
        "errors": [_message(note) for note in notes if note["error"]],
        "warnings": [_message(note) for note in notes if not note["error"]],
    }
