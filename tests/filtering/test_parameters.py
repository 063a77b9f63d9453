"""What the simple parameters of the list of tasks select."""

from datetime import datetime
from typing import Any

import pytest

from app import filtering
from app.filtering import Compiled
from tests.filtering.selection import (
    GARDEN,
    HOME,
    NOW,
    OFFICE,
    WORK,
    Facets,
    Selection,
    at,
    compiled,
    due,
    task,
)

NOTHING: dict[str, Any] = {
    "is_completed": None,
    "list_id": None,
    "in_inbox": False,
    "parent_id": None,
    "is_root": False,
    "label_ids": (),
    "priority_min": None,
    "priority_max": None,
    "due_from": None,
    "due_before": None,
    "no_due": None,
    "overdue_at": None,
}
PARENT = GARDEN
TASKS = {
    "plain": task(),
    "done": task(completed=True),
    "work": task(list=WORK),
    "child": task(parent=PARENT),
    "home": task(labels=[HOME]),
    "both": task(labels=[HOME, OFFICE]),
    "urgent": task(priority=1),
    "later": task(priority=9),
    "now": due(NOW),
    "passed": due("2026-10-07T09:59:59.999999Z"),
    "soon": due("2026-10-07T10:00:00.000001Z"),
    "passed and done": due("2026-10-01T00:00:00Z") | {"completed": True},
}
TIMED = {"now", "passed", "soon", "passed and done"}
INSTANT = datetime.fromisoformat(NOW)


def made(**given: Any) -> Compiled:
    found = filtering.parameters(**NOTHING | given)
    assert found is not None
    return found


def selected(select: Selection, filtered: Compiled, tasks: dict[str, Facets]) -> set[str]:
    found = select.matches(filtered, list(tasks.values()))
    return {name for name, match in zip(tasks, found, strict=True) if match}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"is_completed": True}, {"done", "passed and done"}),
        ({"is_completed": False}, TASKS.keys() - {"done", "passed and done"}),
        ({"list_id": WORK}, {"work"}),
        ({"list_id": GARDEN}, set()),
        ({"in_inbox": True}, TASKS.keys() - {"work"}),
        ({"parent_id": PARENT}, {"child"}),
        ({"parent_id": WORK}, set()),
        ({"is_root": True}, TASKS.keys() - {"child"}),
        ({"label_ids": [HOME]}, {"home", "both"}),
        ({"label_ids": [HOME, OFFICE]}, {"both"}),
        ({"label_ids": [WORK]}, set()),
        ({"priority_min": 1}, {"urgent", "later"}),
        ({"priority_min": 0}, {"urgent", "later"}),
        ({"priority_min": 2}, {"later"}),
        ({"priority_max": 9}, {"urgent", "later"}),
        ({"priority_max": 8}, {"urgent"}),
        ({"priority_max": 0}, set()),
        ({"priority_min": 9, "priority_max": 9}, {"later"}),
        ({"priority_min": 2, "priority_max": 8}, set()),
        ({"due_from": INSTANT}, {"now", "soon"}),
        ({"due_before": INSTANT}, {"passed", "passed and done"}),
        ({"due_from": INSTANT, "due_before": INSTANT}, set()),
        (
            {"due_from": datetime.fromisoformat("2026-10-07T11:59:59.999999+02:00")},
            {"now", "passed", "soon"},
        ),
        ({"no_due": True}, TASKS.keys() - TIMED),
        ({"no_due": False}, TIMED),
        ({"no_due": True, "due_from": INSTANT}, set()),
        ({"overdue_at": INSTANT}, {"now", "passed"}),
        ({"overdue_at": INSTANT, "is_completed": True}, set()),
        ({"is_root": True, "in_inbox": True, "label_ids": [OFFICE]}, {"both"}),
    ],
)
def test_each_parameter_restricts(
    select: Selection, given: dict[str, Any], expected: set[str]
) -> None:
    assert selected(select, made(**given), TASKS) == expected


def test_without_a_parameter_nothing_is_restricted() -> None:
    assert filtering.parameters(**NOTHING) is None


@pytest.mark.parametrize("name", NOTHING)
def test_no_parameter_is_ignored(name: str) -> None:
    values = {"label_ids": [HOME], "list_id": WORK, "parent_id": WORK}
    numbers = {"priority_min": 0, "priority_max": 0}
    times = dict.fromkeys(("due_from", "due_before", "overdue_at"), INSTANT)
    given = {**dict.fromkeys(NOTHING, True), **values, **numbers, **times}
    assert filtering.parameters(**NOTHING | {name: given[name]})


def test_all_parameters_hold_at_once(select: Selection) -> None:
    fitting = task(
        list=WORK,
        parent=PARENT,
        labels=[HOME, OFFICE],
        priority=5,
        due=at("2026-10-07T09:00:00Z"),
        overdue=at("2026-10-07T09:00:00Z"),
    )
    everything = made(
        is_completed=False,
        list_id=WORK,
        parent_id=PARENT,
        label_ids=[HOME, OFFICE],
        priority_min=5,
        priority_max=5,
        due_from=datetime.fromisoformat("2026-10-07T09:00:00Z"),
        due_before=INSTANT,
        no_due=False,
        overdue_at=INSTANT,
    )
    tasks = {
        "fitting": fitting,
        "completed": fitting | {"completed": True},
        "elsewhere": fitting | {"list": GARDEN},
        "in the inbox": fitting | {"list": None},
        "of another": fitting | {"parent": WORK},
        "root": fitting | {"parent": None},
        "of one label": fitting | {"labels": [OFFICE]},
        "less": fitting | {"priority": 6},
        "more": fitting | {"priority": 4},
        "earlier": fitting | {"due": at("2026-10-07T08:59:59Z")},
        "now": fitting | {"due": at(NOW)},
        "sometime": fitting | {"due": None},
        "not overdue": fitting | {"overdue": at("2026-10-08T00:00:00Z")},
    }
    assert selected(select, everything, tasks) == {"fitting"}


def test_parameters_and_a_filter_hold_together(select: Selection) -> None:
    both = filtering.conjunction(
        made(is_completed=False, overdue_at=INSTANT), compiled("due < now or priority = 1")
    )
    assert selected(select, both, TASKS) == {"passed"}
