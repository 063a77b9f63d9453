"""The heartbeats of workers: rows without an owner, as a worker acts for all of them."""

from typing import NamedTuple

from app import db
from app.values import Uuid


class Running(NamedTuple):
    """How many workers are running, and the largest lag that one has told."""

    workers: int
    lag_seconds: int | None


BEAT = db.load("worker/beat")
COUNT_RUNNING = db.load("worker/count_running", Running)


def beat(worker_id: Uuid, lag_seconds: int) -> None:
    """Notes that the worker is running, and its lag."""
    db.execute(BEAT, {"worker_id": worker_id, "lag_seconds": lag_seconds})
