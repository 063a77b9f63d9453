"""A service for browsers: gunicorn with a worker, killed and started again at the same address."""

import signal
from contextlib import ExitStack
from pathlib import Path

from app.config import Config
from tests.support import worker
from tests.support.processes import children, coverage_settings, send_signal
from tests.support.roles import as_role
from tests.support.server import Server, serving


class Service:
    """A gunicorn on that database, with a worker beside it; `start` it first."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        self._database_url, self._directory, self._settings = database_url, directory, settings
        self._parts = ExitStack()
        self._starts = 0
        self.server: Server

    @property
    def url(self) -> str:
        """The URL without a path: the origin, the same after a new start."""
        return self.server.url

    def start(self) -> None:
        """Starts both, on the port that they had before."""
        self._starts += 1
        logs = self._directory / f"start-{self._starts}"
        logs.mkdir()
        settings = {**coverage_settings(), **self._settings}
        self.server = self._parts.enter_context(serving(self._database_url, logs, **settings))
        self._settings["PORT"] = str(self.server.port)
        self._parts.enter_context(worker.working(logs, self._config()))

    def kill(self) -> None:
        """Kills gunicorn and its processes at once, whatever they are doing; ends the worker."""
        master = self.server.process.pid
        for pid in (master, *children(master)):
            send_signal(pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Ends both."""
        self._parts.close()

    def _config(self) -> Config:
        return Config.from_env(
            {
                "APP_ENV": "test",
                "DATABASE_URL": as_role(self._database_url),
                "JWT_SECRETS": worker.KEYS,
                "ENCRYPTION_KEYS": worker.KEYS,
                "DATA_DIR": str(self._directory),
            }
        )
