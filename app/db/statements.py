"""Statements: one file below sql/ each, with the parameters and columns that its header declares.

The header is the lines above the statement that begin with `--`:

    -- Reads a task.
    -- No row: no such task.
    -- @reads
    -- @param owner_id uuid
    -- @param id uuid
    -- @returns version bigint, document json

`@reads` or `@writes` says whether it may be run again after a lost connection. `null` after a
column's type says that the column may be null.
"""

import itertools
import re
import typing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, LiteralString, NamedTuple, TypeVar, overload

from psycopg.adapt import PyFormat

from app.values import Uuid

SQL = Path(__file__).resolve().parent.parent.parent / "sql"
PARAMETER = re.compile(r"%(?:\((\w+)\)s|%)")  # `%%` is a percent sign
HEADER_LINE = re.compile("--")
TAG = re.compile(r"-- @(reads|writes|param|returns)(?: (.+))?")
COLUMN = re.compile(r"(\w+) ([a-z0-9_]+(?:\[\])?)( null)?")

# What Python has for each of PostgreSQL's types in a result.
PYTHON_TYPES: dict[str, Any] = {
    "bigint": int,
    "boolean": bool,
    "bytea": bytes,
    "integer": int,
    "interval": timedelta,
    "json": bytes,  # as PostgreSQL wrote it
    "text": str,
    "text[]": list[str],
    "timestamptz": datetime,
    "uuid": Uuid,
    "uuid[]": list[Uuid],
}


class NoRow(NamedTuple):
    """The row type of statements whose columns, if any, are not read."""


R = TypeVar("R", bound=tuple[Any, ...])


class Column(NamedTuple):
    """A declared parameter or column: its name, PostgreSQL's type, whether it may be null."""

    name: str
    type: str
    is_nullable: bool = False


class HeaderError(Exception):
    """A header that is malformed, or that differs from its statement or row type."""


@dataclass(frozen=True)
class Header:
    """What the lines above a statement declare."""

    writes: bool
    parameters: tuple[Column, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Statement(Generic[R]):
    """A statement as it is sent, and the type of its rows."""

    name: str  # the path below sql/, without .sql; also what it is prepared under
    text: LiteralString  # its file and the file's text below the header, with %(name)s parameters
    header: Header
    row: type[R]
    query: bytes = field(init=False)  # with $1, $2, ... in the place of the parameters
    parameters: tuple[str, ...] = field(init=False)  # the name of each $n
    key: bytes = field(init=False)
    formats: list[PyFormat] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        numbers: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            return f"${numbers.setdefault(match[1], len(numbers) + 1)}" if match[1] else "%"

        object.__setattr__(self, "query", PARAMETER.sub(number, self.text).encode())
        object.__setattr__(self, "parameters", tuple(numbers))
        object.__setattr__(self, "key", self.name.encode())
        object.__setattr__(self, "formats", [PyFormat.TEXT] * len(numbers))

    @property
    def reads_only(self) -> bool:
        """Whether running it twice changes nothing."""
        return not self.header.writes


@overload
def load(name: str) -> Statement[NoRow]: ...
@overload
def load(name: str, row: type[R]) -> Statement[R]: ...
def load(name: str, row: type[Any] = NoRow) -> Statement[Any]:
    """The statement in sql/<name>.sql, whose rows are of type `row`, a NamedTuple.

    The text carries the file's path to the server's log and views. Raises HeaderError.
    """
    return parse(name, (SQL / f"{name}.sql").read_text(encoding="utf-8"), row)


def parse(name: str, text: str, row: type[R]) -> Statement[R]:
    """The statement whose file has that text; raises HeaderError where its header does not fit.

    The header is the first lines, as long as they begin with `--`. What follows is sent as it is,
    comments included: nothing but PostgreSQL reads it.
    """
    lines = list(itertools.takewhile(HEADER_LINE.match, text.split("\n")))
    body = text[sum(len(line) + 1 for line in lines) :]
    _check_characters(name, body)
    header = parse_header(name, lines)
    statement = Statement(name, f"/* sql/{name}.sql */ {body}", header, row)
    declared = {column.name for column in header.parameters}
    if declared != set(statement.parameters):
        differing = ", ".join(sorted(declared ^ set(statement.parameters)))
        raise HeaderError(f"sql/{name}.sql: @param and parameters differ in {differing}")
    expected = [(column.name, _python_type(name, column)) for column in header.columns]
    if row is not NoRow and list(typing.get_type_hints(row).items()) != expected:
        raise HeaderError(f"sql/{name}.sql: {row.__name__} is not what @returns declares")
    return statement


def _check_characters(name: str, body: str) -> None:
    """Refuses what readers of the text could see in different ways."""
    unseen = [char for char in body if not (char.isprintable() or char in "\n\t")]
    if unseen:
        raise HeaderError(f"sql/{name}.sql: {unseen[0]!r} can't be seen")
    has_parameters = "%(" in body  # without them psycopg leaves %% as it is
    if "%" in PARAMETER.sub("", body) or ("%%" in body and not has_parameters):
        raise HeaderError(f"sql/{name}.sql: has a % that is no parameter")


def parse_header(name: str, lines: list[str]) -> Header:
    """The declarations in the header's lines of sql/<name>.sql; raises HeaderError."""
    tags = []
    for line in lines:
        if "@" in line:
            match = TAG.fullmatch(line)
            if match is None or (match[1] in ("param", "returns")) != (match[2] is not None):
                raise HeaderError(f"sql/{name}.sql: {line!r} is not a declaration")
            tags.append((match[1], match[2] or ""))
    kinds = [tag for tag, _ in tags if tag in ("reads", "writes")]
    if len(kinds) != 1:
        raise HeaderError(f"sql/{name}.sql: declare one of @reads and @writes")
    parameters, columns = (
        tuple(
            _column(name, text)
            for tag, texts in tags
            if tag == wanted
            for text in texts.split(", ")
        )
        for wanted in ("param", "returns")
    )
    for declared in (parameters, columns):
        if len({column.name for column in declared}) < len(declared):
            raise HeaderError(f"sql/{name}.sql: a name is declared twice")
    return Header(kinds == ["writes"], parameters, columns)


def _column(name: str, text: str) -> Column:
    match = COLUMN.fullmatch(text)
    if match is None:
        raise HeaderError(f"sql/{name}.sql: {text!r} is not a name and a type")
    return Column(match[1], match[2], match[3] is not None)


def _python_type(name: str, column: Column) -> Any:
    if column.type not in PYTHON_TYPES:
        raise HeaderError(f"sql/{name}.sql: no Python type is known for {column.type}")
    python_type = PYTHON_TYPES[column.type]
    return python_type | None if column.is_nullable else python_type
