"""The job by which a worker tells others, through the database, that it is running."""

import math
from time import monotonic

from app.values import new_uuid
from app.worker import repository
from app.worker.jobs import Outcome
from app.worker.state import State

INTERVAL = 5.0  # seconds; `flask doctor` misses a worker after 30


class Heartbeat:
    """Writes the worker's row every INTERVAL."""

    name = "heartbeat"

    def __init__(self, state: State) -> None:
        self._state = state
        self._worker_id = new_uuid()
        self._written_at = -math.inf

    def run_once(self) -> Outcome:
        """Writes the row where it is time to."""
        if monotonic() - self._written_at >= INTERVAL:
            repository.beat(self._worker_id, self._state.worst_lag)
            self._written_at = monotonic()
        return Outcome()
