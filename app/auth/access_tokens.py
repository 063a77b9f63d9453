"""Access tokens: JSON Web Tokens as RFC 9068 profiles them, signed with HS256."""

import time
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode

from app.config import Config
from app.errors import Unauthenticated
from app.values import Identity, Uuid, canonical_uuid, new_uuid

ALGORITHM = "HS256"
TYPE = "at+jwt"
LIFETIME = 15 * 60  # seconds
LEEWAY = 5  # seconds
LONGEST = 2048  # characters; issued ones have about 450
CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "exp")
CACHED = 10_000  # verified tokens: each is verified once per process


class AccessTokens:
    """Issues access tokens and verifies them, with the keys of one deployment."""

    def __init__(self, config: Config) -> None:
        self._keys = {key_id: secret.encode() for key_id, secret in config.jwt_secrets.items()}
        self._signing_key_id = next(iter(self._keys))
        self._issuer, self._audience = config.jwt_issuer, config.jwt_audience
        self._verified: dict[str, tuple[Identity, int]] = {}

    def issue(self, owner_id: Uuid, session_id: Uuid) -> str:
        """A token for that user's session, valid for LIFETIME seconds."""
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": owner_id,
            "sid": session_id,
            "jti": new_uuid(),
            "iat": now,
            "exp": now + LIFETIME,
        }
        key_id = self._signing_key_id
        return jwt.encode(
            claims, self._keys[key_id], ALGORITHM, headers={"kid": key_id, "typ": TYPE}
        )

    def verify(self, token: str) -> Identity:
        """The identity in the token; raises Unauthenticated unless every rule holds.

        Needs no database.
        """
        known = self._verified.get(token)
        if known is None:
            known = self._decode(token)
            if len(self._verified) >= CACHED:
                self._verified.clear()
            self._verified[token] = known
        caller, expires = known
        if expires + LEEWAY <= time.time():
            self._verified.pop(token, None)
            raise Unauthenticated(invalid=True)
        return caller

    def _decode(self, token: str) -> tuple[Identity, int]:
        try:
            is_readable = len(token) <= LONGEST and _is_utf_8(token)
            if not is_readable or not _canonical_signature(token):
                raise Unauthenticated(invalid=True)
            key = self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Unauthenticated(invalid=True) from error
        return _identity(claims), claims["exp"]

    def _key(self, header: Mapping[str, Any]) -> bytes:
        """The key that the header names; a header with other members is refused."""
        key_id = header.get("kid")
        if header.keys() != {"alg", "typ", "kid"} or header["typ"] != TYPE:
            raise Unauthenticated(invalid=True)
        if not isinstance(key_id, str) or key_id not in self._keys:
            raise Unauthenticated(invalid=True)
        return self._keys[key_id]


def _is_utf_8(token: str) -> bool:
    """Whether header and claims are UTF-8 (RFC 7519); the library takes UTF-16 and UTF-32, too."""
    texts = [base64url_decode(part.encode("ascii")).decode() for part in token.split(".")[:2]]
    return all(text.startswith("{") and "\x00" not in text for text in texts)


def _canonical_signature(token: str) -> bool:
    """Whether base64url's last character has its spare bits zero: one of four spellings."""
    signature = token.rpartition(".")[2].encode("ascii")
    return base64url_encode(base64url_decode(signature)) == signature


def _identity(claims: Mapping[str, Any]) -> Identity:
    owner_id, session_id = _uuid(claims["sub"]), _uuid(claims["sid"])
    numeric = type(claims["iat"]) is int and type(claims["exp"]) is int
    if owner_id is None or session_id is None or not numeric or not isinstance(claims["jti"], str):
        raise Unauthenticated(invalid=True)
    return Identity(owner_id, session_id)


def _uuid(claim: Any) -> Uuid | None:
    return canonical_uuid(claim) if isinstance(claim, str) else None
