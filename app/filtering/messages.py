"""Says what the grammar expects where a filter stops following it."""

import re
from collections.abc import Set as AbstractSet

from lark import Token
from lark.parsers.lalr_interactive_parser import InteractiveParser

MAX_SHOWN = 20  # characters of a token
UNSIGNED = re.compile(r"[0-9]+[hdwm]\b")
# The first terminal that the grammar expects decides.
EXPECTED = {
    "ORDER": "a comparison{after}, such as < or =",
    "EQUALITY": "a comparison{after}: =, != or in",
    "TIME": "a date or time{after}, such as today, 2026-10-07 or +7d",
    "STRING": "a string in double quotes{after}",
    "NUMBER": "a number from 0 to 9{after}",
    "BOOLEAN": "true or false{after}",
    "LACKED": "due, label, list or priority{after}",
    "_OPEN_VALUES": "a bracket{after}, such as in (1, 2)",
    "TITLE": "a condition{after}, such as due < today or completed",
    "LABEL": "label{after}",
}
# What may follow a complete condition or value.
FOLLOWING = {
    "_AND": '"and"',
    "_OR": '"or"',
    "_COMMA": "a comma",
    "_CLOSE": "a closing bracket",
    "$END": "the end of the filter",
}


def expectation(parser: InteractiveParser, rest: str) -> str:
    """The message for a text that stops following the grammar where `rest` begins."""
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    if "STRING" in accepted and "ORDER" not in accepted and rest.startswith('"'):
        return "This quote has no closing one."
    if "TIME" in accepted and (found := UNSIGNED.match(rest)):
        return f"Write +{found[0]} or -{found[0]}; in a URL, + is %2B."
    if "$END" in accepted and rest.startswith(")"):
        return "No bracket is open that this one could close."
    return f"Expected {_wanted(accepted, _after(parser))}."


def _wanted(accepted: AbstractSet[str], after: str) -> str:
    if following := [text for terminal, text in FOLLOWING.items() if terminal in accepted]:
        return _listed(following) + after
    kind = next(terminal for terminal in EXPECTED if terminal in accepted)
    return EXPECTED[kind].format(after=after)


def _listed(texts: list[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def _after(parser: InteractiveParser) -> str:
    """Names the last token, if it is at hand and short."""
    match parser.parser_state.value_stack[-1:]:
        case [Token(type="STRING")]:
            return " after the string"
        case [Token() as last] if len(last) <= MAX_SHOWN:
            return f" after {last}"
        case _:
            return ""
