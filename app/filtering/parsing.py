"""Reads a filter: limits, tokens and grammar; every mistake becomes one plain message."""

import re
from typing import cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken

from app.filtering.conditions import (
    And,
    Comparison,
    Condition,
    Filter,
    FilterError,
    Lack,
    Name,
    Not,
    Or,
    Overdue,
    Value,
)
from app.filtering.dates import Time, read_time
from app.filtering.messages import expectation
from app.zones import YEARS

MAX_LENGTH = 1000  # characters
MAX_TERMS = 50
MAX_DEPTH = 20
# One per term: a value, or a word that needs none.
TERMS = frozenset({"TIME", "STRING", "NUMBER", "COMPLETED", "_OVERDUE", "_TODAY", "_NO"})
PRIORITY = re.compile("[0-9]")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
ESCAPE = re.compile(r"\\([\s\S])")


def parse(text: str) -> Filter:
    """The filter that the text is; raises FilterError for any other text.

    A term is a condition with one value: each value of `in (…)` and each label behind `has label`
    counts. Brackets and `not` are levels of depth.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(f"A filter has at most {MAX_LENGTH:,} characters.", MAX_LENGTH + 1)
    if not text.strip():
        raise FilterError("The filter is empty.", 1)
    return Filter(_parsed(text))


def _parsed(text: str) -> Condition:
    """Feeds token by token, so that a text beyond the limits is not read to its end."""
    parser, limits = PARSER.parse_interactive(text), _Limits()
    try:
        for token in parser.iter_parse():
            limits.check(token)
        return cast(Condition, parser.feed_token(Token("$END", "")))
    except UnexpectedInput as error:
        start = _start(error, text)
        raise FilterError(expectation(parser, text[start:]), start + 1) from None


def _start(error: UnexpectedInput, text: str) -> int:
    """Where the text stops following the grammar."""
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    found = cast(int, error.pos_in_stream)
    return len(text) if is_end else found


class _Limits:
    """Counts terms and levels along the tokens."""

    def __init__(self) -> None:
        self.terms = self.depth = 0
        self.negations = 0  # levels that end with the next condition
        self.closing: list[int] = []  # per open bracket the levels that end with it

    def check(self, token: Token) -> None:
        """Raises FilterError at the token that is beyond a limit."""
        self.terms += token.type in TERMS
        if self.terms > MAX_TERMS:
            raise FilterError(f"A filter has at most {MAX_TERMS} terms.", _position(token))
        self._nest(token.type)
        if self.depth > MAX_DEPTH:
            message = f"Brackets and not can be nested {MAX_DEPTH} levels deep."
            raise FilterError(message, _position(token))

    def _nest(self, kind: str) -> None:
        match kind:
            case "_NOT":
                self.negations += 1
                self.depth += 1
            case "_OPEN":
                self.closing.append(self.negations + 1)
                self.negations = 0
                self.depth += 1
            case _:
                self._end(kind)

    def _end(self, kind: str) -> None:
        """Ends the negations of a condition, and what a bracket closes, if that is open."""
        self.depth -= self.negations
        self.negations = 0
        if kind == "_OPEN_VALUES":
            self.closing.append(0)
        elif kind == "_CLOSE" and self.closing:
            self.depth -= self.closing.pop()


def _position(token: Token) -> int:
    return (token.start_pos or 0) + 1


@v_args(inline=True)
class _Builder(Transformer[Token, Condition]):
    """Makes conditions: a method per rule of the grammar."""

    def any(self, *parts: Condition) -> Condition:
        return Or(parts)

    def all(self, *parts: Condition) -> Condition:
        return And(parts)

    def negation(self, part: Condition) -> Condition:
        return Not(part)

    def comparison(self, field: Token, operator: Token, value: Token) -> Condition:
        return Comparison(field.lower(), operator.value, _value(field, value))

    def choice(self, field: Token, *values: Token) -> Condition:
        return Or(tuple(_equality(field, value) for value in values))

    def place(self, field: Token, value: Token) -> Condition:
        return _equality(field, value)

    def labels(self, field: Token, *values: Token) -> Condition:
        return And(tuple(_equality(field, value) for value in values))

    def completed(self, field: Token) -> Condition:
        return Comparison(field.lower(), "=", value=True)

    def overdue(self) -> Condition:
        return Overdue()

    def due_today(self) -> Condition:
        return Comparison("due", "=", read_time("today"))

    def lack(self, field: Token) -> Condition:
        return Lack(field.lower())


def _equality(field: Token, value: Token) -> Comparison:
    return Comparison(field.lower(), "=", _value(field, value))


def _value(field: Token, value: Token) -> Value:
    match value.type, field.type:
        case "STRING", "LABEL":
            return Name("label", _text(value), _position(value))
        case "STRING", "LIST":
            return Name("list", _text(value), _position(value))
        case "STRING", _:
            return _text(value)
        case "NUMBER", _:
            return _priority(value)
        case "TIME", _:
            return _time(value)
        case _:
            return value.lower() == "true"


def _text(token: Token) -> str:
    """What a string stands for."""
    for escape in ESCAPE.finditer(token):
        if escape[1] not in '"\\':
            message = r'A backslash in a string stands before " or \ only.'
            raise FilterError(message, _position(token) + escape.start())
    if found := UNSTORABLE.search(token):
        message = "A string must not contain NUL or lone surrogates."
        raise FilterError(message, _position(token) + found.start())
    return ESCAPE.sub(r"\1", token[1:-1])


def _priority(token: Token) -> int:
    """A number of few digits: int() takes a time that grows with the square of their number."""
    if not PRIORITY.fullmatch(token):
        raise FilterError("A priority is a whole number from 0 to 9.", _position(token))
    return int(token)


def _time(token: Token) -> Time:
    try:
        return read_time(token)
    except ValueError:
        message = f"There is no such date or time in the years {YEARS[0]} to {YEARS[-1]}."
        raise FilterError(message, _position(token)) from None


PARSER = Lark.open(
    "grammar.lark",
    rel_to=__file__,
    parser="lalr",
    lexer="contextual",
    transformer=_Builder(),
    propagate_positions=False,
    maybe_placeholders=False,
)
