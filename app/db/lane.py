"""A lane for slow statements: they leave most threads and connections to all others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Unavailable


class Lane:
    """Runs a few statements at once, of different owners: no owner can take the whole lane."""

    def __init__(self, width: int, most_waiting: int) -> None:
        """`most_waiting` threads wait for their turn; further ones are refused at once."""
        self._width, self._most_waiting = width, most_waiting
        self._owners: set[str] = set()  # of the statements that run
        self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, owner_id: str, seconds: float) -> Iterator[None]:
        """Runs the block in its turn; raises Unavailable where that does not come in time."""
        with self._changed:
            if not self._is_free(owner_id):
                self._wait(owner_id, seconds)
            self._owners.add(owner_id)
        try:
            yield
        finally:
            with self._changed:
                self._owners.discard(owner_id)
                self._changed.notify_all()

    def _wait(self, owner_id: str, seconds: float) -> None:
        if self._waiting >= self._most_waiting:
            raise Unavailable
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._is_free(owner_id), seconds):
                raise Unavailable
        finally:
            self._waiting -= 1

    def _is_free(self, owner_id: str) -> bool:
        return owner_id not in self._owners and len(self._owners) < self._width
