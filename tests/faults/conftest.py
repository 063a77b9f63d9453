"""Fault scenarios, which take minutes: collected only with FAULTS=short or FAULTS=full."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.databases import memory_directory
from tests.support.faults.measurements import Measurements
from tests.support.faults.postgres import Postgres, postgres
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import Scenario
from tests.support.server import Server, serving

LENGTHS = ("short", "full")
LENGTH = os.environ.get("FAULTS")
MEASUREMENTS = Measurements()

if LENGTH is None:
    collect_ignore_glob = ["test_*.py"]
elif LENGTH not in LENGTHS:
    raise pytest.UsageError(f"FAULTS must be one of {', '.join(LENGTHS)}")


@pytest.fixture(scope="session")
def is_full() -> bool:
    """Whether this is the full form."""
    return LENGTH == "full"


@pytest.fixture(scope="session")
def measurements() -> Measurements:
    """The measurements of all scenarios, which the terminal summary prints."""
    return MEASUREMENTS


@pytest.fixture
def directory() -> Iterator[Path]:
    """A temporary directory with a short path: that of a Unix socket has at most 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="ownrow-faults-", dir=memory_directory()))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def database(directory: Path) -> Iterator[Postgres]:
    """A migrated PostgreSQL of this test, with the durability of production."""
    with postgres(directory / "database") as server:
        yield server


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Records the calls of this test."""
    with closing(Recorder(tmp_path / "calls.jsonl")) as opened:
        yield opened


@pytest.fixture
def server(database: Postgres, tmp_path: Path) -> Iterator[Server]:
    """gunicorn with two workers in front of `database`."""
    with serving(database.url, tmp_path) as running:
        yield running


@pytest.fixture
def scenario(
    database: Postgres, server: Server, recorder: Recorder, measurements: Measurements
) -> Scenario:
    """A scenario on `server`."""
    return Scenario(server, database.url, recorder, measurements)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not MEASUREMENTS.scenarios:
        return
    terminalreporter.section("measurements")
    for line in MEASUREMENTS.lines():
        terminalreporter.write_line(line)
    path = Path(os.environ.get("FAULTS_REPORT", ".faults/measurements.json"))
    MEASUREMENTS.write(path)
    terminalreporter.write_line(f"written to {path}")
