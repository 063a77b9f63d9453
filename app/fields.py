"""Strict marshmallow fields: JSON types as they are, text that PostgreSQL can hold."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NewType
from uuid import uuid4

from marshmallow import Schema, ValidationError, fields

Uuid = NewType("Uuid", str)  # in the one spelling that the API and PostgreSQL write
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictSchema(Schema):
    """A JSON object with known fields only; names every broken field."""

    error_messages = {  # noqa: RUF012 - marshmallow's own way
        "unknown": "Unknown field.",
        "type": "Must be a JSON object.",
    }


class Text(fields.Field[str]):
    """A string of `minimum` to `maximum` characters, after trimming where `trim` is set."""

    def __init__(self, minimum: int, maximum: int, *, trim: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum, self.trim = minimum, maximum, trim

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise ValidationError("Must be a string.")
        if UNSTORABLE.search(value):
            raise ValidationError("Must not contain NUL or lone surrogates.")
        text = value.strip() if self.trim else value
        if not self.minimum <= len(text) <= self.maximum:
            raise ValidationError(f"Must be {self.minimum} to {self.maximum} characters long.")
        return text


class Flag(fields.Field[bool]):
    """true or false, and nothing that resembles them."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class QueryFlag(fields.Field[bool]):
    """The word true or false in a query string."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if value not in ("true", "false"):
            raise ValidationError("Must be true or false.")
        return bool(value == "true")


class QueryInteger(fields.Field[int]):
    """ASCII digits in a query string, within bounds."""

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if re.fullmatch(r"[0-9]{1,19}", value) and self.minimum <= int(value) <= self.maximum:
            return int(value)
        raise ValidationError(f"Must be a whole number from {self.minimum} to {self.maximum}.")


class Integer(fields.Field[int]):
    """A JSON integer within bounds; neither 1.0 nor true nor "1"."""

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if type(value) is int and self.minimum <= value <= self.maximum:
            return value
        raise ValidationError(f"Must be a whole number from {self.minimum} to {self.maximum}.")


class Choice(fields.Field[str]):
    """One of a few words."""

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if value not in self.choices:
            raise ValidationError(f"Must be one of {', '.join(self.choices)}.")
        return str(value)


def canonical_uuid(text: str) -> Uuid | None:
    """The text, or None for any other spelling than 8-4-4-4-12 lower-case hexadecimal digits."""
    return Uuid(text) if CANONICAL_UUID.fullmatch(text) else None


def new_uuid() -> Uuid:
    """A random one."""
    return Uuid(str(uuid4()))


def fold(text: str) -> str:
    """Text as searches and e-mail keys compare it: case-folded, in NFKC (Unicode 3.13, D147)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())
