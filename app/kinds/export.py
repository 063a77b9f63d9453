"""The export of all items as JSON, in chunks as the database streams them."""

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from app.ledger.kinds import Kind
from app.ledger.repository import Document


def as_json(
    kinds: Sequence[Kind], chunks: Iterable[tuple[Any, Sequence[Document]]]
) -> Generator[bytes, None, None]:
    """An object with an array for each kind, an item per line.

    `chunks` are pairs of a kind's export statement and items, in the order of `kinds`.
    """
    rest = iter(chunks)
    chunk = next(rest, None)
    separator = b"{"
    for kind in kinds:
        yield separator + b'"' + kind.plural.encode() + b'":['
        separator = b"\n"
        while chunk is not None and chunk[0] is kind.export:
            yield separator + b",\n".join(row.document for row in chunk[1])
            separator = b",\n"
            chunk = next(rest, None)
        yield b"]"
        separator = b",\n"
    yield b"}"
