"""`.ci/run` leaves out nothing that the Makefile has, and one failure does not hide the next."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.serving import ROOT

SCRIPT = ROOT / ".ci" / "run"
FAKE_MAKE = '#!/bin/sh\necho "make $*" >>"$CALLS"\ncase "$*" in *" $FAILING"*) exit 1;; esac\n'


def run(directory: Path, failing: str) -> tuple[int, list[str], str]:
    """Exit status, what it made, and what it said, where one target fails and others do nothing."""
    (directory / ".ci").mkdir()
    shutil.copy(SCRIPT, directory / ".ci")
    programs = directory / "programs"
    programs.mkdir()
    for name, text in {"make": FAKE_MAKE, "id": "#!/bin/sh\necho 1000\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    calls = directory / "calls"
    calls.touch()
    done = subprocess.run(
        ["bash", directory / ".ci" / "run"],
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "FAILING": failing,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    made = [re.sub(r"PYTHON=\S+ ", "", line) for line in calls.read_text().splitlines()]
    return done.returncode, made, done.stdout + done.stderr


def steps(made: list[str]) -> list[str]:
    return [line for line in made if ".venv" not in line and "node_modules" not in line]


ALL = [
    "make check",
    "make test",
    "make test",
    "make image",
    "make fuzz SECONDS=75 SEED=1",
    "make faults SHORT=1",
]


def test_it_runs_the_checks_and_every_suite(tmp_path: Path) -> None:
    status, made, said = run(tmp_path, failing="nothing")
    assert (status, steps(made)) == (0, ALL), said


@pytest.mark.parametrize("failing", ["check", "test", "image", "fuzz", "faults"])
def test_a_step_that_fails_fails_the_run_and_hides_no_other(tmp_path: Path, failing: str) -> None:
    status, made, said = run(tmp_path, failing)
    assert (status, steps(made)) == (1, ALL), said
    assert re.search(rf"^make {failing}.*: status 1 ", said, re.MULTILINE)


def test_without_an_environment_nothing_is_run(tmp_path: Path) -> None:
    status, made, said = run(tmp_path, failing=".venv/.installed/requirements-dev.txt")
    assert (status != 0, steps(made)) == (True, []), said
