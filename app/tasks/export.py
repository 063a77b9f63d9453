"""Tasks as files, made chunk by chunk of what the database streams."""

import csv
import io
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import orjson

from app import db

COLUMNS = (
    "id",
    "owner_id",
    "title",
    "description",
    "is_completed",
    "completed_at",
    "created_at",
    "updated_at",
    "version",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_json(chunks: Iterable[Sequence[db.Row]]) -> Generator[bytes, None, None]:
    """One JSON array, a task per line."""
    before = b"["
    for chunk in chunks:
        yield before + b",\n".join(row.document for row in chunk)
        before = b",\n"
    yield b"[]" if before == b"[" else b"]"


def as_csv(chunks: Iterable[Sequence[db.Row]]) -> Generator[bytes, None, None]:
    """A header and a record per task, as RFC 4180 has them; null is an empty cell too."""
    records: list[Sequence[str]] = [COLUMNS]
    for chunk in chunks:
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


def _cell(value: str | float | None) -> str:
    """The value as text that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return "" if value is None else orjson.dumps(value).decode()
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value
