"""Schemathesis searches for responses of a real server that the contract does not describe."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.system.docs import CONTRACT
from tests.support.processes import without_coverage
from tests.support.server import serving

FUZZ = Path(__file__).resolve().parent
SECONDS = int(os.environ["FUZZ_SECONDS"])
SEED = os.environ.get("FUZZ_SEED")


@pytest.mark.proves("DOC-5")
@pytest.mark.slow
def test_no_response_deviates_from_the_contract(database_url: str, tmp_path: Path) -> None:
    command = ["-m", "schemathesis.cli", "--config-file", str(FUZZ / "schemathesis.toml"), "run"]
    options = [f"--max-time={SECONDS}", "--warnings=off", "--no-color"]
    options += [f"--seed={SEED}"] if SEED else []
    secrets = {"METRICS_TOKEN": "only-for-this-run"}
    with serving(database_url, tmp_path, **secrets) as server:
        outcome = subprocess.run(
            [sys.executable, *command, *options, f"--url={server.url}", str(CONTRACT)],
            cwd=tmp_path,
            env={**without_coverage(), **secrets, "SCHEMATHESIS_HOOKS": str(FUZZ / "hooks.py")},
            capture_output=True,
            text=True,
            timeout=SECONDS + 300,
            check=False,
        )
    (tmp_path / "report.txt").write_text(outcome.stdout + outcome.stderr)
    assert outcome.returncode == 0, outcome.stdout[-20000:] + outcome.stderr[-2000:]
