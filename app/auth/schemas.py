"""Request bodies of the account endpoints."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validates_schema

from app.auth.passwords import LONGEST, SHORTEST, is_common
from app.auth.scopes import SCOPES
from app.http.fields import Flag, Instant, QueryFlag, StrictSchema, Text, Zone
from app.values import IGNORABLE, nfkc_casefold

SHORTEST_EMAIL, LONGEST_EMAIL = 3, 254  # characters; RFC 5321's limit of a path
LONGEST_LABEL = 63  # characters of a domain, between dots; with others than ASCII fewer are valid
LONGEST_NAME = 100  # characters of a token's name
CLOCK_TIME = re.compile("(?:[01][0-9]|2[0-3]):[0-5][0-9]")
RESERVED_DOMAIN = (
    "Its domain is reserved for names that the Internet's mail does not reach, as .local, "
    ".home.arpa and localhost are; use another address."
)
DOTS = re.compile("[.\u3002\uff0e\uff61]")  # that separate labels (UTS #46)


class Email(Text):
    """An address as RFC 5321 and 6531 have it, NFC-normalised and lower-cased."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SHORTEST_EMAIL, LONGEST_EMAIL, trim=True, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        email = normal_email(text)
        if email is None:
            raise ValidationError(
                RESERVED_DOMAIN if _has_reserved_domain(text) else "Must be an e-mail address."
            )
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


class TriedCode(Text):
    """Any text, as for a password."""

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


def _has_reserved_domain(address: str) -> bool:
    """Whether its domain ends in a special-use name (RFC 6761), in any spelling."""
    _, at, domain = address.rpartition("@")
    return at == "@" and nfkc_casefold(DOTS.split(domain.strip())[-1]) in SPECIAL_USE_DOMAIN_NAMES


def email_key(text: str) -> str:
    """The key under which spellings of an address are one account (Unicode's toNFKC_Casefold)."""
    if len(text) > 2 * LONGEST_EMAIL:
        return ""  # no account's key; longer text is not folded
    return nfkc_casefold(normal_email(text) or text)


class ClockTime(fields.Field[str]):
    """A time of day as hours and minutes."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or not CLOCK_TIME.fullmatch(value):
            raise ValidationError("Must be a time from 00:00 to 23:59, such as 09:00.")
        return value


class Registration(StrictSchema):
    """POST /auth/register."""

    email = Email(required=True)
    password = NewPassword(required=True)
    time_zone = Zone(load_default="UTC")


class UserChanges(StrictSchema):
    """PATCH /auth/me: fields that are left out stay."""

    time_zone = Zone()
    reminder_time = ClockTime()
    mail = Flag()

    @validates_schema
    def names_a_field(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Requires at least one field."""
        if not data:
            raise ValidationError("Name at least one of time_zone, reminder_time, mail.")


class Login(StrictSchema):
    """POST /auth/login."""

    email = Text(0, 65536, required=True)
    password = TriedPassword(required=True)
    code = TriedCode()


class RefreshToken(StrictSchema):
    """POST /auth/refresh and /auth/logout."""

    refresh_token = Text(1, 1024, required=True)


class CookieQuery(StrictSchema):
    """The query of /auth/login, /auth/refresh and /auth/logout."""

    cookie = QueryFlag(load_default=False)


class PasswordChange(StrictSchema):
    """PUT /auth/password."""

    current_password = TriedPassword(required=True)
    new_password = NewPassword(required=True)


class Scopes(fields.Field[list[str]]):
    """Scopes of an API token: at least one, each once, in the order of app.auth.scopes."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        known = [scope for scope in SCOPES if isinstance(value, list) and scope in value]
        if not known or len(value) > len(known):
            raise ValidationError(f"Must be an array of one or more of {', '.join(SCOPES)}.")
        return known


def in_future(instant: datetime) -> None:
    """Refuses an instant that has passed."""
    if instant <= datetime.now(UTC):
        raise ValidationError("Must be in the future.")


class NewToken(StrictSchema):
    """POST /auth/tokens."""

    name = Text(1, LONGEST_NAME, required=True, trim=True)
    scopes = Scopes(required=True)
    expires_at = Instant(allow_none=True, load_default=None, validate=in_future)


class SecondFactorSetup(StrictSchema):
    """POST /auth/second-factor."""

    password = TriedPassword(required=True)


class SecondFactorCode(StrictSchema):
    """POST /auth/second-factor/confirm."""

    code = TriedCode(required=True)


class SecondFactorRemoval(StrictSchema):
    """DELETE /auth/second-factor."""

    password = TriedPassword(required=True)
    code = TriedCode(required=True)


class Erasure(StrictSchema):
    """DELETE /auth/me."""

    password = TriedPassword(required=True)


class EmailChange(StrictSchema):
    """POST /auth/email."""

    email = Email(required=True)
    password = TriedPassword(required=True)


class Link(StrictSchema):
    """POST /auth/verification/confirm and /auth/email/confirm."""

    token = Text(1, 1024, required=True)


class ResetRequest(StrictSchema):
    """POST /auth/reset."""

    email = Email(required=True)


class Reset(StrictSchema):
    """POST /auth/reset/confirm."""

    token = Text(1, 1024, required=True)
    new_password = NewPassword(required=True)


REGISTRATION = Registration()
USER_CHANGES = UserChanges()
LOGIN = Login()
REFRESH_TOKEN = RefreshToken()
COOKIE_QUERY = CookieQuery()
PASSWORD_CHANGE = PasswordChange()
ERASURE = Erasure()
SECOND_FACTOR_SETUP = SecondFactorSetup()
SECOND_FACTOR_CODE = SecondFactorCode()
SECOND_FACTOR_REMOVAL = SecondFactorRemoval()
NEW_TOKEN = NewToken()
NOTHING = StrictSchema()
EMAIL_CHANGE = EmailChange()
LINK = Link()
RESET_REQUEST = ResetRequest()
RESET = Reset()
