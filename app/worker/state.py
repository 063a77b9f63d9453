"""What a worker knows of its jobs, for its health, its metrics and its heartbeat."""

import math
import threading
from collections.abc import Sequence
from functools import partial
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from app.worker.jobs import Outcome

LONGEST_ROUND = (
    120.0  # seconds; a job that takes longer hangs: an attempt to send a mail may take 90
)


class State:
    """Written by the threads of the jobs, read by those of the health server."""

    def __init__(self, names: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._names = tuple(names)
        self._lags = dict.fromkeys(names, 0.0)
        self._looked_at = dict.fromkeys(names, monotonic())  # when the job last ended well
        self._is_failing = dict.fromkeys(names, False)
        self._round_at = dict.fromkeys(names, monotonic())
        self._registry = CollectorRegistry()
        self._results = Counter(
            "ownrow_worker_results", "What the worker did, by job and result.", ["job", "result"],
            registry=self._registry,
        )  # fmt: skip
        self._errors = Counter(
            "ownrow_worker_errors", "Runs of jobs that failed as a whole.", ["job"],
            registry=self._registry,
        )  # fmt: skip
        gauge = Gauge(
            "ownrow_worker_lag_seconds", "How long the oldest thing that is due has been waiting.",
            ["job"], registry=self._registry,
        )  # fmt: skip
        for name in names:
            self._errors.labels(name)
            gauge.labels(name).set_function(partial(self.lag, name))

    def note(self, name: str, outcome: Outcome) -> None:
        """Takes in what a run of the job did."""
        with self._lock:
            self._lags[name], self._looked_at[name] = outcome.lag, monotonic()
            self._is_failing[name] = False
        for result, number in outcome.counts.items():
            self._results.labels(name, result).inc(number)

    def note_error(self, name: str) -> None:
        """Takes in that a run of the job failed."""
        with self._lock:
            self._is_failing[name] = True
        self._errors.labels(name).inc()

    def note_round(self, name: str) -> None:
        """Takes in that the job has ended, or rests."""
        self._round_at[name] = monotonic()

    def lag(self, name: str) -> float:
        """The job's lag in seconds; while it fails, what is due waits since it last went well."""
        with self._lock:
            if self._is_failing[name]:
                return self._lags[name] + monotonic() - self._looked_at[name]
            return self._lags[name]

    @property
    def worst_lag(self) -> int:
        """The largest lag of all jobs, in whole seconds."""
        return math.floor(max(self.lag(name) for name in self._names))

    @property
    def is_alive(self) -> bool:
        """Whether every job goes round."""
        return monotonic() - min(self._round_at.values()) < LONGEST_ROUND

    def metrics(self) -> bytes:
        """The numbers in Prometheus' text format."""
        return generate_latest(self._registry)
