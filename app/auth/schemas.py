"""What the account endpoints take."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError

from app.auth.passwords import LONGEST, SHORTEST, is_common
from app.fields import StrictSchema, Text, fold

INVISIBLE = ("Cc", "Cf", "Zl", "Zp")  # Unicode categories of characters that show nothing
LONGEST_EMAIL = 254  # characters, RFC 5321's limit of a path


class Email(Text):
    """An address as RFC 5321 and 6531 have it, NFC-normalised and lower-cased."""

    def __init__(self, **options: Any) -> None:
        super().__init__(3, LONGEST_EMAIL, trim=True, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            valid = validate_email(visible(text), check_deliverability=False, test_environment=True)
        except EmailNotValidError as error:
            raise ValidationError("Must be an e-mail address.") from error
        return unicodedata.normalize("NFC", valid.normalized.lower())


class NewPassword(Text):
    """8 to 256 characters, and not one that guessers try first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SHORTEST, LONGEST, **options)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        password = super()._deserialize(value, attr, data, **kwargs)
        if is_common(password):
            raise ValidationError("Is one of the most common passwords; choose another.")
        return password


def visible(text: str) -> str:
    """The text without the characters that show nothing."""
    return "".join(char for char in text if unicodedata.category(char) not in INVISIBLE)


def email_key(email: str) -> str:
    """What makes two spellings of an address one account."""
    return fold(visible(email))


class Registration(StrictSchema):
    email = Email(required=True)
    password = NewPassword(required=True)


class Login(StrictSchema):
    """Any text is a try: whether it could be somebody's e-mail or password is not told."""

    email = Text(0, 65536, required=True)
    password = Text(0, 65536, required=True)


class RefreshToken(StrictSchema):
    refresh_token = Text(1, 1024, required=True)


REGISTRATION = Registration()
LOGIN = Login()
REFRESH_TOKEN = RefreshToken()
