"""`.ci/run` runs every suite of the Makefile, and continues after a failure."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.server import ROOT

SCRIPT = ROOT / ".ci" / "run"
FAKE_MAKE = """#!/bin/sh
echo "make $*" >>"$CALLS"
case "$*" in
    *last-failed*) exit "$AGAIN" ;;
    *" $FAILING" | *" $FAILING "*) echo "$SAYS"; exit 1 ;;
esac
"""


FAILED = "FAILED tests/test_a.py::test_b - it failed\n=== 1 failed, 9 passed in 2.00s ==="


def run(
    directory: Path, failing: str, again: int = 1, says: str = FAILED
) -> tuple[int, list[str], str]:
    """Runs .ci/run with a fake make, in which one target fails and says something.

    `again` is the status of tests that failed and are run once more. Returns the exit status, the
    calls of make, and the output.
    """
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
            "AGAIN": str(again),
            "SAYS": says,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    made = [call(line) for line in calls.read_text().splitlines()]
    return done.returncode, made, done.stdout + done.stderr


def call(line: str) -> str:
    """A call of make without the interpreter and the folders that are left out."""
    words = [word.removeprefix("ARGS=") for word in line.split()]
    left_out = ("PYTHON=", "--ignore=")
    return " ".join(word for word in words if word and not word.startswith(left_out))


def steps(made: list[str]) -> list[str]:
    """The calls of make without those that install dependencies."""
    return [line for line in made if ".venv" not in line and "node_modules" not in line]


AGAIN = "make test --numprocesses=0 --last-failed --last-failed-no-failures=none"
ALL = [
    "make check",
    "make test",
    "make test",
    "make image",
    "make fuzz SECONDS=75 SEED=1",
    "make faults SHORT=1",
]


def test_checks_and_every_suite_are_run(tmp_path: Path) -> None:
    status, made, output = run(tmp_path, failing="nothing")
    assert (status, steps(made)) == (0, ALL), output


@pytest.mark.parametrize("failing", ["check", "test", "image", "fuzz", "faults"])
def test_a_failing_step_fails_the_run_and_the_other_steps_are_run(
    tmp_path: Path, failing: str
) -> None:
    status, made, output = run(tmp_path, failing)
    assert status == 1, output
    assert [each for each in steps(made) if each != AGAIN] == ALL, output
    assert re.search(rf"^make {failing}.*: status 1 .*\nFAILED tests/test_a", output, re.MULTILINE)


def test_tests_that_fail_are_named_and_run_once_more_alone(tmp_path: Path) -> None:
    """On shared cores, a bound on time may be missed because of a neighbour."""
    status, made, output = run(tmp_path, failing="test", again=0)
    assert status == 0, output
    assert steps(made) == ["make check", "make test", AGAIN, "make test", AGAIN, *ALL[3:]], output
    assert output.count("\nFAILED tests/test_a.py::test_b - it failed\n") == 4  # two in short
    assert len(re.findall(r"again, alone: status 0 ", output)) == 2


def test_no_step_is_run_without_the_dependencies(tmp_path: Path) -> None:
    status, made, output = run(tmp_path, failing=".venv/.installed/requirements-dev.txt")
    assert (status != 0, steps(made)) == (True, []), output


@pytest.mark.parametrize(
    "says",
    [
        "make: *** [Makefile:52: test] Terminated",
        f"INTERNALERROR> Traceback\n{FAILED}",
        f"FAIL Required test coverage of 95.0% not reached. Total coverage: 94.00%\n{FAILED}",
    ],
    ids=["no end", "internal error", "coverage"],
)
def test_a_suite_that_fails_by_more_than_its_tests_fails_the_run(tmp_path: Path, says: str) -> None:
    status, made, output = run(tmp_path, failing="test", again=0, says=says)
    assert (status, AGAIN in steps(made)) == (1, False), output
