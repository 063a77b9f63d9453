"""No rule takes long: what is counted is Python's instructions, which do not depend on the machine.

A million of them take about 15 ms.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.recurrence import (
    BASES,
    Next,
    RuleError,
    Series,
    next_occurrence,
    normalise,
    occurrences_left,
)
from app.recurrence.grid import sample
from app.recurrence.rule import PARTS, WEEKDAYS, parse
from tests.recurrence.strategies import dues, intervals, rules

MOST_TO_NORMALISE = 100_000
MOST_TO_GO_ON = 500_000
NOON = datetime(2026, 10, 7, 12, tzinfo=UTC)


def instructions(run: Callable[[], Any]) -> int:
    """How many instructions of Python code a call takes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def normalised(text: str, basis: str, due: str) -> str | None:
    """The normal form; None for what is refused."""
    try:
        return normalise(text, basis, due)
    except RuleError:
        return None


HANGS = [
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;BYSETPOS=2",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6;UNTIL=20301231",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;BYSETPOS=1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;SKIP=OMIT",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;SKIP=OMIT",
    "FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA;BYSETPOS=366",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=32",
    "INTERVAL=2",
    "FREQ=DAILY;FREQ=WEEKLY",
    "FREQ=YEARLY;BYEASTER=0",
]
SPARSE = [
    "FREQ=YEARLY;INTERVAL=999",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;SKIP=OMIT",
    "FREQ=YEARLY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
    "FREQ=MONTHLY;BYMONTH=2;BYDAY=FR;BYMONTHDAY=13",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=13;BYDAY=FR",
    "FREQ=MONTHLY;BYDAY=4MO;BYMONTHDAY=-1",
]
COUNTED = [
    "FREQ=DAILY;COUNT=9999",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;COUNT=9999",
    "FREQ=MONTHLY;COUNT=9999",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;COUNT=9999",
    "FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;BYDAY=MO,TU,WE,TH,FR,SA,SU;COUNT=9999",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=9999",
]


@pytest.mark.proves("TASK-210", "TASK-211", "TASK-212")
@pytest.mark.parametrize("text", HANGS)
def test_what_keeps_other_programs_busy_is_refused_at_once(text: str) -> None:
    refused: list[str | None] = []
    steps = instructions(lambda: refused.append(normalised(text, "due", "2025-10-07")))
    assert refused == [None]
    assert steps < MOST_TO_NORMALISE


@pytest.mark.proves("TASK-212", "TASK-222")
@pytest.mark.parametrize("text", SPARSE + COUNTED)
@pytest.mark.parametrize("year", [1970, 1997, 2026, 2120, 2199])
@pytest.mark.parametrize("basis", BASES)
def test_the_next_due_is_near_in_steps_however_far_in_time(
    text: str, year: int, basis: str
) -> None:
    due = "1970-02-01"
    rules: list[str] = []
    assert instructions(lambda: rules.append(normalise(text, basis, due))) < MOST_TO_NORMALISE
    series = Series(rules[0], basis, due, due, occurrences_left(rules[0]), "UTC")
    assert instructions(lambda: next_occurrence(series, NOON.replace(year=year))) < MOST_TO_GO_ON


@pytest.mark.proves("TASK-222")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", Next("2044-02-29", None)),
        ("FREQ=MONTHLY;BYDAY=4MO;BYMONTHDAY=-1", Next("2033-02-28", None)),
        ("FREQ=YEARLY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", Next("2072-02-29", None)),
        ("FREQ=DAILY;COUNT=9999", None),
    ],
)
def test_a_sparse_rule_has_its_next_date(text: str, expected: Next | None) -> None:
    due = "1970-02-01"
    series = Series(normalise(text, "due", due), "due", due, due, occurrences_left(text), "UTC")
    assert next_occurrence(series, NOON) == expected


@pytest.mark.proves("TASK-212")
@settings(max_examples=200)
@given(intervals | st.integers(1, 999), dues, st.sampled_from(["MONTHLY", "YEARLY"]))
def test_a_rule_is_proved_empty_by_the_14_kinds_of_years(
    interval: int, due: str, freq: str
) -> None:
    rule = parse(f"FREQ={freq};INTERVAL={interval}")
    periods = list(sample(rule, datetime.fromisoformat(due).date()))
    assert len(periods) <= (14 if freq == "YEARLY" else 14 * 12)


names = st.sampled_from([*PARTS, "BYHOUR", "BYEASTER", "RSCALE", "X", "RRULE:FREQ"])
numbers = st.integers(-400, 1000).map(str)
values = st.lists(
    numbers | st.sampled_from([*WEEKDAYS, "5MO", "-1FR", "DAILY", "YEARLY", "20261009", "OMIT"]),
    min_size=1,
    max_size=4,
).map(",".join)
parts = st.builds("{}={}".format, names, values)
broken = st.lists(parts | st.text(max_size=9), max_size=6).map(";".join)
changed = st.builds("{};{}".format, rules(), parts | st.just("SKIP=OMIT"))


@pytest.mark.proves("TASK-210", "TASK-212", "TASK-213", "TASK-222")
@settings(max_examples=250, deadline=None)
@given(rules() | changed | broken | st.text(), dues, st.sampled_from(BASES), st.datetimes())
@example("FREQ=DAILY;UNTIL=99991231T235959Z", "2026-10-07", "due", datetime(9999, 12, 31))  # noqa: DTZ001
def test_every_text_is_a_rule_or_refused_in_a_bounded_number_of_steps(
    text: str, due: str, basis: str, now: datetime
) -> None:
    found: list[str | None] = []
    steps = instructions(lambda: found.append(normalised(text, basis, due)))
    assert steps < MOST_TO_NORMALISE
    if rule := found[0]:
        assert len(rule) <= 255
        assert normalise(rule, basis, due) == rule
        series = Series(rule, basis, due, due, occurrences_left(rule), "Asia/Kathmandu")
        at = now.replace(year=min(max(now.year, 1970), 2199), day=1, tzinfo=UTC)
        assert instructions(lambda: next_occurrence(series, at)) < MOST_TO_GO_ON
