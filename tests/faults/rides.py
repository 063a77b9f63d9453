"""Load while something breaks, and what must be true of it afterwards."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import checker
from tests.faults.figures import Figures, outcomes, recovery, summary
from tests.faults.load import Load, User, register
from tests.faults.recorder import Record, Recorder
from tests.serving import Server

DEADLINE = 5.0  # seconds for any answer
RECOVERY = 2.0  # seconds to good answers after a fault is over
USERS = 4


@dataclass(frozen=True)
class Outage:
    """From when until when something was broken, in monotonic seconds."""

    began: float
    ended: float


@dataclass(frozen=True)
class Ride:
    """Load on a server, the faults that happen to it, and the checks of both."""

    server: Server
    database_url: str
    recorder: Recorder
    figures: Figures

    def __call__(
        self,
        name: str,
        faults: Callable[[Load], list[Outage]],
        *,
        users: int = USERS,
        clients: int = 16,
    ) -> list[Record]:
        """Goes through the faults under load; returns what clients were told."""
        people = [register(self.server) for _ in range(users)]
        with Load(self.server, people, self.recorder, clients=clients) as load:
            load.run(1)
            outages = faults(load)
            load.run(RECOVERY + 1)
        records = self.recorder.records()
        seconds = slowest_recovery(records, outages)
        self.figures.add(name, summary(records) | {"outages": len(outages), "recovery_s": seconds})
        self.check(name, people)
        assert_only_unavailable(records)
        assert seconds < RECOVERY
        return records

    def check(self, name: str, people: list[User]) -> None:
        """Holds the records against the database."""
        verdict = checker.check(self.server, people, self.recorder, self.database_url)
        self.figures.add(name, {"lost": verdict.lost, "doubled": verdict.doubled})


def slowest_recovery(records: list[Record], outages: list[Outage]) -> float:
    """The longest time that it took to good answers, in seconds."""
    ends = [*(each.began for each in outages[1:]), math.inf]
    return max(
        recovery(records, outage.ended, end) for outage, end in zip(outages, ends, strict=True)
    )


def assert_only_unavailable(records: list[Record]) -> None:
    """Every call was answered in time, and the failed ones with 503 and Retry-After."""
    ended = outcomes(records)
    assert len(ended) == len(records)
    assert not [each for each in ended if each.status is None]
    assert {each.status for each in ended if each.fate == "unknown"} <= {503}
    assert not [each for each in ended if each.status == 503 and not each.retry_after]
    assert max(each.seconds for each in ended) < DEADLINE


def assert_all_good(records: list[Record]) -> None:
    """Every call was answered, none with an error of the server, and each in time."""
    ended = outcomes(records)
    assert len(ended) == len(records)
    assert not [each for each in ended if each.fate == "unknown"]
    assert max(each.seconds for each in ended) < DEADLINE
