"""Request bodies of the account endpoints."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError

from app.auth.passwords import LONGEST, SHORTEST, is_common
from app.http.fields import StrictSchema, Text
from app.values import IGNORABLE, nfkc_casefold

SHORTEST_EMAIL, LONGEST_EMAIL = 3, 254  # characters; RFC 5321's limit of a path
LONGEST_LABEL = 63  # characters of a domain, between dots; with others than ASCII fewer are valid
DOTS = re.compile("[.\u3002\uff0e\uff61]")  # that separate labels (UTS #46)


class Email(Text):
    """An address as RFC 5321 and 6531 have it, NFC-normalised and lower-cased."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SHORTEST_EMAIL, LONGEST_EMAIL, trim=True, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        email = normal_email(super()._deserialize(value, attr, data, **kwargs))
        if email is None:
            raise ValidationError("Must be an e-mail address.")
        return email


class NewPassword(Text):
    """8 to 256 characters, and not in the list of common passwords."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SHORTEST, LONGEST, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        password = super()._deserialize(value, attr, data, **kwargs)
        if is_common(password):
            raise ValidationError("Is one of the most common passwords; choose another.")
        return password


class TriedPassword(Text):
    """Any text: an answer must not tell whether it could be a password."""

    def __init__(self, **options: Any) -> None:
        super().__init__(0, 65536, **options)


def normal_email(text: str) -> str | None:
    """The address as it is stored and shown; None where the text is no address."""
    visible = IGNORABLE.sub("", text).strip()
    if _has_long_label(visible):
        return None
    try:
        valid = validate_email(visible, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return unicodedata.normalize("NFC", valid.normalized.lower())


def _has_long_label(address: str) -> bool:
    """Whether its domain can't be one; to check the characters of a label takes quadratic time."""
    domain = unicodedata.normalize("NFC", address.rpartition("@")[2])
    return max(map(len, DOTS.split(domain))) > LONGEST_LABEL


def email_key(text: str) -> str:
    """The key under which spellings of an address are one account (Unicode's toNFKC_Casefold)."""
    if len(text) > 2 * LONGEST_EMAIL:
        return ""  # no account's key; longer text is not folded
    return nfkc_casefold(normal_email(text) or text)


class Registration(StrictSchema):
    """POST /auth/register."""

    email = Email(required=True)
    password = NewPassword(required=True)


class Login(StrictSchema):
    """POST /auth/login."""

    email = Text(0, 65536, required=True)
    password = TriedPassword(required=True)


class RefreshToken(StrictSchema):
    """POST /auth/refresh and /auth/logout."""

    refresh_token = Text(1, 1024, required=True)


class PasswordChange(StrictSchema):
    """PUT /auth/password."""

    current_password = TriedPassword(required=True)
    new_password = NewPassword(required=True)


class Erasure(StrictSchema):
    """DELETE /auth/me."""

    password = TriedPassword(required=True)


REGISTRATION = Registration()
LOGIN = Login()
REFRESH_TOKEN = RefreshToken()
PASSWORD_CHANGE = PasswordChange()
ERASURE = Erasure()
