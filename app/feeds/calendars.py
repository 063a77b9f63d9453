"""Calendars of RFC 5545, as the database streams their tasks: constant memory at any size."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from app import __version__
from app.feeds.components import event, todo
from app.feeds.content_lines import content_line, text
from app.feeds.repository import CalendarTask
from app.feeds.time_zones import vtimezone
from app.zones import UTC_NAME

CONTENT_TYPE = "text/calendar; charset=utf-8"
COMPONENTS: Mapping[str, Callable[[CalendarTask], Iterator[bytes]]] = {"todo": todo, "event": event}
DEFAULT_COMPONENT, NAME = "todo", "Ownrow"
REFRESH = "PT1H"
# What makes a calendar besides the tasks: another release may make another one of the same tasks.
MADE_BY = f"{__version__}/{version('icalendar')}/{version('tzdata')}"


def as_calendar(
    chunks: Iterable[tuple[Any, Sequence[CalendarTask]]],
    component: str = DEFAULT_COMPONENT,
    name: str = NAME,
) -> Generator[bytes, None, None]:
    """A VCALENDAR called `name`; each zone comes before the first component that needs it."""
    yield b"".join(_head(name))
    lines_of, known = COMPONENTS[component], {UTC_NAME}
    for _, chunk in chunks:
        lines: list[bytes] = []
        for task in chunk:
            found = list(lines_of(task))
            if found and task.time_zone is not None and task.time_zone not in known:
                known.add(task.time_zone)
                lines.append(vtimezone(task.time_zone))
            lines += found
        yield b"".join(lines)
    yield content_line("END", "VCALENDAR")


def _head(name: str) -> Iterator[bytes]:
    yield content_line("BEGIN", "VCALENDAR")
    yield content_line("VERSION", "2.0")
    yield content_line("PRODID", f"-//Ownrow//Ownrow {__version__}//EN")
    yield content_line("CALSCALE", "GREGORIAN")
    yield content_line("METHOD", "PUBLISH")
    yield content_line("NAME", text(name))  # RFC 7986
    yield content_line("X-WR-CALNAME", text(name))
    yield content_line("REFRESH-INTERVAL;VALUE=DURATION", REFRESH)
    yield content_line("X-PUBLISHED-TTL", REFRESH)
