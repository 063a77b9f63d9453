"""The traceability matrix reports requirements without tests, and tests of unknown requirements."""

from pathlib import Path

import pytest

from tests.support import trace

WANTED = {"TASK-1": "A title has 1 to 255 characters.", "TASK-2": "The newest comes first."}
PROOFS = {"TASK-1": ["tests/a.py::test_title"], "TASK-2": ["tests/a.py::test_order"]}


def test_a_requirement_is_a_list_item_that_begins_with_an_id(tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text(
        "# Tasks\n\n- TASK-1 A title has 1 to 255 characters.\n- no id\nTASK-9 is prose.\n"
    )
    assert trace.requirements(tmp_path) == {"TASK-1": "A title has 1 to 255 characters."}


def test_a_duplicate_id_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tasks.md").write_text("- TASK-1 One.\n- TASK-1 Another.\n")
    with pytest.raises(ValueError, match="TASK-1 is a duplicate"):
        trace.requirements(tmp_path)


def test_no_gap_if_each_requirement_has_a_test() -> None:
    assert trace.gaps(WANTED, PROOFS) == []


def test_a_requirement_without_a_test_is_a_gap() -> None:
    assert trace.gaps(WANTED, {"TASK-1": PROOFS["TASK-1"]}) == ["TASK-2 has no test"]


def test_a_test_of_an_unknown_requirement_is_a_gap() -> None:
    proofs = {**PROOFS, "TASK-3": ["tests/a.py::test_more"]}
    assert trace.gaps(WANTED, proofs) == [
        "TASK-3, proved by tests/a.py::test_more, is no requirement"
    ]


def test_the_table_lists_each_requirement_with_its_tests() -> None:
    shown = trace.table(WANTED, PROOFS)
    assert all(name in shown and PROOFS[name][0] in shown for name in WANTED)


def test_marks_on_a_test_its_class_and_its_module_count(tmp_path: Path) -> None:
    directory = tmp_path / "tests" / "tasks"
    directory.mkdir(parents=True)
    (directory / "test_titles.py").write_text(
        """
pytestmark = [pytest.mark.slow, pytest.mark.proves("TASK-1")]

@pytest.mark.proves("TASK-2", "TASK-3")
@pytest.mark.parametrize("title", ["a", "b"])
def test_title(title): ...

class TestOrder:
    pytestmark = pytest.mark.proves("TASK-4")

    def test_newest(self): ...

@pytest.mark.proves("TASK-5")
def prepare(): ...
"""
    )
    title, order = (f"tests/tasks/test_titles.py::{name}" for name in
                    ("test_title", "TestOrder::test_newest"))  # fmt: skip
    assert trace.proofs(tmp_path / "tests") == {
        "TASK-1": [title, order],
        "TASK-2": [title],
        "TASK-3": [title],
        "TASK-4": [order],
    }


@pytest.mark.proves("DOC-20")
def test_every_requirement_in_specs_has_a_test(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert trace.main() == 0, capsys.readouterr().err
