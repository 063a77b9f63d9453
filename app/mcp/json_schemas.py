"""The JSON Schemas of the tools, written for a model that has never seen the product.

The limits are those of specs/openapi.yaml, and a test compares them. Patterns are left out: a model
follows an example better, and the marshmallow schemas check every call.
"""

from collections.abc import Mapping
from typing import Any

from app.ledger.schemas import LARGEST_VERSION
from app.search.repository import SORTS

Schema = Mapping[str, Any]


def text(description: str, **limits: Any) -> Schema:
    """A string."""
    return {"type": "string", **limits, "description": description}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def flag(description: str, **limits: Any) -> Schema:
    """True or false."""
    return {"type": "boolean", **limits, "description": description}


def whole(description: str, minimum: int, maximum: int, **limits: Any) -> Schema:
    """A whole number within bounds."""
    bounds = {"minimum": minimum, "maximum": maximum}
    return {"type": "integer", **bounds, **limits, "description": description}


def array(items: Schema, description: str, **limits: Any) -> Schema:
    """An array."""
    return {"type": "array", "items": items, **limits, "description": description}


def arguments(*required: str, **properties: Schema) -> Schema:
    """The input of a tool, which refuses other arguments."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def result(**properties: Schema) -> Schema:
    """The output of a tool, which always has all of its properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


# --- arguments ----------------------------------------------------------------------------------

TASK_ID = text("The task's id, as list_tasks returns it: a UUID in lower case.")
NEIGHBOUR = nullable(text("The id of a task next to it."))
LIMIT = whole("How many to return at most.", 1, 200, default=50)
CURSOR = text(
    "next_cursor of the page before, with the same other arguments. Left out: the first page.",
    minLength=1,
    maxLength=4096,
)
IF_VERSION = whole(
    "The version of the task that you have read. If it has changed since, nothing is done, and you "
    "are told to read it again. Without it the last write wins.",
    0,
    LARGEST_VERSION,
)
IDEMPOTENCY_KEY = text(
    "A text of your choice that is new for each intended change. A repeated call with the same key "
    "and arguments within 24 hours changes nothing further and returns the first result.",
    minLength=1,
    maxLength=255,
)
COLOR = nullable(text("A colour such as #c03a2b, or null.", maxLength=7))
DUE = nullable(
    text(
        "When it is due: a date such as 2026-10-07, or a local date and time such as "
        "2026-10-07T09:00, without an offset or Z. Null: not due.",
        maxLength=19,
    )
)
FIELDS: Mapping[str, Schema] = {
    "title": text("What is to be done.", minLength=1, maxLength=255),
    "description": nullable(text("Notes; null for none.", maxLength=5000)),
    "list_id": nullable(
        text("The id of the list that it is in, from list_lists; null: the inbox.")
    ),
    "parent_id": nullable(text("The id of the task that it is a subtask of; null for none.")),
    "priority": whole("0 is none, 1 the highest, 9 the lowest.", 0, 9),
    "label_ids": array(
        text("A label's id, from list_labels."),
        "All labels that it has, by id. Not together with labels.",
        maxItems=50,
    ),
    "labels": array(
        text("A label's name.", minLength=1, maxLength=100),
        "All labels that it has, by name; a name that no label has becomes one.",
        maxItems=50,
    ),
    "due": DUE,
    "start": nullable(
        text("When it can begin, in the form of due and not after it.", maxLength=19)
    ),
    "time_zone": nullable(
        text(
            "The time zone of due and start, such as Europe/Madrid. Null, which is usual: that of "
            "the user, wherever they are. Needs a due with a time.",
            maxLength=64,
        )
    ),
    "recurrence": nullable(
        text(
            "How it recurs: one rule of RFC 5545 without RRULE:, such as FREQ=WEEKLY;BYDAY=MO or "
            "FREQ=MONTHLY;BYMONTHDAY=31. Needs a due. Null: not at all.",
            minLength=1,
            maxLength=255,
        )
    ),
    "recurrence_basis": {
        "type": "string",
        "enum": ["due", "due_strict", "completion"],
        "description": "What the next date is counted from: due (the next date of the rule that is "
        "not overdue), due_strict (the next one even if it is overdue), or completion (the day it "
        "was done).",
    },
    "reminders": array(
        {
            "type": "object",
            "properties": {
                "offset": text(
                    "A duration such as -PT30M or -P1D: that long before.", maxLength=32
                ),
                "relative_to": {"type": "string", "enum": ["due", "start"]},
                "at": text("An instant such as 2026-10-07T09:00:00Z.", maxLength=32),
                "snooze": flag("Of an instant: it is dropped when due changes."),
            },
        },
        "All reminders that it has, each with either an offset or at.",
        maxItems=10,
    ),
}
WANTED: Mapping[str, Schema] = {
    "filter": text(
        "A condition, such as: (overdue or due < +7d) and priority <= 4 and has label "
        '"home" and not list "Work". Words: and, or, not, brackets; overdue, completed; the fields '
        "title, due, start, priority, created, updated with = != < <= > >= and in (…); dates as "
        "2026-10-07, today, tomorrow, +7d, -2w, monday. Names are in double quotes.",
        minLength=1,
        maxLength=1000,
    ),
    "q": text(
        "Words that must all occur in the title or the description, in any case.",
        minLength=1,
        maxLength=200,
    ),
    "is_completed": flag("True: completed tasks only. False: open ones only."),
    "overdue": flag("True: open tasks whose due has passed. False: all others."),
    "list_id": text("Tasks of this list, by its id from list_lists; none: those of the inbox."),
    "parent_id": text("Subtasks of this task, by its id; none: tasks that are no subtasks."),
    "label": array(text("A label's id."), "Tasks that have all of these labels.", maxItems=50),
    "priority_min": whole("This priority or a lower one (a higher number).", 1, 9),
    "priority_max": whole("This priority or a higher one (a lower number).", 1, 9),
    "due_from": text("Due on this date or later; also an instant such as 2026-10-07T09:00:00Z."),
    "due_to": text("Due on this date or earlier; or before an instant."),
    "no_due": flag("True: tasks without a due. False: those with one."),
    "time_zone": text("The zone of dates in the arguments, instead of the user's.", maxLength=64),
    "sort": {
        "type": "string",
        "enum": list(SORTS),
        "default": "-created_at",
        "description": "The order; - means descending. Tasks without a due, or without a priority, "
        "come last.",
    },
}

