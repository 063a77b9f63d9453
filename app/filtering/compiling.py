"""Compiles filters to jsonpath predicates on a task's facets, with variables for all values.

PostgreSQL gets both as bound parameters:
`jsonb_path_match(tasks.facets, %(filter)s::jsonpath, %(filter_values)s::jsonb, TRUE)`.

Each condition is true or false, never unknown, so that `not` of it is the other: jsonpath finds
null neither less than, nor equal to, nor greater than a value. Only `!=` holds between null and a
value; no facet that may be null is compared so.

- due and start: a task without one meets no comparison, not even `!=`. Compared with a day, each
  instant of that local day is equal to it. An all-day task counts as the start of its day.
- priority: a task without one (0) meets `priority = 0` and no other comparison, so that
  `priority < 5` has the tasks of priority 1 to 4.
- label and list: `!=` is `not` of `=`, and holds for tasks without labels, and in the inbox.
- title: case and normal form do not count, order is by code point.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.filtering.conditions import (
    And,
    Comparison,
    Condition,
    Filter,
    Lack,
    Name,
    Not,
    Or,
    Overdue,
    Value,
)
from app.filtering.dates import Clock, Moment, Time
from app.values import Uuid, fold

EVERYTHING = "(exists ($))"
VARIABLE = re.compile(r"\$(v[0-9]+)")

# Names as in the language: the facet of each field.
FACETS = {
    "title": "$.title",
    "due": "$.due",
    "start": "$.start",
    "created": "$.created",
    "updated": "$.updated",
    "priority": "$.priority",
    "completed": "$.completed",
    "list": "$.list",
    "label": "$.labels",
}
TEXT = {
    "=": "({facet} == {value})",
    "!=": "({facet} != {value})",
    "<": "({facet} < {value})",
    "<=": "({facet} <= {value})",
    ">": "({facet} > {value})",
    ">=": "({facet} >= {value})",
}
# In the lax mode of jsonpath, an array is equal to something if one of its elements is: the labels
# of a task, or the ids of lists of the same title.
NAMED = {"=": "({facet} == {value})", "!=": "(!({facet} == {value}))"}
PRIORITY = TEXT | {
    "!=": "({facet} != {value} && {facet} > 0)",
    "<": "({facet} < {value} && {facet} > 0)",
    "<=": "({facet} <= {value} && {facet} > 0)",
    ">=": "({facet} >= {value} && {facet} > 0)",
}
INSTANT = TEXT | {"!=": "({facet} < {value} || {facet} > {value})"}
DAY = {
    "=": "({facet} >= {value} && {facet} < {end})",
    "!=": "({facet} < {value} || {facet} >= {end})",
    "<": "({facet} < {value})",
    "<=": "({facet} < {end})",
    ">": "({facet} >= {end})",
    ">=": "({facet} >= {value})",
}
LACKS = {
    "due": "($.due == null)",
    "list": "($.list == null)",
    "label": "(!exists ($.labels[*]))",
    "priority": "($.priority == 0)",
}
OVERDUE = "($.overdue <= {value} && $.completed == false)"


@dataclass(frozen=True)
class Compiled:
    """A jsonpath predicate in brackets, and the values of its variables."""

    path: str
    values: dict[str, Any]


@dataclass
class Variables:
    """The variables of a jsonpath, in the order of their first use."""

    values: dict[str, Any] = field(default_factory=dict)

    def fill(self, template: str, **values: Any) -> str:
        """The template with a new variable for each of the values that it has a place for."""
        used = {
            name: self._bind(each) for name, each in values.items() if f"{{{name}}}" in template
        }
        return template.format(**used)

    def renamed(self, part: Compiled) -> str:
        """The path of the part with variables of these instead of its own."""
        names = {name: self._bind(value) for name, value in part.values.items()}
        return VARIABLE.sub(lambda found: names[found[1]], part.path)

    def _bind(self, value: Any) -> str:
        name = f"v{len(self.values) + 1}"
        self.values[name] = value
        return f"${name}"


@dataclass(frozen=True)
class Context:
    """What a filter depends on beside its text."""

    clock: Clock
    ids: Mapping[str, Mapping[str, Sequence[Uuid]]]  # by kind, then by name as written
    variables: Variables


def compile_filter(
    parsed: Filter,
    *,
    now: datetime,
    zone_name: str,
    labels: Mapping[str, Sequence[Uuid]],
    lists: Mapping[str, Sequence[Uuid]],
) -> Compiled:
    """The filter at a time, in a zone, for the owner of these labels and lists.

    The mappings are by name as written. A name that is missing there, or that has no ids, raises
    FilterError.
    """
    context = Context(Clock(now, zone_name), {"label": labels, "list": lists}, Variables())
    path = _path(parsed.condition, context)
    return Compiled(path, context.variables.values)


def conjunction(*parts: Compiled) -> Compiled:
    """What holds where all parts hold: everywhere, if there is none."""
    variables = Variables()
    paths = [variables.renamed(part) for part in parts]
    return Compiled(joined(paths, " && "), variables.values)


def joined(paths: Sequence[str], operator: str) -> str:
    """The predicates joined by `&&` or `||`, in brackets."""
    match paths:
        case []:
            return EVERYTHING
        case [path]:
            return path
        case _:
            return f"({operator.join(paths)})"


def seconds(at: datetime) -> int | float:
    """Seconds since 1970, as facets have them, exact to the microsecond."""
    number = at.timestamp()
    return int(number) if number.is_integer() else number


def _path(condition: Condition, context: Context) -> str:
    match condition:
        case And(parts):
            return joined([_path(part, context) for part in parts], " && ")
        case Or(parts):
            return joined([_path(part, context) for part in parts], " || ")
        case Not(part):
            return f"(!{_path(part, context)})"
        case _:
            return _leaf(condition, context)


def _leaf(leaf: Comparison | Lack | Overdue, context: Context) -> str:
    fill = context.variables.fill
    match leaf:
        case Lack(field):
            return LACKS[field]
        case Overdue():
            return fill(OVERDUE, value=seconds(context.clock.now))
        case Comparison(field, operator, value):
            forms, values = _compared(field, value, context)
            return fill(forms[operator].replace("{facet}", FACETS[field]), **values)


def _compared(
    field: str, value: Value, context: Context
) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    """The forms of a comparison with the value, and the values of their variables."""
    match value:
        case Name():
            return NAMED, {"value": _ids(value, context)}
        case Time():
            return _times(value.at(context.clock), context.clock)
        case str():
            return TEXT, {"value": fold(value)}
        case _:
            return PRIORITY if field == "priority" else TEXT, {"value": value}


def _times(moment: Moment, clock: Clock) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    if isinstance(moment, datetime):
        return INSTANT, {"value": seconds(moment)}
    start, end = clock.bounds(moment)
    return DAY, {"value": seconds(start), "end": seconds(end)}


def _ids(name: Name, context: Context) -> Uuid | list[Uuid]:
    if ids := context.ids[name.kind].get(name.text):
        return ids[0] if len(ids) == 1 else list(ids)
    raise name.unknown()
