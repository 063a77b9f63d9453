"""Faults take minutes, so they are collected only where FAULTS says how many: see `make faults`."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.databases import memory
from tests.faults.figures import Figures
from tests.faults.postgres import Postgres, postgres
from tests.faults.recorder import Recorder
from tests.faults.rides import Ride
from tests.serving import Server, serving

LENGTHS = ("short", "full")
LENGTH = os.environ.get("FAULTS")
FIGURES = Figures()

if LENGTH is None:
    collect_ignore_glob = ["test_*.py"]
elif LENGTH not in LENGTHS:
    raise pytest.UsageError(f"FAULTS must be one of {', '.join(LENGTHS)}")


@pytest.fixture(scope="session")
def is_full() -> bool:
    """Whether there is time for everything."""
    return LENGTH == "full"


@pytest.fixture(scope="session")
def figures() -> Figures:
    return FIGURES


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path: a Unix socket's may have 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="ownrow-faults-", dir=memory()))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def database(directory: Path) -> Iterator[Postgres]:
    """A PostgreSQL of this test alone, as durable as one that people use."""
    with postgres(directory / "database") as server:
        yield server


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with closing(Recorder(tmp_path / "calls.jsonl")) as opened:
        yield opened


@pytest.fixture
def server(database: Postgres, tmp_path: Path) -> Iterator[Server]:
    """gunicorn with two workers in front of `database`."""
    with serving(database.url, tmp_path) as running:
        yield running


@pytest.fixture
def ride(database: Postgres, server: Server, recorder: Recorder, figures: Figures) -> Ride:
    return Ride(server, database.url, recorder, figures)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not FIGURES.scenarios:
        return
    terminalreporter.section("figures")
    for line in FIGURES.lines():
        terminalreporter.write_line(line)
    path = Path(os.environ.get("FAULTS_REPORT", ".faults/figures.json"))
    FIGURES.write(path)
    terminalreporter.write_line(f"written to {path}")
