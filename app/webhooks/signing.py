"""Secrets and signatures as Standard Webhooks 1.0 has them, and the events that are signed."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from app.values import Uuid

PREFIX = "whsec_"
SECRET_BYTES = 32  # the standard asks for 24 to 64
LARGEST_BODY = 20_000  # bytes; above it the event comes without its item


class Event(NamedTuple):
    """A change as a receiver is told it; `item` is JSON, None where it was deleted."""

    type: str
    at: str  # RFC 3339, in UTC
    version: int
    kind: str | None = None
    id: Uuid | None = None
    action: str | None = None
    item: bytes | None = None


def new_secret() -> str:
    """A secret that nobody else has."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def message_id(webhook_id: Uuid, version: int) -> str:
    """The id of an event for one webhook, the same in each attempt."""
    return f"msg_{webhook_id.replace('-', '')}_{version}"


def body_of(event: Event) -> bytes:
    """The event as JSON, the same bytes in each attempt; thin where it would be too large."""
    body = _body(event)
    return body if len(body) <= LARGEST_BODY else _body(event._replace(item=None))


def _body(event: Event) -> bytes:
    item = None if event.item is None else orjson.Fragment(event.item)
    fields = {**event._asdict(), "item": item}
    data = {name: fields[name] for name in ("version", "kind", "id", "action", "item")}
    return orjson.dumps({"type": event.type, "timestamp": event.at, "data": data})


def signature(keys: Sequence[str], message: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature: a signature by each of the secrets."""
    signed = f"{message}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_sign(key, signed)}" for key in keys)


def _sign(key: str, signed: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode()
