"""The export of all items as JSON, in chunks as the database streams them."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from app import db
from app.ledger.repository import Document


def as_json(
    statements: Mapping[str, db.Statement[Document]],
    chunks: Iterable[tuple[Any, Sequence[Document]]],
) -> Generator[bytes, None, None]:
    """An object with an array for each name, an item per line.

    `chunks` are pairs of a statement and items, in the order of `statements`.
    """
    rest = iter(chunks)
    chunk = next(rest, None)
    separator = b"{"
    for name, statement in statements.items():
        yield separator + b'"' + name.encode() + b'":['
        separator = b"\n"
        while chunk is not None and chunk[0] is statement:
            yield separator + b",\n".join(row.document for row in chunk[1])
            separator = b",\n"
            chunk = next(rest, None)
        yield b"]"
        separator = b",\n"
    yield b"}"
