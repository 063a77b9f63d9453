"""specs/openapi.yaml: its operations with references resolved, and compiled JSON Schemas."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import jsonschema_rs
import orjson

from app.system.docs import contract

METHODS = ("get", "put", "post", "delete", "patch")
PARAMETER = re.compile(r"\\\{\w+\\\}")

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """A method of a path with its parameters, request body and responses."""

    id: str
    method: str
    path: str
    parameters: tuple[Node, ...]
    request: Node | None
    responses: Node
    is_public: bool
    scopes: tuple[str, ...]  # of an API token; none: API tokens may not do it


@cache
def document() -> dict[str, Any]:
    """The document as /openapi.json serves it."""
    return cast("dict[str, Any]", orjson.loads(contract()[0]))


def resolve(node: Node) -> Node:
    """The target of the node's `$ref`, or the node itself."""
    while "$ref" in node:
        target: Any = document()
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        node = target
    return node


@cache
def operations() -> Mapping[str, Operation]:
    """Every operation by its operationId."""
    found = [
        _operation(path, item, method)
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    ]
    by_id = {operation.id: operation for operation in found}
    assert len(by_id) == len(found), "an operationId is not unique"
    return by_id


def _operation(path: str, item: Node, method: str) -> Operation:
    node = item[method]
    given = [*item.get("parameters", ()), *node.get("parameters", ())]
    return Operation(
        id=node["operationId"],
        method=method.upper(),
        path=path,
        parameters=tuple(resolve(each) for each in given),
        request=resolve(node["requestBody"]) if "requestBody" in node else None,
        responses={status: resolve(each) for status, each in node["responses"].items()},
        is_public=node.get("security") == [],
        scopes=tuple(
            scope for each in node.get("security", ()) for scope in each.get("apiToken", ())
        ),
    )


@cache
def general_responses() -> Node:
    """The responses that belong to no operation, by status."""
    return {key: resolve(node) for key, node in document()["x-general-responses"].items()}


def find_path(path: str) -> str | None:
    """The template that matches the path, one without parameters first; None without a match."""
    return next((template for pattern, template in _templates() if pattern.fullmatch(path)), None)


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    templates = sorted(document()["paths"], key=lambda path: ("{" in path, path.count("{"), path))
    return [
        (re.compile(PARAMETER.sub("[^/]+", re.escape(template))), template)
        for template in templates
    ]


@cache
def find_operation(method: str, template: str) -> Operation | None:
    """The operation of that method and path, or None; HEAD is GET."""
    wanted = ("GET" if method == "HEAD" else method, template)
    return next(
        (each for each in operations().values() if (each.method, each.path) == wanted), None
    )


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """A validator of the response schema of that name, which refuses undocumented properties."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": _closed_schemas()}}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@cache
def _closed_schemas() -> Any:
    """All schemas; an object without `additionalProperties` accepts no additional ones here."""
    schemas = deepcopy(document()["components"]["schemas"])
    for node in nodes(schemas):
        if node.get("type") == "object" and "properties" in node:
            node.setdefault("additionalProperties", False)
    return schemas


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in the tree."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for child in tree:
            yield from nodes(child)
