"""The npm packages of the web client: its libraries, linters, and the accessibility checker."""

import shutil
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent
MODULES = TOOLS / "node_modules"
INSTALL = "apt-get install nodejs npm; make check"

needs_tools = pytest.mark.skipif(
    shutil.which("node") is None or not MODULES.is_dir(),
    reason=f"the web client's tools are not installed: {INSTALL}",
)