# --- results ------------------------------------------------------------------------------------
# A field that is an argument as well is described there: a model reads every tool.

TEXT: Schema = {"type": "string"}
ITEM: Mapping[str, Schema] = {
    "id": TEXT,
    "owner_id": TEXT,
    "position": TEXT,
    "created_at": TEXT,
    "updated_at": TEXT,
    "version": {"type": "integer"},
}
TASK = result(
    **ITEM,
    title=TEXT,
    description=nullable(TEXT),
    is_completed={"type": "boolean"},
    completed_at=nullable(TEXT),
    list_id=nullable(TEXT),
    parent_id=nullable(TEXT),
    priority={"type": "integer"},
    label_ids={"type": "array", "items": TEXT},
    due=nullable(TEXT),
    start=nullable(TEXT),
    time_zone=nullable(TEXT),
    due_at=nullable(text("The instant from which it is overdue.")),
    recurrence=nullable(TEXT),
    recurrence_basis=TEXT,
    reminders={"type": "array", "items": {"type": "object"}},
)
LIST = result(
    **ITEM,
    title=TEXT,
    description=nullable(TEXT),
    color=nullable(TEXT),
    archived_at=nullable(text("Null unless it is archived, which hides its tasks.")),
)
LABEL = result(**ITEM, name=TEXT, color=nullable(TEXT))
DELETED = result(id=TEXT, version={"type": "integer"})
CHANGE = result(
    version={"type": "integer"},
    kind=text("What changed: task, list, label, filter or reminder."),
    action=text("What happened last, such as create, update, complete or delete."),
    at=TEXT,
    id=TEXT,
    deleted=flag("Whether it is in the trash."),
    item=nullable({"type": "object", "description": "The item as it is now; null in the trash."}),
)
NEXT_CURSOR = nullable(text("Send it as cursor to read the next page; null on the last one."))
OWNER_VERSION = whole("The number of the user's last change to anything.", 0, LARGEST_VERSION)


def page(name: str, items: Schema, **more: Schema) -> Schema:
    """A page of items."""
    listed = {name: array(items, "The page, in order.")}
    return result(**listed, next_cursor=NEXT_CURSOR, version=OWNER_VERSION, **more)
