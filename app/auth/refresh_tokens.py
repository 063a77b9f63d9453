"""Refresh tokens: the session that one belongs to, its hash, and its successor."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.values import Uuid

SECRET_BYTES = 32


@dataclass(frozen=True)
class RefreshToken:
    """Owner, session and 256 random bits."""

    owner_id: Uuid
    session_id: Uuid
    secret: bytes

    @property
    def text(self) -> str:
        """The token as the client holds it: base64url of all three, without padding."""
        raw = UUID(self.owner_id).bytes + UUID(self.session_id).bytes + self.secret
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    @property
    def hash(self) -> bytes:
        """The SHA-256 of the secret, which is what the database stores."""
        return hashlib.sha256(self.secret).digest()

    def successor(self, key: bytes) -> "RefreshToken":
        """The token that replaces this one, derived (HMAC) so that it need not be stored."""
        secret = hmac.digest(key, b"refresh" + self.secret, hashlib.sha256)
        return RefreshToken(self.owner_id, self.session_id, secret)


def new(owner_id: Uuid, session_id: Uuid) -> RefreshToken:
    """A session's first refresh token."""
    return RefreshToken(owner_id, session_id, secrets.token_bytes(SECRET_BYTES))


def parse(text: str) -> RefreshToken | None:
    """The token, or None where the text is not one in its canonical spelling."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(raw) != 32 + SECRET_BYTES:
        return None
    owner_id, session_id = (Uuid(str(UUID(bytes=raw[at : at + 16]))) for at in (0, 16))
    token = RefreshToken(owner_id, session_id, raw[32:])
    return token if token.text == text else None


def newest(
    token: RefreshToken, keys: Sequence[bytes], is_used: Mapping[bytes, bool]
) -> RefreshToken | None:
    """The unused token at the end of the chain of successors; None where the chain is broken.

    `is_used` has the chain's tokens by their hashes.
    """
    while is_used[token.hash]:
        successors = [token.successor(key) for key in keys]
        known = [successor for successor in successors if successor.hash in is_used]
        if not known:
            return None
        token = known[0]
    return token


def successor_keys(signing_secrets: Sequence[str]) -> list[bytes]:
    """Keys for successors, made from the signing secrets; the first one is in use."""
    return [
        hmac.digest(secret.encode(), b"refresh token successor", hashlib.sha256)
        for secret in signing_secrets
    ]
