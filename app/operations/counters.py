"""Counters that a process shares with those it forks, such as gunicorn's workers."""

import hashlib
import mmap
import multiprocessing
import struct
import time
from contextlib import suppress
from functools import lru_cache

ENTRY = struct.Struct("<QLL")  # what is counted (a hash), when that is forgotten, how many so far
PLACES = 1 << 16
NEIGHBOURS = 16  # places that a counter can be in
PAUSE = 50e-6  # seconds between tries to take the lock
TRIES = 1000  # far longer than it is ever held: whoever has it by then was killed, or stopped


class SharedCounters:
    """A hash table in shared memory, under a lock that a killed process can't keep.

    The lock is taken and left without a system call that would let other threads go on meanwhile:
    the thread would wait for the interpreter, and all other processes for the thread. Only what a
    process counts that was stopped with the lock, and goes on later, may come out wrong.
    """

    base_exceptions: type[Exception] | tuple[type[Exception], ...] = OSError

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._memory = mmap.mmap(-1, (places + NEIGHBOURS) * ENTRY.size)
        self._lock = multiprocessing.get_context("fork").Lock()

    def incr(self, key: str, expiry: int) -> int:
        """Adds one; returns the sum since the key was last forgotten, `expiry` seconds at most.

        Where too many are counted at once, the one that would be forgotten first makes room.
        """
        now = int(time.time())
        name = _name(key)
        self._take_lock()
        try:
            place, used, end = self._find(name, now)
            ENTRY.pack_into(self._memory, place, name, end or now + expiry + 1, used + 1)
        finally:
            with suppress(ValueError):  # others gave this process up, and have left the lock
                self._lock.release()
        return used + 1

    def _take_lock(self) -> None:
        for _ in range(TRIES):
            if self._lock.acquire(block=False):
                return
            time.sleep(PAUSE)

    def _find(self, name: int, now: int) -> tuple[int, int, int]:
        """The place of a counter, its count, and its end: 0 for a new one."""
        first = name % self._places * ENTRY.size
        oldest, oldest_end = first, 1 << 32
        for place in range(first, first + NEIGHBOURS * ENTRY.size, ENTRY.size):
            found, end, used = ENTRY.unpack_from(self._memory, place)
            if found == name and end > now:
                return place, used, end
            if end < oldest_end:
                oldest, oldest_end = place, end
        return oldest, 0, 0


@lru_cache(10_000)
def _name(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


in_memory = SharedCounters()  # import this module before a fork, and both sides have the same one
