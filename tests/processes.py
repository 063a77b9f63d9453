"""Watching other processes end, as tests of starting and stopping have to."""

import os
import signal
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


def told(pid: int, file: str) -> bytes:
    """What that file below /proc says of the process; nothing where it ended, even meanwhile."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def send(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may have ended by itself."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def children(pid: int) -> list[int]:
    """Processes that this one has started and that still run."""
    return [int(each) for each in told(pid, f"task/{pid}/children").split()]


def thread_ids(pid: int) -> set[int]:
    """Of all its threads."""
    return {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}


def is_gone(pid: int) -> bool:
    """Ended, although perhaps not yet collected by the process that adopted it."""
    return _state(told(pid, "stat")) in {"", "Z"}


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached every thread; until then one may still take work on."""
    return {_state(told(pid, f"task/{each}/stat")) for each in thread_ids(pid)} <= {"", "T"}


def _state(stat: bytes) -> str:
    """The letter behind the name, which may hold spaces and brackets."""
    return stat.rpartition(b") ")[2][:1].decode()


def using(data_dir: Path) -> dict[int, str]:
    """Every process that works in `data_dir` or has it as its DATA_DIR: pid and command line."""
    running = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {
        pid: told(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
        for pid in running
        if not is_gone(pid) and _uses(pid, data_dir)
    }


def _uses(pid: int, data_dir: Path) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return f"DATA_DIR={data_dir}".encode() in variables or (
            Path(f"/proc/{pid}/cwd").readlink().is_relative_to(data_dir)
        )
    except OSError:  # ended meanwhile, or another user's
        return False
