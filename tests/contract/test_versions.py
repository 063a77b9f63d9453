"""Breaking changes of the contract since the last release are in the CHANGELOG."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.system.docs import CONTRACT
from tests.support import openapi
from tests.support.openapi_diff import breaking_changes

CHANGELOG = CONTRACT.parent.parent / "CHANGELOG.md"
SUCCESSES = range(200, 300)


def version(file: Path) -> tuple[int, ...]:
    """The version in the file name, as numbers."""
    return tuple(int(part) for part in file.stem.split("."))


RELEASES = sorted((CONTRACT.parent / "released").glob("*.yaml"), key=version)


@pytest.mark.proves("DOC-13")
@pytest.mark.parametrize("release", RELEASES[-1:], ids=lambda file: file.stem)
def test_breaking_changes_since_the_last_release_are_in_the_changelog(release: Path) -> None:
    changes = breaking_changes(yaml.safe_load(release.read_text()), openapi.document())
    named = re.sub(r"\s+", " ", CHANGELOG.read_text().replace("`", ""))
    assert [change for change in changes if change not in named] == []


@pytest.mark.proves("DOC-13")
@pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.stem)
def test_a_released_contract_has_the_version_in_its_file_name(release: Path) -> None:
    assert yaml.safe_load(release.read_text())["info"]["version"] == release.stem


@pytest.mark.proves("DOC-13")
def test_a_deprecated_operation_has_deprecation_and_sunset_headers() -> None:
    for path, item in openapi.document()["paths"].items():
        for method, node in item.items():
            if method == "parameters" or not node.get("deprecated"):
                continue
            operation = openapi.find_operation(method.upper(), path)
            assert operation is not None
            for status, response in operation.responses.items():
                if int(status) in SUCCESSES:
                    assert response["headers"].keys() >= {"Deprecation", "Sunset"}, path


Edit = Callable[[Any], object]
OWNER = "/api/{user_id}"
BATCH = f"{OWNER}/batch: body.operations[]"
TASKS, TASK = f"{OWNER}/tasks", f"{OWNER}/tasks/{{task_id}}"


def schema(name: str) -> Callable[[Any], Any]:
    """A function that returns the component schema of that name."""
    return lambda root: root["components"]["schemas"][name]


BREAKING: dict[str, Edit] = {
    f"GET {TASK} is gone": lambda root: root["paths"][TASK].pop("get"),
    f"GET {TASK}: its operationId is no longer getTask": lambda root: root["paths"][TASK][
        "get"
    ].update(operationId="readTask"),
    "POST /api/auth/login: it needs a token": lambda root: root["paths"]["/api/auth/login"][
        "post"
    ].pop("security"),
    f"GET {TASKS}: query parameter q is gone": lambda root: root["paths"][TASKS]["get"][
        "parameters"
    ].remove({"$ref": "#/components/parameters/Words"}),
    f"GET {TASKS}: query parameter q is required": lambda root: root["components"]["parameters"][
        "Words"
    ].update(required=True),
    f"GET {TASKS}: query parameter limit has a smaller maximum": lambda root: root["components"][
        "parameters"
    ]["Limit"]["schema"].update(maximum=100),
    f"GET {TASKS}: query parameter sort can no longer be title": lambda root: schema("SortChoice")(
        root
    )["enum"].remove("title"),
    f"PATCH {TASK}/complete: the body is required": lambda root: root["paths"][f"{TASK}/complete"][
        "patch"
    ]["requestBody"].update(required=True),
    f"POST {TASKS}: it takes no application/json": lambda root: root["paths"][TASKS]["post"][
        "requestBody"
    ].update(content={}),
    f"POST {TASKS}: body.title has a smaller maxLength": lambda root: schema("Title")(root).update(
        maxLength=80
    ),
    f"POST {TASKS}: body.description is required": lambda root: schema("NewTask")(root).update(
        required=["title", "description"]
    ),
    f"POST {TASKS}: body.description is gone": lambda root: schema("NewTask")(root)[
        "properties"
    ].pop("description"),
    f"POST {TASKS}: body.description is no longer null or string": lambda root: schema(
        "Description"
    )(root).update(type="string"),
    f"POST {BATCH} ListOperation is gone": lambda root: schema("BatchOperation")(root)["oneOf"].pop(
        1
    ),
    f"POST {BATCH} ListOperation archive is gone": lambda root: schema("ListOperation")(root)[
        "discriminator"
    ]["mapping"].pop("archive"),
    f"POST {BATCH} TaskOperation delete.id has another pattern": lambda root: schema("IdOrRef")(
        root
    ).update(pattern="^x$"),
    f"GET {TASK}: its 200.data.version is gone": lambda root: schema("Task")(root)[
        "properties"
    ].pop("version"),
    f"GET {TASKS}: its 200.data[].version may be left out": lambda root: schema("Task")(root)[
        "required"
    ].remove("version"),
    f"GET {TASK}: its 200.data.title is no longer only string": lambda root: schema("Title")(
        root
    ).update(type=["string", "null"]),
    f"GET {TASK}: it does not answer 304": lambda root: root["paths"][TASK]["get"]["responses"].pop(
        "304"
    ),
    f"GET {TASK}: its 200 has no ETag": lambda root: root["paths"][TASK]["get"]["responses"]["200"][
        "headers"
    ].pop("ETag"),
    f"GET {OWNER}/export: its 200 is not text/csv": lambda root: root["paths"][f"{OWNER}/export"][
        "get"
    ]["responses"]["200"]["content"].pop("text/csv"),
}

COMPATIBLE: dict[str, Edit] = {
    "a new field in answers": lambda root: schema("Task")(root)["properties"].update(
        due_at={"type": "string"}
    ),
    "a new field that may be sent": lambda root: schema("NewTask")(root)["properties"].update(
        due_at={"type": "string"}
    ),
    "a wider limit": lambda root: schema("Title")(root).update(maxLength=500),
    "a new error code": lambda root: schema("ErrorCode")(root)["enum"].append("NEW"),
    "a new parameter": lambda root: root["paths"][TASKS]["get"]["parameters"].append(
        {"name": "due", "in": "query", "schema": {"type": "string"}}
    ),
    "a new route": lambda root: root["paths"].update({"/new": root["paths"]["/livez"]}),
    "an error that does not happen any more": lambda root: root["paths"][TASK]["get"][
        "responses"
    ].pop("431"),
    "another description": lambda root: root["info"].update(description="..."),
}


@pytest.mark.proves("DOC-13")
@pytest.mark.parametrize("sentence", BREAKING)
def test_a_breaking_change_is_reported(sentence: str) -> None:
    changed = deepcopy(openapi.document())
    BREAKING[sentence](changed)
    assert sentence in breaking_changes(openapi.document(), changed)


@pytest.mark.proves("DOC-13")
@pytest.mark.parametrize("change", COMPATIBLE)
def test_a_compatible_change_is_not_reported(change: str) -> None:
    changed = deepcopy(openapi.document())
    COMPATIBLE[change](changed)
    assert changed != openapi.document()
    assert breaking_changes(openapi.document(), changed) == []
