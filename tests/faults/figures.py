"""Figures of a scenario: what the calls say, and the table and the file that they end up in."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import quantiles

from tests.faults.recorder import Outcome, Record

Figure = float | int | str


class Figures:
    """What each scenario measured, by its name."""

    def __init__(self) -> None:
        self.scenarios: dict[str, dict[str, Figure]] = {}

    def add(self, scenario: str, figures: Mapping[str, Figure]) -> None:
        self.scenarios.setdefault(scenario, {}).update(figures)

    def lines(self) -> list[str]:
        """A table, one scenario per line."""
        width = max(map(len, self.scenarios), default=0)
        return [
            f"{name:{width}}  "
            + ", ".join(f"{key} {_short(value)}" for key, value in found.items())
            for name, found in self.scenarios.items()
        ]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.scenarios, indent=2) + "\n", encoding="utf-8")


def _short(value: Figure) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def outcomes(records: Iterable[Record]) -> list[Outcome]:
    """The outcomes of calls that ended, as all do unless the client is killed."""
    return [record.outcome for record in records if record.outcome is not None]


def summary(records: Sequence[Record]) -> dict[str, Figure]:
    """How many calls there were, and how they ended; the slowest one in seconds."""
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


def latencies(records: Iterable[Record]) -> dict[str, Figure]:
    """Percentiles of the answered calls in milliseconds."""
    times = [1000 * each.seconds for each in outcomes(records) if each.status is not None]
    cuts = quantiles(times, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98]}


def recovery(records: Iterable[Record], healed: float, until: float = math.inf) -> float:
    """Seconds after `healed` at which the last call began that failed, of those over by `until`."""
    late = [
        each.began - healed
        for each in outcomes(records)
        if each.fate == "unknown" and healed < each.began and each.ended < until
    ]
    return max(late, default=0.0)
