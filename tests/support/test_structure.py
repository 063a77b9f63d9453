"""What tests share is in tests/support/: no module imports a test module or a conftest."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.server import ROOT

FILES = [
    file
    for folder in ("tests", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
    if "node_modules" not in file.parts
]


def imported_test_modules(source: str) -> list[str]:
    """The dotted names that this source imports from test modules and conftests."""
    return [
        name
        for name in _imported_names(ast.parse(source))
        if name.startswith("tests.") and any(map(_is_test_module, name.split(".")))
    ]


def _imported_names(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_test_module(name: str) -> bool:
    return name == "conftest" or name.startswith("test_")


def test_no_test_module_is_imported() -> None:
    for file in FILES:
        assert imported_test_modules(file.read_text(encoding="utf-8")) == [], file


@pytest.mark.parametrize(
    "source",
    [
        "import tests.conftest",
        "import tests.auth.test_accounts as accounts",
        "from tests.tasks.conftest import flask",
        "from tests.tasks import test_tasks",
        "def late():\n    from tests.faults.test_outages import TERMINATE_ONE",
    ],
)
def test_the_import_of_a_test_module_is_found(source: str) -> None:
    assert len(imported_test_modules(source)) == 1
    assert imported_test_modules("from tests.support.server import serving") == []
