"""Random series: dateutil, which keeps the first date, and plain counting agree with ours."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from app.recurrence import RuleError, Series, next_occurrence, normalise
from app.zones import zone
from tests.recurrence.strategies import days, dues, intervals, months, positive_days, rules

COMPLETIONS = 24
UNITS = {
    "WEEKLY": relativedelta(weeks=1),
    "MONTHLY": relativedelta(months=1),
    "YEARLY": relativedelta(years=1),
}
ENDED = datetime(2199, 12, 31, 23, 59, 59)  # noqa: DTZ001 - it is local
ZONES = st.sampled_from(["UTC", "Europe/Madrid", "Asia/Kathmandu", "Pacific/Auckland"])


def normal_form(text: str, due: str, basis: str = "due") -> str:
    try:
        return normalise(text, basis, due)
    except RuleError:
        assume(False)
        raise


def dues_after(first: Series) -> Iterator[str]:
    """The dues of a series, each counted from the one before, its rule as if it were new there."""
    series = first
    while found := next_occurrence(series, datetime.fromisoformat(series.due).replace(tzinfo=UTC)):
        yield found.due
        assert normalise(series.rule, series.basis, found.due) == series.rule
        series = series._replace(anchor=found.due, due=found.due, left=found.left)


@pytest.mark.slow
@pytest.mark.proves("TASK-213", "TASK-214", "TASK-219", "TASK-221")
@settings(max_examples=1000, deadline=None)
@given(rules(), dues, st.none() | st.integers(1, 30))
def test_counting_from_each_date_is_counting_from_the_first(
    text: str, due: str, count: int | None
) -> None:
    rule = normal_form(f"{text};SKIP=OMIT", due)
    ours = list(islice(dues_after(Series(rule, "due_strict", due, due, count, "UTC")), COMPLETIONS))
    event(f"{text.partition(';')[0]}, {'ends' if len(ours) < COMPLETIONS else 'goes on'}")
    reference = rrulestr(text, dtstart=datetime.fromisoformat(due))
    expected = reference.xafter(datetime.fromisoformat(due), count=len(ours))
    assert ours == [each.isoformat()[: len(due)] for each in expected]
    if len(ours) < COMPLETIONS and (count is None or len(ours) < count - 1):
        later = reference.after(datetime.fromisoformat(ours[-1] if ours else due))
        assert later is None or later > ENDED
    assert count is None or len(ours) <= count - 1


def clamped(
    due: date, unit: str, interval: int, wanted_months: Sequence[int], wanted_days: Sequence[int]
) -> Iterator[date]:
    """The dates of days of months, or the last days of months that lack these."""
    for index in range(due.year * 12 + due.month - 1, 2200 * 12):
        year, month = index // 12, index % 12 + 1
        passed = year - due.year if unit == "YEARLY" else index - due.year * 12 - due.month + 1
        if passed % interval == 0 and month in wanted_months:
            last = monthrange(year, month)[1]
            yield from (
                date(year, month, day) for day in sorted({min(d, last) for d in wanted_days})
            )


@pytest.mark.proves("TASK-213", "TASK-214")
@settings(max_examples=300, deadline=None)
@given(days, st.sampled_from(["MONTHLY", "YEARLY"]), intervals, months, positive_days | st.just([]))
def test_a_day_that_a_month_lacks_is_its_last_day_and_comes_back(
    due: str, unit: str, interval: int, named_months: list[int], named_days: list[int]
) -> None:
    text = f"FREQ={unit};INTERVAL={interval};BYMONTH={','.join(map(str, named_months))}"
    if named_days:
        text += f";BYMONTHDAY={','.join(map(str, named_days))}"
    first = date.fromisoformat(due)
    rule = normal_form(text, due)
    ours = islice(dues_after(Series(rule, "due_strict", due, due, None, "UTC")), COMPLETIONS)
    expected = clamped(first, unit, interval, named_months, named_days or [first.day])
    later = (each.isoformat() for each in expected if each > first)
    assert list(ours) == list(islice(later, COMPLETIONS))


@pytest.mark.proves("TASK-215", "TASK-219")
@settings(max_examples=300, deadline=None)
@given(rules(), dues, st.integers(1, 99), st.timedeltas(timedelta(-3), timedelta(500)), ZONES)
def test_the_basis_due_is_the_strict_one_without_what_is_overdue(
    text: str, due: str, count: int, late: timedelta, zone_name: str
) -> None:
    """As if each date had been done one after another, until one is not overdue."""
    series = Series(normal_form(text, due), "due", due, due, count, zone_name)
    now = datetime.fromisoformat(due).replace(tzinfo=UTC) + late
    strict = series._replace(basis="due_strict")
    found = next_occurrence(strict, now)
    # Once a date is the first one, the basis due leaves it out if it is overdue.
    while found and is_overdue(found.due, zone_name, now):
        strict = strict._replace(anchor=found.due, due=found.due, left=found.left)
        found = next_occurrence(strict, now)
    assert next_occurrence(series, now) == found


def is_overdue(due: str, zone_name: str, now: datetime) -> bool:
    local = now.astimezone(zone(zone_name))
    if len(due) == len("2026-10-07"):
        return due < local.date().isoformat()
    return datetime.fromisoformat(due).replace(tzinfo=zone(zone_name)) <= now


@pytest.mark.proves("TASK-217", "TASK-219")
@settings(max_examples=300, deadline=None)
@given(rules(), dues, st.integers(1, 3), st.timedeltas(timedelta(-99), timedelta(99)), ZONES)
def test_from_completion_on_the_first_date_of_the_rule_counts(
    text: str, due: str, count: int, late: timedelta, zone_name: str
) -> None:
    rule = normal_form(f"{text};SKIP=OMIT", due, "completion")
    assert normalise(rule, "completion", due) == rule
    assume("BY" in rule)
    now = datetime.fromisoformat(due).replace(tzinfo=UTC) + late
    done = now.astimezone(zone(zone_name)).replace(
        tzinfo=None, hour=0, minute=0, second=0, microsecond=0
    )
    parts = dict(part.split("=") for part in rule.split(";"))
    interval = int(parts.pop("INTERVAL", 1))
    earliest = done + interval * UNITS[parts["FREQ"]]
    if interval == 1:
        earliest = done + timedelta(1)
    phaseless = ";".join(f"{name}={value}" for name, value in parts.items())
    # From the start of the year, so that BYSETPOS counts whole periods.
    grid = rrulestr(phaseless, dtstart=earliest.replace(month=1, day=1))
    expected = (day.date().isoformat() for day in grid.xafter(earliest, inc=True))
    found = next_occurrence(Series(rule, "completion", due, due, count, zone_name), now)
    if count == 1:
        assert found is None
    elif found is None:
        assert next(expected) > "2199"
    else:
        assert found.left == count - 1
        assert found.due[:10] == next(day for day in expected if day != due[:10])
        assert found.due[10:] == due[10:]
