"""The JSON Schemas of the tools agree with the contract, and with what checks each call."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest
from marshmallow import Schema

from app.ledger.schemas import PAGE_QUERY, TARGET
from app.lists.kind import LIST
from app.lists.schemas import LIST_QUERY as LISTS_QUERY
from app.mcp import schemas
from app.mcp.tools import TOOLS
from app.search.schemas import LIST_QUERY as TASKS_QUERY
from app.tasks.kind import TASK
from tests.support import openapi
from tests.support.openapi import Node

pytestmark = pytest.mark.proves("MCP-17")

KEYWORDS = (
    *("type", "enum", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
    "default",
)
# The schemas in the contract that have the arguments of a tool.
BODIES = {
    "create_task": ("NewTask",),
    "update_task": ("BatchUpdateTask",),
    "complete_task": ("BatchCompleteTask",),
    "delete_task": ("BatchDeleteTask",),
    "restore_task": ("BatchRestoreTask",),
    "move_task": ("BatchMoveTask",),
    "create_list": ("NewList",),
}
QUERIES = {
    "list_tasks": "listTasks",
    "list_lists": "listLists",
    "list_labels": "listLabels",
    "changes_since": "listChanges",
}
RESULTS = {
    "list_tasks": ("tasks", "Task"),
    "list_lists": ("lists", "TaskList"),
    "list_labels": ("labels", "Label"),
    "get_task": (None, "Task"),
    "create_task": (None, "Task"),
    "update_task": (None, "Task"),
    "complete_task": (None, "Task"),
    "restore_task": (None, "Task"),
    "move_task": (None, "Task"),
    "delete_task": (None, "Deletion"),
    "create_list": (None, "TaskList"),
}
# What loads the arguments of a tool.
LOADERS: Mapping[str, Schema] = {
    "list_tasks": schemas.LIST_TASKS,
    "get_task": schemas.GET_TASK,
    "create_task": TASK.operations["create"].schema,
    "update_task": schemas.UPDATE_TASK,
    "complete_task": schemas.COMPLETE_TASK,
    "delete_task": TARGET,
    "restore_task": TARGET,
    "move_task": TASK.operations["move"].schema,
    "list_lists": schemas.LIST_LISTS,
    "create_list": LIST.operations["create"].schema,
    "list_labels": schemas.LIST_LABELS,
    "changes_since": schemas.CHANGES_SINCE,
}


def merged(node: Node) -> dict[str, Any]:
    """The node with the keywords of what it refers to."""
    found = dict(node)
    while "$ref" in found:
        reference = {"$ref": found.pop("$ref")}
        found = {**openapi.resolve(reference), **found}
    return found


def keywords(node: Node) -> dict[str, Any]:
    """What a schema says of values, apart from patterns and words."""
    whole = merged(node)
    types: list[Any] = []
    for form in [whole, *map(merged, whole.get("oneOf", ()))]:
        given = form.get("type", [])
        types += [given] if isinstance(given, str) else given
    found = {name: whole[name] for name in KEYWORDS if name in whole}
    found["type"] = {*types}
    if "enum" in found:
        found["enum"] = {*found["enum"]}
    return found


def described(name: str) -> dict[str, Node]:
    """The arguments of a tool in the contract."""
    if name in QUERIES:
        parameters = openapi.operations()[QUERIES[name]].parameters
        return {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
    named = openapi.document()["components"]["schemas"]
    found = {key: each for body in BODIES[name] for key, each in named[body]["properties"].items()}
    return {key: each for key, each in found.items() if key not in ("op", "kind", "ref")}


def compared() -> Iterator[tuple[str, str]]:
    """Each argument of each tool."""
    for name, tool in TOOLS.items():
        for argument in tool.input_schema["properties"]:
            yield name, argument


@pytest.mark.parametrize("name", [*BODIES, *QUERIES])
def test_a_tool_has_the_arguments_of_its_route(name: str) -> None:
    given = set(TOOLS[name].input_schema["properties"])
    own = {"idempotency_key"} if name in BODIES else set()
    missing = {"update_task": {"is_completed"}, "changes_since": {"kind"}}.get(name, set())
    assert given - own == described(name).keys() - missing


@pytest.mark.parametrize(("name", "argument"), [*compared()])
def test_an_argument_has_the_type_and_limits_of_the_contract(name: str, argument: str) -> None:
    node = TOOLS[name].input_schema["properties"][argument]
    if argument == "idempotency_key":
        parameter = openapi.document()["components"]["parameters"]["IdempotencyKey"]
        assert keywords(node) == keywords(parameter["schema"])
        return
    if name == "get_task":
        assert keywords(node) == keywords(TOOLS["update_task"].input_schema["properties"]["id"])
        return
    ours, theirs = keywords(node), keywords(described(name)[argument])
    formal = {"minLength", "maxLength"} - ours.keys()  # of ids and dates: follow from their form
    for keyword in (ours.keys() | theirs.keys()) - {"type", "default"} - formal:
        assert ours.get(keyword) == theirs.get(keyword), keyword
    assert ours["type"] == theirs["type"] or theirs["type"] == set()


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_takes_what_it_describes(name: str) -> None:
    tool, loader = TOOLS[name].input_schema, LOADERS[name].fields
    assert tool["properties"].keys() - schemas.ONCE.fields.keys() == loader.keys()
    assert {*tool["required"]} == {key for key, each in loader.items() if each.required}
    for key, node in tool["properties"].items():
        if "default" in node:
            assert node["default"] == loader[key].load_default


def test_what_a_list_takes_is_what_its_route_takes() -> None:
    for ours, theirs in (
        (schemas.LIST_TASKS, TASKS_QUERY),
        (schemas.LIST_LISTS, LISTS_QUERY),
        (schemas.LIST_LABELS, PAGE_QUERY),
    ):
        assert ours.fields.keys() == theirs.fields.keys()
        for name, field in theirs.fields.items():
            default = ours.fields[name].load_default
            assert default == field.load_default, name


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_the_fields_of_the_contract(name: str) -> None:
    inside, component = RESULTS[name]
    output = TOOLS[name].output_schema
    item = output if inside is None else output["properties"][inside]["items"]
    theirs = openapi.document()["components"]["schemas"][component]["properties"]
    assert item["properties"].keys() == theirs.keys()
    assert {*item["required"]} == theirs.keys()
    for key, node in item["properties"].items():
        assert keywords(node)["type"] == keywords(theirs[key])["type"], key


def test_every_tool_is_compared() -> None:
    assert [*LOADERS] == [*TOOLS]
    assert {*BODIES, *QUERIES, "get_task"} == TOOLS.keys()
    assert {*RESULTS, "changes_since"} == TOOLS.keys()


@pytest.mark.parametrize("name", TOOLS)
def test_a_schema_is_valid_and_says_what_everything_means(name: str) -> None:
    tool = TOOLS[name]
    for schema in (tool.input_schema, tool.output_schema):
        jsonschema_rs.meta.validate(dict(schema))
        assert schema["type"] == "object"
    assert tool.input_schema["additionalProperties"] is False
    for argument, node in tool.input_schema["properties"].items():
        assert node["description"], argument
    assert 40 < len(tool.description) < 500


def test_what_a_model_reads_of_all_tools_is_short() -> None:
    """Four characters are about a token."""
    read = [(each.name, each.description, each.input_schema) for each in TOOLS.values()]
    assert len(json.dumps(read)) < 18_000
