"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes.

pyotp computes codes. That one is used once is up to the database: pyotp accepts it again.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

import pyotp
from pyotp.exceptions import OTPVerificationError

from app.auth import repository
from app.auth.encryption import Encryption, Sealed
from app.auth.repository import SecondFactor
from app.values import Uuid

ISSUER = "Ownrow"
STEPS_EITHER_WAY = 1  # of 30 s, that clocks may differ
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # random: 16 digits of base 32, too many to be found from a SHA-256
LONGEST = 64  # characters of a code with its spaces and hyphens
SEPARATORS = re.compile("[ -]")
TOTP_CODE = re.compile("[0-9]{6}")
RECOVERY_CODE = re.compile("[A-Z2-7]{16}")


class NewFactor(NamedTuple):
    """What a user keeps of a second factor: it is shown once."""

    secret: str
    uri: str
    recovery_codes: list[str]


def new_factor(email: str) -> NewFactor:
    """A random secret of 160 bits, its otpauth URI, and recovery codes."""
    secret = pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)
    return NewFactor(secret, uri, [_recovery_code() for _ in range(RECOVERY_CODES)])


def recovery_hashes(codes: Sequence[str]) -> list[bytes]:
    """What is stored of recovery codes."""
    return [_hash(_normal(code)) for code in codes]


def seal(encryption: Encryption, owner_id: Uuid, secret: str) -> Sealed:
    """The secret, encrypted for that owner's row."""
    return encryption.encrypt(secret.encode(), _context(owner_id))


def matching_step(secret: str, code: str, at: float) -> int | None:
    """The step around that time whose code it is, counted from 1970, or None."""
    totp = pyotp.TOTP(secret)
    try:
        return totp.verify_and_get_timecode(code, for_time=at, valid_window=STEPS_EITHER_WAY)
    except OTPVerificationError:
        return None


def confirming_step(
    encryption: Encryption, owner_id: Uuid, factor: SecondFactor, text: str
) -> int | None:
    """The step of a right code for a factor that is not on yet; None for a wrong one."""
    code = _normal(text)
    if not TOTP_CODE.fullmatch(code):
        return None
    return matching_step(_secret(encryption, owner_id, factor), code, time.time())


def use_code(encryption: Encryption, owner_id: Uuid, factor: SecondFactor, text: str) -> bool:
    """Whether it is a right code of a factor that is on; from then on it is used."""
    code = _normal(text)
    if RECOVERY_CODE.fullmatch(code):
        return repository.use_recovery_code(owner_id, _hash(code))
    if not TOTP_CODE.fullmatch(code):
        return False
    secret = _secret(encryption, owner_id, factor)
    step = matching_step(secret, code, time.time())
    if step is None:
        return False
    sealed = Sealed(factor.key_id, factor.secret)
    if sealed.key_id != encryption.key_id:
        sealed = seal(encryption, owner_id, secret)
    return repository.use_step(owner_id, factor.created_at, step, sealed)


def _secret(encryption: Encryption, owner_id: Uuid, factor: SecondFactor) -> str:
    sealed = Sealed(factor.key_id, factor.secret)
    return encryption.decrypt(sealed, _context(owner_id)).decode()


def _context(owner_id: Uuid) -> bytes:
    return f"second factor:{owner_id}".encode()


def _recovery_code() -> str:
    digits = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()
    return "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def _normal(text: str) -> str:
    """The code without separators, in upper case; empty where it is too long to be one."""
    return SEPARATORS.sub("", text).upper() if len(text) <= LONGEST else ""


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
