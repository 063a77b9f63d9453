"""Other processes: their environment, their state from /proc, and waiting for what they do."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def minimal_environment(measured: bool = True, /, **settings: str) -> dict[str, str]:
    """PATH and `settings`; if `measured`, the coverage settings of this process as well."""
    return {"PATH": os.environ["PATH"], **(coverage_settings() if measured else {}), **settings}


def coverage_settings() -> dict[str, str]:
    """The variables by which a child process measures its coverage; none without --cov."""
    return {
        name: text
        for name, text in os.environ.items()
        if name.startswith("COVERAGE_") or name == "PYTHONPATH"
    }


def without_coverage() -> dict[str, str]:
    """This environment without coverage, which doubles the CPU time of a child process."""
    return {name: text for name, text in os.environ.items() if name not in coverage_settings()}


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Polls the condition every 20 ms; raises AssertionError when it stays false for `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.02)


def read_proc(pid: int, file: str) -> bytes:
    """The content of /proc/`pid`/`file`; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def send_signal(pid: int, number: signal.Signals) -> None:
    """Sends a signal; does nothing if the process has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def children(pid: int) -> list[int]:
    """The running child processes of the process's main thread."""
    return [int(each) for each in read_proc(pid, f"task/{pid}/children").split()]


def thread_ids(pid: int) -> set[int]:
    """The ids of all threads of the process."""
    return {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}


def has_ended(pid: int) -> bool:
    """Whether the process has ended; it may still be a zombie."""
    return _state(read_proc(pid, "stat")) in {"", "Z"}


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached every thread; until then one may still accept work."""
    return {_state(read_proc(pid, f"task/{each}/stat")) for each in thread_ids(pid)} <= {"", "T"}


def _state(stat: bytes) -> str:
    """The state's letter; it follows the program's name, which may contain spaces and brackets."""
    return stat.rpartition(b") ")[2][:1].decode()


def processes_using(data_dir: Path) -> dict[int, str]:
    """Pid and command line of each process that works in `data_dir` or has it as its DATA_DIR."""
    running = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {
        pid: read_proc(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")
        for pid in running
        if not has_ended(pid) and _uses(pid, data_dir)
    }


def _uses(pid: int, data_dir: Path) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return f"DATA_DIR={data_dir}".encode() in variables or (
            Path(f"/proc/{pid}/cwd").readlink().is_relative_to(data_dir)
        )
    except OSError:  # it has ended, or belongs to another user
        return False
