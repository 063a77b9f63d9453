"""/api/{user_id}/events: opens a stream where the server can hold it."""

import re

import flask

from app.auth.access import authenticate, take_path_user
from app.errors import BadRequest, NoStreams, Unauthenticated
from app.events import repository
from app.events.repository import FoundVersion, Session
from app.events.streams import Streams, beginning
from app.http.dispatch import DirectBlueprint
from app.http.query import read_query
from app.http.request import current_request, identity

STREAMS = "ownrow.streams"  # in the environ: the server's Streams, where it holds some
STREAM = (
    "ownrow.stream"  # in the environ: the Stream that was opened, which the server goes on with
)
EVENT_ID = re.compile("[0-9]{1,18}")

blueprint = DirectBlueprint("events", __name__, url_prefix="/api/<user_id>")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)


@blueprint.get("/events")
def stream_events() -> flask.Response:
    """A stream of the versions of the owner's ledger, the newest one first."""
    read_query()
    last_event_id = _last_event_id()
    streams: Streams | None = current_request().environ.get(STREAMS)
    if streams is None:
        raise NoStreams
    session = Session(identity().owner_id, identity().session_id)
    streams.require_room(session.owner_id)
    found = repository.list_versions([session]).get(session)
    if found is None:
        raise Unauthenticated(invalid=True)
    return _response(_opened(streams, session, last_event_id, found))


def _last_event_id() -> int | None:
    """The version that the client was told last; browsers send an empty one where it was none."""
    text = current_request().header("LAST_EVENT_ID")
    if not text:
        return None
    if not EVENT_ID.fullmatch(text):
        raise BadRequest("Last-Event-ID must be the id of an event of this stream")
    return int(text)


def _opened(
    streams: Streams, session: Session, last_event_id: int | None, found: FoundVersion
) -> bytes:
    """The stream's first lines; HEAD opens none."""
    request = current_request()
    if request.method == "HEAD":
        return b""
    stream = streams.open(session, request.request_id, last_event_id)
    request.environ[STREAM] = stream
    return beginning() + stream.news(found)


def _response(lines: bytes) -> flask.Response:
    response = flask.Response(content_type="text/event-stream")
    response.response = [lines]
    response.automatically_set_content_length = False
    response.headers["X-Accel-Buffering"] = "no"  # for an nginx that is not ours
    return response
