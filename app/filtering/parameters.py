"""The simple parameters of the list of tasks, as the same kind of value as a filter."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.filtering.compiling import (
    LACKS,
    OVERDUE,
    Compiled,
    Variables,
    joined,
    seconds,
)
from app.values import Uuid

COMPLETED = "($.completed == {value})"
LIST = "($.list == {value})"
PARENT = "($.parent == {value})"
ROOT = "($.parent == null)"
LABEL = "($.labels == {value})"
PRIORITY_MIN = "($.priority >= {value} && $.priority > 0)"
PRIORITY_MAX = "($.priority <= {value} && $.priority > 0)"
DUE_FROM = "($.due >= {value})"
DUE_BEFORE = "($.due < {value})"
HAS_DUE = "($.due != null)"


def parameters(  # noqa: PLR0913 - one per parameter of the route
    *,
    is_completed: bool | None,
    list_id: Uuid | None,
    in_inbox: bool,
    parent_id: Uuid | None,
    is_root: bool,
    label_ids: Sequence[Uuid],
    priority_min: int | None,
    priority_max: int | None,
    due_from: datetime | None,
    due_before: datetime | None,
    no_due: bool | None,
    overdue_at: datetime | None,
) -> Compiled | None:
    """What tasks meet all of the parameters; None where nothing is restricted.

    `due_from` is inclusive, `due_before` exclusive, both of the start of all-day tasks. Bounds of
    the priority exclude tasks without one. `overdue_at` selects what is overdue at that time.
    """
    variables = Variables()
    restrictions = {
        COMPLETED: is_completed,
        LIST: list_id,
        LACKS["list"]: in_inbox or None,
        PARENT: parent_id,
        ROOT: is_root or None,
        PRIORITY_MIN: priority_min,
        PRIORITY_MAX: priority_max,
        DUE_FROM: due_from,
        DUE_BEFORE: due_before,
        LACKS["due"]: no_due or None,
        HAS_DUE: True if no_due is False else None,
        OVERDUE: overdue_at,
    }
    given = [each for each in restrictions.items() if each[1] is not None]
    given += [(LABEL, label_id) for label_id in label_ids]
    paths = [_filled(variables, template, value) for template, value in given]
    return Compiled(joined(paths, " && "), variables.values) if paths else None


def _filled(variables: Variables, template: str, value: Any) -> str:
    known = seconds(value) if isinstance(value, datetime) else value
    return variables.fill(template, value=known)
