"""`flask worker` as a process of its own."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.config import Config
from tests.support.processes import minimal_environment, until
from tests.support.services import ROOT

KEYS = "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957"


@dataclass(frozen=True)
class Worker:
    """A running worker, and the file of its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """The log so far."""
        return self.log.read_text()

    def end(self) -> int:
        """Sends SIGTERM; returns the exit status, or raises where 10 s are not enough."""
        self.process.terminate()
        return self.process.wait(10)


def environment(directory: Path, config: Config, **settings: str) -> dict[str, str]:
    """The variables of a worker on the database of that configuration."""
    return {
        "APP_ENV": "test",
        "DATABASE_URL": config.database_url or "",
        "DB_ROW_SECURITY": "on" if config.db_row_security else "off",
        "DATA_DIR": str(directory),
        "JWT_SECRETS": KEYS,
        "ENCRYPTION_KEYS": KEYS,
        "PUBLIC_URL": "https://todo.example.com",
        **settings,
    }


def start(directory: Path, config: Config, *options: str, **settings: str) -> Worker:
    """Starts a worker."""
    log = directory / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "worker", *options],
            cwd=ROOT,
            env=minimal_environment(**environment(directory, config, **settings)),
            stdout=output,
            stderr=output,
        )
    return Worker(process, log)


@contextmanager
def working(directory: Path, config: Config, **settings: str) -> Iterator[Worker]:
    """A worker that has started, ended by SIGTERM at the end of the block."""
    worker = start(directory, config, **settings)
    try:
        until(lambda: "worker: started" in worker.output() or worker.process.poll() is not None)
        assert worker.process.poll() is None, worker.output()
        yield worker
        assert worker.end() == 0, worker.output()
    finally:
        worker.process.kill()
        worker.process.wait()


def get(port: int, path: str, token: str | None = None) -> tuple[int, str]:
    """The status and the body of a response of the worker's health server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            "GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"}
        )
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
