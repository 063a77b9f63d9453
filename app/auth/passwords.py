"""Password hashing: bcrypt over a digest, so that nothing is cut at 72 bytes, at a bounded rate."""

import base64
import hashlib
import hmac
import os
import re
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.errors import Unavailable

T = TypeVar("T")

SHORTEST, LONGEST = 8, 256  # characters
LABEL = b"ownrow password v1"  # keeps these digests from matching any other system's
COMMON = frozenset(FREQUENCY_LISTS["passwords"])
# Costs that are worth waiting for; a row that claims more is broken or an attack on our time.
BCRYPT_HASH = re.compile(r"\$2b\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}")


class Passwords:
    """Hashes and verifies on one low-priority thread; refuses work rather than queue it long."""

    def __init__(self, cost: int, threads: int) -> None:
        """`threads` serve requests in this process; half of them may wait for a hash."""
        self._cost = cost
        self._nobody = bcrypt.hashpw(_digest("nobody's"), bcrypt.gensalt(cost)).decode()
        self._places = threading.BoundedSemaphore(max(1, threads // 2))
        self._hasher = ThreadPoolExecutor(1, "bcrypt", initializer=_step_back)

    def hash(self, password: str) -> str:
        """A new salted hash; Unavailable while too many others wait for theirs."""
        return self._bounded(
            lambda: bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._cost)).decode()
        )

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the password; takes as long where there is no hash, or a broken one."""
        usable = stored is not None and BCRYPT_HASH.fullmatch(stored) is not None
        candidate = stored if stored is not None and usable else self._nobody
        return self._bounded(lambda: _matches(password, candidate)) and usable

    def _bounded(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Unavailable
        try:
            return self._hasher.submit(work).result()
        finally:
            self._places.release()


def is_common(password: str) -> bool:
    """Whether it is on the list of passwords that guessers try first."""
    return unicodedata.normalize("NFC", password).lower() in COMMON


def _digest(password: str) -> bytes:
    """44 ASCII bytes that depend on every character, however it was typed (NFC)."""
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(LABEL, text, hashlib.sha256))


def _matches(password: str, stored: str) -> bool:
    try:
        return bcrypt.checkpw(_digest(password), stored.encode())
    except ValueError:  # a salt that only looks like one
        return False


def _step_back() -> None:
    """Lets request threads go first; Linux alone has a priority for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
