"""The comparison of a statement's header with PostgreSQL's description of the statement."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result
from psycopg.pq.abc import PGresult

from app.db.statements import Column, Statement

TYPE = "SELECT format_type(%(found)s, NULL), %(found)s = to_regtype(%(declared)s)::oid"


def differences(connection: psycopg.Connection[Any], statement: Statement[Any]) -> Iterator[str]:
    """Findings: names, orders and types that differ between the header and the statement.

    PostgreSQL numbers parameters; their names come from the text. Whether a column may be null is
    not compared. Raises psycopg.Error for a statement that can't be prepared.
    """
    _checked(connection.pgconn.prepare(b"", statement.query))
    result = _checked(connection.pgconn.describe_prepared(b""))
    parameters = [(name, result.param_type(i)) for i, name in enumerate(statement.parameters)]
    columns = [((result.fname(i) or b"").decode(), result.ftype(i)) for i in range(result.nfields)]
    yield from _compare(connection, "@param", statement.header.parameters, parameters)
    yield from _compare(connection, "@returns", statement.header.columns, columns)


def _checked(result: PGresult) -> PGresult:
    if result.status != pq.ExecStatus.COMMAND_OK:
        raise error_from_result(result)
    return result


def _compare(
    connection: psycopg.Connection[Any],
    tag: str,
    declared: Sequence[Column],
    found: Sequence[tuple[str, int]],
) -> Iterator[str]:
    """Compares names, and where these are equal types, whose OIDs `found` has."""
    names, found_names = [column.name for column in declared], [name for name, _ in found]
    if names != found_names:
        listed, found_listed = ", ".join(names) or "nothing", ", ".join(found_names) or "nothing"
        yield f"header: {tag} is {listed}, the statement has {found_listed}"
        return
    for column, (_, oid) in zip(declared, found, strict=True):
        parameters = {"found": oid, "declared": column.type}
        name, is_equal = connection.execute(TYPE, parameters).fetchall()[0]
        if not is_equal:
            yield f"header: {tag} {column.name} is {column.type}, PostgreSQL has {name}"
