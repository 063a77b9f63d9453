"""Reading of JSON whose form another service decides: what has another type counts as missing."""

from collections.abc import Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]


def text(given: Object, name: str) -> str:
    """A string; empty where there is none."""
    value = given.get(name)
    return value if isinstance(value, str) else ""


def number(given: Object, name: str) -> float:
    """A number; 0 where there is none."""
    value = given.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def key(given: Object, name: str) -> str:
    """An id as text; empty where there is none."""
    value = given.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def objects(given: Object, name: str) -> Iterator[Object]:
    """The objects of an array, or of the array `value` in an object, as Microsoft Graph has it."""
    value = given.get(name)
    if isinstance(value, dict):
        value = value.get("value")
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each


def inner(given: Object, name: str) -> Object:
    """An object; empty where there is none."""
    value = given.get(name)
    return value if isinstance(value, dict) else {}
