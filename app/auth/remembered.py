"""Facts of the database that stay true once they are: each is looked up once per process."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

CAPACITY = 10_000  # facts; beyond it all are forgotten, and looked up again

Key = TypeVar("Key", bound=Hashable)


class Remembered(Generic[Key]):
    """The set of keys for which a look-up was true; false is not remembered."""

    def __init__(self) -> None:
        self._found: set[Key] = set()

    def contains(self, key: Key, look_up: Callable[[Key], bool]) -> bool:
        """Whether it is true for the key; raises psycopg.Error when that can't be known."""
        if key in self._found:
            return True
        is_true = look_up(key)
        if is_true:
            if len(self._found) >= CAPACITY:
                self._found.clear()
            self._found.add(key)
        return is_true
