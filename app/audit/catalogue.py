"""The tables, views, columns and functions that the migrations create, as the proof needs them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from app.db.schema import DIRECTORY

OWNER_COLUMN = "owner_id"
USERS = "users"
MIGRATION_TABLE = "_yoyo_migration"
FUNCTIONS = ("FUNCTION", "PROCEDURE", "AGGREGATE")
READ_ONLY = {"IMMUTABLE", "STABLE"}  # PostgreSQL lets such functions write nothing


@dataclass(frozen=True)
class Catalogue:
    """Columns by table; the project's functions, each with the tables that its body names.

    A view whose rows are single rows of owned tables, with their owner, counts as a table.

    `writers` are the functions that may write: VOLATILE ones that name a table.
    """

    tables: Mapping[str, tuple[str, ...]]
    functions: Mapping[str, frozenset[str]]
    writers: frozenset[str] = frozenset()

    def owner_column(self, table: str) -> str | None:
        """The column with the owner's id; None where the table's rows have no owner."""
        if table == USERS:
            return "id"
        return OWNER_COLUMN if OWNER_COLUMN in self.tables.get(table, ()) else None

    @property
    def owned_tables(self) -> list[str]:
        """The tables whose rows have an owner, sorted."""
        return sorted(name for name in self.tables if self.owner_column(name))


def from_migrations(directory: Path = DIRECTORY) -> Catalogue:
    """The catalogue after all migrations have been applied."""
    tables: dict[str, tuple[str, ...]] = {MIGRATION_TABLE: ("migration_id",)}
    bodies: dict[str, tuple[str, bool]] = {}
    for file in sorted(directory.glob("[0-9]*.sql")):
        if not file.name.endswith(".rollback.sql"):
            for text, tokens in _statements(file.read_text(encoding="utf-8")):
                _apply(text, tokens, tables, bodies)
    functions = {name: _named_tables(body, tables) for name, (body, _) in bodies.items()}
    writers = {name for name, (_, is_volatile) in bodies.items() if is_volatile and functions[name]}
    return Catalogue(tables, functions, frozenset(writers))


def _statements(script: str) -> Iterator[tuple[str, list[Token]]]:
    """Each statement's text and tokens."""
    statement: list[Token] = []
    for token in sqlglot.tokenize(script, dialect="postgres"):
        if token.token_type != TokenType.SEMICOLON:
            statement.append(token)
        elif statement:
            yield script[statement[0].start : token.start], statement
            statement = []


def _apply(
    text: str,
    tokens: list[Token],
    tables: dict[str, tuple[str, ...]],
    bodies: dict[str, tuple[str, bool]],
) -> None:
    """Adds a migration's statement to the tables, or to the functions' bodies and volatilities."""
    words = [token.text.upper() for token in tokens[:6]]
    if words[:2] == ["CREATE", "TABLE"]:
        made = sqlglot.parse_one(text, dialect="postgres")
        tables[made.find(exp.Table).name] = _columns(made.find_all(exp.ColumnDef))  # type: ignore[union-attr]
    elif words[:2] == ["CREATE", "VIEW"]:
        view = sqlglot.parse_one(text, dialect="postgres")
        columns = _single_rows(view.expression, tables)
        if columns:
            tables[view.find(exp.Table).name] = columns  # type: ignore[union-attr]
    elif words[:2] == ["ALTER", "TABLE"] and "ADD" in words:
        changed = sqlglot.parse_one(text, dialect="postgres")
        name = changed.find(exp.Table).name  # type: ignore[union-attr]
        tables[name] += _columns(changed.find_all(exp.ColumnDef))
    elif words[0] == "CREATE" and set(FUNCTIONS) & set(words[1:4]):
        name = tokens[next(i for i, word in enumerate(words) if word in FUNCTIONS) + 1]
        body = " ".join(
            token.text for token in tokens if token.token_type == TokenType.HEREDOC_STRING
        )
        is_volatile = not READ_ONLY & {token.text.upper() for token in tokens}
        bodies[name.text.lower()] = body, is_volatile


def _single_rows(query: exp.Expr, tables: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The columns of a query whose rows are single rows of owned tables; () for any other query."""
    parts = list(query.find_all(exp.Select))
    if not all(_is_single_row(part, tables) for part in parts):
        return ()
    return tuple(each.alias_or_name for each in parts[0].selects)


def _is_single_row(part: exp.Select, tables: Mapping[str, tuple[str, ...]]) -> bool:
    source = part.args["from_"].this
    owners = [
        each.table if isinstance(each, exp.Column) else ""
        for each in part.selects
        if each.alias_or_name == OWNER_COLUMN
    ]
    return (
        {name for name, value in part.args.items() if value} == {"expressions", "from_"}
        and isinstance(source, exp.Table)
        and OWNER_COLUMN in tables.get(source.name, ())
        and owners == [source.name]
    )


def _columns(definitions: Iterable[exp.ColumnDef]) -> tuple[str, ...]:
    return tuple(definition.name for definition in definitions)


def _named_tables(body: str, tables: Iterable[str]) -> frozenset[str]:
    words = {token.text.lower() for token in sqlglot.tokenize(body, dialect="postgres")}
    return frozenset(words & set(tables))
