"""Tasks as components of RFC 5545: VTODO, or VEVENT for calendars that show events only."""

from collections.abc import Iterator
from datetime import UTC

from app.feeds.content_lines import content_line, text, texts
from app.feeds.dates import Moment, next_day, rrule, trigger, utc
from app.feeds.repository import CalendarTask
from app.tasks import reminders
from app.tasks.dates import Dates
from app.zones import DATE_LENGTH, has_time

BASIS_OF_GRID = ("due", "due_strict")  # what a rule says; no rule counts from a completion


def todo(task: CalendarTask) -> Iterator[bytes]:
    """The lines of a task; of a recurring one whose due was moved, also that occurrence."""
    due = None if task.due is None else Moment(task.due, task.time_zone)
    start = None if task.start is None else Moment(task.start, task.time_zone)
    grid = _grid(task)
    if due is None or grid is None:
        begins = start if start is None or due is None else start.like(due)
        yield from _todo(task, begins, due, [])
        return
    yield from _todo(task, grid, grid, [_rrule(task, grid)], has_instants=grid == due)
    if grid != due:
        yield from _todo(task, None, due, [_recurrence_id(grid)])


def event(task: CalendarTask) -> Iterator[bytes]:
    """The lines of a task that is open and has a date, at its due; none of any other."""
    date = task.due or task.start
    if date is None or task.completed_at is not None:
        return
    at, grid = Moment(date, task.time_zone), _grid(task)
    if grid is None:
        yield from _event(task, at, [])
        return
    yield from _event(task, grid, [_rrule(task, grid)], has_instants=grid == at)
    if grid != at:
        yield from _event(task, at, [_recurrence_id(grid)])


def _grid(task: CalendarTask) -> Moment | None:
    """The date of the rule behind the due, in the form of the due; None where no rule goes on."""
    anchor, due = task.recurrence_from, task.due
    if anchor is None or due is None or task.completed_at is not None:
        return None
    if task.recurrence_basis not in BASIS_OF_GRID:
        return None
    day, clock = anchor[:DATE_LENGTH], (anchor if has_time(anchor) else due)[DATE_LENGTH:]
    return Moment(day + clock if has_time(due) else day, task.time_zone)


def _rrule(task: CalendarTask, grid: Moment) -> bytes:
    rule = rrule(task.recurrence or "", task.recurrence_left, grid, task.computed_zone or "UTC")
    return content_line("RRULE", rule)


def _recurrence_id(grid: Moment) -> bytes:
    return _date("RECURRENCE-ID", grid)


def _date(name: str, at: Moment) -> bytes:
    return content_line(name + at.parameters, at.value)


def _todo(
    task: CalendarTask,
    start: Moment | None,
    due: Moment | None,
    recurrence: list[bytes],
    *,
    has_instants: bool = True,
) -> Iterator[bytes]:
    yield content_line("BEGIN", "VTODO")
    yield from _common(task)
    if start is not None:
        yield _date("DTSTART", start)
    if due is not None:
        yield _date("DUE", due)
    yield from recurrence
    if task.completed_at is None:
        yield content_line("STATUS", "NEEDS-ACTION")
        base = due or start
        related = "END" if due is not None else "START"
        yield from _alarms(task, base, related, has_instants=has_instants)
    else:
        yield content_line("STATUS", "COMPLETED")
        yield content_line("COMPLETED", utc(task.completed_at))
        yield content_line("PERCENT-COMPLETE", "100")
    yield content_line("END", "VTODO")


def _event(
    task: CalendarTask, at: Moment, recurrence: list[bytes], *, has_instants: bool = True
) -> Iterator[bytes]:
    yield content_line("BEGIN", "VEVENT")
    yield from _common(task)
    yield _date("DTSTART", at)
    if not has_time(at.local):
        yield _date("DTEND", Moment(next_day(at.local)))
    yield from recurrence
    yield content_line("TRANSP", "TRANSPARENT")
    yield from _alarms(task, at, "START", has_instants=has_instants)
    yield content_line("END", "VEVENT")


def _common(task: CalendarTask) -> Iterator[bytes]:
    """What both components have; the stamps are the task's, so that one differs only if changed."""
    modified = utc(task.updated_at)
    yield content_line("UID", task.id)
    yield content_line("DTSTAMP", modified)
    yield content_line("CREATED", utc(task.created_at))
    yield content_line("LAST-MODIFIED", modified)
    yield content_line("SUMMARY", text(task.title))
    if task.description:
        yield content_line("DESCRIPTION", text(task.description))
    if task.priority:
        yield content_line("PRIORITY", str(task.priority))
    if task.label_names:
        yield content_line("CATEGORIES", texts(task.label_names))
    if task.parent_id is not None:
        yield content_line("RELATED-TO;RELTYPE=PARENT", task.parent_id)


def _alarms(
    task: CalendarTask, base: Moment | None, related: str, *, has_instants: bool
) -> Iterator[bytes]:
    """The reminders; those at instants belong to the present occurrence alone."""
    dates = Dates(task.due, task.start, task.time_zone)
    for reminder in map(reminders.parse, task.reminders):
        date = reminder.date(dates)
        if reminder.at is not None:
            if has_instants:
                at = f"{reminder.at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
                yield from _alarm(task, content_line("TRIGGER;VALUE=DATE-TIME", at))
        elif date is not None and base is not None:
            # Of a recurring task the base is another occurrence's than the dates are.
            present = task.due or task.start or date
            duration = trigger(reminder, date, present, task.computed_reminder_time)
            yield from _alarm(task, content_line(f"TRIGGER;RELATED={related}", duration))


def _alarm(task: CalendarTask, trigger_line: bytes) -> Iterator[bytes]:
    yield content_line("BEGIN", "VALARM")
    yield content_line("ACTION", "DISPLAY")
    yield content_line("DESCRIPTION", text(task.title))
    yield trigger_line
    yield content_line("END", "VALARM")
