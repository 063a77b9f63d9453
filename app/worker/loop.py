"""The loop of a worker: it calls its jobs in turn until a signal ends it."""

import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

import psycopg

from app.db.errors import cause
from app.worker.jobs import Job
from app.worker.state import State

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
IDLE_PAUSE = 1.0  # seconds between rounds in which nothing was due
LONGEST_PAUSE = 30.0  # seconds until a job that keeps failing is called again
STOP_TIMEOUT = 8.0  # seconds that the step in hand has after a signal

log = logging.getLogger(__name__)


class StepInterruptedError(BaseException):
    """The step in hand has not ended in time; like KeyboardInterrupt, no job may catch it."""


class Loop:
    """Calls the jobs one after the other; one that fails is called again after a pause."""

    def __init__(self, jobs: Sequence[Job], state: State) -> None:
        self._jobs = jobs
        self._state = state
        self._failures = dict.fromkeys((job.name for job in jobs), 0)  # in a row
        self._resume_at = dict.fromkeys((job.name for job in jobs), 0.0)  # monotonic seconds
        self._is_stopping = False

    def run(self) -> None:
        """Goes round until SIGTERM or SIGINT; the main thread only."""
        with _handling(self._stop), suppress(StepInterruptedError):
            while not self._is_stopping:
                if not self.go_round() and not self._is_stopping:
                    time.sleep(IDLE_PAUSE)

    def run_until_idle(self) -> None:
        """Goes round until nothing is due any more."""
        while self.go_round():
            pass

    def go_round(self) -> bool:
        """Calls every job once; whether one of them had something to do."""
        had_work = False
        for job in self._jobs:
            if not self._is_stopping and time.monotonic() >= self._resume_at[job.name]:
                had_work |= self._call(job)
        self._state.note_round()
        return had_work

    def _call(self, job: Job) -> bool:
        try:
            outcome = job.run()
        except Exception as error:  # noqa: BLE001  # a failing job must not end the others
            self._note_failure(job.name, error)
            return False
        if self._failures[job.name]:
            log.info("%s: goes on after %d failures", job.name, self._failures[job.name])
            self._failures[job.name] = 0
        self._state.note(job.name, outcome)
        return outcome.done > 0

    def _note_failure(self, name: str, error: Exception) -> None:
        """Logs the error, and has the job rest for longer each time."""
        self._state.note_error(name)
        pause = min(2.0 ** self._failures[name], LONGEST_PAUSE)
        self._failures[name] += 1
        self._resume_at[name] = time.monotonic() + pause
        if isinstance(error, psycopg.OperationalError):
            log.error("%s: %s; trying again in %d s", name, cause(error), pause)
        else:
            log.error("%s: failed; trying again in %d s", name, pause, exc_info=error)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGALRM:
            raise StepInterruptedError
        self._is_stopping = True
        signal.setitimer(signal.ITIMER_REAL, STOP_TIMEOUT)


@contextmanager
def _handling(handler: "signal._HANDLER") -> Iterator[None]:
    numbers = (*STOP_SIGNALS, signal.SIGALRM)
    earlier = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, each in earlier.items():
            signal.signal(number, each)
