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
import threading
from dataclasses import dataclass

PLACES = 1024
ROOM = 32 * 1024  # bytes of each place; of the 32 MiB, memory is taken by those that were used
AT_HAND = 4 * 1024 * 1024  # bytes of pages that each process has besides
ENTRY = 1024  # bytes, more than one of those takes apart from its items
SEAL = 32  # bytes
PIECE = 2047  # bytes
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
    """A page in each place: the one that was kept last of those whose keys lead there.

    Those that this process has told lately it has at hand, so that it need not check their seals.
    """

    def __init__(self, places: int = PLACES, at_hand: int = AT_HAND) -> None:
        self._places = places
        self._memory = mmap.mmap(-1, places * ROOM)
        self._at_hand: dict[bytes, tuple[bytes, Kept]] = {}  # with their seals
        self._left = at_hand
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Kept | None:
        """What was kept under the key, which names the owner and all that the page depends on."""
        name, place = self._place(key)
        last = self._at_hand.get(name)
        if last is None or self._memory[place : place + SEAL] != last[0]:
            found = self._read(key, place)
            if found is not None:
                last = found
                self._take(name, *found)
        return None if last is None else last[1]

    def keep(self, key: bytes, kept: Kept) -> None:
        """Keeps a page whose tag is its version, where that is not too large."""
        page, position = kept.page, kept.page.next_position or b""
        name, place = self._place(key)
        middle = place + HEAD.size + len(position)
        end = middle + len(page.items)
        if end > place + ROOM:
            return
        size = NONE if page.next_position is None else len(position)
        head = HEAD.pack(b"", kept.hash, page.version, size, len(page.items))[SEAL:] + position
        seal = _seal(key, head, page.items)
        self._memory[place:middle] = seal + head
        self._memory[middle:end] = page.items
        self._take(name, seal, kept)

    def _place(self, key: bytes) -> tuple[bytes, int]:
        """What the key is called at hand, as short as it is sure, and where its page lies."""
        name = hashlib.blake2b(key, digest_size=32).digest()
        return name, int.from_bytes(name[:8], "little") % self._places * ROOM

    def _read(self, key: bytes, place: int) -> tuple[bytes, Kept] | None:
        """The page that lies there, with its seal, if it is this key's and whole."""
        head = self._memory[place : place + HEAD.size]
        seal, ledger_hash, version, position_size, items_size = HEAD.unpack(head)
        begin = place + HEAD.size
        middle = begin if position_size == NONE else begin + position_size
        end = middle + items_size
        if end > place + ROOM:
            return None
        position, items = self._memory[begin:middle], self._memory[middle:end]
        if _seal(key, head[SEAL:] + position, items) != seal:
            return None
        page = Page(str(version), version, items, None if position_size == NONE else position)
        return seal, Kept(ledger_hash, page)

    def _take(self, name: bytes, seal: bytes, kept: Kept) -> None:
        """Has the page at hand; those taken longest ago make room."""
        with self._lock:
            self._drop(name)
            self._at_hand[name] = seal, kept
            self._left -= ENTRY + len(kept.page.items)
            while self._left < 0:
                self._drop(next(iter(self._at_hand)))

    def _drop(self, name: bytes) -> None:
        _, dropped = self._at_hand.pop(name, (b"", None))
        if dropped is not None:
            self._left += ENTRY + len(dropped.page.items)


def _seal(key: bytes, head: bytes, items: bytes) -> bytes:
    """Binds a page to its key: the lengths in the head say where each part ends."""
    seal = hashlib.sha256(b"%d %b%b" % (len(key), key, head))
    for begin in range(0, len(items), PIECE):  # of more, it would let other threads go on meanwhile
        seal.update(items[begin : begin + PIECE])
    return seal.digest()
