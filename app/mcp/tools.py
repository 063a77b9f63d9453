"""The tools: what an assistant may do, each by the repository function behind a route.

Names, descriptions and schemas are for a model that has never seen the product. Nothing of any
user's data is in them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import Schema

from app import zones
from app.auth.repository import get_clock
from app.auth.scopes import OPERATIONS, TASKS_READ, suffice
from app.errors import ValidationFailed
from app.http.cursors import cursor, read_cursor
from app.http.fields import load
from app.http.request import current_request, origin, owner_id
from app.idempotency.repository import WriteResponse, once
from app.idempotency.responses import key_of
from app.labels import repository as labels
from app.ledger import repository as ledger
from app.ledger import sync_token
from app.ledger.kinds import Operation
from app.ledger.repository import Terms
from app.ledger.sync_token import START
from app.lists import repository as lists
from app.lists.kind import LIST
from app.mcp import json_schemas as described
from app.mcp.schemas import (
    CHANGES_SINCE,
    COMPLETE_TASK,
    GET_TASK,
    LIST_LABELS,
    LIST_LISTS,
    LIST_TASKS,
    ONCE,
    UPDATE_TASK,
)
from app.search.repository import search
from app.search.wanted import wanted
from app.tasks import repository as tasks
from app.tasks.kind import TASK
from app.values import Identity, Page

Arguments = Mapping[str, Any]
Call = Callable[[str, Arguments], bytes]  # the tool's name, and what it was called with


@dataclass(frozen=True)
class Tool:
    """A tool; its scope is that of the route that does the same, named by its endpoint."""

    name: str
    title: str
    operation: str
    description: str
    call: Call
    input_schema: described.Schema
    output_schema: described.Schema
    is_destructive: bool = False  # what was there before is replaced
    is_idempotent: bool = True  # a second call changes nothing further

    def is_open_to(self, caller: Identity) -> bool:
        """Whether the caller may use it."""
        return caller.scopes is None or suffice(caller.scopes, OPERATIONS[self.operation])

    def description_for_clients(self) -> dict[str, Any]:
        """The tool as tools/list shows it."""
        only_reads = OPERATIONS[self.operation] == TASKS_READ
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input_schema,
            "outputSchema": self.output_schema,
            "annotations": {
                "title": self.title,
                "readOnlyHint": only_reads,
                "destructiveHint": self.is_destructive,
                "idempotentHint": self.is_idempotent,
                "openWorldHint": False,
            },
        }


def _loaded(*given: tuple[Schema, Arguments]) -> list[dict[str, Any]]:
    """Arguments as schemas load them, each its own; all broken ones are one ValidationFailed."""
    loaded = [load(schema, values) for schema, values in given]
    broken = [detail for _, details in loaded for detail in details]
    if broken:
        raise ValidationFailed(details=broken)
    return [fields for fields, _ in loaded]


# --- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _List:
    """What a page is of: its cursors are good for the same tool and arguments only."""

    parameters: bytes
    limit: int
    position: list[Any] | None

    def page(self, name: str, found: Page, **more: Any) -> bytes:
        """The page as JSON, its items under that name."""
        beyond = found.next_position
        return orjson.dumps(
            {
                name: orjson.Fragment(found.items),
                "next_cursor": None if beyond is None else cursor(beyond, self.parameters),
                "version": found.version,
                **more,
            }
        )


def _list_of(name: str, given: Arguments, query: Arguments) -> _List:
    others = {key: value for key, value in given.items() if key not in ("limit", "cursor")}
    parameters = json.dumps([name, others], sort_keys=True).encode()
    text = query["cursor"]
    position = None if text is None else read_cursor(text, parameters)
    return _List(parameters, query["limit"], position)


def _list_tasks(name: str, given: Arguments) -> bytes:
    (query,) = _loaded((LIST_TASKS, given))
    listed, owner = _list_of(name, given, query), owner_id()
    found = search(
        owner,
        wanted(owner, query),
        sort=query["sort"],
        position=listed.position,
        limit=listed.limit,
        known_tags=(),
    )
    zone_name = query["time_zone"] or get_clock(owner).time_zone
    today = zones.local_date(datetime.now(UTC), zone_name).isoformat()
    return listed.page("tasks", found, today=today, time_zone=zone_name)


def _get_task(_name: str, given: Arguments) -> bytes:
    (target,) = _loaded((GET_TASK, given))
    return tasks.get(owner_id(), target["id"]).json


def _list_lists(name: str, given: Arguments) -> bytes:
    (query,) = _loaded((LIST_LISTS, given))
    listed = _list_of(name, given, query)
    found = lists.search(
        owner_id(),
        position=listed.position,
        limit=listed.limit,
        is_archived=query["archived"],
        known_tags=(),
    )
    return listed.page("lists", found)


def _list_labels(name: str, given: Arguments) -> bytes:
    (query,) = _loaded((LIST_LABELS, given))
    listed = _list_of(name, given, query)
    found = labels.search(owner_id(), position=listed.position, limit=listed.limit, known_tags=())
    return listed.page("labels", found)


def _changes_since(_name: str, given: Arguments) -> bytes:
    (query,) = _loaded((CHANGES_SINCE, given))
    owner, since = owner_id(), query["since"]
    feed = ledger.changes(
        owner,
        list(current_request().app.extensions["kinds"]),
        since=START if since is None else sync_token.decode(owner, "", since),
        limit=query["limit"],
        known_tags=(),
    )
    return orjson.dumps(
        {
            "changes": orjson.Fragment(feed.entries),
            "sync_token": sync_token.encode(owner, "", feed.position),
            "has_more": feed.has_more,
            "version": feed.version,
        }
    )


# --- writing ------------------------------------------------------------------------------------


def _changing(operation: Operation, schema: Schema | None = None) -> Call:
    """The call of a tool that makes a change, once per idempotency_key."""
    of_change = schema or operation.schema

    def call(name: str, given: Arguments) -> bytes:
        rest = {key: value for key, value in given.items() if key not in ONCE.fields}
        key = {key: value for key, value in given.items() if key in ONCE.fields}
        fields, once_more = _loaded((of_change, rest), (ONCE, key))
        version = fields.pop("if_version", None)
        terms = Terms(owner_id(), None if version is None else [version], origin())
        change = operation.change.prepare(fields)

        def write() -> WriteResponse:
            item = ledger.change(change, terms)
            return WriteResponse(200, item.json, str(item.version))

        text = once_more["idempotency_key"]
        request = name.encode(), json.dumps(rest, sort_keys=True).encode()
        used = None if text is None else key_of(text, b"mcp", *request)
        return once(terms.owner_id, used, write).data

    return call


# --- the table ----------------------------------------------------------------------------------

_FIELDS = described.FIELDS
_WRITE = {"idempotency_key": described.IDEMPOTENCY_KEY}
_TARGET = {"id": described.TASK_ID, "if_version": described.IF_VERSION, **_WRITE}
_PAGED = {"limit": described.LIMIT, "cursor": described.CURSOR}

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "list_tasks",
            "List tasks",
            "tasks.list_tasks",
            "Finds the user's tasks: all of them, or those that meet every argument given. For "
            "what is overdue say overdue=true; for open tasks of a list called Home, filter='list "
            '"Home" and not completed\'. Returns a page: while next_cursor is not null there are '
            "more. It also returns today, the current date where the user is, to count dates from.",
            _list_tasks,
            described.arguments(**described.WANTED, **_PAGED),
            described.page(
                "tasks",
                described.TASK,
                today=described.text("The current date where the user is."),
                time_zone=described.text("The user's time zone, which today is of."),
            ),
        ),
        Tool(
            "get_task",
            "Read a task",
            "tasks.get_task",
            "Reads one task by its id, with its present version.",
            _get_task,
            described.arguments("id", id=described.TASK_ID),
            described.TASK,
        ),
        Tool(
            "create_task",
            "Create a task",
            "tasks.create_task",
            "Adds a task. Only title is required; without list_id it is in the inbox. Labels may "
            "be given by name. Returns the task with its id.",
            _changing(TASK.operations["create"]),
            described.arguments("title", **_FIELDS, **_WRITE),
            described.TASK,
            is_idempotent=False,
        ),
        Tool(
            "update_task",
            "Change a task",
            "tasks.update_task",
            "Changes the fields of a task that are given, such as due or title; all others stay as "
            "they are, and null clears one. label_ids, labels and reminders replace the whole "
            "set. To complete a task use complete_task. Moving due of a recurring task changes "
            "only its next date, not its rule.",
            _changing(TASK.operations["update"], UPDATE_TASK),
            described.arguments("id", **_TARGET, **_FIELDS),
            described.TASK,
            is_destructive=True,
        ),
        Tool(
            "complete_task",
            "Complete or reopen a task",
            "tasks.complete_task",
            "Marks a task as done, or as open again with is_completed=false. A recurring task "
            "needs occurrence, the due that was done: it then moves to its next date and stays "
            "open. Subtasks are completed with their parent. A repeated call changes nothing.",
            _changing(TASK.operations["complete"], COMPLETE_TASK),
            described.arguments(
                "id",
                **_TARGET,
                is_completed=described.flag("False reopens it.", default=True),
                occurrence=described.text(
                    "Of a task with a recurrence: its due, exactly as list_tasks returned it.",
                    maxLength=19,
                ),
            ),
            described.TASK,
        ),
        Tool(
            "delete_task",
            "Delete a task",
            "tasks.delete_task",
            "Puts a task with its subtasks into the trash, from which restore_task takes it back. "
            "To mark it as done use complete_task instead.",
            _changing(TASK.operations["delete"]),
            described.arguments("id", **_TARGET),
            described.DELETED,
            is_destructive=True,
        ),
        Tool(
            "restore_task",
            "Restore a task",
            "tasks.restore_task",
            "Takes a task out of the trash, with the subtasks that were deleted with it.",
            _changing(TASK.operations["restore"]),
            described.arguments("id", **_TARGET),
            described.TASK,
        ),
        Tool(
            "move_task",
            "Move a task",
            "tasks.move_task",
            "Gives a task another place in the order by hand, in another list, or below another "
            "parent. Give one of after and before: after=null is the first place, before=null the "
            "last one. list_id or parent_id only where they change. It does not change dates: for "
            "those use update_task.",
            _changing(TASK.operations["move"]),
            described.arguments(
                "id",
                **_TARGET,
                after=described.NEIGHBOUR,
                before=described.NEIGHBOUR,
                list_id=_FIELDS["list_id"],
                parent_id=_FIELDS["parent_id"],
            ),
            described.TASK,
        ),
        Tool(
            "list_lists",
            "List lists",
            "lists.list_lists",
            "Lists the user's lists with their ids, in their order. Tasks without a list are in "
            "the inbox, which is not among them. The tasks of a list: list_tasks with list_id.",
            _list_lists,
            described.arguments(
                archived=described.flag("True: archived lists only. False: all others only."),
                **_PAGED,
            ),
            described.page("lists", described.LIST),
        ),
        Tool(
            "create_list",
            "Create a list",
            "lists.create_list",
            "Adds a list. Several lists may have the same title: look with list_lists first.",
            _changing(LIST.operations["create"]),
            described.arguments(
                "title",
                title=described.text("What it is called.", minLength=1, maxLength=255),
                description=_FIELDS["description"],
                color=described.COLOR,
                **_WRITE,
            ),
            described.LIST,
            is_idempotent=False,
        ),
        Tool(
            "list_labels",
            "List labels",
            "labels.list_labels",
            "Lists the user's labels with their ids, in their order. Tasks name their labels by "
            "these ids.",
            _list_labels,
            described.arguments(**_PAGED),
            described.page("labels", described.LABEL),
        ),
        Tool(
            "changes_since",
            "Read changes",
            "kinds.list_changes",
            "Reads what has changed since the last time, each item once in its newest state, in "
            "the order of changes. Keep sync_token and send it as since the next time; while "
            "has_more is true, call again at once. Without since it begins with everything.",
            _changes_since,
            described.arguments(
                since=described.text("sync_token of the call before.", minLength=1, maxLength=4096),
                limit=described.LIMIT,
            ),
            described.result(
                changes=described.array(described.CHANGE, "The changes, the oldest first."),
                sync_token=described.text("Where to go on; keep it."),
                has_more=described.flag("Whether there are more already."),
                version=described.OWNER_VERSION,
            ),
        ),
    )
}
