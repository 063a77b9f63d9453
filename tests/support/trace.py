"""Traceability matrix (`make trace`): the tests of each requirement in specs/.

A requirement is a list item of specs/*.md that begins with its id: `- TASK-7 ...`. The marker
`proves` of a test, its class or its module has the ids. The tests are parsed, not imported, so that
suites which are not collected by default count as well.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
SPECS = TESTS.parent / "specs"
REQUIREMENT = re.compile(r"^- ([A-Z]+-[0-9]+) (\S.*)$", re.MULTILINE)
SHOWN = 3  # tests per requirement


def requirements(directory: Path) -> dict[str, str]:
    """The text of each requirement, by id; raises ValueError for a duplicate id."""
    found: dict[str, str] = {}
    for file in sorted(directory.glob("*.md")):
        for name, text in REQUIREMENT.findall(file.read_text()):
            if name in found:
                raise ValueError(f"{name} is a duplicate, the second one in {file.name}")
            found[name] = text
    return found


def proofs(directory: Path) -> dict[str, list[str]]:
    """The pytest ids of the tests in the directory that prove each requirement, by its id."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(directory.rglob("test_*.py")):
        module = ast.parse(file.read_text())
        name = file.relative_to(directory.parent).as_posix()
        for test, marks in _tests(module.body, name, []):
            for requirement in dict.fromkeys(marks):
                found[requirement].append(test)
    return dict(found)


def _tests(
    body: Sequence[ast.stmt], name: str, marks: Sequence[str]
) -> Iterator[tuple[str, list[str]]]:
    """Each test in this body that pytest collects, with the requirements that it proves."""
    marks = [*marks, *(each for node in body for each in _module_marks(node))]
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            inherited = [*marks, *_proved_ids(*node.decorator_list)]
            yield from _tests(node.body, f"{name}::{node.name}", inherited)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield f"{name}::{node.name}", [*marks, *_proved_ids(*node.decorator_list)]


def _module_marks(node: ast.stmt) -> list[str]:
    """The ids in `pytestmark = ...` of a module or a class."""
    is_mark = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    return _proved_ids(node) if is_mark else []


def _proved_ids(*nodes: ast.AST) -> list[str]:
    """The ids in every `pytest.mark.proves(...)` within these nodes."""
    calls = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Call)]
    return [
        ast.literal_eval(argument)
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.proves"
        for argument in call.args
    ]


def gaps(wanted: Mapping[str, str], proofs: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each requirement without a test, and for each id without a requirement."""
    unproved = [f"{name} has no test" for name in wanted if name not in proofs]
    unknown = [
        f"{name}, proved by {tests[0]}, is no requirement"
        for name, tests in proofs.items()
        if name not in wanted
    ]
    return unproved + unknown


def table(wanted: Mapping[str, str], proofs: Mapping[str, Sequence[str]]) -> str:
    """A line per requirement, followed by its first SHOWN tests."""
    lines = []
    for name, text in wanted.items():
        tests = proofs.get(name, [])
        lines.append(f"{name:<12}{len(tests):>4}  {text[:100]}")
        lines += [f"{'':<18}{test}" for test in tests[:SHOWN]]
    return "\n".join(lines)


def main() -> int:
    """Prints the table; the exit status is 1 if there are gaps."""
    wanted, found = requirements(SPECS), proofs(TESTS)
    problems = gaps(wanted, found)
    sys.stdout.write(table(wanted, found) + "\n")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
