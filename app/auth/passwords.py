"""Password hashing: bcrypt over a digest, so that nothing is cut at 72 bytes, at a bounded rate."""

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
PLACES = 3  # for who hashes and who waits: no more than get their turn in time
PATIENCE = 2.0  # seconds that a request waits for its turn to hash
LATEST_RETRY = 3  # seconds, from one: those who are refused together come back one by one
LABEL = b"ownrow password v1"  # keeps these digests from matching any other system's
NICENESS = 10  # of hashing: a tenth of a busy CPU, and all of an idle one
# Costs that are worth waiting for; a row that claims more is broken or an attack on our time.
# The 22nd character of a salt has four spare bits, which bcrypt wants to be zero.
BCRYPT_HASH = re.compile(r"\$2b\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


class Passwords:
    """Hashes and verifies on one low-priority thread; refuses work rather than queue it long."""

    def __init__(self, cost: int, threads: int) -> None:
        """`threads` serve requests in this process: at most half may be busy with passwords."""
        self._cost = cost
        self._nobody = bcrypt.gensalt(cost).decode() + "." * 31  # the hash of no password
        self._places = threading.BoundedSemaphore(max(1, min(PLACES, threads // 2)))
        self._is_mine = threading.Lock()
        self._hasher = ThreadPoolExecutor(1, "bcrypt", initializer=_step_back)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places; Unavailable while all are taken."""
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The caller's turn to hash; Unavailable where too many wait, or it does not come soon."""
        with self._place():
            if not self._is_mine.acquire(timeout=PATIENCE):
                raise _busy()
            try:
                yield
            finally:
                self._is_mine.release()

    def require_room(self) -> None:
        """Raises Unavailable while everyone who may wait for a turn does: before other work."""
        with self._place():
            pass

    def hash(self, password: str) -> str:
        """A new salted hash; to be called in turn()."""
        salt = bcrypt.gensalt(self._cost)
        return self._hasher.submit(bcrypt.hashpw, _digest(password), salt).result().decode()

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; takes as long where there is no hash, or a broken one.

        To be called in turn().
        """
        usable = stored is not None and BCRYPT_HASH.fullmatch(stored) is not None
        candidate = stored if stored is not None and usable else self._nobody
        work = self._hasher.submit(bcrypt.checkpw, _digest(password), candidate.encode())
        return work.result() and usable


def is_common(password: str) -> bool:
    """Whether it is on the list of passwords that guessers try first."""
    return unicodedata.normalize("NFC", password).lower() in _common()


@cache
def _common() -> frozenset[str]:
    """Read by the first who needs it: the lists take 12 MB, and many a worker gets by without."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def _digest(password: str) -> bytes:
    """44 ASCII bytes that depend on every character, however it was typed (NFC)."""
    text = unicodedata.normalize("NFC", password).encode()
    return base64.b64encode(hmac.digest(LABEL, text, hashlib.sha256))


def _busy() -> Unavailable:
    return Unavailable(1 + secrets.randbelow(LATEST_RETRY))


def _step_back() -> None:
    """Lets other threads go first, and leaves them one CPU that never hashes.

    The priority alone is no help to who wakes up where all CPUs hash: that waits for the next tick
    of the clock, 4 ms. Linux alone has a priority and CPUs for each thread.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        _, *others = sorted(os.sched_getaffinity(0))
        if others:
            with suppress(OSError):  # nothing depends on it, and here it would end all log-ins
                os.sched_setaffinity(0, others)
