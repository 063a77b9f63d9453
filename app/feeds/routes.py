"""/api/{user_id}/feeds makes and ends feeds; /feeds/{secret}.ics is where they are read."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import orjson

from app.auth.access import authenticate, take_path_user
from app.auth.secrets import Secrets
from app.config import Config
from app.errors import NotFound
from app.feeds import repository
from app.feeds.calendars import CONTENT_TYPE, MADE_BY, NAME, as_calendar
from app.feeds.repository import Feed, State
from app.feeds.schemas import CALENDAR, NEW_FEED
from app.feeds.secret import is_well_formed, new_secret, secret_hash
from app.http.body import read_body
from app.http.dispatch import DirectBlueprint
from app.http.etags import is_not_modified
from app.http.headers import PRIVATE
from app.http.query import read_query
from app.http.request import current_request, owner_id
from app.http.responses import JsonResponse, Response, streamed, success
from app.idempotency.repository import WriteResponse
from app.idempotency.responses import answer_once, delete_once
from app.values import Uuid, canonical_uuid, new_uuid

NOT_INDEXED = ("X-Robots-Tag", "noindex")

blueprint = DirectBlueprint("feeds", __name__, url_prefix="/api/<user_id>/feeds")
blueprint.url_value_preprocessor(take_path_user)
blueprint.before_request(authenticate)

public = DirectBlueprint("calendar", __name__, url_prefix="/feeds")


@blueprint.get("")
def list_feeds() -> JsonResponse:
    """All feeds, without their addresses: there are few."""
    read_query()
    return success(orjson.dumps([_shown(each) for each in repository.list_feeds(owner_id())]))


@blueprint.post("")
def create_feed() -> JsonResponse:
    """Makes a feed, and shows its address this once."""
    body, owner = read_body(NEW_FEED), owner_id()

    def write() -> WriteResponse:
        feed_id, secret = new_uuid(), new_secret()
        terms = {"list_id": body["list_id"], "component": body["as"]}
        made = repository.create(owner, feed_id, secret_hash(secret), **terms)
        sealed = b64encode(_secrets().seal(owner, feed_id, secret)).decode()
        return WriteResponse(201, orjson.dumps({**_shown(made), "secret": sealed}))

    return answer_once(write, partial(_reveal, owner))


@blueprint.delete("/<item:feed_id>")
def delete_feed(feed_id: str) -> JsonResponse:
    """Ends a feed: its address is a 404 from then on."""
    return delete_once(partial(repository.delete, owner_id(), canonical_uuid(feed_id)))


@public.get("/<secret>.ics")
def get_calendar(secret: str) -> Response:
    """The calendar of a feed; a 304 reads no task."""
    asked = read_query(CALENDAR)["as"]
    if not is_well_formed(secret):
        raise NotFound
    feed = repository.find(secret_hash(secret))
    state = repository.get_state(feed.owner_id, feed.id)
    component = asked or state.component
    tag = _tag(state, component)
    response: Response
    if is_not_modified(tag):
        response = JsonResponse(None, 304)
    else:
        tasks = repository.tasks(feed.owner_id, state.list_id)
        render = partial(as_calendar, component=component, name=state.title or NAME)
        response = streamed(tasks, render, CONTENT_TYPE, "ownrow.ics")
    response.headers.extend([("ETag", f'"{tag}"'), PRIVATE, NOT_INDEXED])
    return response


def _tag(state: State, component: str) -> str:
    """An entity tag that is another one after each change of the owner's, and of this program."""
    parts = (MADE_BY, component, state.tag, state.hash.hex())
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]


def _shown(feed: Feed) -> Mapping[str, Any]:
    """The feed as the API shows it."""
    return {
        "id": feed.id,
        "list_id": feed.list_id,
        "as": feed.component,
        "created_at": feed.created_at,
    }


def _reveal(owner: Uuid, stored: bytes) -> bytes:
    """The response as the client gets it: with the address in the place of the sealed secret."""
    fields = orjson.loads(stored)
    secret = _secrets().open(owner, fields["id"], b64decode(fields.pop("secret")))
    config = cast("Config", current_request().app.extensions["settings"])
    return orjson.dumps({**fields, "url": f"{config.public_url}/feeds/{secret}.ics"})


def _secrets() -> Secrets:
    return cast("Secrets", current_request().app.extensions["feed_secrets"])
