"""Strict marshmallow fields: JSON types without coercion, text that PostgreSQL can store."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, cast

from marshmallow import Schema, ValidationError, fields

from app import zones
from app.errors import Detail

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Python 3.14 reads 24:00 as the next day's midnight.
LOCAL_TIME = re.compile(rf"{DAY.pattern}(T(?!24)[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?)?")
ZONED_TIME = re.compile(rf"{DAY.pattern}T[0-9:.,]+ ?(?:[Zz]|[+-][0-9:]+)(\[.*\])?")
INSTANT = re.compile(
    rf"{DAY.pattern}T(?!24)[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
)
LOCAL_LENGTHS = (len("2026-10-07"), len("2026-10-07T09:00:00"))


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


class Repeated(fields.List[Any]):
    """A parameter of a query string that may be given more than once."""


class LocalTime(fields.Field[str]):
    """A local date or date and time, from 1970 to 2199; seconds may be left out."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise ValidationError("Must be a string.")
        if ZONED_TIME.fullmatch(value):
            raise ValidationError("Must be a local time: give its zone as time_zone.")
        if not LOCAL_TIME.fullmatch(value) or not _exists(value):
            raise ValidationError(
                "Must be a date or a time that exists, from 1970 to 2199: "
                "2026-10-07 or 2026-10-07T09:00."
            )
        return value if len(value) in LOCAL_LENGTHS else f"{value}:00"


def _exists(local: str) -> bool:
    """Whether there is such a day, and such a time of it."""
    try:
        return datetime.fromisoformat(local).year in zones.YEARS
    except ValueError:
        return False


class Zone(fields.Field[str]):
    """A time zone by its name in tzdata, in its exact spelling."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or value not in zones.NAMES:
            raise ValidationError("Must be a time zone such as Europe/Madrid, in that spelling.")
        return value


class Instant(fields.Field[datetime]):
    """An instant with its offset, from 1970 to 2199."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        at = _instant(value) if isinstance(value, str) else None
        if at is None or at.year not in zones.YEARS:
            raise ValidationError("Must be an instant such as 2026-10-07T09:00:00Z.")
        return at


def _instant(text: str) -> datetime | None:
    """The instant in UTC; None where the text is none."""
    if not INSTANT.fullmatch(text) or not _exists(text[:19]):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


class DayOrInstant(fields.Field[date | datetime]):
    """A date, or an instant with its offset."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> date | datetime:
        text = value if isinstance(value, str) else ""
        if DAY.fullmatch(text) and _exists(text):
            return date.fromisoformat(text)
        if (at := _instant(text)) is not None:
            return at
        raise ValidationError(
            "Must be a date such as 2026-10-07, or an instant such as 2026-10-07T09:00:00Z."
        )


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
