"""Statements of several threads that go to PostgreSQL together.

One group at a time is on its way in a lane. Whoever comes meanwhile waits until it is back, and all
who wait then go as the next one: in one round trip, and one transaction. Nobody waits for a group
to fill: who is alone goes at once, and alone. And nobody waits for long: where a group is slow to
come back, the next one goes all the same.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Generic, TypeVar

from psycopg.pq.abc import PGresult

from app.connection import Connection, Params, Statement

MOST = 32  # jobs in a group
LONGEST_WAIT = 0.05  # seconds until the next group goes, whether or not the last is back

T = TypeVar("T")
Fetch = Callable[[Connection, Statement, PGresult], T]


class Job(Generic[T]):
    """A statement that a thread waits for, and what came of it."""

    __slots__ = ("_wake", "error", "fetch", "group", "is_left", "params", "result", "statement")

    def __init__(self, statement: Statement, params: Params, fetch: Fetch[T]) -> None:
        self.statement, self.params, self.fetch = statement, params, fetch
        self.result: T
        self.error: Exception | None = None
        self.is_left = False  # the group failed, and has left no trace of it
        self.group: Group = ()  # that its thread leads
        self._wake = threading.Lock()
        self._wake.acquire()

    def wait(self, seconds: float = -1) -> bool:
        """Until the job is done, or is to lead a group; whether that came in time."""
        return self._wake.acquire(timeout=seconds)

    def wake(self) -> None:
        """Ends the wait."""
        self._wake.release()

    def outcome(self) -> T:
        """The result; raises the error, of which each thread has a copy of its own."""
        if self.error is not None:
            raise copy(self.error) from self.error
        return self.result


Group = Sequence[Job[Any]]
Carry = Callable[[Group], None]


class Lane:
    """Takes groups on their way, each led by the thread of its first job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Job[Any]] = deque()
        self._latest: Group = ()  # the one that the next one waits for

    def run(self, job: Job[Any], carry: Carry) -> None:
        """Returns when `carry` is through with the job's group.

        That gives each job its result; what it raises is the error of all of them.
        """
        with self._lock:
            self._waiting.append(job)
            if not self._latest:
                self._form_group()
        if not job.wait(LONGEST_WAIT):
            with self._lock:
                if job in self._waiting:
                    self._form_group()
            job.wait()
        if job.group:
            self._lead(job.group, carry)

    def _form_group(self) -> None:
        """Of all who wait, perhaps nobody; to be called with the lock."""
        size = min(MOST, len(self._waiting))
        self._latest = [self._waiting.popleft() for _ in range(size)]
        if self._latest:
            leader = self._latest[0]
            leader.group = self._latest
            leader.wake()

    def _lead(self, group: Group, carry: Carry) -> None:
        try:
            carry(group)
        except Exception as error:
            for job in group:
                job.error = error
            raise
        finally:
            with self._lock:
                if self._latest is group:
                    self._form_group()
            for job in group[1:]:
                job.wake()
