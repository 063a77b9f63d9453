"""The secret in a feed's address: 256 random bits, of which the database has the SHA-256 only."""

import hashlib
import re
import secrets

RANDOM_BYTES = 32
FORM = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """A secret that nobody else has, in base64url."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def secret_hash(secret: str) -> bytes:
    """What the database stores in the place of the secret."""
    return hashlib.sha256(secret.encode()).digest()


def is_well_formed(secret: str) -> bool:
    """Whether it can be a secret at all."""
    return FORM.fullmatch(secret) is not None
