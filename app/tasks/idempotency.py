"""Idempotency-Key: a write and the answer to it are stored together, and told again on a retry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from app import db
from app.errors import IdempotencyInFlight, IdempotencyMismatch
from app.fields import Uuid

CLAIM_KEY = db.load("tasks/claim_key")
STORE_ANSWER = db.load("tasks/store_answer")


@dataclass(frozen=True)
class Attempt:
    """A write's key, and a SHA-256 of the request that it came with."""

    key: str
    request_hash: bytes


class Answer(NamedTuple):
    """A successful answer to a write; `data` is JSON, `location` a path or None."""

    status: int
    data: bytes
    tag: str | None = None
    location: str | None = None
    is_replayed: bool = False


def once(owner_id: Uuid, attempt: Attempt | None, write: Callable[[], Answer]) -> Answer:
    """The write's answer, or the first one where its key was used before.

    Raises IdempotencyMismatch where the key came with another request, IdempotencyInFlight while
    that one still runs. A write that fails leaves the key free.
    """
    if attempt is None:
        return write()
    key = {"owner_id": owner_id, "key": attempt.key}
    with db.transaction():
        claim = db.fetch_one(CLAIM_KEY, key)
        if claim is None or (claim.status is None and not claim.is_claimed):
            raise IdempotencyInFlight
        if claim.status is not None:
            return _replay(claim, attempt)
        answer = write()
        db.execute(
            STORE_ANSWER,
            {
                **key,
                "request_hash": attempt.request_hash,
                "status": answer.status,
                "etag": answer.tag,
                "location": answer.location,
                "body": answer.data.decode(),
            },
        )
    return answer


def _replay(stored: db.Row, attempt: Attempt) -> Answer:
    if bytes(stored.request_hash) != attempt.request_hash:
        raise IdempotencyMismatch
    return Answer(stored.status, stored.body.encode(), stored.etag, stored.location, True)
