"""The import contracts of pyproject.toml, and the tree as CONTRIBUTING.md and README.md show it."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import generated_docs
from tests.support.generated_docs import SPECS, is_up_to_date
from tests.support.server import ROOT

APP = ROOT / "app"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
README = ROOT / "README.md"
HINT = "run: make specs"
WIDTH = 60  # characters of the drawing

# Per contract an import that breaks it: the file that gets it, and the line.
VIOLATIONS = {
    "layers": ("auth/schemas.py", "from app.tasks import schemas"),
    "serving": ("serving/http1.py", "from app.ratelimit import limits"),
    "repositories": ("tasks/page_cache.py", "import flask"),
    "routes": ("tasks/routes.py", "import psycopg"),
    "foundations": ("db/deadline.py", "import flask"),
    "gunicorn": ("http/proxy.py", "import gunicorn"),
    "audit": ("factory.py", "from app import audit"),
    "devdb": ("hooks.py", "from app import devdb"),
}


def contracts() -> dict[str, Mapping[str, Any]]:
    """The contracts by their ids, in their order."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {each["id"]: each for each in settings["tool"]["importlinter"]["contracts"]}


def rooms() -> list[list[str]]:
    """The modules and packages of app/ by layer, the highest first."""
    return [re.split(r" [|:] ", layer) for layer in contracts()["layers"]["layers"]]


def drawing(layers: Iterable[Iterable[str]]) -> str:
    """The layers below one another, as ASCII art in a code block."""
    lines = ["  ".join(f"[ {room} ]" for room in layer) for layer in layers]
    arrow = "\n" + "|".center(WIDTH).rstrip() + "\n" + "v".center(WIDTH).rstrip() + "\n"
    return "```text\n" + arrow.join(line.center(WIDTH).rstrip() for line in lines) + "\n```"


def names(modules: Iterable[str]) -> str:
    """The modules in code spans."""
    return ", ".join(f"`{module}`" for module in modules)


def rule(contract: Mapping[str, Any]) -> str:
    """A contract other than that of the layers, as an item of a list."""
    if contract["type"] == "protected":
        importers = names(contract["allowed_importers"])
        text = f"{names(contract['protected_modules'])} is imported from {importers} only"
    else:
        reach = "directly" if contract.get("allow_indirect_imports") else "directly or indirectly"
        forbidden = names(contract["forbidden_modules"])
        text = f"{names(contract['source_modules'])} must not import {forbidden}, {reach}"
    exceptions = "".join(f"; exception: `{each}`" for each in contract.get("ignore_imports", ()))
    return f"- {contract['name']}: {text}{exceptions}."


def architecture(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The contracts as text: the drawing, and the other rules."""
    others = (rule(each) for name, each in found.items() if name != "layers")
    return "\n\n".join([drawing(rooms()), "\n".join(others)])


def test_the_drawing_is_that_of_the_contracts() -> None:
    assert is_up_to_date(CONTRIBUTING, "architecture", architecture(contracts())), HINT


def test_another_contract_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated_docs, "WRITING", False)
    changed = {**contracts(), "routes": {**contracts()["routes"], "forbidden_modules": ["app.db"]}}
    assert not is_up_to_date(CONTRIBUTING, "architecture", architecture(changed))


def test_each_contract_is_broken_by_an_import_against_it(tmp_path: Path) -> None:
    shutil.copytree(APP, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, line in VIOLATIONS.values():
        with (tmp_path / "app" / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1, run.stdout
    assert VIOLATIONS.keys() == contracts().keys()
    assert f"Contracts: 0 kept, {len(VIOLATIONS)} broken." in run.stdout


def test_make_check_runs_the_contracts() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert "lint-imports" in recipe


def test_contributors_are_told_of_every_room() -> None:
    found = re.findall(r"^\| `app/(\w+)(?:/|\.py)` \|", CONTRIBUTING.read_text(), re.MULTILINE)
    assert sorted(found) == sorted(room for layer in rooms() for room in layer)


def test_the_readme_tells_of_every_room() -> None:
    table = README.read_text(encoding="utf-8").partition("## Layout")[2].partition("\n## ")[0]
    told = set(re.findall(r"`app/(\w+)(?:/|\.py)`", table))
    assert told == {room for layer in rooms() for room in layer}


def test_the_readme_has_every_page_of_specs() -> None:
    links = re.findall(r"^- \[.+?\]\(specs/(.+?)\):", README.read_text(), re.MULTILINE)
    assert sorted(links) == sorted(page.name for page in SPECS.iterdir())


def test_statements_are_loaded_in_repositories_only() -> None:
    repositories = {"repository.py", "unit_of_work.py"}  # the latter is a part of that of tasks
    assert [file for file, _ in loading() if file.name not in repositories] == []


def loading() -> Iterator[tuple[Path, str]]:
    """The modules that load a statement, each with the statement's name."""
    for file in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := _loaded(node)):
                yield file, name


def _loaded(call: ast.Call) -> str | None:
    """The name in load("folder/file"), under whatever name the module is imported."""
    match call.args:
        case [ast.Constant(value=str(name)), *_]:
            is_load = ast.unparse(call.func).split(".")[-1] == "load" and "/" in name
            return name if is_load else None
        case _:
            return None


def test_a_repository_loads_the_statements_of_its_own_folder() -> None:
    foreign = [name for file, name in loading() if name.split("/")[0] != file.parent.name]
    assert foreign == []
    assert {file.parent.name for file, _ in loading()} == {
        file.parent.name for file in (ROOT / "sql").rglob("*.sql")
    }
