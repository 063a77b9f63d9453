"""`make trace`: which test proves which requirement of specs/, as a table.

A requirement is a list item of specs/*.md that begins with its id: `- TASK-7 ...`. A test says what
it proves with the marker `proves`, on itself, its class or its module. The tests are read, not
imported, so that those of the longer suites count wherever they are collected.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SPECS = TESTS.parent / "specs"
REQUIREMENT = re.compile(r"^- ([A-Z]+-[0-9]+) (\S.*)$", re.MULTILINE)
SHOWN = 3  # tests per requirement


def requirements(directory: Path) -> dict[str, str]:
    """Every requirement's text by its id; raises ValueError where an id is there twice."""
    found: dict[str, str] = {}
    for file in sorted(directory.glob("*.md")):
        for name, text in REQUIREMENT.findall(file.read_text()):
            if name in found:
                raise ValueError(f"{name} is there twice, the second time in {file.name}")
            found[name] = text
    return found


def proofs(directory: Path) -> dict[str, list[str]]:
    """The tests below the directory that prove each requirement, by its id."""
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
    """Each test that pytest finds in this body, with the requirements that it proves."""
    marks = [*marks, *(each for node in body for each in _own_marks(node))]
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            inherited = [*marks, *_named(*node.decorator_list)]
            yield from _tests(node.body, f"{name}::{node.name}", inherited)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield f"{name}::{node.name}", [*marks, *_named(*node.decorator_list)]


def _own_marks(node: ast.stmt) -> list[str]:
    """What `pytestmark = ...` says of the module or class that it stands in."""
    is_mark = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    return _named(node) if is_mark else []


def _named(*nodes: ast.AST) -> list[str]:
    """The ids in every `pytest.mark.proves(...)` below these nodes."""
    calls = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Call)]
    return [
        ast.literal_eval(argument)
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.proves"
        for argument in call.args
    ]


def gaps(wanted: Mapping[str, str], proofs: Mapping[str, Sequence[str]]) -> list[str]:
    """What keeps the two from fitting each other, a sentence each."""
    unproved = [f"{name} is proved by no test" for name in wanted if name not in proofs]
    unknown = [
        f"{name}, which {tests[0]} proves, is no requirement"
        for name, tests in proofs.items()
        if name not in wanted
    ]
    return unproved + unknown


def table(wanted: Mapping[str, str], proofs: Mapping[str, Sequence[str]]) -> str:
    """A line per requirement, and one for each of its first tests."""
    lines = []
    for name, text in wanted.items():
        tests = proofs.get(name, [])
        lines.append(f"{name:<12}{len(tests):>4}  {text[:100]}")
        lines += [f"{'':<18}{test}" for test in tests[:SHOWN]]
    return "\n".join(lines)


def main() -> int:
    """Prints the table; 1 where something is missing."""
    wanted, found = requirements(SPECS), proofs(TESTS)
    problems = gaps(wanted, found)
    sys.stdout.write(table(wanted, found) + "\n")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
