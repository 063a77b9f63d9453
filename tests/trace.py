"""`make trace`: which test proves which requirement of specs/, as a table.

A requirement is a list item of specs/*.md that begins with its id: `- TASK-7 ...`. A test says what
it proves with the marker `proves`, on itself, its class or its module.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

SPECS = Path(__file__).resolve().parent.parent / "specs"
REQUIREMENT = re.compile(r"^- ([A-Z]+-[0-9]+) (\S.*)$", re.MULTILINE)
SHOWN = 3  # tests per requirement


class Marks:
    """A plugin that notes what the collected tests prove: their names by requirement."""

    def __init__(self) -> None:
        self.proofs: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            test = item.nodeid.partition("[")[0]
            for mark in item.iter_markers("proves"):
                for requirement in mark.args:
                    if test not in self.proofs[requirement]:
                        self.proofs[requirement].append(test)


def requirements(directory: Path) -> dict[str, str]:
    """Every requirement's text by its id; raises ValueError where an id is there twice."""
    found: dict[str, str] = {}
    for file in sorted(directory.glob("*.md")):
        for name, text in REQUIREMENT.findall(file.read_text()):
            if name in found:
                raise ValueError(f"{name} is there twice, the second time in {file.name}")
            found[name] = text
    return found


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
    marks = Marks()
    report = StringIO()
    with redirect_stdout(report):
        status = pytest.main(["--collect-only", "--quiet"], [marks])
    if status != pytest.ExitCode.OK:
        sys.stderr.write(report.getvalue())
        return int(status)
    wanted = requirements(SPECS)
    problems = gaps(wanted, marks.proofs)
    sys.stdout.write(table(wanted, marks.proofs) + "\n")
    sys.stderr.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
