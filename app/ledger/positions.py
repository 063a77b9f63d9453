"""Places in an order: fractions in base 36 as text, so that there is always one between two.

They sort by their bytes, and none ends in 0, as there would be no place before it.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import TypeVar

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
LONGEST = 250  # characters
LONG = 50  # characters, of one that a new order makes shorter

T = TypeVar("T")


def last(version: int) -> str:
    """The place behind every other one of an owner whose next version this is.

    It is what first_position() in migrations/0007.planning.sql gives to a new item.
    """
    return f"{version:012x}h"


def between(low: str | None, high: str | None) -> str:
    """A place behind `low` and before `high`; None is the beginning, or the end, of the order.

    Halves the gap: 1,000 places in one gap take about 200 characters more.
    """
    digits: list[str] = []
    while True:
        place = len(digits)
        above = DIGITS.index(low[place]) if low and place < len(low) else 0
        below = DIGITS.index(high[place]) if high else len(DIGITS)
        if below - above > 1:
            return "".join(digits) + DIGITS[(above + below) // 2]
        digits.append(DIGITS[above])
        if below > above:
            high = None


def respaced(low: str | None, places: Sequence[tuple[T, str]]) -> tuple[str, list[tuple[T, str]]]:
    """A place behind `low` among `places`, and shorter ones for those of them that are long there.

    `places` are names and positions in their order. The long ones on both sides of the new place
    are spread anew between the short ones next to them.
    """
    before = [place for place in places if place[1] <= (low or "")]
    after = places[len(before) :]
    long_before = list(takewhile(_is_long, reversed(before)))[::-1]
    long_after = list(takewhile(_is_long, after))
    kept = before[: len(before) - len(long_before)], after[len(long_after) :]
    ends = kept[0][-1][1] if kept[0] else None, kept[1][0][1] if kept[1] else None
    names = [name for name, _ in long_before + long_after]
    new = spread(*ends, len(names) + 1)
    own = new.pop(len(long_before))
    return own, list(zip(names, new, strict=True))


def _is_long(place: tuple[object, str]) -> bool:
    return len(place[1]) > LONG


def spread(low: str | None, high: str | None, count: int) -> list[str]:
    """`count` places between two, in their order, as short as halving allows."""
    if count == 0:
        return []
    middle = between(low, high)
    half = count // 2
    return [*spread(low, middle, half), middle, *spread(middle, high, count - half - 1)]
