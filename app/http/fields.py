"""Strict marshmallow fields: JSON types without coercion, text that PostgreSQL can store."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from marshmallow import Schema, ValidationError, fields

from app.errors import Detail

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictSchema(Schema):
    """A JSON object without unknown fields; validation names every broken field."""

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
    """JSON true or false; no other value is converted."""

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


class _Bounded(fields.Field[int]):
    """An integer from `minimum` to `maximum`, both included."""

    def __init__(self, minimum: int, maximum: int, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def _check(self, number: int | None) -> int:
        if number is None or not self.minimum <= number <= self.maximum:
            raise ValidationError(f"Must be a whole number from {self.minimum} to {self.maximum}.")
        return number


class QueryInteger(_Bounded):
    """ASCII digits in a query string, within bounds."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        return self._check(int(value) if re.fullmatch(r"[0-9]{1,19}", value) else None)


class Integer(_Bounded):
    """A JSON integer within bounds; 1.0, true and "1" are refused."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        return self._check(value if type(value) is int else None)


class Choice(fields.Field[str]):
    """One word of `choices`."""

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if value not in self.choices:
            raise ValidationError(f"Must be one of {', '.join(self.choices)}.")
        return str(value)


def load(schema: Schema, data: Any) -> tuple[dict[str, Any], list[Detail]]:
    """The fields of `data` that are valid, and a detail for each broken rule."""
    try:
        return cast("dict[str, Any]", schema.load(data)), []
    except ValidationError as error:
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        return valid, list(_details(error.messages))


def _details(messages: Any, path: str = "") -> Iterator[Detail]:
    """marshmallow's nested messages as a flat list: operations[3].title."""
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            yield from _details(value, _member(path, key))
    else:
        yield from ({"field": path, "message": str(message)} for message in messages)


def _member(path: str, key: Any) -> str:
    if key == "_schema":
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = str(key).encode(errors="replace").decode()  # a lone surrogate has no UTF-8
    return f"{path}.{name}" if path else name
