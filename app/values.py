"""Values that every layer shares: identifiers, the identity behind a request, folded text."""

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple, NewType
from uuid import uuid4

Uuid = NewType("Uuid", str)  # canonical text: 8-4-4-4-12 lower-case hexadecimal digits
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Identity:
    """The user and the session that an access token names."""

    owner_id: Uuid
    session_id: Uuid


class Origin(NamedTuple):
    """The request and the session that the ledger records for a change."""

    request_id: str
    session_id: Uuid | None


@dataclass(frozen=True)
class Page:
    """A page of a list: a JSON array, and the entity tag and version that it was read at.

    `next_position` is the next page's position as a JSON array; None on the last page.
    """

    tag: str
    version: int
    items: bytes
    next_position: bytes | None


def canonical_uuid(text: str) -> Uuid | None:
    """The text as a Uuid; None for any spelling other than the canonical one."""
    return Uuid(text) if CANONICAL_UUID.fullmatch(text) else None


def new_uuid() -> Uuid:
    """A random (version 4) UUID."""
    return Uuid(str(uuid4()))


def fold(text: str) -> str:
    """Text as searches and e-mail keys compare it: case-folded, in NFKC (Unicode 3.13, D147)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())
