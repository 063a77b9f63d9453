"""Pages that were read lately, kept until their owner changes something.

Whoever polls a list without If-None-Match gets the page that is here, when the statement that would
read it says that the ledger is still where it was: the hash at its head stands for all that ever
happened to the owner's tasks, and unlike a version it never comes back after a restored backup.

A process shares them with those it forks, such as gunicorn's workers, and nobody waits for anybody:
a page that is written while it is read, or half written by a process that was killed, has not the
seal of what it should be, and is none.
"""

import hashlib
import mmap
import struct
from dataclasses import dataclass

PLACES = 1024
ROOM = 32 * 1024  # bytes of each place; of the 32 MiB, memory is taken by those that were used
# Seal, hash of the ledger's head, version, and the sizes of the next position and the items; a page
# without a next one has NONE for the first.
HEAD = struct.Struct("<32s32sqLL")
NONE = 2**32 - 1


@dataclass(frozen=True)
class Page:
    """A JSON array, the entity tag of what it was read from, and where the next page begins."""

    tag: str
    version: int
    items: bytes
    next_position: bytes | None


@dataclass(frozen=True)
class Kept:
    """A page of tasks, and the hash of the ledger that it was read at."""

    hash: bytes
    page: Page


class Pages:
    """A page in each place: the one that was kept last of those whose keys lead there."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._memory = mmap.mmap(-1, places * ROOM)

    def get(self, key: bytes) -> Kept | None:
        """What was kept under the key, which names the owner and all that the page depends on."""
        place = self._place(key)
        record = self._memory[place : place + HEAD.size]
        seal, ledger_hash, version, position_size, items_size = HEAD.unpack(record)
        begin = place + HEAD.size
        middle = begin if position_size == NONE else begin + position_size
        end = middle + items_size
        if end > place + ROOM:
            return None
        body = self._memory[begin:end]
        if _seal(key, record[len(seal) :], body) != seal:
            return None
        position = None if position_size == NONE else body[: middle - begin]
        return Kept(ledger_hash, Page(str(version), version, body[middle - begin :], position))

    def keep(self, key: bytes, kept: Kept) -> None:
        """Keeps a page whose tag is its version, where that is not too large."""
        page, position = kept.page, kept.page.next_position
        body = (position or b"") + page.items
        if HEAD.size + len(body) > ROOM:
            return
        size = NONE if position is None else len(position)
        head = HEAD.pack(b"", kept.hash, page.version, size, len(page.items))[32:]
        record = _seal(key, head, body) + head + body
        place = self._place(key)
        self._memory[place : place + len(record)] = record

    def _place(self, key: bytes) -> int:
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return int.from_bytes(digest, "little") % self._places * ROOM


def _seal(key: bytes, head: bytes, body: bytes) -> bytes:
    """Binds a page to its key: the lengths in the head say where each part ends."""
    return hashlib.sha256(b"%d %b%b%b" % (len(key), key, head, body)).digest()
