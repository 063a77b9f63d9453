"""Calendar feeds, and the tasks that they have. Each function is one transaction."""

from collections.abc import Generator
from typing import Any, NamedTuple

from app import db
from app.errors import NO_SUCH_ITEM, Detail, NotFound, ValidationFailed
from app.ledger.repository import lock
from app.lists.repository import exists, find_existing
from app.values import Uuid


class Feed(NamedTuple):
    """A feed as its owner sees it, without its secret; the time is RFC 3339 in UTC."""

    id: Uuid
    list_id: Uuid | None
    component: str
    created_at: str


class FoundFeed(NamedTuple):
    """A feed by its secret."""

    owner_id: Uuid
    id: Uuid


class State(NamedTuple):
    """What a feed has, and what changes with its owner's items: tag and hash of the ledger."""

    list_id: Uuid | None
    title: str | None
    component: str
    tag: str
    hash: bytes


class Shown(NamedTuple):
    """Which tasks a feed has, and as which component."""

    list_id: Uuid | None
    component: str


class Tag(NamedTuple):
    """The title of a feed's list, and what changes with its owner's items."""

    title: str | None
    tag: str
    hash: bytes


class Number(NamedTuple):
    """How many feeds an owner has."""

    number: int


class CalendarTask(NamedTuple):
    """A task as calendars have it; instants are RFC 3339 in UTC."""

    id: Uuid
    parent_id: Uuid | None
    title: str
    description: str | None
    completed_at: str | None
    created_at: str
    updated_at: str
    due: str | None
    start: str | None
    time_zone: str | None
    computed_zone: str | None
    computed_reminder_time: str | None
    priority: int
    label_names: list[str]
    recurrence: str | None
    recurrence_basis: str
    recurrence_from: str | None
    recurrence_left: int | None
    reminders: list[str]


COUNT = db.load("feeds/count", Number)
CREATE = db.load("feeds/create", Feed)
LIST = db.load("feeds/list", Feed)
DELETE = db.load("feeds/delete")
DELETE_OF_LISTS = db.load("feeds/delete_of_lists")
FIND_FEED = db.load("feeds/find_feed", FoundFeed)
GET_STATE = db.load("feeds/get_state", Shown)
GET_TAG = db.load("feeds/get_tag", Tag)
LIST_TASKS = db.load("feeds/list_tasks", CalendarTask)

MOST = 50  # feeds of an account
TOO_MANY: Detail = {"field": "", "message": f"There are {MOST} feeds already; delete one first."}
NO_LIST: Detail = {"field": "list_id", "message": NO_SUCH_ITEM}

Chunks = Generator[tuple[Any, list[CalendarTask]], None, None]  # pairs of a statement and its rows


def create(
    owner_id: Uuid, feed_id: Uuid, secret_hash: bytes, *, list_id: Uuid | None, component: str
) -> Feed:
    """Adds a feed; raises ValidationFailed for one too many, or a list that is not there."""
    owner = {"owner_id": owner_id}
    feed = {"id": feed_id, "component": component, "secret_hash": secret_hash}
    with db.transaction():
        lock(owner_id)
        if list_id is not None and not exists(owner_id, list_id):
            raise ValidationFailed(details=[NO_LIST])
        (found,) = db.fetch_all(COUNT, owner)
        if found.number >= MOST:
            raise ValidationFailed(details=[TOO_MANY])
        (made,) = db.fetch_all(CREATE, {**owner, **feed, "list_id": list_id})
    return made


def list_feeds(owner_id: Uuid) -> list[Feed]:
    """The owner's feeds, the oldest first."""
    return db.fetch_all(LIST, {"owner_id": owner_id})


def delete(owner_id: Uuid, feed_id: Uuid | None) -> None:
    """Ends the feed; raises NotFound."""
    if not db.execute(DELETE, {"owner_id": owner_id, "id": feed_id}):
        raise NotFound


def delete_without_list(owner_id: Uuid) -> None:
    """Ends the owner's feeds of lists that are gone for good."""
    named = {feed.list_id for feed in list_feeds(owner_id) if feed.list_id is not None}
    gone = named.difference(find_existing(owner_id, named)) if named else ()
    if gone:
        db.execute(DELETE_OF_LISTS, {"owner_id": owner_id, "list_ids": list(gone)})


def find(secret_hash: bytes) -> FoundFeed:
    """The feed of that secret; raises NotFound where there is none, or it was ended."""
    found = db.fetch_one(FIND_FEED, {"secret_hash": secret_hash})
    if found is None:
        raise NotFound
    return found


def get_state(owner_id: Uuid, feed_id: Uuid) -> State:
    """What the feed has; raises NotFound where it was ended, or its account is disabled."""
    shown = db.fetch_one(GET_STATE, {"owner_id": owner_id, "id": feed_id}, grouped=True)
    if shown is None:
        raise NotFound
    params = {"owner_id": owner_id, "list_id": shown.list_id}
    tag = db.fetch_one(GET_TAG, params, grouped=True)
    if tag is None:
        raise NotFound
    return State(shown.list_id, tag.title, shown.component, tag.tag, tag.hash)


def tasks(owner_id: Uuid, list_id: Uuid | None) -> Chunks:
    """The tasks of all lists and the inbox, or of one list, in chunks; none that are hidden."""
    wanted = {"owner_id": owner_id, "list_id": list_id, "with_archived": False}
    return db.stream([LIST_TASKS], wanted)


def all_tasks(owner_id: Uuid) -> Chunks:
    """The tasks of all lists, archived ones included, in chunks."""
    wanted = {"owner_id": owner_id, "list_id": None, "with_archived": True}
    return db.stream([LIST_TASKS], wanted)
