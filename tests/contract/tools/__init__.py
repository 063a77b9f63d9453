"""npm's packages that the tests of the contract use: linters, and a generator of clients."""

import shutil
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent
INSTALL = "apt-get install nodejs npm; make contract"

needs_tools = pytest.mark.skipif(
    shutil.which("node") is None or not (TOOLS / "node_modules").is_dir(),
    reason=f"the contract's tools are not installed: {INSTALL}",
)
