"""Random filters on random tasks: PostgreSQL agrees with a reference in Python.

The reference compares local dates where the compiler compares the instants at their ends, and has
Python's two-valued logic.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from app import filtering, zones
from app.values import fold
from tests.filtering.selection import LABELS, LISTS, Facets, Selection, task

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/Los_Angeles",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "America/Havana",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
)
# Around these a clock goes forward or back somewhere, or a month or year ends.
DAYS = ("2026-02-28", "2026-03-08", "2026-03-29", "2026-10-04", "2026-10-25", "2026-12-31")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TITLES = ("", "a", "B", "Straße", 'say "hi"', "back\\slash", "ÉCLAIR", "😀")


@dataclass(frozen=True)
class Case:
    """When and where a filter is evaluated."""

    now: datetime
    zone: str

    @property
    def today(self) -> date:
        return self.day(self.now.timestamp())

    def day(self, instant: float) -> date:
        return datetime.fromtimestamp(instant, zones.zone(self.zone)).date()


Meaning = Callable[[Facets, Case], bool]


@dataclass(frozen=True)
class Written:
    """A filter as text, and what it means."""

    text: str
    meaning: Meaning


def offset_of_months(today: date, number: int) -> date:
    """Found by walking: the last day that is not behind the wanted one, in the wanted month."""
    wanted = today.year * 12 + today.month - 1 + number
    found = date(wanted // 12, wanted % 12 + 1, 1)
    while found.day < today.day and (found + timedelta(1)).month == found.month:
        found += timedelta(1)
    return found


def weekday_after(today: date, name: str) -> date:
    return next(
        day for day in (today + timedelta(n) for n in range(1, 8)) if f"{day:%A}".lower() == name
    )


Value = Callable[[Case], date | datetime]
NAMED_DAYS: Mapping[str, Value] = {
    "yesterday": lambda case: case.today - timedelta(1),
    "today": lambda case: case.today,
    "tomorrow": lambda case: case.today + timedelta(1),
    "now": lambda case: case.now,
    **{
        name: (lambda case, name=name: weekday_after(case.today, name))  # type: ignore[misc]
        for name in WEEKDAYS
    },
}


@st.composite
def times(draw: st.DrawFn) -> tuple[str, Value]:
    """A time as text, and what it is: a date for a day, a datetime for an instant."""
    kind = draw(st.sampled_from(["named", "date", "local", "h", "d", "w", "m"]))
    if kind == "named":
        return draw(st.sampled_from(sorted(NAMED_DAYS.items())))
    if kind in ("date", "local"):
        day = date.fromisoformat(draw(st.sampled_from(DAYS))) + timedelta(draw(st.integers(-1, 1)))
        if kind == "date":
            return day.isoformat(), lambda _: day
        local = datetime.combine(day, time(draw(st.integers(4, 23))))
        return local.isoformat(), lambda case: zones.instant(local, case.zone)
    number = draw(st.integers(-3, 3))
    moved: Mapping[str, Value] = {
        "h": lambda case: case.now + timedelta(hours=number),
        "d": lambda case: case.today + timedelta(number),
        "w": lambda case: case.today + timedelta(7 * number),
        "m": lambda case: offset_of_months(case.today, number),
    }
    return f"{number:+}{kind}", moved[kind]


def compare_times(field: str, name: str, value: Value) -> Meaning:
    def meaning(facets: Facets, case: Case) -> bool:
        instant, other = facets[field], value(case)
        if instant is None:
            return False
        if isinstance(other, datetime):
            return OPERATORS[name](instant, other.timestamp())
        return OPERATORS[name](case.day(instant), other)

    return meaning


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def either(meanings: Sequence[Meaning]) -> Meaning:
    return lambda facets, case: any(each(facets, case) for each in meanings)


def both(meanings: Sequence[Meaning]) -> Meaning:
    return lambda facets, case: all(each(facets, case) for each in meanings)


def inverse(meaning: Meaning) -> Meaning:
    return lambda facets, case: not meaning(facets, case)


@st.composite
def comparisons_of_times(draw: st.DrawFn) -> Written:
    field = draw(st.sampled_from(["due", "start", "created", "updated"]))
    if draw(st.integers(0, 4)) == 0:
        values = draw(st.lists(times(), min_size=1, max_size=3))
        text = f"{field} in ({', '.join(value[0] for value in values)})"
        return Written(text, either([compare_times(field, "=", value[1]) for value in values]))
    name, (text, value) = draw(st.sampled_from(sorted(OPERATORS))), draw(times())
    return Written(f"{field} {name} {text}", compare_times(field, name, value))


def compare_priority(name: str, number: int) -> Meaning:
    def meaning(facets: Facets, _: Case) -> bool:
        priority = facets["priority"]
        if priority == 0:
            return name == "=" and number == 0
        return OPERATORS[name](priority, number)

    return meaning


@st.composite
def comparisons_of_priorities(draw: st.DrawFn) -> Written:
    numbers = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3))
    if len(numbers) > 1:
        text = f"priority in ({','.join(map(str, numbers))})"
        return Written(text, either([compare_priority("=", number) for number in numbers]))
    name = draw(st.sampled_from(sorted(OPERATORS)))
    return Written(f"priority {name} {numbers[0]}", compare_priority(name, numbers[0]))


@st.composite
def comparisons_of_titles(draw: st.DrawFn) -> Written:
    name, title = draw(st.sampled_from(sorted(OPERATORS))), draw(st.sampled_from(TITLES))
    return Written(
        f"title {name} {quoted(draw(st.sampled_from([title, title.upper()])))}",
        lambda facets, _: OPERATORS[name](facets["title"], fold(title)),
    )


def has(name: str) -> Meaning:
    return lambda facets, _: not set(LABELS[name]).isdisjoint(facets["labels"])


def within(name: str) -> Meaning:
    return lambda facets, _: facets["list"] in LISTS[name]


@st.composite
def comparisons_of_names(draw: st.DrawFn) -> Written:
    is_label = draw(st.booleans())
    known, held, field = (LABELS, has, "label") if is_label else (LISTS, within, "list")
    names = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=3))
    meanings, strings = [held(name) for name in names], ", ".join(map(quoted, names))
    forms = {f"{field} in ({strings})": either(meanings)}
    if is_label:
        forms[f"has label {strings}"] = both(meanings)
    if len(names) == 1:
        forms[f"{field} = {strings}"] = meanings[0]
        forms[f"{field} != {strings}"] = inverse(meanings[0])
    if len(names) == 1 and not is_label:
        forms[f"list {strings}"] = meanings[0]
    return Written(*draw(st.sampled_from(sorted(forms.items(), key=lambda form: form[0]))))


def is_overdue(facets: Facets, case: Case) -> bool:
    passed = facets["overdue"] is not None and facets["overdue"] <= case.now.timestamp()
    return passed and not facets["completed"]


WORDS = (
    Written("overdue", is_overdue),
    Written("today", compare_times("due", "=", NAMED_DAYS["today"])),
    Written("no due", lambda facets, _: facets["due"] is None),
    Written("no list", lambda facets, _: facets["list"] is None),
    Written("no label", lambda facets, _: not facets["labels"]),
    Written("no priority", lambda facets, _: not facets["priority"]),
    Written("completed", lambda facets, _: facets["completed"]),
    Written("completed = true", lambda facets, _: facets["completed"]),
    Written("completed != true", lambda facets, _: not facets["completed"]),
    Written("completed = false", lambda facets, _: not facets["completed"]),
)
CONDITIONS = st.one_of(
    st.sampled_from(WORDS),
    comparisons_of_times(),
    comparisons_of_priorities(),
    comparisons_of_titles(),
    comparisons_of_names(),
)


def joined(word: str, parts: Sequence[Written], meaning: Callable[..., Meaning]) -> Written:
    text = f" {word} ".join(part.text for part in parts)
    return Written(text, meaning([part.meaning for part in parts]))


def in_brackets(written: Written) -> Written:
    return Written(f"({written.text})", written.meaning)


def negated(written: Written) -> Written:
    return Written(f"not {written.text}", inverse(written.meaning))


def alternatives(units: st.SearchStrategy[Written]) -> st.SearchStrategy[Written]:
    """Units with `not` before some, joined by `and`, joined by `or`, without brackets."""
    parts = st.one_of(units, units.map(negated), units.map(negated).map(negated))
    rows = st.lists(parts, min_size=1, max_size=3).map(lambda row: joined("and", row, both))
    return st.lists(rows, min_size=1, max_size=3).map(lambda each: joined("or", each, either))


FILTERS = alternatives(
    st.recursive(CONDITIONS, lambda inner: alternatives(inner).map(in_brackets), max_leaves=6)
)


def random_instant(random: Random, case: Case) -> float:
    """An instant near the end of a local day, or near now."""
    edges = [zones.start_of_day(case.today + timedelta(n), case.zone) for n in range(-8, 9)]
    edge = random.choice([*edges, case.now, case.now + timedelta(hours=1)]).timestamp()
    return edge + random.choice([0, 0, -1, 1, -0.000001, 0.000001, 40_000])


def random_task(random: Random, case: Case) -> Facets:
    """Random facets, made without strategies: those would take most of the time."""
    ids = [each for known in LABELS.values() for each in known]
    lists = [None, *(each for known in LISTS.values() for each in known)]
    times = {
        name: None if random.random() < 0.3 else random_instant(random, case)
        for name in ("due", "overdue", "start")
    }
    return task(
        title=fold(random.choice(TITLES)),
        completed=random.random() < 0.5,
        list=random.choice(lists),
        priority=random.randrange(10),
        labels=sorted(set(random.choices(ids, k=random.randrange(3)))),
        created=random_instant(random, case),
        updated=random_instant(random, case),
        **times,
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    midnight = datetime.fromisoformat(draw(st.sampled_from(DAYS))).replace(tzinfo=UTC)
    now = midnight + timedelta(seconds=draw(st.integers(-50_000, 50_000)))
    return Case(now, draw(st.sampled_from(ZONES)))


def is_beyond_a_limit(text: str) -> bool:
    """Whether it is no filter, for which a limit must be the reason."""
    try:
        filtering.parse(text)
    except filtering.FilterError as error:
        if error.message.startswith(("A filter has at most", "Brackets and not")):
            return True
        raise
    return False


@pytest.mark.slow
@given(written=FILTERS, case=cases(), seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_the_database_agrees_with_the_reference(
    select: Selection, written: Written, case: Case, seed: int
) -> None:
    assume(not is_beyond_a_limit(written.text))
    random = Random(seed)
    tasks = [random_task(random, case) for _ in range(20)]
    compiled = filtering.compile_filter(
        filtering.parse(written.text),
        now=case.now,
        zone_name=case.zone,
        labels=LABELS,
        lists=LISTS,
    )
    expected = [written.meaning(each, case) for each in tasks]
    event("some, not all" if len(set(expected)) == 2 else "all or none")
    assert select.matches(compiled, tasks) == expected, (compiled, tasks)
