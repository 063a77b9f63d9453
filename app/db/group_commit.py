"""Group commit: statements of several threads share a round trip, a transaction and its commit.

One group of a queue is in flight; jobs that arrive meanwhile form the next. A single job goes at
once and alone. No job waits longer than LONGEST_WAIT for a group: then the next one starts beside
the one in flight. DB_GROUP_COMMIT=off sends each statement in a transaction of its own.

When a group is done its threads wake one another in turn. Woken all at once they would compete for
the interpreter, which only one of them can hold.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from itertools import pairwise
from typing import Any, Generic, TypeVar

from psycopg.pq.abc import PGresult

from app.db.connection import Connection, Params
from app.db.statements import Statement

LARGEST_GROUP = 32  # jobs
LONGEST_WAIT = 0.05  # seconds

T = TypeVar("T")
Fetch = Callable[[Connection, Statement[Any], PGresult], T]


class Job(Generic[T]):
    """A statement that a thread waits for, and its outcome."""

    __slots__ = (
        "_wake",
        "error",
        "fetch",
        "group",
        "next",
        "params",
        "result",
        "runs_alone",
        "statement",
    )

    def __init__(self, statement: Statement[Any], params: Params, fetch: Fetch[T]) -> None:
        self.statement, self.params, self.fetch = statement, params, fetch
        self.result: T
        self.error: Exception | None = None
        self.runs_alone = False  # its group was rolled back
        self.group: Group = ()  # the group that its thread executes
        self.next: Job[Any] | None = None  # the job that its thread wakes
        self._wake = threading.Lock()
        self._wake.acquire()

    def wait(self, seconds: float = -1) -> bool:
        """Waits until the job is done or leads a group; False after `seconds`."""
        return self._wake.acquire(timeout=seconds)

    def wake(self) -> None:
        """Ends the wait."""
        self._wake.release()

    def outcome(self) -> T:
        """The result; raises the group's error, of which each thread gets a copy."""
        if self.error is not None:
            error, self.error = self.error, None  # else the traceback would keep the job alive
            raise copy(error) from error
        return self.result


Group = Sequence[Job[Any]]
Execute = Callable[[Group], None]


class GroupCommitQueue:
    """Forms groups in the order of arrival; the thread of a group's first job executes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Job[Any]] = deque()
        self._latest: Group = ()  # the group that the next one waits for

    def run(self, job: Job[Any], execute: Execute) -> None:
        """Returns when the job's group is done.

        `execute` gives each job of a group its result; what it raises is the error of all of them.
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
                group, job.group = job.group, ()  # the group contains the job: no reference cycle
                self._lead(group, execute)
        finally:
            if job.next is not None:
                job.next.wake()

    def _form_group(self) -> None:
        """Takes the jobs that wait longest, if any, and wakes their leader; needs the lock."""
        size = min(LARGEST_GROUP, len(self._waiting))
        self._latest = [self._waiting.popleft() for _ in range(size)]
        if self._latest:
            leader = self._latest[0]
            leader.group = self._latest
            leader.wake()

    def _lead(self, group: Group, execute: Execute) -> None:
        try:
            execute(group)
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
