"""/api/{user_id}: the endpoints over all kinds of items: feed, batch and export."""

from functools import partial

import flask

from app.auth.access import authenticate, take_path_user
from app.feeds.calendars import CONTENT_TYPE as CALENDAR_TYPE
from app.feeds.calendars import as_calendar
from app.feeds.repository import all_tasks
from app.http.body import read_body
from app.http.dispatch import DirectBlueprint
from app.http.etags import if_versions, known_tags
from app.http.query import Query, read_query
from app.http.request import origin, owner_id
from app.http.responses import JsonResponse, streamed, success
from app.idempotency.repository import WriteResponse
from app.idempotency.responses import answer_once
from app.kinds import EXPORTS, KINDS, repository
from app.kinds.export import as_json
from app.kinds.schemas import BATCH, EXPORT, FEED_QUERY
from app.ledger import repository as ledger
from app.ledger import sync_token
from app.ledger.sync_token import START, Position
from app.tasks.export import as_csv
from app.tasks.kind import TASK

BATCH_LIMIT = 1024 * 1024  # bytes
CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "ics": CALENDAR_TYPE,
}

blueprint = DirectBlueprint("kinds", __name__, url_prefix="/api/<user_id>")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("/changes")
def list_changes() -> JsonResponse:
    """A page of the sync feed."""
    query = read_query(FEED_QUERY, since=_position)
    kind, limit = query["kind"], query["limit"]
    feed = ledger.changes(
        owner_id(),
        [kind] if kind else list(KINDS),
        since=query["since"] or START,
        limit=limit,
        known_tags=known_tags(),
    )
    token = sync_token.encode(owner_id(), kind or "", feed.position)
    meta = {
        "sync_token": token,
        "has_more": feed.has_more,
        "limit": limit,
        "version": feed.version,
    }
    return success(feed.entries, tag=feed.tag, meta=meta)


def _position(token: str, query: Query) -> Position:
    return sync_token.decode(owner_id(), query.fields.get("kind") or "", token)


@blueprint.post("/batch")
def apply_batch() -> JsonResponse:
    """Makes up to 100 changes in one transaction."""
    steps = read_body(BATCH, BATCH_LIMIT)["operations"]
    owner, versions, by = owner_id(), if_versions(), origin()

    def write() -> WriteResponse:
        items = repository.batch(owner, steps, versions, by)
        return WriteResponse(200, b'{"results":[' + b",".join(item.json for item in items) + b"]}")

    return answer_once(write)


@blueprint.get("/export")
def export_items() -> flask.Response:
    """All items as JSON, or all tasks as CSV or as a calendar, streamed."""
    query = read_query(EXPORT)
    form, owner = query["format"], owner_id()
    filename, content_type = f"ownrow.{form}", CONTENT_TYPES[form]
    if form == "ics":
        return streamed(all_tasks(owner), as_calendar, content_type, filename)
    if form == "csv":
        tasks = repository.export(owner, [EXPORTS[TASK.plural]])
        return streamed(tasks, partial(as_csv, marked=query["bom"]), content_type, filename)
    items = repository.export(owner, list(EXPORTS.values()))
    return streamed(items, partial(as_json, EXPORTS), content_type, filename)
