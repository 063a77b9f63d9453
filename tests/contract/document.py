"""specs/openapi.yaml as the tests ask it: operations, references resolved, schemas compiled."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import jsonschema_rs
import orjson

from app.docs.routes import contract

METHODS = ("get", "put", "post", "delete", "patch")
PARAMETER = re.compile(r"\\\{\w+\\\}")

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """A method of a path, with everything that it takes and answers."""

    id: str
    method: str
    path: str
    parameters: tuple[Node, ...]
    request: Node | None
    responses: Node
    is_public: bool


@cache
def document() -> dict[str, Any]:
    """What /openapi.json serves."""
    return cast("dict[str, Any]", orjson.loads(contract()[0]))


def resolve(node: Node) -> Node:
    """What the node refers to, or the node."""
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
    assert len(by_id) == len(found), "an operationId is there twice"
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
    )


@cache
def general_responses() -> Node:
    """Answers that belong to no operation, by status."""
    return {key: resolve(node) for key, node in document()["x-general-responses"].items()}


def find_path(path: str) -> str | None:
    """The template that the path is an instance of; a concrete one wins."""
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
    """The operation of that method there; HEAD is GET."""
    wanted = ("GET" if method == "HEAD" else method, template)
    return next(
        (each for each in operations().values() if (each.method, each.path) == wanted), None
    )


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    """Checks against the answers' schema of that name, in which nothing undocumented may be."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": _closed_schemas()}}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


@cache
def _closed_schemas() -> Any:
    """The schemas, those that clients must expect to grow closed to what is not described."""
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
