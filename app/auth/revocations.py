"""Which sessions have ended: every worker knows within two seconds, at one query a second."""

import threading
import time

from app import db
from app.auth.tokens import LEEWAY, LIFETIME
from app.fields import Uuid

LIST_ENDED = db.load("auth/list_ended_sessions")
FRESH = 1.0  # seconds that an answer of the database is good for
OVERLAP = 30  # seconds read again each time: longer than any transaction that ends a session
MEMORY = LIFETIME + LEEWAY + OVERLAP  # seconds after which the tokens have expired by themselves


class Revocations:
    """Ended sessions, read anew by the first request of each second that needs them."""

    def __init__(self) -> None:
        self._ended: dict[Uuid, float] = {}
        self._read_at = float("-inf")
        self._reading = threading.Lock()
        self._merging = threading.Lock()

    def is_ended(self, session_id: Uuid) -> bool:
        """Whether the session is over; raises as the database does when that can't be known."""
        age = time.monotonic() - self._read_at
        if age > 2 * FRESH:
            self._read()  # without a queue: waits for a database that is away would add up in one
        elif age > FRESH and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()
        return session_id in self._ended

    def _read(self) -> None:
        now = time.monotonic()
        since = min(now - self._read_at + OVERLAP, MEMORY)
        rows = db.fetch_all(LIST_ENDED, {"seconds": since})
        with self._merging:
            ended = {**self._ended, **{row.session_id: now for row in rows}}
            self._ended = {each: at for each, at in ended.items() if at > now - MEMORY}
            self._read_at = max(now, self._read_at)
