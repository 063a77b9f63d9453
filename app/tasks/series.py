"""Recurring tasks: the rule behind a task's dates, and the way from one occurrence to the next."""

from datetime import datetime, timedelta

from app.errors import ValidationFailed
from app.recurrence import RuleError, Series, next_occurrence, normalise, occurrences_left
from app.tasks.reminders import shifted as shifted_reminders
from app.tasks.state import State
from app.zones import DATE_LENGTH, YEARS, day_of

NEEDS_DUE = "A recurring task needs a due; set recurrence to null, too, to end the series."


def ruled(before: State | None, state: State, zone_name: str) -> State:
    """The state with its rule in normal form; a rule that is new counts from the present due.

    `before` is None for a new task. Raises ValidationFailed.
    """
    if state.recurrence is None:
        return state._replace(recurrence_from=None, recurrence_left=None)
    if state.due is None:
        raise _broken("due" if before and before.recurrence else "recurrence", NEEDS_DUE)
    if before and _rule(before) == _rule(state):
        return state
    try:
        rule = normalise(state.recurrence, state.recurrence_basis, state.due, zone_name)
    except RuleError as error:
        raise _broken("recurrence", str(error)) from error
    if before and before.recurrence == rule:
        return state._replace(recurrence=rule)
    return state._replace(
        recurrence=rule, recurrence_from=state.due, recurrence_left=occurrences_left(rule)
    )


def _rule(state: State) -> tuple[str | None, str]:
    return state.recurrence, state.recurrence_basis


def _broken(field: str, message: str) -> ValidationFailed:
    return ValidationFailed(details=[{"field": field, "message": message}])


def advanced(state: State, zone_name: str, now: datetime) -> State | None:
    """The task at its next date, done or skipped now; None where its series is over."""
    if state.recurrence is None or state.recurrence_from is None or state.due is None:
        raise ValueError("the task does not recur")
    series = Series(
        state.recurrence,
        state.recurrence_basis,
        state.recurrence_from,
        state.due,
        state.recurrence_left,
        zone_name,
    )
    found = next_occurrence(series, now)
    if found is None:
        return None
    moved = shifted(state, days_between(state.due, found.due), zone_name)
    return moved._replace(due=found.due, recurrence_from=found.due, recurrence_left=found.left)


def shifted(state: State, days: int, zone_name: str) -> State:
    """The task with its dates and absolute reminders that many days later, at the same local times.

    A task that would leave the years from 1970 to 2199 stays as it is.
    """
    due, start = _shifted(state.due, days), _shifted(state.start, days)
    years = {int(local[:4]) for local in (due, start) if local is not None}
    if any(year not in YEARS for year in years):
        return state
    reminders = shifted_reminders(state.reminders, days, zone_name)
    return state._replace(due=due, start=start, reminders=reminders)


def _shifted(local: str | None, days: int) -> str | None:
    if local is None:
        return None
    return f"{day_of(local) + timedelta(days)}{local[DATE_LENGTH:]}"


def days_between(first: str, second: str) -> int:
    """The number of days from one local date or time to another."""
    return (day_of(second) - day_of(first)).days


def is_past(state: State, occurrence: str) -> bool:
    """Whether the task is due on a later day than that of an occurrence of another task."""
    return state.due is not None and days_between(occurrence, state.due) > 0
