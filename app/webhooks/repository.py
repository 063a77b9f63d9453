"""Webhooks: what their owner sees and changes, and what a worker needs to deliver to them.

A worker holds a webhook by a lease, `leased_until`; a change of the webhook ends it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from app import db
from app.errors import NO_SUCH_ITEM, Detail, NotFound, ValidationFailed
from app.ledger.repository import FIRST_ID, lock
from app.mail.messages import Message
from app.mail.repository import enqueue
from app.values import Uuid

T = TypeVar("T")


class Webhook(NamedTuple):
    """A webhook as its owner sees it, without its secret; times are RFC 3339 in UTC."""

    id: Uuid
    url: str
    types: list[str] | None
    list_id: Uuid | None
    delivered_version: int
    failures: int
    next_attempt_at: str | None
    previous_secret_until: str | None
    disabled_at: str | None
    disabled_reason: str | None
    created_at: str
    updated_at: str


class Attempt(NamedTuple):
    """An attempt to deliver an event, as the webhook's owner sees it."""

    version: int
    type: str
    at: str
    status: int | None
    milliseconds: int
    error: str | None


class Terms(NamedTuple):
    """How many webhooks an owner has, and whether a list is there."""

    number: int
    has_list: bool


class DueWebhook(NamedTuple):
    """A webhook, of any owner, that has something to be told."""

    owner_id: Uuid
    id: Uuid
    is_failing: bool
    lag: timedelta


class Lease(NamedTuple):
    """Until when this worker alone delivers to a webhook."""

    leased_until: datetime


class NextEvent(NamedTuple):
    """A webhook that is leased, and what it is to be told next, if anything."""

    url: str
    types: list[str] | None
    secret: bytes
    previous_secret: bytes | None
    failures: int
    delivered_version: int
    pruned_version: int
    examined_version: int
    version: int | None
    kind: str | None
    item_id: Uuid | None
    action: str | None
    type: str | None
    at: str | None
    item: bytes | None


class ListedWebhook(NamedTuple):
    """A webhook of any account, for the command line."""

    owner_id: Uuid
    id: Uuid
    host: str
    created_at: str
    undelivered: int
    failures: int
    disabled_at: str | None
    disabled_reason: str | None


class Attempted(NamedTuple):
    """What an attempt changes: what is recorded of it, and what its webhook does then."""

    version: int
    type: str
    at: datetime
    status: int | None
    milliseconds: int
    error: str | None
    delivered_version: int
    failures: int
    pause: timedelta
    reason: str | None = None  # why the webhook is disabled


LIST = db.load("webhooks/list", Webhook)
GET = db.load("webhooks/get", Webhook)
CHECK_TERMS = db.load("webhooks/check_terms", Terms)
CREATE = db.load("webhooks/create", Webhook)
UPDATE = db.load("webhooks/update", Webhook)
ROTATE = db.load("webhooks/rotate", Webhook)
REPLAY = db.load("webhooks/replay", Webhook)
DELETE = db.load("webhooks/delete")
LIST_ATTEMPTS = db.load("webhooks/list_attempts", Attempt)
LIST_DUE = db.load("webhooks/list_due", DueWebhook)
LIST_ALL = db.load("webhooks/list_all", ListedWebhook)
CLAIM = db.load("webhooks/claim", Lease)
FIND_NEXT = db.load("webhooks/find_next", NextEvent)
MOVE_ON = db.load("webhooks/move_on", Lease)
RECORD_ATTEMPT = db.load("webhooks/record_attempt", Lease)

MOST = 50  # webhooks of an account
TOO_MANY: Detail = {"field": "", "message": f"There are {MOST} webhooks already; delete one first."}
NO_LIST: Detail = {"field": "list_id", "message": NO_SUCH_ITEM}
CLOSED: Detail = {"field": "enabled", "message": "The operator of this service has disabled it."}
AHEAD: Detail = {"field": "since", "message": "There has been no such version yet."}
OWNER, OPERATOR = "owner", "operator"  # who disabled it
OLD_SECRET_SIGNS = timedelta(hours=24)
PAGE_SIZE = 500  # webhooks read at a time by the command line


# --- for their owner ----------------------------------------------------------------------------


def list_webhooks(owner_id: Uuid) -> list[Webhook]:
    """The owner's webhooks, the oldest first."""
    return db.fetch_all(LIST, {"owner_id": owner_id})


def get(owner_id: Uuid, webhook_id: Uuid | None) -> Webhook:
    """The webhook; raises NotFound."""
    return _found(db.fetch_one(GET, {"owner_id": owner_id, "id": webhook_id}))


def create(
    owner_id: Uuid,
    webhook_id: Uuid,
    *,
    url: str,
    types: Sequence[str] | None,
    list_id: Uuid | None,
    secret: bytes,
) -> Webhook:
    """Adds a webhook; raises ValidationFailed for one too many, or a list that is not there."""
    params = {
        "owner_id": owner_id,
        "id": webhook_id,
        "url": url,
        "types": types,
        "list_id": list_id,
        "secret": secret,
    }
    with db.transaction():
        number = _lock_and_count(owner_id, list_id)
        if number >= MOST:
            raise ValidationFailed(details=[TOO_MANY])
        return _found(db.fetch_one(CREATE, params))


