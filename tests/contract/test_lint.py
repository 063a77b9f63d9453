"""specs/openapi.yaml is valid OpenAPI, and linters report nothing."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.system.docs import CONTRACT
from tests.contract.tools import TOOLS, needs_tools
from tests.support import openapi

Linter = Callable[[Path], subprocess.CompletedProcess[str]]


def lint(*command: str) -> subprocess.CompletedProcess[str]:
    """Runs a linter of node_modules."""
    return subprocess.run(
        [TOOLS / "node_modules" / ".bin" / command[0], *command[1:]],
        cwd=TOOLS,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def spectral(file: Path) -> subprocess.CompletedProcess[str]:
    return lint("spectral", "lint", "--fail-severity=hint", "--ruleset=.spectral.yaml", str(file))


def redocly(file: Path) -> subprocess.CompletedProcess[str]:
    return lint("redocly", "lint", "--config=redocly.yaml", str(file))


@pytest.mark.proves("DOC-4")
def test_the_contract_is_valid_openapi() -> None:
    from openapi_spec_validator import validate  # takes half a second, and only this test needs it

    validate(openapi.document())


@pytest.mark.proves("DOC-4")
@needs_tools
@pytest.mark.slow
@pytest.mark.parametrize("linter", [spectral, redocly])
def test_a_linter_reports_nothing(linter: Linter) -> None:
    outcome = linter(CONTRACT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.proves("DOC-4")
@needs_tools
@pytest.mark.slow
@pytest.mark.parametrize("linter", [spectral, redocly])
def test_a_linter_reports_a_missing_operation_id(linter: Linter, tmp_path: Path) -> None:
    broken = tmp_path / "openapi.yaml"
    broken.write_text(CONTRACT.read_text().replace("      operationId: getMe\n", ""))
    outcome = linter(broken)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "operation" in outcome.stdout
