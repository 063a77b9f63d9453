"""Statements that tests make for themselves."""

from typing import Any, TypeVar, overload

from app.db.statements import PARAMETER, NoRow, Statement, parse

R = TypeVar("R", bound=tuple[Any, ...])


@overload
def statement(name: str, text: str, *, writes: bool = False) -> Statement[NoRow]: ...
@overload
def statement(
    name: str, text: str, row: type[R], *, returns: str, writes: bool = False
) -> Statement[R]: ...
def statement(
    name: str, text: str, row: type[Any] = NoRow, *, returns: str = "", writes: bool = False
) -> Statement[Any]:
    """A statement with a header for it; `returns` is what its @returns declares."""
    names = dict.fromkeys(found for found in PARAMETER.findall(text) if found)
    header = [
        "-- Made by a test.",
        "-- @writes" if writes else "-- @reads",
        *(f"-- @param {name} text" for name in names),
        *([f"-- @returns {returns}"] if returns else []),
    ]
    return parse(name, "\n".join([*header, text]), row)
