"""Calls of several threads that group commit executes as one group, on a busy machine as well."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TypeVar
from unittest.mock import patch

from app import db
from app.db import group_commit
from app.db.connection import Connection
from app.db.group_commit import GroupCommitQueue, Job
from app.tasks import repository

T = TypeVar("T")

READS, WRITES = "reads", "writes"  # the names of this process's queues
ANY_STATEMENT = repository.GET
TIMEOUT = 10.0  # seconds


@contextmanager
def blocked(queue: str | GroupCommitQueue) -> Iterator[None]:
    """Keeps one group in flight while the block runs, so that later jobs wait in the queue."""
    queue = _find_queue(queue)
    started, ending = threading.Event(), threading.Event()

    def execute(_: group_commit.Group) -> None:
        started.set()
        ending.wait(TIMEOUT)

    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(queue.run, Job(ANY_STATEMENT, {}, Connection.rows), execute)
        assert started.wait(TIMEOUT)
        try:
            yield
        finally:
            ending.set()
            run.result()


def run_as_group(queue: str | GroupCommitQueue, *calls: Callable[[], T]) -> list[Future[T]]:
    """Runs each call in a thread of its own, all as one group, led by the first call."""
    queue = _find_queue(queue)
    futures: list[Future[T]] = []
    with (
        patch.object(group_commit, "LONGEST_WAIT", TIMEOUT),
        ThreadPoolExecutor(len(calls)) as threads,
        blocked(queue),
    ):
        for number, call in enumerate(calls, 1):
            futures.append(threads.submit(call))
            _wait_for_jobs(queue, number)
    return futures


def _find_queue(queue: str | GroupCommitQueue) -> GroupCommitQueue:
    if isinstance(queue, GroupCommitQueue):
        return queue
    found: GroupCommitQueue = getattr(db._this_process(), queue)
    return found


def _wait_for_jobs(queue: GroupCommitQueue, count: int) -> None:
    deadline = monotonic() + TIMEOUT
    while len(queue._waiting) < count:
        assert monotonic() < deadline
        sleep(0.001)
