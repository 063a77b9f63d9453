"""Reads and writes recurrence rules: the part of RFC 5545, section 3.3.10, that tasks have."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

MAX_LENGTH = 255
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PREFIX = "RRULE:"
PART = re.compile(r"([A-Z][A-Z-]{0,19})=([A-Z0-9,+-]+)")
INTEGER = re.compile(r"[+-]?[0-9]{1,4}")
WEEKDAY = re.compile(rf"([+-]?[1-5])?({'|'.join(WEEKDAYS)})")
UNTIL = re.compile(r"[0-9]{8}(T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z?)?")


class RuleError(ValueError):
    """A text that is no rule for a task; the message says what to write instead."""


class Weekday(NamedTuple):
    """A weekday, Monday being 0: each one, or the nth of a month, counted from its end if n < 0."""

    number: int
    nth: int = 0


class Rule(NamedTuple):
    """A recurrence rule."""

    freq: str
    interval: int = 1
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()  # from the end of the month if negative
    weekdays: tuple[Weekday, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0
    occurrences: int | None = None
    until: str | None = None
    skip: str | None = None  # input only: the normal form says it by positions

    @property
    def is_free(self) -> bool:
        """Whether it names no days, but counts from a date."""
        return not (self.months or self.month_days or self.weekdays)


def parse(text: str) -> Rule:
    """The rule that a text is; raises RuleError for one that tasks do not have."""
    if len(text) > MAX_LENGTH:
        raise RuleError(f"Must be at most {MAX_LENGTH} characters.")
    if not text.isascii():
        raise RuleError("Use ASCII letters, digits and punctuation only.")
    if text.upper().startswith(PREFIX):
        raise RuleError(f"Leave out {PREFIX} and begin with FREQ.")
    fields: dict[str, Any] = {}
    for part in text.upper().split(";"):
        field, value = _field(part)
        if field in fields:
            raise RuleError(f"Give {part.partition('=')[0]} once.")
        fields[field] = value
    if "freq" not in fields:
        raise RuleError("Give FREQ: DAILY, WEEKLY, MONTHLY or YEARLY.")
    rule = Rule(**fields)
    _check(rule, fields)
    return rule


def occurrences_left(rule: str) -> int | None:
    """How many occurrences a rule allows (COUNT); None if that is not limited."""
    return parse(rule).occurrences


def written(rule: Rule) -> str:
    """The text of a rule: its parts in one order, without those that change nothing."""
    has_week_start = rule.freq == "WEEKLY" and rule.interval > 1 and rule.week_start
    parts = {
        "FREQ": rule.freq,
        "INTERVAL": str(rule.interval) if rule.interval > 1 else "",
        "BYMONTH": _joined(rule.months),
        "BYMONTHDAY": _joined(rule.month_days),
        "BYDAY": ",".join(f"{day.nth or ''}{WEEKDAYS[day.number]}" for day in rule.weekdays),
        "BYSETPOS": _joined(rule.positions),
        "WKST": WEEKDAYS[rule.week_start] if has_week_start else "",
        "COUNT": str(rule.occurrences or ""),
        "UNTIL": rule.until or "",
    }
    return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def from_start(numbers: Sequence[int]) -> tuple[int, ...]:
    """Numbers, each once: those that count from the start before those that count from the end."""
    return tuple(sorted(set(numbers), key=lambda number: (number < 0, number)))


def _joined(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _field(part: str) -> tuple[str, Any]:
    """The field of Rule that a part sets, and its value."""
    found = PART.fullmatch(part)
    if found is None:
        raise RuleError("Write parts like FREQ=WEEKLY;INTERVAL=2, with one semicolon between two.")
    name, value = found.groups()
    if name not in PARTS:
        raise RuleError(f"Leave out {name}; the parts of a rule are {', '.join(PARTS)}.")
    field, read, expected = PARTS[name]
    try:
        return field, read(value)
    except ValueError:
        raise RuleError(f"{name} must be {expected}.") from None


def _check(rule: Rule, fields: dict[str, Any]) -> None:
    """Refuses parts that do not go together."""
    if rule.occurrences is not None and rule.until is not None:
        raise RuleError("Give COUNT or UNTIL, not both.")
    taken = TAKEN[rule.freq]
    for name in BY:
        if PARTS[name][0] in fields and name not in taken:
            raise RuleError(f"With FREQ={rule.freq}, give {_choice(taken)} only, not {name}.")
    if rule.freq in ("DAILY", "WEEKLY") and any(day.nth for day in rule.weekdays):
        raise RuleError(f"With FREQ={rule.freq}, give BYDAY without numbers, such as MO,TH.")
    if rule.freq == "DAILY" and rule.weekdays and rule.interval > 1:
        raise RuleError("With FREQ=DAILY, give BYDAY or INTERVAL; or use FREQ=WEEKLY.")
    if rule.freq == "YEARLY" and (rule.month_days or rule.weekdays) and not rule.months:
        raise RuleError("With FREQ=YEARLY, give BYMONTH beside BYMONTHDAY and BYDAY.")
    if rule.positions and not (rule.month_days or rule.weekdays):
        raise RuleError("BYSETPOS chooses among days: give BYMONTHDAY or BYDAY as well.")


def _choice(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _word(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError(value)
        return value

    return read


def _number(most: int, *, from_end: bool = False) -> Callable[[str], int]:
    """Reads a number from 1 to `most`, or the negative of one."""

    def read(value: str) -> int:
        if not INTEGER.fullmatch(value) or (value[0] in "+-" and not from_end):
            raise ValueError(value)
        if not 1 <= abs(number := int(value)) <= most:
            raise ValueError(value)
        return number

    return read


def _numbers(most: int, *, from_end: bool = False) -> Callable[[str], tuple[int, ...]]:
    read = _number(most, from_end=from_end)
    return lambda value: from_start([read(each) for each in value.split(",")])


def _weekdays(value: str) -> tuple[Weekday, ...]:
    found = [WEEKDAY.fullmatch(each) for each in value.split(",")]
    days = {Weekday(WEEKDAYS.index(each[2]), int(each[1] or 0)) for each in found if each}
    if not all(found):
        raise ValueError(value)
    return tuple(sorted(days, key=lambda day: (day.nth < 0, day.nth, day.number)))


def _until(value: str) -> str:
    if not UNTIL.fullmatch(value):
        raise ValueError(value)
    datetime.fromisoformat(value)  # raises ValueError for a day or time that does not exist
    return value


def _weekday(value: str) -> int:
    return WEEKDAYS.index(value)  # raises ValueError


# By name: the field of Rule, what reads its value, and what the value must be.
PARTS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "FREQ": (
        "freq",
        _word("DAILY", "WEEKLY", "MONTHLY", "YEARLY"),
        "DAILY, WEEKLY, MONTHLY or YEARLY",
    ),
    "INTERVAL": ("interval", _number(999), "a number from 1 to 999"),
    "BYMONTH": ("months", _numbers(12), "numbers from 1 to 12"),
    "BYMONTHDAY": (
        "month_days",
        _numbers(31, from_end=True),
        "numbers from 1 to 31, or from -1 to -31 to count from the end of the month",
    ),
    "BYDAY": (
        "weekdays",
        _weekdays,
        "MO, TU, WE, TH, FR, SA, SU, or such as 2TU or -1FR, with 1 to 5 or -1 to -5",
    ),
    "BYSETPOS": (
        "positions",
        _numbers(366, from_end=True),
        "numbers from 1 to 366, or from -1 to -366 to count from the end",
    ),
    "WKST": ("week_start", _weekday, "MO, TU, WE, TH, FR, SA or SU"),
    "COUNT": ("occurrences", _number(9999), "a number from 1 to 9999"),
    "UNTIL": ("until", _until, "like 20261009, 20261009T090000 or 20261009T070000Z"),
    "SKIP": ("skip", _word("BACKWARD", "OMIT"), "BACKWARD or OMIT"),
}
BY = ("BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS")
TAKEN: dict[str, Sequence[str]] = {
    "DAILY": ("BYDAY",),
    "WEEKLY": ("BYDAY",),
    "MONTHLY": BY,
    "YEARLY": BY,
}
