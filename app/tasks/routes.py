"""/api/{user_id}/tasks: reads the request, calls the repository once, answers."""

import itertools
from collections.abc import Iterator

import flask
import orjson
from werkzeug.routing import BaseConverter

from app.auth.access import authenticate, take_path_user
from app.errors import NotFound
from app.http.body import read_body, read_nothing
from app.http.dispatch import DirectBlueprint
from app.http.etags import if_versions, known_tags
from app.http.query import read_query
from app.http.request import current_request, origin, owner_id
from app.http.responses import JsonResponse, page, success
from app.idempotency.repository import WriteResponse
from app.idempotency.responses import answer_once
from app.ledger import repository as ledger
from app.tasks import repository
from app.tasks.export import as_csv, as_json
from app.tasks.repository import Task
from app.tasks.schemas import (
    BATCH,
    COMPLETION,
    EXPORT,
    FEED_QUERY,
    LIST_QUERY,
    NEW_TASK,
    PAGE_QUERY,
    TASK_CHANGES,
)
from app.values import Uuid, canonical_uuid

BATCH_LIMIT = 1024 * 1024  # bytes
FORMATS = {
    "json": (as_json, "application/json"),
    "csv": (as_csv, "text/csv; charset=utf-8; header=present"),
}


class TaskSegment(BaseConverter):
    """A path segment other than those that name a list, which take no PUT, PATCH or DELETE."""

    regex = r"(?!(?:batch|changes|export|trash)\Z)[^/]+"


blueprint = DirectBlueprint("tasks", __name__, url_prefix="/api/<user_id>/tasks")
blueprint.record_once(lambda state: state.app.url_map.converters.update(task=TaskSegment))
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_tasks() -> JsonResponse:
    """A page of tasks."""
    query = read_query(LIST_QUERY)
    found = repository.search(
        owner_id(),
        sort=query["sort"],
        position=query["cursor"],
        limit=query["limit"],
        is_completed=query["is_completed"],
        words=query["q"],
        known_tags=known_tags(),
    )
    return page(found, query["limit"])


@blueprint.post("")
def create_task() -> JsonResponse:
    """Adds a task."""
    body = read_body(NEW_TASK)

    def write() -> WriteResponse:
        task = repository.create(
            owner_id(), body["title"], body["description"], if_versions(), origin()
        )
        return _written(task, 201, f"{current_request().path}/{task.id}")

    return answer_once(write)


@blueprint.get("/<task:task_id>")
def get_task(task_id: str) -> JsonResponse:
    """One task."""
    read_query()
    task = repository.get(owner_id(), _id(task_id))
    return success(task.document, tag=str(task.version))


@blueprint.route("/<task:task_id>", methods=["PUT", "PATCH"])
def update_task(task_id: str) -> JsonResponse:
    """Changes the fields that the body names."""
    changes = read_body(TASK_CHANGES)

    def write() -> WriteResponse:
        return _written(
            repository.update(owner_id(), _id(task_id), changes, if_versions(), origin())
        )

    return answer_once(write)


@blueprint.patch("/<task:task_id>/complete")
def complete_task(task_id: str) -> JsonResponse:
    """Completes a task or reopens it; toggles without a body."""
    wanted = read_body(COMPLETION, optional=True).get("is_completed")

    def write() -> WriteResponse:
        return _written(
            repository.complete(owner_id(), _id(task_id), wanted, if_versions(), origin())
        )

    return answer_once(write)


@blueprint.delete("/<task:task_id>")
def delete_task(task_id: str) -> JsonResponse:
    """Moves a task to the trash."""
    read_nothing()

    def write() -> WriteResponse:
        deleted, version = repository.delete(owner_id(), _id(task_id), if_versions(), origin())
        data = orjson.dumps({"id": deleted, "version": version})
        return WriteResponse(200, data, str(version))

    return answer_once(write)


@blueprint.post("/<task:task_id>/restore")
def restore_task(task_id: str) -> JsonResponse:
    """Takes a task out of the trash."""
    read_nothing()

    def write() -> WriteResponse:
        return _written(repository.restore(owner_id(), _id(task_id), if_versions(), origin()))

    return answer_once(write)


@blueprint.get("/trash")
def list_trash() -> JsonResponse:
    """A page of the trash."""
    query = read_query(PAGE_QUERY)
    limit = query["limit"]
    found = repository.trash(
        owner_id(), position=query["cursor"], limit=limit, known_tags=known_tags()
    )
    return page(found, limit)


@blueprint.get("/<task:task_id>/history")
def list_history(task_id: str) -> JsonResponse:
    """A page of a task's ledger entries."""
    query = read_query(PAGE_QUERY)
    limit = query["limit"]
    found = ledger.history(
        owner_id(), _id(task_id), position=query["cursor"], limit=limit, known_tags=known_tags()
    )
    return page(found, limit)


@blueprint.get("/changes")
def list_changes() -> JsonResponse:
    """A page of the sync feed."""
    query = read_query(FEED_QUERY)
    feed = ledger.changes(owner_id(), known_tags=known_tags(), **query)
    meta = {"version": feed.position, "has_more": feed.has_more, "limit": query["limit"]}
    return success(feed.entries, tag=feed.tag, meta=meta)


@blueprint.post("/batch")
def batch_tasks() -> JsonResponse:
    """Executes up to 100 operations in one transaction."""
    operations = read_body(BATCH, BATCH_LIMIT)["operations"]

    def write() -> WriteResponse:
        results = repository.batch(owner_id(), operations, if_versions(), origin())
        return WriteResponse(200, b'{"results":[' + b",".join(results) + b"]}")

    return answer_once(write)


@blueprint.get("/export")
def export_tasks() -> flask.Response:
    """All tasks as a file, streamed."""
    kind = read_query(EXPORT)["format"]
    render, content_type = FORMATS[kind]
    chunks = repository.export(owner_id())
    is_get = current_request().method == "GET"
    response = _streamed(render(chunks)) if is_get else flask.Response()
    response.automatically_set_content_length = False  # HEAD must not tell another length than GET
    response.call_on_close(chunks.close)
    response.content_type = content_type
    response.headers["Content-Disposition"] = f'attachment; filename="tasks.{kind}"'
    return response


def _streamed(body: Iterator[bytes]) -> flask.Response:
    """A streamed body; an error before the first chunk is an ordinary error."""
    first = next(body)
    return flask.Response(itertools.chain((first,), body))


def _id(text: str) -> Uuid:
    """The id in the path; raises NotFound for any spelling other than the canonical one."""
    task_id = canonical_uuid(text)
    if task_id is None:
        raise NotFound
    return task_id


def _written(task: Task, status: int = 200, location: str | None = None) -> WriteResponse:
    return WriteResponse(status, task.document, str(task.version), location)
