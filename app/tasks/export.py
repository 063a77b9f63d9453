"""The export of tasks as CSV, in chunks as the database streams them."""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import orjson

from app.ledger.repository import Document

COLUMNS = (
    "id",
    "owner_id",
    "title",
    "description",
    "is_completed",
    "completed_at",
    "list_id",
    "parent_id",
    "position",
    "priority",
    "label_ids",
    "due",
    "start",
    "time_zone",
    "due_at",
    "recurrence",
    "recurrence_basis",
    "reminders",
    "created_at",
    "updated_at",
    "version",
)
# The fullwidth ones are converted to ASCII by spreadsheets in Japanese and Chinese.
FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def as_csv(
    chunks: Iterable[tuple[Any, Sequence[Document]]], *, marked: bool = False
) -> Generator[bytes, None, None]:
    """RFC 4180: a header, then a record per task; null is an empty cell.

    `chunks` are pairs of a statement and tasks. `marked` puts a byte order mark in front, by which
    Excel recognises UTF-8.
    """
    if marked:
        yield BYTE_ORDER_MARK
    records: list[Sequence[str]] = [COLUMNS]
    for _, chunk in chunks:
        yield _lines([*records, *(_record(orjson.loads(row.document)) for row in chunk)])
        records = []
    if records:
        yield _lines(records)


def _lines(records: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(records)
    return text.getvalue().encode()


def _record(task: dict[str, Any]) -> list[str]:
    return [_cell(task[name]) for name in COLUMNS]


def _cell(value: str | float | list[Any] | None) -> str:
    """The value as text; one that a spreadsheet would take for a formula gets a quote in front."""
    if isinstance(value, list):
        return " ".join(each if isinstance(each, str) else _json(each) for each in value)
    if not isinstance(value, str):
        return "" if value is None else _json(value)
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
