"""Watching other processes end, as tests of starting and stopping have to."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def bare_environment(measured: bool = True, /, **settings: str) -> dict[str, str]:
    """What a process needs to start, and to be measured where this one is, and `settings`."""
    return {"PATH": os.environ["PATH"], **(measuring() if measured else {}), **settings}


def measuring() -> dict[str, str]:
    """What has the coverage of a process measured, where this one's is."""
    return {
        name: text
        for name, text in os.environ.items()
        if name.startswith("COVERAGE_") or name == "PYTHONPATH"
    }


def unmeasured() -> dict[str, str]:
    """This environment for a process that is only a means: measuring it doubles what it costs."""
    return {name: text for name, text in os.environ.items() if name not in measuring()}


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for something that another process does; fails when it takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Processes that this one has started and that still run."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_gone(pid: int) -> bool:
    """Ended, although perhaps not yet collected by the process that adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached every thread; until then one may still take work on."""
    states = (task / "stat" for task in Path(f"/proc/{pid}/task").iterdir())
    return all(state.read_text().rpartition(")")[2].split()[0] == "T" for state in states)


def using(data_dir: Path) -> dict[int, str]:
    """Every process that works in `data_dir` or has it as its DATA_DIR: pid and command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and not is_gone(int(entry.name)) and _uses(entry, data_dir):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            found[int(entry.name)] = command.decode(errors="replace")
    return found


def _uses(process: Path, data_dir: Path) -> bool:
    try:
        variables = (process / "environ").read_bytes().split(b"\0")
        return f"DATA_DIR={data_dir}".encode() in variables or (
            (process / "cwd").readlink().is_relative_to(data_dir)
        )
    except OSError:  # ended meanwhile, or another user's
        return False
