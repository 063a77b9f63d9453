"""`make check-web` finds mistakes in the web client's modules."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.web.tools import MODULES, TOOLS, needs_tools

CONFIGURATION = TOOLS / "eslint.config.js"
MISTAKES = {
    "no-unused-vars": "const unused = 1;\nexport const used = 2;\n",
    "no-unsanitized/property": "document.body.innerHTML = location.hash;\n",
    "no-undef": "process.exit();\n",
    "no-restricted-syntax": "export const address = 'https://example.com/x.js';\n",
}

pytestmark = [needs_tools, pytest.mark.slow]


def lint(source: str) -> subprocess.CompletedProcess[str]:
    """Lints the source of a module of the client."""
    name = "app/web/static/ui/example.js"
    options = ["--config", str(CONFIGURATION), "--stdin", "--stdin-filename", name]
    return subprocess.run(
        [MODULES / ".bin" / "eslint", *options],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.proves("WEB-7")
@pytest.mark.parametrize("rule", MISTAKES)
def test_eslint_finds_a_mistake(rule: str) -> None:
    outcome = lint(MISTAKES[rule])
    assert outcome.returncode == 1, outcome.stderr
    assert rule in outcome.stdout


@pytest.mark.proves("WEB-7")
@pytest.mark.parametrize(
    ("argument", "status"), [('"2026-10-07"', 0), ("20261007", 2), ("null", 2)]
)
def test_typescript_checks_the_types_of_jsdoc(tmp_path: Path, argument: str, status: int) -> None:
    tools, static = tmp_path / "tests/web/tools", tmp_path / "app/web/static"
    for folder in (tools, static):
        folder.mkdir(parents=True)
    shutil.copy(TOOLS / "tsconfig.json", tools)
    (tools / "node_modules").symlink_to(MODULES)
    (static / "example.js").write_text(
        'import { h } from "preact";\n'
        "/** @param {string} day */\n"
        'export const show = (day) => h("p", null, day.slice(5));\n'
        f"show({argument});\n"
    )
    outcome = subprocess.run(
        [MODULES / ".bin" / "tsc", "--project", tools],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.returncode == status, outcome.stdout
