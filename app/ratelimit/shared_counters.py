"""Counters in memory that a process shares with those it forks, such as gunicorn's workers."""

import hashlib
import logging
import mmap
import multiprocessing
import struct
import time
from contextlib import suppress
from functools import lru_cache

ENTRY = struct.Struct("<QLL")  # the key's hash, when it expires (seconds since 1970), the count
ENTRIES = 1 << 16
PROBES = 16  # entries that a key may be in (open addressing)
LOCK_INTERVAL = 50e-6  # seconds between attempts to take the lock
LOCK_ATTEMPTS = 1000  # 50 ms: the lock's holder was killed or stopped

log = logging.getLogger(__name__)


class SharedCounters:
    """A hash table in shared memory, under a lock that a killed process can't keep.

    The lock is taken and released without a system call that gives up the interpreter's lock: the
    thread would wait for the interpreter, and all other processes for the thread. Only the counts
    of a process that was stopped with the lock, and continued later, may be wrong.
    """

    base_exceptions: type[Exception] | tuple[type[Exception], ...] = OSError

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._memory = mmap.mmap(-1, (entries + PROBES) * ENTRY.size)
        self._lock = multiprocessing.get_context("fork").Lock()

    def incr(self, key: str, expiry: int) -> int:
        """Adds one; returns the count since the key expired last, after `expiry` seconds.

        Where all entries of a key are in use, the one that expires first makes room.
        """
        now = int(time.time())
        name = _hash(key)
        self._take_lock()
        try:
            place, count, end = self._find(name, now)
            ENTRY.pack_into(self._memory, place, name, end or now + expiry + 1, count + 1)
        finally:
            with suppress(ValueError):  # another process has released the lock meanwhile
                self._lock.release()
        return count + 1

    def _take_lock(self) -> None:
        for _ in range(LOCK_ATTEMPTS):
            if self._lock.acquire(block=False):
                return
            time.sleep(LOCK_INTERVAL)

    def _find(self, name: int, now: int) -> tuple[int, int, int]:
        """The offset of a key's entry, its count, and its expiry: 0 for a new one."""
        first = name % self._entries * ENTRY.size
        oldest, oldest_end = first, 1 << 32
        for place in range(first, first + PROBES * ENTRY.size, ENTRY.size):
            found, end, count = ENTRY.unpack_from(self._memory, place)
            if found == name and end > now:
                return place, count, end
            if end < oldest_end:
                oldest, oldest_end = place, end
        return oldest, 0, 0


@lru_cache(10_000)
def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


class ProcessCounters(SharedCounters):
    """Counters of one process, where the server shares none; the log says so once."""

    _has_warned = False

    def incr(self, key: str, expiry: int) -> int:
        """Adds one, as SharedCounters does."""
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "rate limits are counted per process: this server's workers share no memory; "
                "serve with gunicorn.conf.py, or set RATE_LIMIT_STORAGE_URL"
            )
        return super().incr(key, expiry)


_shared: list[SharedCounters] = []


def share() -> None:
    """Makes the counters that this process shares with those it forks; called before the fork."""
    _shared[:] = [SharedCounters()]


def in_memory() -> SharedCounters:
    """The shared counters, or counters of this process where there are none."""
    return _shared[0] if _shared else ProcessCounters()
