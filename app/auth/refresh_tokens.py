"""Refresh tokens: owner, session and number of one, with a signature that proves its origin.

A session's tokens differ in their numbers and signatures. The database knows the newest two by
their hashes; an older one is known by its signature, so that it needs no row.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.values import Uuid

FIELDS = struct.Struct(">16s16sQ32s32s")  # owner, session, number, seed, signature
SEED_BYTES = 32
LAST_NUMBER = 2**63 - 1  # PostgreSQL's bigint


@dataclass(frozen=True)
class RefreshToken:
    """The `number`th token of a session, whose tokens share the 256 random bits of the seed."""

    owner_id: Uuid
    session_id: Uuid
    number: int
    seed: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The token as the client holds it: base64url of all fields, without padding."""
        return base64.urlsafe_b64encode(self._raw).decode().rstrip("=")

    @property
    def hash(self) -> bytes:
        """The SHA-256 of all fields, which is what the database stores."""
        return hashlib.sha256(self._raw).digest()

    @property
    def _raw(self) -> bytes:
        owner, session = UUID(self.owner_id).bytes, UUID(self.session_id).bytes
        return FIELDS.pack(owner, session, self.number, self.seed, self.signature)


class RefreshTokens:
    """Issues refresh tokens, and recognises those that it has issued."""

    def __init__(self, signing_secrets: Sequence[str]) -> None:
        """`signing_secrets` has the newest first, which signs; tokens of all are recognised."""
        self._keys = [
            hmac.digest(secret.encode(), b"refresh token", hashlib.sha256)
            for secret in signing_secrets
        ]

    def first(self, owner_id: Uuid, session_id: Uuid) -> RefreshToken:
        """A session's first token."""
        unsigned = RefreshToken(owner_id, session_id, 1, secrets.token_bytes(SEED_BYTES), b"")
        return _signed(unsigned, 1, self._keys[0])

    def successor(self, token: RefreshToken) -> RefreshToken:
        """The token that replaces this one: always the same, so that it need not be stored."""
        return _signed(token, token.number + 1, self._keys[0])

    def is_genuine(self, token: RefreshToken) -> bool:
        """Whether one of the keys signed it: it was issued, by whomever it is presented now."""
        issued = (_signed(token, token.number, key).signature for key in self._keys)
        return any(hmac.compare_digest(token.signature, each) for each in issued)

    def find(self, token: RefreshToken, number: int, token_hash: bytes) -> RefreshToken | None:
        """The token of the same session with that number and hash.

        None where it was signed with a key that is not configured, or `token` was never issued.
        """
        issued = (_signed(token, number, key) for key in self._keys)
        return next((each for each in issued if each.hash == token_hash), None)


def parse(text: str) -> RefreshToken | None:
    """The token, or None where the text is not one in its canonical spelling."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        owner, session, number, seed, signature = FIELDS.unpack(raw)
    except (ValueError, binascii.Error, struct.error):
        return None
    owner_id, session_id = (Uuid(str(UUID(bytes=each))) for each in (owner, session))
    token = RefreshToken(owner_id, session_id, number, seed, signature)
    return token if token.text == text and 0 < number < LAST_NUMBER else None


def _signed(token: RefreshToken, number: int, key: bytes) -> RefreshToken:
    """The token of the same session with that number, signed with the key."""
    owner, session = UUID(token.owner_id).bytes, UUID(token.session_id).bytes
    signed = FIELDS.pack(owner, session, number, token.seed, b"")
    signature = hmac.digest(key, signed, hashlib.sha256)
    return RefreshToken(token.owner_id, token.session_id, number, token.seed, signature)
