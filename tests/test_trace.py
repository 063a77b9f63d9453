"""The table of requirements and tests notices what is missing on either side."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import trace

WANTED = {"TASK-1": "A title has 1 to 255 characters.", "TASK-2": "The newest comes first."}
PROOFS = {"TASK-1": ["tests/a.py::test_title"], "TASK-2": ["tests/a.py::test_order"]}


def test_requirements_are_the_items_that_begin_with_an_id(tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text(
        "# Tasks\n\n- TASK-1 A title has 1 to 255 characters.\n- no id\nTASK-9 is prose.\n"
    )
    assert trace.requirements(tmp_path) == {"TASK-1": "A title has 1 to 255 characters."}


def test_an_id_stands_for_one_requirement(tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text("- TASK-1 One.\n- TASK-1 Another.\n")
    with pytest.raises(ValueError, match="TASK-1 is there twice"):
        trace.requirements(tmp_path)


def test_nothing_is_missing_where_each_has_the_other() -> None:
    assert trace.gaps(WANTED, PROOFS) == []


def test_a_requirement_without_a_test_is_named() -> None:
    assert trace.gaps(WANTED, {"TASK-1": PROOFS["TASK-1"]}) == ["TASK-2 is proved by no test"]


def test_a_test_that_proves_what_nobody_requires_is_named() -> None:
    proofs = {**PROOFS, "TASK-3": ["tests/a.py::test_more"]}
    assert trace.gaps(WANTED, proofs) == [
        "TASK-3, which tests/a.py::test_more proves, is no requirement"
    ]


def test_the_table_has_each_requirement_and_its_tests() -> None:
    shown = trace.table(WANTED, PROOFS)
    assert all(name in shown and PROOFS[name][0] in shown for name in WANTED)


@pytest.mark.slow
@pytest.mark.proves("DOC-20")
def test_every_requirement_of_this_service_is_proved_by_a_test() -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "tests.trace"],
        cwd=trace.SPECS.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
