"""The next due of a series is the one that cases.md says."""

from datetime import datetime
from pathlib import Path

import pytest

from app.recurrence import Next, Series, next_occurrence, normalise, occurrences_left

TABLE = Path(__file__).with_name("cases.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| ")][2:]
CASES = [pytest.param(*columns, id=name) for name, *columns in ROWS]


def following(
    rule: str, basis: str, anchor: str, due: str, zone_name: str, done: str
) -> Next | None:
    """The next occurrence of a series whose rule was set when the anchor was due."""
    normal_form = normalise(rule, basis, anchor, zone_name)
    left = occurrences_left(normal_form)
    series = Series(normal_form, basis, anchor, due, left, zone_name)
    return next_occurrence(series, datetime.fromisoformat(done))


@pytest.mark.proves("TASK-215", "TASK-216", "TASK-217", "TASK-218", "TASK-219", "TASK-220")
@pytest.mark.parametrize(("rule", "basis", "anchor", "due", "zone_name", "done", "expected"), CASES)
def test_the_next_due_is_that_of_the_table(
    rule: str, basis: str, anchor: str, due: str, zone_name: str, done: str, expected: str
) -> None:
    found = following(rule, basis, anchor, due, zone_name, done)
    assert (found.due if found else "-") == expected


@pytest.mark.proves("TASK-219")
@pytest.mark.parametrize(
    ("basis", "done", "left"),
    [
        ("due", "2026-10-01T09:00:00+00:00", 4),
        ("due", "2026-10-04T09:00:00+00:00", 2),
        ("due_strict", "2026-10-04T09:00:00+00:00", 4),
        ("completion", "2026-10-04T09:00:00+00:00", 4),
    ],
)
def test_dates_that_are_passed_over_are_used_up(basis: str, done: str, left: int) -> None:
    found = following("FREQ=DAILY;COUNT=5", basis, "2026-10-01", "2026-10-01", "UTC", done)
    assert found is not None
    assert found.left == left


@pytest.mark.proves("TASK-219")
def test_without_count_nothing_is_counted() -> None:
    found = following(
        "FREQ=DAILY", "due", "2026-10-01", "2026-10-01", "UTC", "2026-10-01T09:00:00+00:00"
    )
    assert found == Next("2026-10-02", None)
