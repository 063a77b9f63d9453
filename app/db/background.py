"""Statements that no request waits for: a thread executes them, and ends when none is left."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

import psycopg

from app.db.connection import Params
from app.db.statements import Statement

MOST = 1_000  # that wait
PAUSE = 60.0  # seconds after a failure: a read-only or absent database fails the others, too
CLOSE_TIMEOUT = 5.0  # seconds

log = logging.getLogger(__name__)

Job = tuple[Statement[Any], Params]


class Background:
    """The queue of one process; at most one statement at a time."""

    def __init__(self, run: Callable[[Statement[Any], Params], object]) -> None:
        self._run = run
        self._jobs: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._resumes_at = 0.0  # monotonic seconds
        self._is_closed = False

    def add(self, statement: Statement[Any], params: Params) -> bool:
        """Has the statement executed soon; False where it will not be."""
        with self._lock:
            is_full = self._is_closed or len(self._jobs) >= MOST
            if is_full or monotonic() < self._resumes_at:
                return False
            self._jobs.append((statement, params))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="background", daemon=True)
                self._thread.start()
        return True

    def close(self) -> None:
        """Waits for the statement in flight, and drops the others."""
        with self._lock:
            self._is_closed = True
            self._jobs.clear()
            thread = self._thread
        if thread is not None:
            thread.join(CLOSE_TIMEOUT)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._run(*job)
            except psycopg.Error as error:
                reason = error.sqlstate or type(error).__name__
                log.warning("%s was not executed in the background: %s", job[0].name, reason)
                self._pause()

    def _next(self) -> Job | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._thread = None
            return None

    def _pause(self) -> None:
        with self._lock:
            self._jobs.clear()
            self._resumes_at = monotonic() + PAUSE
