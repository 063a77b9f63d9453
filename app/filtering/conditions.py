"""What a filter consists of: conditions, joined by and, or, not; and the error of a wrong one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from app.filtering.dates import Time

MAX_SHOWN = 50  # characters of a name in a message


class FilterError(Exception):
    """A filter that is none, with the character, counted from 1, at which that shows."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position})")
        self.message, self.position = message, position


@dataclass(frozen=True)
class Name:
    """The name of a label or list as written, and the position of its quote."""

    kind: Literal["label", "list"]
    text: str
    position: int

    def unknown(self) -> FilterError:
        """The error for a name that no label or list has."""
        cut = self.text if len(self.text) <= MAX_SHOWN else self.text[: MAX_SHOWN - 1] + "…"
        return FilterError(f'There is no {self.kind} "{cut}".', self.position)


Value = str | int | bool | Name | Time


@dataclass(frozen=True)
class Comparison:
    """A field compared with a value."""

    field: str
    operator: str
    value: Value


@dataclass(frozen=True)
class Lack:
    """True of tasks that have nothing in a field."""

    field: str


@dataclass(frozen=True)
class Overdue:
    """True of open tasks whose due has passed."""


@dataclass(frozen=True)
class Not:
    """True where its part is false."""

    part: "Condition"


@dataclass(frozen=True)
class And:
    """True where each of its parts is true."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Or:
    """True where one of its parts is true."""

    parts: tuple["Condition", ...]


Condition = Comparison | Lack | Overdue | Not | And | Or


@dataclass(frozen=True)
class Filter:
    """A parsed filter: what it means depends on the clock, and on the owner's labels and lists."""

    condition: Condition

    @cached_property
    def labels(self) -> frozenset[str]:
        """The names of labels, as written."""
        return self._names("label")

    @cached_property
    def lists(self) -> frozenset[str]:
        """The names of lists, as written."""
        return self._names("list")

    @cached_property
    def is_relative(self) -> bool:
        """Whether it selects other tasks as time passes, although no task changes."""
        return any(_moves(part) for part in leaves(self.condition))

    def _names(self, kind: str) -> frozenset[str]:
        values = (part.value for part in leaves(self.condition) if isinstance(part, Comparison))
        return frozenset(
            value.text for value in values if isinstance(value, Name) and value.kind == kind
        )


def leaves(condition: Condition) -> Iterator[Comparison | Lack | Overdue]:
    """The conditions that have no parts, in the order of the text."""
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield condition


def _moves(leaf: Comparison | Lack | Overdue) -> bool:
    match leaf:
        case Comparison(value=Time(is_relative=is_relative)):
            return is_relative
        case _:
            return isinstance(leaf, Overdue)
