"""The generated blocks of specs/*.md: `make specs` writes them, tests compare them."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.support import openapi
from tests.support.openapi import Operation

SPECS = Path(__file__).resolve().parent.parent.parent / "specs"
WRITING = os.environ.get("WRITE_SPECS") == "1"
# Statuses that every operation may respond with.
GENERAL = {"405", "408", "414", "429", "431", "500", "501", "503"}

TABLES = """
SELECT c.oid, c.relname AS name, obj_description(c.oid, 'pg_class') AS comment
FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname !~ '^(_yoyo|yoyo)'
ORDER BY c.relname
"""
COLUMNS = """
SELECT
    a.attname AS name,
    format_type(a.atttypid, a.atttypmod) AS type,
    CASE WHEN a.attnotnull THEN '' ELSE 'yes' END AS nullable,
    CASE
        WHEN a.attgenerated = 's' THEN 'generated'
        ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    END AS value,
    coalesce(col_description(a.attrelid, a.attnum), '') AS comment
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
CONSTRAINTS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE conrelid = %(oid)s AND contype IN ('p', 'f', 'u', 'c')
ORDER BY position(contype::text IN 'pufc'), conname
"""
INDEXES = """
SELECT i.relname AS name, pg_get_indexdef(i.oid) AS definition
FROM pg_index AS x
INNER JOIN pg_class AS i ON x.indexrelid = i.oid
WHERE
    x.indrelid = %(oid)s
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid AND conrelid = %(oid)s)
ORDER BY i.relname
"""


def rows(titles: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(titles)
    cells = [titles, ["---"] * len(titles), *lines]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in cells
    )


def tables(url: str) -> str:
    """Every table in Markdown: comment, columns, constraints and indexes."""
    with psycopg.connect(url, row_factory=dict_row) as connection:

        def read(statement: str, oid: int = 0) -> list[dict[str, Any]]:
            return connection.execute(statement, {"oid": oid}).fetchall()

        return "\n\n".join(
            _table(
                table,
                read(COLUMNS, table["oid"]),
                read(CONSTRAINTS, table["oid"]),
                read(INDEXES, table["oid"]),
            )
            for table in read(TABLES)
        )


def _table(table: Mapping[str, Any], columns: Any, constraints: Any, indexes: Any) -> str:
    titles = ("column", "type", "null", "value", "meaning")
    described = [
        (f"`{each['name']}`", each["type"], each["nullable"], each["value"], each["comment"])
        for each in columns
    ]
    rules = [f"- `{each['name']}`: {each['definition']}" for each in [*constraints, *indexes]]
    parts = [f"### {table['name']}", table["comment"] or "", rows(titles, described)]
    return "\n\n".join([*parts, "\n".join(rules)])


def endpoints() -> str:
    """A table of all operations of the contract; statuses in GENERAL are left out."""
    return rows(
        ("operation", "route", "what for", "answers"),
        (
            [each.id, f"`{each.method} {each.path}`", _summary(each), _statuses(each)]
            for each in openapi.operations().values()
        ),
    )


def _summary(operation: Operation) -> str:
    node = openapi.document()["paths"][operation.path][operation.method.lower()]
    return str(node["summary"])


def _statuses(operation: Operation) -> str:
    return ", ".join(status for status in operation.responses if status not in GENERAL)


def block(file: Path, name: str) -> re.Match[str]:
    """The text between the block's markers; raises AssertionError if the file has none."""
    found = re.search(
        rf"(?<=<!-- generated: {name} -->\n).*?(?=<!-- end -->)", file.read_text(), re.DOTALL
    )
    assert found is not None, f"{file} has no block {name}"
    return found


def is_up_to_date(file: Path, name: str, text: str) -> bool:
    """Whether the block in the file is this text; with WRITE_SPECS=1 writes it first."""
    wanted = f"\n{text}\n\n"
    if WRITING:
        found, text_of_file = block(file, name), file.read_text()
        file.write_text(text_of_file[: found.start()] + wanted + text_of_file[found.end() :])
    return block(file, name)[0] == wanted
