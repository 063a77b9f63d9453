"""Clients generated from specs/openapi.yaml type-check, and work with the service."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.system.docs import CONTRACT
from tests.contract.tools import TOOLS, needs_tools
from tests.support.processes import without_coverage
from tests.support.server import Server

PROGRAMS = Path(__file__).resolve().parent / "clients"
EXPECTED = {
    "listed": ["five", "four", "three", "two", "one"],
    "planned": [{"title": "two", "due": "2026-10-07T09:00:00"}],
    "completed": True,
    "changed": ["three", "four", "five", "Home", "Errand", "two", "one"],
    "version": 9,
}


def run(*command: str | Path, cwd: Path) -> str:
    """Runs the program; returns its output, or raises AssertionError with it."""
    outcome = subprocess.run(
        command,
        cwd=cwd,
        env={**without_coverage(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def tour(*program: str | Path, server: Server, cwd: Path) -> Any:
    """The JSON that the example program prints for a new user."""
    return json.loads(run(*program, server.url, f"{uuid4().hex}@example.com", cwd=cwd))


@pytest.mark.proves("DOC-6")
@pytest.mark.slow
def test_a_generated_python_client_works(server: Server, tmp_path: Path) -> None:
    generate = ["-m", "openapi_python_client", "generate", "--meta=none", "--output-path=client"]
    generate += ["--fail-on-warning", f"--path={CONTRACT}", f"--config={PROGRAMS / 'python.yaml'}"]
    run(sys.executable, *generate, cwd=tmp_path)
    shutil.copy(PROGRAMS / "tour.py", tmp_path)
    check = ["-m", "mypy", f"--config-file={PROGRAMS / 'mypy.ini'}", "tour.py"]
    run(sys.executable, *check, cwd=tmp_path)
    assert tour(sys.executable, "tour.py", server=server, cwd=tmp_path) == EXPECTED


@pytest.mark.proves("DOC-6")
@needs_tools
@pytest.mark.slow
def test_a_generated_typescript_client_works(server: Server, tmp_path: Path) -> None:
    modules = TOOLS / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    for file in (PROGRAMS / "tour.ts", PROGRAMS / "tsconfig.json", TOOLS / "package.json"):
        shutil.copy(file, tmp_path)
    run(modules / ".bin" / "openapi-typescript", CONTRACT, "--output=api.ts", cwd=tmp_path)
    run(modules / ".bin" / "tsc", "--project", ".", cwd=tmp_path)
    assert tour("node", "out/tour.js", server=server, cwd=tmp_path) == EXPECTED
