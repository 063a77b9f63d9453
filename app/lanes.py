"""Statements of several threads that go to PostgreSQL together.

One group at a time is on its way in a lane. Whoever comes meanwhile waits until it is back, and all
who wait then go as the next one: in one round trip, and one transaction. Nobody waits for a group
to fill: who is alone goes at once, and alone. And nobody waits long for a place: where a group is
slow to come back, the next one goes all the same.

When a group is back its threads wake each other one by one: all at once they would take turns in
waiting for the interpreter, which only one of them can have.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from itertools import pairwise
from typing import Any, Generic, TypeVar

from psycopg.pq.abc import PGresult

from app.connection import Connection, Params, Statement

MOST = 32  # jobs in a group
LONGEST_WAIT = 0.05  # seconds for a place in a group

T = TypeVar("T")
Fetch = Callable[[Connection, Statement, PGresult], T]


class Job(Generic[T]):
    """A statement that a thread waits for, and what came of it."""

    __slots__ = (
        "_wake",
        "error",
        "fetch",
        "goes_alone",
        "group",
        "next",
        "params",
        "result",
        "statement",
    )

    def __init__(self, statement: Statement, params: Params, fetch: Fetch[T]) -> None:
        self.statement, self.params, self.fetch = statement, params, fetch
        self.result: T
        self.error: Exception | None = None
        self.goes_alone = False  # its group failed, and left no trace
        self.group: Group = ()  # that its thread leads
        self.next: Job[Any] | None = None  # the one that its thread wakes
        self._wake = threading.Lock()
        self._wake.acquire()

    def wait(self, seconds: float = -1) -> bool:
        """Until the job is done, or is to lead a group; whether that came in time."""
        return self._wake.acquire(timeout=seconds)

    def wake(self) -> None:
        """Ends the wait."""
        self._wake.release()

    def outcome(self) -> T:
        """The result; raises the error of its group, of which each thread has a copy."""
        if self.error is not None:
            error, self.error = self.error, None  # which leads to all who wait, and so to this job
            raise copy(error) from error
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
        try:
            if job.group:
                group, job.group = job.group, ()  # as it is in there itself
                self._lead(group, carry)
        finally:
            if job.next is not None:
                job.next.wake()

    def _form_group(self) -> None:
        """Of those who wait longest, perhaps nobody; to be called with the lock."""
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
            for job in group[1:]:
                job.error = error
            raise
        finally:
            with self._lock:
                if self._latest is group:
                    self._form_group()
            for job, following in pairwise(group):
                job.next = following
