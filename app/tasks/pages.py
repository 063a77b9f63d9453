"""Pages that were read lately, kept until their owner changes something.

Whoever polls a list without If-None-Match gets the page that is here, when the statement that would
read it says that the ledger is still where it was: the hash at its head stands for all that ever
happened to the owner's tasks, and unlike a version it never comes back after a restored backup.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

ROOM = 4 * 1024 * 1024  # bytes of pages in each process
LARGEST = 64 * 1024  # bytes


@dataclass(frozen=True)
class Page:
    """A JSON array, the entity tag of what it was read from, and where the next page begins."""

    tag: str
    version: int
    items: bytes
    next_position: bytes | None


@dataclass(frozen=True)
class Kept:
    """A page, and the hash of the ledger that it was read at."""

    hash: bytes
    page: Page


class Pages:
    """The pages that were asked for last, as many as there is room for."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Kept | None:
        """What was kept under the key, which names the owner."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        return kept

    def keep(self, key: Hashable, kept: Kept) -> None:
        """Keeps a page in the place of the one before; those asked for longest ago make room."""
        if len(kept.page.items) > LARGEST:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = kept
            self._room -= len(kept.page.items)
            while self._room < 0:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._room += len(dropped.page.items)
