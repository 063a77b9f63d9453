"""Idempotency-Key: a write and its response are stored together, and replayed on a retry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from app import db
from app.errors import IdempotencyInFlight, IdempotencyMismatch
from app.values import Uuid


class ClaimedKey(NamedTuple):
    """Whether this transaction holds the key."""

    is_claimed: bool


class StoredResponse(NamedTuple):
    """The response to a request with the key, and the hash of that request."""

    request_hash: bytes
    status: int
    etag: str | None
    location: str | None
    body: str


CLAIM_KEY = db.load("idempotency/claim_key", ClaimedKey)
FIND_RESPONSE = db.load("idempotency/find_response", StoredResponse)
STORE_RESPONSE = db.load("idempotency/store_response")
DELETE_EXPIRED_KEYS = db.load("idempotency/delete_expired_keys")


@dataclass(frozen=True)
class Key:
    """An Idempotency-Key, and the SHA-256 of the request that it came with."""

    text: str
    request_hash: bytes


class WriteResponse(NamedTuple):
    """A successful response to a write; `data` is JSON, `location` a path or None."""

    status: int
    data: bytes
    tag: str | None = None
    location: str | None = None
    is_replayed: bool = False


def once(owner_id: Uuid, key: Key | None, write: Callable[[], WriteResponse]) -> WriteResponse:
    """The write's response, or the stored one where its key was used before.

    Raises IdempotencyMismatch where the key came with another request, IdempotencyInFlight while
    that request runs. A write that fails leaves the key unused.
    """
    if key is None:
        return write()
    params = {"owner_id": owner_id, "key": key.text}
    with db.transaction():
        claim, stored = db.fetch_pair((CLAIM_KEY, params), (FIND_RESPONSE, params))
        if stored is not None:
            return _replay(stored, key)
        if claim is None or not claim.is_claimed:
            raise IdempotencyInFlight
        response = write()
        db.execute(
            STORE_RESPONSE,
            {
                **params,
                "request_hash": key.request_hash,
                "status": response.status,
                "etag": response.tag,
                "location": response.location,
                "body": response.data.decode(),
            },
        )
    return response


def _replay(stored: StoredResponse, key: Key) -> WriteResponse:
    if stored.request_hash != key.request_hash:
        raise IdempotencyMismatch
    body = stored.body.encode()
    return WriteResponse(stored.status, body, stored.etag, stored.location, is_replayed=True)


def delete_expired_keys(owner_id: Uuid) -> int:
    """Deletes the owner's keys that are older than 24 hours; returns their number."""
    return db.execute(DELETE_EXPIRED_KEYS, {"owner_id": owner_id})
