"""What PostgreSQL selects by a compiled filter, among tasks that are given by their facets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app import filtering
from app.filtering import Compiled
from app.values import Uuid

HOME, OFFICE, ODD = (Uuid(f"00000000-0000-4000-8000-00000000000{number}") for number in (1, 2, 3))
WORK, WORK_TOO, GARDEN = (Uuid(f"00000000-0000-4000-9000-00000000000{n}") for n in (1, 2, 3))
LABELS: Mapping[str, Sequence[Uuid]] = {
    "home": [HOME],
    "office": [OFFICE],
    'a "in" b & c': [ODD],
    "🏡": [HOME],
}
LISTS: Mapping[str, Sequence[Uuid]] = {
    "Work": [WORK, WORK_TOO],  # lists may have the same title
    "Garden": [GARDEN],
}
NOW = "2026-10-07T10:00:00Z"  # a Wednesday
MATCH = """
    SELECT jsonb_path_match(facets, %(path)s::jsonpath, %(values)s::jsonb, TRUE)
    FROM unnest(%(facets)s::jsonb[]) WITH ORDINALITY AS given (facets, number) ORDER BY number
"""
Facets = dict[str, Any]


def at(instant: str) -> float:
    """Seconds since 1970 of an instant in RFC 3339."""
    return datetime.fromisoformat(instant).timestamp()


def task(**changes: Any) -> Facets:
    """The facets of an open task in the inbox that has nothing but a title."""
    nothing: Facets = {
        "title": "",
        "completed": False,
        "list": None,
        "parent": None,
        "priority": 0,
        "labels": [],
        "overdue": None,
        "due": None,
        "start": None,
        "created": 0,
        "updated": 0,
    }
    assert changes.keys() <= nothing.keys()
    return nothing | changes


def due(instant: str) -> Facets:
    """The facets of a task that is due at a time."""
    return task(due=at(instant), overdue=at(instant))


def compiled(
    query: str,
    now: str = NOW,
    zone: str = "UTC",
    labels: Mapping[str, Sequence[Uuid]] = LABELS,
    lists: Mapping[str, Sequence[Uuid]] = LISTS,
) -> Compiled:
    return filtering.compile_filter(
        filtering.parse(query),
        now=datetime.fromisoformat(now),
        zone_name=zone,
        labels=labels,
        lists=lists,
    )


def mistake(query: str, **options: Any) -> filtering.FilterError:
    """The error of a filter that must have one."""
    with pytest.raises(filtering.FilterError) as caught:
        compiled(query, **options)
    return caught.value


@dataclass
class Selection:
    """Selects on a connection."""

    connection: psycopg.Connection

    def matches(self, filtered: Compiled, tasks: Sequence[Facets]) -> list[bool]:
        """For each of the tasks whether it is selected, which is never unknown."""
        found = self.connection.execute(
            MATCH,
            {
                "path": filtered.path,
                "values": Jsonb(filtered.values),
                "facets": [Jsonb(each) for each in tasks],
            },
        ).fetchall()
        assert all(isinstance(match, bool) for (match,) in found), filtered
        return [match for (match,) in found]

    def __call__(self, query: str, tasks: Mapping[str, Facets], **options: Any) -> set[str]:
        """The names of the tasks that the query selects."""
        found = self.matches(compiled(query, **options), list(tasks.values()))
        return {name for name, match in zip(tasks, found, strict=True) if match}
