"""The sources of imports by their names: what checks a file at once, and what reads it later."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.imports.entries import Contents, Options, Unreadable
from app.imports.sources import (
    google,
    ical,
    microsoft,
    ownrow,
    spreadsheet,
    ticktick,
    todoist,
    vikunja,
)
from app.zones import UTC_NAME


class Source(NamedTuple):
    """How files of a source are read.

    Both raise Unreadable or TooLarge. `check` looks at the form of the file as a whole, which is
    fast; `read` makes entries of it.
    """

    check: Callable[[bytes, Options], object]
    read: Callable[[bytes, Options], Contents]


SOURCES: Mapping[str, Source] = {
    "todoist_csv": Source(todoist.check, todoist.read),
    "todoist_backup": Source(todoist.check_backup, todoist.read_backup),
    "ticktick": Source(ticktick.check, ticktick.read),
    "google_takeout": Source(google.check, google.read),
    "mstodo": Source(microsoft.check, microsoft.read),
    "vikunja": Source(vikunja.check, vikunja.read),
    "ics": Source(ical.check, ical.read),
    "csv": Source(spreadsheet.check, spreadsheet.read),
    "ownrow": Source(ownrow.check, ownrow.read),
}


def check(source: str, file: bytes, options: Mapping[str, Any]) -> None:
    """Raises Unreadable or TooLarge for a file that can't be imported at all."""
    if not file.strip():
        raise Unreadable("Is empty: send the file as the body of the request.")
    given = {**options, "time_zone": options.get("time_zone") or UTC_NAME}
    SOURCES[source].check(file, Options(now=datetime.now(UTC), **given))
