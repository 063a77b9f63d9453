"""The npm packages of the contract tests: linters and a client generator."""

import shutil
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent
INSTALL = "apt-get install nodejs npm; make contract"

needs_tools = pytest.mark.skipif(
    shutil.which("node") is None or not (TOOLS / "node_modules").is_dir(),
    reason=f"the contract's tools are not installed: {INSTALL}",
)
