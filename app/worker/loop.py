"""The loop of a worker: it calls its jobs again and again until a signal ends it."""

import logging
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import psycopg

from app.db.errors import cause
from app.worker.jobs import EndingJob, Job
from app.worker.state import State

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
IDLE_PAUSE = 1.0  # seconds between rounds in which nothing was due
AWAY_PAUSE = 1.0  # seconds until a job is called again whose database is away
LONGEST_PAUSE = 30.0  # seconds until a job that keeps failing is called again
STOP_TIMEOUT = 8.0  # seconds that the steps in hand have after a signal

log = logging.getLogger(__name__)


class Loop:
    """Calls each job in a thread of its own; one that fails is called again after a pause.

    So a job that waits, for a mail server for example, does not hold up the others.
    """

    def __init__(self, jobs: Sequence[Job], state: State) -> None:
        self._jobs = jobs
        self._state = state
        self._failures = dict.fromkeys((job.name for job in jobs), 0)  # in a row
        self._resume_at = dict.fromkeys((job.name for job in jobs), 0.0)  # monotonic seconds
        self._stopping = threading.Event()

    def run_forever(self) -> None:
        """Goes round until SIGTERM or SIGINT; the main thread only.

        What is in hand after STOP_TIMEOUT is given up, as by a kill.
        """
        threads = [
            threading.Thread(target=self._repeat, args=(job,), name=job.name, daemon=True)
            for job in self._jobs
        ]
        with _handling(self._stop):
            for thread in threads:
                thread.start()
            self._stopping.wait()
            deadline = time.monotonic() + STOP_TIMEOUT
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        for thread in threads:
            if thread.is_alive():
                log.warning("%s: given up, as it has not ended in time", thread.name)

    def run_until_idle(self) -> None:
        """Calls the jobs in turn until nothing is due any more."""
        while sum(self.call_once(job) for job in self._jobs):
            pass

    def _repeat(self, job: Job) -> None:
        while not self._stopping.is_set():
            if not self.call_once(job):
                self._stopping.wait(IDLE_PAUSE)
        if isinstance(job, EndingJob):
            job.end()

    def call_once(self, job: Job) -> bool:
        """Calls a job, unless it rests after a failure; whether it had something to do."""
        had_work = False
        if time.monotonic() >= self._resume_at[job.name]:
            had_work = self._run(job)
        self._state.note_round(job.name)
        return had_work

    def _run(self, job: Job) -> bool:
        try:
            outcome = job.run_once()
        except Exception as error:  # noqa: BLE001  # a failing job must not end the others
            self._note_failure(job.name, error)
            return False
        if outcome.is_under_way:
            return True
        if self._failures[job.name]:
            log.info("%s: goes on after %d failures", job.name, self._failures[job.name])
            self._failures[job.name] = 0
        self._state.note(job.name, outcome)
        return outcome.done > 0

    def _note_failure(self, name: str, error: Exception) -> None:
        """Logs the error, and has the job rest for longer each time.

        Not while the database is away: what is due then waits for no more than AWAY_PAUSE when it
        is back. Of such failures the first, second, fourth and so on is logged.
        """
        self._state.note_error(name)
        self._failures[name] = count = self._failures[name] + 1
        pause = min(2.0 ** (count - 1), LONGEST_PAUSE)
        if isinstance(error, psycopg.OperationalError):
            pause = AWAY_PAUSE
            if count & (count - 1) == 0:
                log.error("%s: %s; trying again in %d s", name, cause(error), pause)
        else:
            log.error("%s: failed; trying again in %d s", name, pause, exc_info=error)
        self._resume_at[name] = time.monotonic() + pause

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()


@contextmanager
def _handling(handler: "signal._HANDLER") -> Iterator[None]:
    earlier = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, each in earlier.items():
            signal.signal(number, each)
