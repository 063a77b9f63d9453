"""The programs around the service, each started for a test on a port of its own."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import until

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = {"redis-server": "redis-server", "pgbouncer": "pgbouncer", "nginx": "nginx"}


def program(name: str) -> str:
    """The path of a program; skips the test where it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that listens on `port` within the block; what it prints goes to `log`."""
    with open(log or os.devnull, "ab") as output:  # noqa: PTH123
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, process_group=0
        )
    try:
        until(lambda: is_listening(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text() if log else command
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


@contextmanager
def redis() -> Iterator[int]:
    """A Redis without any data; yields its port."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(command, port):
        yield port
