"""Breaking changes between two versions of an OpenAPI document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "patch")
# Responses may get new properties, and requests wider limits: both are compatible.
LOWER_BOUNDS = {"minLength", "minimum", "minItems", "minProperties"}
UPPER_BOUNDS = {"maxLength", "maximum", "maxItems", "maxProperties"}


@dataclass(frozen=True)
class Document:
    """An OpenAPI document whose references are resolved on demand."""

    root: Node

    def resolve(self, node: Node) -> Node:
        """The target of the node's `$ref`, or the node itself."""
        while "$ref" in node:
            target: Any = self.root
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node

    def operations(self) -> dict[str, Node]:
        """Operations by `METHOD path`, each with the parameters of its path."""
        return {
            f"{method.upper()} {path}": {
                **item[method],
                "parameters": self._parameters(item, item[method]),
                "security": item[method].get("security", self.root.get("security")),
            }
            for path, item in self.root["paths"].items()
            for method in METHODS
            if method in item
        }

    def _parameters(self, *nodes: Node) -> dict[str, Node]:
        given = [self.resolve(each) for node in nodes for each in node.get("parameters", ())]
        return {f"{each['in']} parameter {each['name']}": each for each in given}


def breaking_changes(older: Node, newer: Node) -> list[str]:
    """A sentence for each change that can break a client of the older document, sorted."""
    before, after = Document(older), Document(newer)
    known, present = before.operations(), after.operations()
    found = [f"{name} is gone" for name in known if name not in present]
    for name in known.keys() & present.keys():
        changes = _operation(before, known[name], after, present[name])
        found += [f"{name}: {change}" for change in changes]
    return sorted(found)


def _operation(before: Document, old: Node, after: Document, new: Node) -> Iterator[str]:
    if old["operationId"] != new["operationId"]:
        yield f"its operationId is no longer {old['operationId']}"
    if old["security"] == [] and new["security"] != []:
        yield "it needs a token"
    yield from _parameters(before, old["parameters"], after, new["parameters"])
    yield from _request(before, old.get("requestBody"), after, new.get("requestBody"))
    yield from _responses(before, old["responses"], after, new["responses"])


def _parameters(before: Document, old: Node, after: Document, new: Node) -> Iterator[str]:
    for name, parameter in new.items():
        was = old.get(name)
        if parameter.get("required") and not (was and was.get("required")):
            yield f"{name} is required"
    for name, parameter in old.items():
        if name not in new:
            yield f"{name} is gone"
        else:
            yield from _request_schema(
                before, parameter["schema"], after, new[name]["schema"], name
            )


def _request(
    before: Document, old: Node | None, after: Document, new: Node | None
) -> Iterator[str]:
    was, now = before.resolve(old or {}), after.resolve(new or {})
    if now.get("required") and not was.get("required"):
        yield "the body is required"
    for media, content in was.get("content", {}).items():
        if media not in now.get("content", {}):
            yield f"it takes no {media}"
        else:
            yield from _request_schema(
                before, content["schema"], after, now["content"][media]["schema"], "body"
            )


def _responses(before: Document, old: Node, after: Document, new: Node) -> Iterator[str]:
    for status, node in old.items():
        if status in new:
            was, now = before.resolve(node), after.resolve(new[status])
            yield from _response(before, was, after, now, f"its {status}")
        elif status < "400":
            yield f"it does not answer {status}"


def _response(before: Document, was: Node, after: Document, now: Node, place: str) -> Iterator[str]:
    lost = was.get("headers", {}).keys() - now.get("headers", {}).keys()
    yield from (f"{place} has no {header}" for header in lost)
    present = now.get("content", {})
    for media, content in was.get("content", {}).items():
        if media not in present:
            yield f"{place} is not {media}"
        elif "schema" in content:
            yield from _response_schema(
                before, content["schema"], after, present[media]["schema"], place
            )


def _types(schema: Node) -> set[str]:
    kind = schema.get("type", [])
    return {kind} if isinstance(kind, str) else set(kind)


def _request_schema(
    before: Document, old: Node, after: Document, new: Node, place: str
) -> Iterator[str]:
    """Values that clients could send and that the newer schema refuses."""
    was, now = before.resolve(old), after.resolve(new)
    if _types(now) and not _types(was) <= _types(now):
        yield f"{place} is no longer {' or '.join(sorted(_types(was)))}"
    yield from _limits(was, now, place)
    required = set(now.get("required", ())) - set(was.get("required", ()))
    yield from (f"{place}.{name} is required" for name in sorted(required))
    for name, schema in was.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{place}.{name} is gone"
        else:
            yield from _request_schema(
                before, schema, after, now["properties"][name], f"{place}.{name}"
            )
    if "items" in was and "items" in now:
        yield from _request_schema(before, was["items"], after, now["items"], f"{place}[]")
    yield from _variants(before, was, after, now, place)


def _mapping(schema: Node) -> Mapping[str, str]:
    """References to the variants of a schema, by the discriminator's value or their own name."""
    if "discriminator" in schema:
        return dict(schema["discriminator"]["mapping"])
    references = [each["$ref"] for each in schema.get("oneOf", ()) if "$ref" in each]
    return {reference.rpartition("/")[2]: reference for reference in references}


def _variants(before: Document, was: Node, after: Document, now: Node, place: str) -> Iterator[str]:
    present = _mapping(now)
    for name, reference in _mapping(was).items():
        if name not in present:
            yield f"{place} {name} is gone"
        else:
            there = {"$ref": present[name]}
            yield from _request_schema(before, {"$ref": reference}, after, there, f"{place} {name}")


def _limits(was: Node, now: Node, place: str) -> Iterator[str]:
    for keyword in LOWER_BOUNDS & now.keys():
        if now[keyword] > was.get(keyword, 0):
            yield f"{place} has a greater {keyword}"
    for keyword in UPPER_BOUNDS & now.keys():
        if keyword not in was or now[keyword] < was[keyword]:
            yield f"{place} has a smaller {keyword}"
    for keyword in {"pattern", "format", "const"} & now.keys():
        if now[keyword] != was.get(keyword):
            yield f"{place} has another {keyword}"
    if "enum" in now:
        lost = set(was.get("enum", [...])) - set(now["enum"])
        yield from (f"{place} can no longer be {value}" for value in sorted(map(str, lost)))


def _response_schema(
    before: Document, old: Node, after: Document, new: Node, place: str
) -> Iterator[str]:
    """Values that responses had, and that the newer schema leaves out or gives another type."""
    was, now = before.resolve(old), after.resolve(new)
    if _types(was) and not _types(now) <= _types(was):
        yield f"{place} is no longer only {' or '.join(sorted(_types(was)))}"
    for name, schema in was.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{place}.{name} is gone"
            continue
        if name in was.get("required", ()) and name not in now.get("required", ()):
            yield f"{place}.{name} may be left out"
        yield from _response_schema(
            before, schema, after, now["properties"][name], f"{place}.{name}"
        )
    if "items" in was and "items" in now:
        yield from _response_schema(before, was["items"], after, now["items"], f"{place}[]")
    for keyword in ("oneOf", "anyOf"):
        pairs = zip(was.get(keyword, ()), now.get(keyword, ()), strict=False)
        for each, other in pairs:
            yield from _response_schema(before, each, after, other, place)
