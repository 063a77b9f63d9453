"""API tokens: `own_`, 256 random bits in base 62, and a checksum that shows a typing error.

The form is fixed, so that secret scanners find a token in a text. The database has the SHA-256
only; 256 random bits need no slow hash.
"""

import hashlib
import re
import secrets
import string
import time
import zlib
from dataclasses import dataclass
from math import inf

from app.auth import repository
from app.auth.access_tokens import LIFETIME
from app.errors import Unauthenticated
from app.values import Identity

PREFIX = "own_"
FORM = re.compile(f"{PREFIX}([0-9A-Za-z]{{43}})([0-9A-Za-z]{{6}})")
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_BITS, RANDOM_LENGTH, CHECKSUM_LENGTH = 256, 43, 6
CAPACITY = 10_000  # tokens; each is looked up once per process and REMEMBERED
# Seconds. Not longer than an access token lives: EndedSessions remembers an end just longer.
REMEMBERED = LIFETIME
HOUR = 3600  # seconds


def new_token() -> str:
    """A token that nobody else has."""
    random = _base_62(secrets.randbits(RANDOM_BITS), RANDOM_LENGTH)
    return f"{PREFIX}{random}{_checksum(random)}"


def token_hash(token: str) -> bytes:
    """What the database stores in the place of the token."""
    return hashlib.sha256(token.encode()).digest()


def is_well_formed(token: str) -> bool:
    """Whether it can be a token at all; a wrong character in it is noticed."""
    parts = FORM.fullmatch(token)
    return parts is not None and _checksum(parts[1]) == parts[2]


def _checksum(random: str) -> str:
    return _base_62(zlib.crc32(random.encode()), CHECKSUM_LENGTH)


def _base_62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(DIGITS))
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))


@dataclass
class _Verified:
    """A token that was found in the database."""

    caller: Identity
    expires: float  # seconds since 1970
    forgotten: float  # monotonic seconds from which it is to be looked up again
    noted_hour: int = -1  # hours since 1970: the last one whose use was noted


class ApiTokens:
    """The tokens that this process has found in the database; EndedSessions has their ends.

    It keeps their hashes, not the tokens.
    """

    def __init__(self) -> None:
        self._verified: dict[bytes, _Verified] = {}

    def verify(self, token: str) -> Identity:
        """The user, session and scopes of a token; raises Unauthenticated unless it is valid.

        Raises psycopg.Error when that can't be known.
        """
        key = token_hash(token)
        known = self._verified.get(key)
        if known is None or known.forgotten <= time.monotonic():
            known = self._find(token, key)
        now = time.time()
        if known.expires <= now:
            raise Unauthenticated(invalid=True)
        hour = int(now // HOUR)
        if known.noted_hour != hour:
            self._note_use(known, hour)
        return known.caller

    def _find(self, token: str, key: bytes) -> _Verified:
        """Looks the token up and remembers it; a malformed one needs no database."""
        asked = time.monotonic()
        found = repository.find_token(key) if is_well_formed(token) else None
        if found is None:
            self._verified.pop(key, None)
            raise Unauthenticated(invalid=True)
        caller = Identity(found.owner_id, found.id, frozenset(found.scopes))
        expires = inf if found.expires_at is None else found.expires_at.timestamp()
        if len(self._verified) >= CAPACITY:
            self._verified.clear()
        known = self._verified[key] = _Verified(caller, expires, asked + REMEMBERED)
        return known

    def _note_use(self, known: _Verified, hour: int) -> None:
        """Has the use written down, for which the request does not wait."""
        caller = known.caller
        if repository.note_token_use(caller.owner_id, caller.session_id):
            known.noted_hour = hour
