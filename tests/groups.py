"""Calls of several threads that go to PostgreSQL as one group, however busy the machine is."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TypeVar
from unittest.mock import patch

from app import db, lanes
from app.connection import Connection
from app.lanes import Job, Lane

T = TypeVar("T")

READS, WRITES = db._database.reads, db._database.writes
ANYTHING = db.load("tasks/get")
PATIENCE = 10.0  # seconds


@contextmanager
def held(lane: Lane) -> Iterator[None]:
    """While the block runs a group is on its way that does not come back."""
    away, back = threading.Event(), threading.Event()

    def carry(_: lanes.Group) -> None:
        away.set()
        back.wait(PATIENCE)

    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(lane.run, Job(ANYTHING, {}, Connection.rows), carry)
        assert away.wait(PATIENCE)
        try:
            yield
        finally:
            back.set()
            run.result()


def together(lane: Lane, *calls: Callable[[], T]) -> list[Future[T]]:
    """Runs the calls in a thread each, as one group of that lane which the first one leads."""
    futures: list[Future[T]] = []
    with (
        patch.object(lanes, "LONGEST_WAIT", PATIENCE),
        ThreadPoolExecutor(len(calls)) as threads,
        held(lane),
    ):
        for number, call in enumerate(calls, 1):
            futures.append(threads.submit(call))
            _await_waiting(lane, number)
    return futures


def _await_waiting(lane: Lane, number: int) -> None:
    deadline = monotonic() + PATIENCE
    while len(lane._waiting) < number:
        assert monotonic() < deadline
        sleep(0.001)
