"""What the parameters of GET /tasks ask for, as one filter that PostgreSQL gets as a value."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from app import zones
from app.auth.repository import get_clock
from app.errors import NotFound, ValidationFailed
from app.filtering import (
    Compiled,
    Filter,
    FilterError,
    compile_filter,
    conjunction,
    parameters,
    parse,
)
from app.lists import repository as lists
from app.search import repository
from app.search.repository import Wanted
from app.search.schemas import NONE, explained
from app.values import Uuid, fold

ZONED = ("due_from", "due_to", "filter", "overdue")  # parameters that need the owner's zone
NOT_OVERDUE = parse("not overdue")
FEW_LABELS = 5  # each is compared with up to 50 of a task


def wanted(owner_id: Uuid, query: Mapping[str, Any]) -> Wanted:
    """The tasks that the parameters ask for.

    Raises NotFound for a list that is missing, and ValidationFailed for a filter that names
    something that is.
    """
    list_id = None if query["list_id"] == NONE else query["list_id"]
    if list_id is not None and not lists.exists(owner_id, list_id):
        raise NotFound
    zone_name, now, text = _zone(owner_id, query), datetime.now(UTC), query["filter"]
    given = None if text is None else parse(text)
    filters = [*([given] if given else ()), *([NOT_OVERDUE] if query["overdue"] is False else ())]
    parts = [_compiled(owner_id, each, zone_name, now) for each in filters]
    simple = _simple(query, list_id, zone_name, now)
    present = parts if simple is None else [simple, *parts]
    return Wanted(
        filter=conjunction(*present) if present else None,
        words=query["q"],
        list_id=list_id,
        takes_long=bool(query["q"] or given or len(query["label"]) > FEW_LABELS),
        is_timeless=query["overdue"] is None and (given is None or not given.is_relative),
    )


def _zone(owner_id: Uuid, query: Mapping[str, Any]) -> str:
    """The zone of local days: the one that the query names, or the owner's where it is needed."""
    is_needed = any(query[each] is not None for each in ZONED)
    return query["time_zone"] or (get_clock(owner_id).time_zone if is_needed else "")


def _simple(
    query: Mapping[str, Any], list_id: Uuid | None, zone_name: str, now: datetime
) -> Compiled | None:
    parent_id = query["parent_id"]
    return parameters(
        is_completed=query["is_completed"],
        list_id=list_id,
        in_inbox=query["list_id"] == NONE,
        parent_id=None if parent_id == NONE else parent_id,
        is_root=parent_id == NONE,
        label_ids=query["label"],
        priority_min=query["priority_min"],
        priority_max=query["priority_max"],
        due_from=_bound(query["due_from"], zones.start_of_day, zone_name),
        due_before=_bound(query["due_to"], zones.end_of_day, zone_name),
        no_due=query["no_due"],
        overdue_at=now if query["overdue"] else None,
    )


def _bound(given: date | datetime | None, of_day: Any, zone_name: str) -> datetime | None:
    """The instant that a parameter stands for: itself, or that of a local day."""
    if given is None or isinstance(given, datetime):
        return given
    bound: datetime = of_day(given, zone_name)
    return bound


def _compiled(owner_id: Uuid, filtered: Filter, zone_name: str, now: datetime) -> Compiled:
    """The filter with the ids of what it names; raises ValidationFailed."""
    needs_names = filtered.labels or filtered.lists
    named = repository.find_names(owner_id) if needs_names else []
    try:
        return compile_filter(
            filtered,
            now=now,
            zone_name=zone_name,
            labels=_ids(filtered.labels, "label", named),
            lists=_ids(filtered.lists, "list", named),
        )
    except FilterError as error:
        details = [{"field": "filter", "message": explained(error)}]
        raise ValidationFailed(details=details) from error


def _ids(
    names: Iterable[str], kind: str, named: Sequence[repository.NamedItem]
) -> dict[str, list[Uuid]]:
    """The ids of what is called so, whatever the case and normal form."""
    found: dict[str, list[Uuid]] = {}
    for item in named:
        if item.kind == kind:
            found.setdefault(fold(item.name), []).append(item.id)
    return {name: found.get(fold(name), []) for name in names}
