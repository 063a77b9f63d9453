"""What a worker does: jobs, each of which does what is due and tells what came of it."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

NOTHING: Mapping[str, int] = {}


class Outcome(NamedTuple):
    """What one run of a job did.

    `lag` is how many seconds the oldest thing that was due had been waiting when the run began;
    `counts` has how often each result came about, such as {"sent": 3, "failed": 1}. A run that
    `is_under_way` goes on with the next call, and has neither succeeded nor failed yet.
    """

    done: int = 0
    lag: float = 0.0
    counts: Mapping[str, int] = NOTHING
    is_under_way: bool = False


class Job(Protocol):
    """Something that becomes due. Any number of workers may run the same job at once."""

    @property
    def name(self) -> str:
        """What logs and metrics call it."""

    def run_once(self) -> Outcome:
        """Does some of what is due, for a few seconds at most; the worker calls it again."""


@runtime_checkable
class EndingJob(Job, Protocol):
    """A job that has steps in hand between its runs, in threads of its own."""

    def end(self) -> None:
        """Begins no further step, and returns when those in hand have ended."""
