"""Sessions that have ended: every worker knows of an end within 2 s, at one query a second."""

import threading
import time

from app.auth import repository
from app.auth.access_tokens import LEEWAY, LIFETIME
from app.values import Uuid

FRESH = 1.0  # seconds for which an answer of the database is used
OVERLAP = 30  # seconds read again each time: longer than any transaction that ends a session
RETENTION = LIFETIME + LEEWAY + OVERLAP  # seconds after which the session's tokens have expired


class EndedSessions:
    """A cache of ended sessions, refreshed by the first request of each second that needs it."""

    def __init__(self) -> None:
        self._ended: dict[Uuid, float] = {}  # and the monotonic second it was read
        self._read_at = float("-inf")
        self._reading = threading.Lock()
        self._merging = threading.Lock()

    def contains(self, session_id: Uuid) -> bool:
        """Whether the session has ended; raises psycopg.Error when that can't be known."""
        age = time.monotonic() - self._read_at
        if age > 2 * FRESH:
            self._read()  # in parallel: waits for an absent database would add up
        elif age > FRESH and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()
        return session_id in self._ended

    def _read(self) -> None:
        now = time.monotonic()
        since = min(now - self._read_at + OVERLAP, RETENTION)
        found = repository.list_ended_sessions(since)
        with self._merging:
            ended = {**self._ended, **dict.fromkeys(found, now)}
            self._ended = {each: at for each, at in ended.items() if at > now - RETENTION}
            self._read_at = max(now, self._read_at)
