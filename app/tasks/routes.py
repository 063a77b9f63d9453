"""/api/{user_id}/tasks: reads the request, calls the repository once, answers."""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator

import orjson
from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from app import web
from app.auth.access import authenticate, take_path_user
from app.errors import NotFound, ValidationFailed
from app.fields import Uuid, canonical_uuid
from app.tasks import repository
from app.tasks.export import as_csv, as_json
from app.tasks.idempotency import Answer, Attempt, once
from app.tasks.pages import Page
from app.tasks.schemas import (
    BATCH,
    COMPLETION,
    EXPORT,
    FEED,
    LISTING,
    NEW_TASK,
    PAGE,
    TASK_CHANGES,
)

BATCH_LIMIT = 1024 * 1024  # bytes
RENDERINGS = {"json": as_json, "csv": as_csv}
CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8; header=present"}
IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class TaskSegment(BaseConverter):
    """Any word but those that name a list: there PUT, PATCH and DELETE are not allowed."""

    regex = r"(?!(?:batch|changes|export|trash)\Z)[^/]+"


blueprint = Blueprint("tasks", __name__, url_prefix="/api/<user_id>/tasks")
blueprint.record_once(lambda state: state.app.url_map.converters.update(task=TaskSegment))
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("")
def list_tasks() -> Response:
    query = web.read_query(LISTING)
    found = repository.search(
        web.owner_id(),
        sort=query["sort"],
        position=query["cursor"],
        limit=query["limit"],
        is_completed=query["is_completed"],
        words=query["q"],
        known_tags=web.known_tags(),
    )
    return _page(found, query["limit"])


@blueprint.post("")
def create_task() -> Response:
    task = web.read_body(NEW_TASK)

    def write() -> Answer:
        made = repository.create(
            web.owner_id(), task["title"], task["description"], web.if_versions(), web.origin()
        )
        return _answer(made, 201, f"{web.this_request().path}/{made.id}")

    return _once(write)


@blueprint.get("/<task:task_id>")
def get_task(task_id: str) -> Response:
    web.read_query()
    task = repository.get(web.owner_id(), _id(task_id))
    return web.success(task.document, tag=str(task.version))


@blueprint.route("/<task:task_id>", methods=["PUT", "PATCH"])
def update_task(task_id: str) -> Response:
    changes = web.read_body(TASK_CHANGES)
    return _once(
        lambda: _answer(
            repository.update(
                web.owner_id(), _id(task_id), changes, web.if_versions(), web.origin()
            )
        )
    )


@blueprint.patch("/<task:task_id>/complete")
def complete_task(task_id: str) -> Response:
    wanted = web.read_body(COMPLETION, optional=True).get("is_completed")
    return _once(
        lambda: _answer(
            repository.complete(
                web.owner_id(), _id(task_id), wanted, web.if_versions(), web.origin()
            )
        )
    )


@blueprint.delete("/<task:task_id>")
def delete_task(task_id: str) -> Response:
    web.read_nothing()

    def write() -> Answer:
        deleted, version = repository.delete(
            web.owner_id(), _id(task_id), web.if_versions(), web.origin()
        )
        return Answer(200, orjson.dumps({"id": deleted, "version": version}), str(version))

    return _once(write)


@blueprint.post("/<task:task_id>/restore")
def restore_task(task_id: str) -> Response:
    web.read_nothing()
    return _once(
        lambda: _answer(
            repository.restore(web.owner_id(), _id(task_id), web.if_versions(), web.origin())
        )
    )


@blueprint.get("/trash")
def list_trash() -> Response:
    query = web.read_query(PAGE)
    found = repository.trash(
        web.owner_id(), position=query["cursor"], limit=query["limit"], known_tags=web.known_tags()
    )
    return _page(found, query["limit"])


@blueprint.get("/<task:task_id>/history")
def list_history(task_id: str) -> Response:
    query = web.read_query(PAGE)
    found = repository.history(
        web.owner_id(),
        _id(task_id),
        position=query["cursor"],
        limit=query["limit"],
        known_tags=web.known_tags(),
    )
    return _page(found, query["limit"])


@blueprint.get("/changes")
def list_changes() -> Response:
    query = web.read_query(FEED)
    feed = repository.changes(web.owner_id(), known_tags=web.known_tags(), **query)
    meta = {"version": feed.version, "has_more": feed.has_more, "limit": query["limit"]}
    return web.success(feed.entries, tag=feed.tag, meta=meta)


@blueprint.post("/batch")
def batch_tasks() -> Response:
    operations = web.read_body(BATCH, BATCH_LIMIT)["operations"]

    def write() -> Answer:
        results = repository.batch(web.owner_id(), operations, web.if_versions(), web.origin())
        return Answer(200, b'{"results":[' + b",".join(results) + b"]}")

    return _once(write)


@blueprint.get("/export")
def export_tasks() -> Response:
    kind = web.read_query(EXPORT)["format"]
    chunks = repository.export(web.owner_id())
    response = _streamed(RENDERINGS[kind](chunks)) if request.method == "GET" else Response()
    response.automatically_set_content_length = False  # HEAD may tell no other length than GET
    response.call_on_close(chunks.close)
    response.content_type = CONTENT_TYPES[kind]
    response.headers["Content-Disposition"] = f'attachment; filename="tasks.{kind}"'
    return response


def _streamed(body: Iterator[bytes]) -> Response:
    """A body in pieces; what goes wrong before the first one is an ordinary error."""
    first = next(body)
    return Response(itertools.chain((first,), body))


def _id(text: str) -> Uuid:
    """The id in the path; any other spelling than the canonical one is nobody's task."""
    task_id = canonical_uuid(text)
    if task_id is None:
        raise NotFound
    return task_id


def _page(found: Page, limit: int) -> Response:
    return web.page(
        found.items,
        tag=found.tag,
        version=found.version,
        limit=limit,
        next_position=found.next_position,
    )


def _answer(task: repository.Written, status: int = 200, location: str | None = None) -> Answer:
    return Answer(status, task.document, str(task.version), location)


def _once(write: Callable[[], Answer]) -> Response:
    """Runs a write, once per Idempotency-Key."""
    answer = once(web.owner_id(), _attempt(), write)
    response = web.success(answer.data, status=answer.status, tag=answer.tag)
    if answer.location is not None:
        web.add_headers(response, [("Location", answer.location)])
    if answer.is_replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _attempt() -> Attempt | None:
    request = web.this_request()
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(key):
        message = "Must be 1 to 255 printable ASCII characters."
        raise ValidationFailed(details=[{"field": "Idempotency-Key", "message": message}])
    parts = (request.method.encode(), request.path.encode(), request.query_string, web.raw_body())
    return Attempt(key, hashlib.sha256(b"\x00".join(parts)).digest())
