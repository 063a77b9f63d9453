"""Measurements of fault scenarios: computed from recorded calls, printed and saved as JSON."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import quantiles

from tests.support.faults.recorder import Outcome, Record

Value = float | int | str


class Measurements:
    """The measurements of each scenario, by its name."""

    def __init__(self) -> None:
        self.scenarios: dict[str, dict[str, Value]] = {}

    def add(self, scenario: str, measurements: Mapping[str, Value]) -> None:
        """Adds measurements of a scenario by their names, which end in the unit if there is one."""
        self.scenarios.setdefault(scenario, {}).update(measurements)

    def lines(self) -> list[str]:
        """A table with one line per scenario."""
        width = max(map(len, self.scenarios), default=0)
        return [
            f"{name:{width}}  "
            + ", ".join(f"{key} {_short(value)}" for key, value in found.items())
            for name, found in self.scenarios.items()
        ]

    def write(self, path: Path) -> None:
        """Writes all measurements as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.scenarios, indent=2) + "\n", encoding="utf-8")


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def outcomes(records: Iterable[Record]) -> list[Outcome]:
    """The outcomes of completed calls; all are completed unless their client was killed."""
    return [record.outcome for record in records if record.outcome is not None]


def summary(records: Sequence[Record]) -> dict[str, Value]:
    """The number of calls in all and by their outcome, and the slowest one in seconds."""
    ended = outcomes(records)
    return {
        "calls": len(records),
        "acknowledged": sum(each.fate == "acknowledged" for each in ended),
        "refused": sum(each.fate == "refused" for each in ended),
        "503": sum(each.status == 503 for each in ended),
        "unanswered": sum(each.status is None for each in ended),
        "other 5xx": sum((each.status or 0) >= 500 and each.status != 503 for each in ended),
        "slowest_s": max((each.seconds for each in ended), default=0.0),
    }


def latencies(records: Iterable[Record]) -> dict[str, Value]:
    """Latency percentiles in milliseconds of the calls with a response."""
    times = [1000 * each.seconds for each in outcomes(records) if each.status is not None]
    cuts = quantiles(times, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}


def recovery(records: Iterable[Record], healed: float, until: float = math.inf) -> float:
    """Seconds from `healed` to the begin of the last failed call that ended before `until`."""
    late = [
        each.began - healed
        for each in outcomes(records)
        if each.fate == "unknown" and healed < each.began and each.ended < until
    ]
    return max(late, default=0.0)