def update(owner_id: Uuid, webhook_id: Uuid | None, changes: Mapping[str, Any]) -> Webhook:
    """Changes a webhook; raises NotFound, and ValidationFailed where its terms forbid it."""
    with db.transaction():
        _lock_and_count(owner_id, changes.get("list_id"))
        current = get(owner_id, webhook_id)
        if changes.get("enabled") and current.disabled_reason == OPERATOR:
            raise ValidationFailed(details=[CLOSED])
        return _change(owner_id, current.id, changes, OWNER)


def switch(owner_id: Uuid, webhook_id: Uuid, *, enabled: bool) -> Webhook:
    """Enables or disables a webhook for the operator; raises NotFound."""
    return _change(owner_id, webhook_id, {"enabled": enabled}, OPERATOR)


def _change(owner_id: Uuid, webhook_id: Uuid, changes: Mapping[str, Any], reason: str) -> Webhook:
    names = ("url", "types", "list_id", "enabled")
    params = {
        **{name: changes.get(name) for name in names},
        "fields": list(changes),
        "reason": reason,
        "owner_id": owner_id,
        "id": webhook_id,
    }
    return _found(db.fetch_one(UPDATE, params))


def rotate(owner_id: Uuid, webhook_id: Uuid | None, secret: bytes) -> Webhook:
    """Gives the webhook a new secret, beside which the old one signs for a day; raises NotFound."""
    params = {
        "owner_id": owner_id,
        "id": webhook_id,
        "secret": secret,
        "grace": OLD_SECRET_SIGNS,
    }
    return _found(db.fetch_one(ROTATE, params))


def replay(owner_id: Uuid, webhook_id: Uuid | None, since: int) -> Webhook:
    """Has the webhook be told again what changed after that version.

    Raises NotFound, and ValidationFailed for a version that has not been reached.
    """
    params = {"owner_id": owner_id, "id": webhook_id, "since": since}
    replayed = db.fetch_one(REPLAY, params)
    if replayed is None:
        get(owner_id, webhook_id)
        raise ValidationFailed(details=[AHEAD])
    return replayed


def delete(owner_id: Uuid, webhook_id: Uuid | None) -> None:
    """Deletes the webhook; raises NotFound."""
    if not db.execute(DELETE, {"owner_id": owner_id, "id": webhook_id}):
        raise NotFound


def list_attempts(owner_id: Uuid, webhook_id: Uuid | None) -> list[Attempt]:
    """The last attempts, the newest first; raises NotFound."""
    get(owner_id, webhook_id)
    return db.fetch_all(LIST_ATTEMPTS, {"owner_id": owner_id, "id": webhook_id})


def _lock_and_count(owner_id: Uuid, list_id: Uuid | None) -> int:
    """The number of webhooks, which stays; raises ValidationFailed where there is no such list."""
    lock(owner_id)
    terms = _found(db.fetch_one(CHECK_TERMS, {"owner_id": owner_id, "list_id": list_id}))
    if not terms.has_list:
        raise ValidationFailed(details=[NO_LIST])
    return terms.number


def _found(row: T | None) -> T:
    if row is None:
        raise NotFound
    return row


# --- for the operator ---------------------------------------------------------------------------


def list_all() -> Iterator[ListedWebhook]:
    """The webhooks of all accounts."""
    after = {"after_owner_id": FIRST_ID, "after_id": FIRST_ID}
    while page := db.fetch_all(LIST_ALL, {**after, "limit": PAGE_SIZE}):
        yield from page
        after = {"after_owner_id": page[-1].owner_id, "after_id": page[-1].id}


# --- for the worker -----------------------------------------------------------------------------


def list_due(limit: int) -> list[DueWebhook]:
    """Up to `limit` webhooks of all owners that have something to be told, failing ones last."""
    return db.fetch_all(LIST_DUE, {"limit": limit})


def claim(owner_id: Uuid, webhook_id: Uuid, lease: timedelta) -> datetime | None:
    """Takes the webhook for the lease; None where another worker has it."""
    params = {"owner_id": owner_id, "id": webhook_id, "lease": lease}
    return _until(db.fetch_one(CLAIM, params))


def find_next(
    owner_id: Uuid, webhook_id: Uuid, leased_until: datetime, limit: int
) -> NextEvent | None:
    """What comes next, among the next entries up to `limit`; None where the lease has ended."""
    leased = {"owner_id": owner_id, "id": webhook_id, "leased_until": leased_until}
    return db.fetch_one(FIND_NEXT, {**leased, "limit": limit})


def move_on(
    owner_id: Uuid,
    webhook_id: Uuid,
    leased_until: datetime,
    *,
    delivered_version: int,
    pause: timedelta,
) -> datetime | None:
    """Passes entries up to that version over; the new end of the lease, None where it has ended."""
    params = {
        "owner_id": owner_id,
        "id": webhook_id,
        "leased_until": leased_until,
        "delivered_version": delivered_version,
        "pause": pause,
    }
    return _until(db.fetch_one(MOVE_ON, params))


def record(
    owner_id: Uuid,
    webhook_id: Uuid,
    leased_until: datetime,
    attempted: Attempted,
    mail: Message | None = None,
) -> datetime | None:
    """Records an attempt, and puts the mail about it into the outbox.

    Returns the new end of the lease; None, and nothing is recorded, where it has ended.
    """
    leased = {"owner_id": owner_id, "id": webhook_id, "leased_until": leased_until}
    with db.transaction():
        recorded = db.fetch_one(RECORD_ATTEMPT, {**leased, **attempted._asdict()})
        if recorded is not None and mail is not None:
            enqueue(owner_id, mail)
    return _until(recorded)


def _until(lease: Lease | None) -> datetime | None:
    return None if lease is None else lease.leased_until
