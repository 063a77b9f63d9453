"""Metrics for Prometheus: each worker counts in files of its own, which a scrape adds up.

Under gunicorn.conf.py every worker has a slot, and its successor continues in the same files:
nothing is lost with a worker, and there are as many files as slots. Other servers' processes count
in memory, and a scrape has the numbers of the process that answers it.
"""

import logging
import os
import platform
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MultiProcessValue

from app import db

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # the library's own variable
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)  # seconds
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
POOL_INTERVAL = 5.0  # seconds between copies of the pool's numbers
LOGIN_OUTCOMES = {200: "success", 401: "wrong", 429: "throttled", 503: "busy"}

log = logging.getLogger(__name__)


class Metrics:
    """The service's metrics; dashboards depend on their names."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._durations = Histogram(
            "ownrow_request_duration_seconds",
            "Time from the request's arrival to its answer.",
            ["route", "method", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "ownrow_refusals",
            "Answers with an error, by its code.",
            ["code"],
            registry=self.registry,
        )
        self._logins = Counter(
            "ownrow_logins", "Logins by what became of them.", ["outcome"], registry=self.registry
        )
        self._tool_calls = Counter(
            "ownrow_tool_calls",
            "Calls of the tools of /mcp by what became of them.",
            ["tool", "outcome"],
            registry=self.registry,
        )
        self._pool = Gauge(
            "ownrow_pool_connections",
            "Connections to the database, and requests that wait for one.",
            ["state"],
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._pool_errors = Counter(
            "ownrow_pool_errors",
            "Requests that got no connection, and connections that failed or were lost.",
            ["kind"],
            registry=self.registry,
        )
        Gauge(
            "ownrow_build_info",
            "Always 1; the labels say what runs.",
            ["version", "python"],
            multiprocess_mode="livemax",
            registry=self.registry,
        ).labels(version, platform.python_version()).set(1)
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self._has_warned = False

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts a request of `seconds`; `route` is its path's template."""
        key = (route, method, status)
        child = self._children.get(key)
        if child is None:
            known = method if method in METHODS else "other"
            child = self._durations.labels(route, known, str(status))
            if known == method:
                self._children[key] = child
        child.observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Counts an error that was answered."""
        self._refusals.labels(code).inc()

    def count_login(self, status: int) -> None:
        """Counts a log-in by the status of its answer."""
        self._logins.labels(LOGIN_OUTCOMES.get(status, "unreadable")).inc()

    def count_tool_call(self, tool: str, *, is_done: bool) -> None:
        """Counts a call of a tool of /mcp."""
        self._tool_calls.labels(tool, "done" if is_done else "refused").inc()

    def take_pool(self) -> None:
        """Copies the pool's sizes, and adds its counters since the last call."""
        stats = db.pool_stats()
        self._pool.labels("open").set(stats.get("pool_size", 0))
        self._pool.labels("idle").set(stats.get("pool_available", 0))
        self._pool.labels("waiting").set(stats.get("requests_waiting", 0))
        for kind, name in (
            ("no_connection", "requests_errors"),
            ("connect_failed", "connections_errors"),
            ("lost", "connections_lost"),
        ):
            self._pool_errors.labels(kind).inc(stats.get(name, 0))

    def serve_alone(self) -> None:
        """Tells that no other process has a part of the numbers."""
        self._has_warned = True

    def text(self) -> bytes:
        """All workers' numbers in Prometheus' text format."""
        self.take_pool()
        if DIRECTORY not in os.environ:
            if not self._has_warned:
                self._has_warned = True
                log.warning("metrics are of one process: this server's workers share no files")
            return generate_latest(self.registry)
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        return generate_latest(merged)


def watch_pool(metrics: Metrics) -> None:
    """Copies the pool's numbers every POOL_INTERVAL until the process ends."""

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(POOL_INTERVAL):
            metrics.take_pool()

    threading.Thread(target=watch, name="pool metrics", daemon=True).start()


@cache
def directory() -> Path:
    """The directory for the files of the processes that this one forks, in memory if possible."""
    memory = Path("/dev/shm")  # noqa: S108  # mkdtemp's own directory in it is private
    return Path(mkdtemp(prefix="ownrow-metrics-", dir=memory if memory.is_dir() else None))


def free_slot(taken: Iterable[int]) -> int:
    """The lowest slot that is not taken."""
    used = set(taken)
    return next(slot for slot in range(len(used) + 1) if slot not in used)


def use_slot(slot: int) -> None:
    """Makes this process count in its slot's files; called before the application is made."""
    os.environ[DIRECTORY] = str(directory())
    values.ValueClass = MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


def leave_slot(slot: int) -> None:
    """Removes the gauges of an ended worker, such as the size of its pool."""
    mark_process_dead(slot, str(directory()))  # type: ignore[no-untyped-call]
