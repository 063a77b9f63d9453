"""Password hashing: bcrypt of an HMAC, so that no byte is cut off at 72, at a bounded rate."""

import base64
import hashlib
import hmac
import os
import re
import secrets
import sys
import threading
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache

import bcrypt

from app.errors import Unavailable

SHORTEST, LONGEST = 8, 256  # characters
QUEUE_SIZE = 3  # requests that hash or wait for it: as many as are served within QUEUE_TIMEOUT
QUEUE_TIMEOUT = 2.0  # seconds
LATEST_RETRY = 3  # seconds, from 1, at random: requests refused together come back one by one
LABEL = b"ownrow password v1"  # keeps these digests from matching another system's
NICENESS = 10  # of the hashing thread: a tenth of a busy CPU, and all of an idle one
# Costs in bounds: a stored hash that claims a higher one is broken, or an attack on CPU time.
# The 22nd character of a salt has four spare bits, which bcrypt wants to be zero.
BCRYPT_HASH = re.compile(r"\$2b\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


class Passwords:
    """Hashes and verifies on one low-priority thread, with a bounded queue in front of it."""

    def __init__(self, cost: int, threads: int) -> None:
        """`cost` is bcrypt's; of the process's `threads` at most half may wait for a hash."""
        self._cost = cost
        self._no_hash = bcrypt.gensalt(cost).decode() + "." * 31  # the hash of no password
        self._queue = threading.BoundedSemaphore(max(1, min(QUEUE_SIZE, threads // 2)))
        self._hashing = threading.Lock()
        self._hasher = ThreadPoolExecutor(1, "bcrypt", initializer=_lower_priority)

    @contextmanager
    def _queue_place(self) -> Iterator[None]:
        """A place in the queue; raises Unavailable while it is full."""
        if not self._queue.acquire(blocking=False):
            raise _busy()
        try:
            yield
        finally:
            self._queue.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The right to hash; raises Unavailable where the queue is full or too slow."""
        with self._queue_place():
            if not self._hashing.acquire(timeout=QUEUE_TIMEOUT):
                raise _busy()
            try:
                yield
            finally:
                self._hashing.release()

    def require_room(self) -> None:
        """Raises Unavailable while the queue is full: asked before any other work of a login."""
        with self._queue_place():
            pass

    def hash(self, password: str) -> str:
        """A new salted hash, in bcrypt's text form; to be called in turn()."""
        salt = bcrypt.gensalt(self._cost)
        return self._hasher.submit(bcrypt.hashpw, _digest(password), salt).result().decode()

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; takes the same time where there is no hash or a broken one.

        Text of another length than a password's is not read: to normalise 64 KiB could take
        seconds. To be called in turn().
        """
        is_possible = SHORTEST <= len(password) <= LONGEST
        usable = stored is not None and BCRYPT_HASH.fullmatch(stored) is not None
        candidate = stored if stored is not None and usable else self._no_hash
        digest = _digest(password if is_possible else "")
        work = self._hasher.submit(bcrypt.checkpw, digest, candidate.encode())
        return work.result() and usable and is_possible


def is_common(password: str) -> bool:
    """Whether it is in the list of common passwords."""
    return unicodedata.normalize("NFC", password).lower() in _common()


@cache
def _common() -> frozenset[str]:
    """Loaded at first use: the lists take 12 MB, which few workers need."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def _digest(password: str) -> bytes:
    """44 ASCII bytes that depend on every character of the password in NFC."""
    text = unicodedata.normalize("NFC", password).encode()
    return base64.b64encode(hmac.digest(LABEL, text, hashlib.sha256))


def _busy() -> Unavailable:
    return Unavailable(1 + secrets.randbelow(LATEST_RETRY))


def _lower_priority() -> None:
    """Lowers this thread's priority, and keeps it off one CPU.

    The priority alone does not help a thread that wakes up while all CPUs hash: it waits for the
    scheduler's next tick, up to 4 ms. Only Linux has priority and affinity per thread.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        _, *others = sorted(os.sched_getaffinity(0))
        if others:
            with suppress(OSError):  # an optimisation: its failure must not fail the log-in
                os.sched_setaffinity(0, others)
