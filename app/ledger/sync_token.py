"""Sync tokens: opaque positions in the feed of changes, each good for one owner and one filter.

A position is a version. One among the pruned versions would say that the client has seen what was
pruned; while the first load of a pruned ledger passes there, the position carries the number of
prunes as well, and a further prune expires it.

A token carries no secret: it is bound to its owner by a digest, so that another owner's token is
refused. Unlike a cursor it outlives the keys of the service, as clients keep it for weeks.
"""

import base64
import binascii
import hashlib
import struct
from typing import NamedTuple

from app.errors import BadRequest
from app.values import Uuid

DIGEST_SIZE = 8  # bytes
CONTENT = struct.Struct(">qi")  # version, and number of prunes or NO_PRUNES
NO_PRUNES = -1


class LedgerState(NamedTuple):
    """How far the owner's ledger goes, up to which version it was pruned, and how often."""

    version: int
    pruned_version: int
    prune_count: int


class Position(NamedTuple):
    """The version seen last; `prune_count` in a first load among the pruned versions."""

    version: int
    prune_count: int | None = None


START = Position(0)


def encode(owner_id: Uuid, filtered: str, position: Position) -> str:
    """The token of a position in the owner's feed, as `filtered` selects its changes."""
    prunes = NO_PRUNES if position.prune_count is None else position.prune_count
    content = CONTENT.pack(position.version, prunes)
    token = _digest(owner_id, filtered, content) + content
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def decode(owner_id: Uuid, filtered: str, token: str) -> Position:
    """The position; raises BadRequest for a token of another owner or another filter."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadRequest("The sync token is not valid; start over without one") from error
    digest, content = raw[:DIGEST_SIZE], raw[DIGEST_SIZE:]
    if len(content) != CONTENT.size or digest != _digest(owner_id, filtered, content):
        raise BadRequest("The sync token belongs to another feed; start over without one")
    version, prunes = CONTENT.unpack(content)
    return Position(version, None if prunes == NO_PRUNES else prunes)


def _digest(owner_id: Uuid, filtered: str, content: bytes) -> bytes:
    bound = f"{owner_id} {filtered} ".encode() + content
    return hashlib.blake2b(bound, digest_size=DIGEST_SIZE, person=b"sync token").digest()


def after(ledger: LedgerState, version: int) -> Position:
    """The position behind `version`."""
    return Position(version, None if version >= ledger.pruned_version else ledger.prune_count)


def is_expired(ledger: LedgerState, position: Position) -> bool:
    """Whether the ledger no longer reaches back to the position, or not yet up to it."""
    if position.version > ledger.version:
        return True
    if position.prune_count is None:
        return 0 < position.version < ledger.pruned_version
    return position.prune_count != ledger.prune_count
