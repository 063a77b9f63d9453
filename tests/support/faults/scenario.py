"""A fault scenario: load while something fails, and the invariants that are checked afterwards."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.faults import checker
from tests.support.faults.load import Load, User, register
from tests.support.faults.measurements import Measurements, outcomes, recovery, summary
from tests.support.faults.recorder import Record, Recorder
from tests.support.server import Server

DEADLINE = 5.0  # seconds for any response
RECOVERY = 2.0  # seconds from the end of a fault until all calls succeed
USERS = 4


@dataclass(frozen=True)
class Outage:
    """Begin and end of a fault, in monotonic seconds."""

    began: float
    ended: float


@dataclass(frozen=True)
class Scenario:
    """A server under load, and what its calls are checked against and reported to."""

    server: Server
    database_url: str
    recorder: Recorder
    measurements: Measurements

    def run(
        self,
        name: str,
        faults: Callable[[Load], list[Outage]],
        *,
        users: int = USERS,
        clients: int = 16,
    ) -> list[Record]:
        """Injects the faults under load, and checks all invariants; returns the recorded calls.

        `faults` returns when each fault began and ended.
        """
        registered = [register(self.server) for _ in range(users)]
        with Load(self.server, registered, self.recorder, clients=clients) as load:
            load.run(1)
            outages = faults(load)
            load.run(RECOVERY + 1)
        records = self.recorder.records()
        seconds = slowest_recovery(records, outages)
        self.measurements.add(
            name, summary(records) | {"outages": len(outages), "recovery_s": seconds}
        )
        self.check(name, registered)
        assert_only_unavailable(records)
        assert seconds < RECOVERY
        return records

    def check(self, name: str, users: list[User]) -> None:
        """Compares the records with the database; raises AssertionError for a violation."""
        verdict = checker.check(self.server, users, self.recorder, self.database_url)
        self.measurements.add(name, {"lost": verdict.lost, "doubled": verdict.doubled})


def slowest_recovery(records: list[Record], outages: list[Outage]) -> float:
    """The longest time in seconds from the end of an outage until all calls succeeded."""
    ends = [*(each.began for each in outages[1:]), math.inf]
    return max(
        recovery(records, outage.ended, end) for outage, end in zip(outages, ends, strict=True)
    )


def assert_only_unavailable(records: list[Record]) -> None:
    """Every call has a response within DEADLINE, and each 5xx is a 503 with Retry-After."""
    ended = outcomes(records)
    assert len(ended) == len(records)
    assert not [each for each in ended if each.status is None]
    assert {each.status for each in ended if each.fate == "unknown"} <= {503}
    assert not [each for each in ended if each.status == 503 and not each.retry_after]
    assert max(each.seconds for each in ended) < DEADLINE


def assert_all_good(records: list[Record]) -> None:
    """Every call has a response within DEADLINE, and none is a 5xx."""
    ended = outcomes(records)
    assert len(ended) == len(records)
    assert not [each for each in ended if each.fate == "unknown"]
    assert max(each.seconds for each in ended) < DEADLINE
