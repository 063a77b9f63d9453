"""A service for browsers: gunicorn, worker and event streams, started again at one address."""

import os
import re
import signal
from contextlib import ExitStack
from pathlib import Path

from app.config import Config
from tests.support import worker
from tests.support.events import Streaming, streaming
from tests.support.processes import children, coverage_settings, send_signal
from tests.support.roles import as_role
from tests.support.server import Server, serving

METRICS_TOKEN = "metrics-of-the-event-streams"


class Service:
    """A gunicorn on that database, with `flask worker` and `flask events`; `start` it first."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        self._database_url, self._directory, self._settings = database_url, directory, settings
        self._parts = ExitStack()
        self._starts = 0
        self.server: Server
        self.events: Streaming

    @property
    def url(self) -> str:
        """The URL without a path: the origin, the same after a new start."""
        return self.server.url

    def start(self) -> None:
        """Starts all three, on the port that they had before."""
        self._starts += 1
        logs = self._directory / f"start-{self._starts}"
        logs.mkdir()
        path = str(logs / "events.sock")
        settings = {**coverage_settings(), "EVENTS_SOCKET": path, **self._settings}
        self.server = self._parts.enter_context(serving(self._database_url, logs, **settings))
        self._settings["PORT"] = str(self.server.port)
        self._parts.enter_context(worker.working(logs, self._config()))
        self.events = self._parts.enter_context(
            streaming(logs, self._config(), EVENTS_SOCKET=path, METRICS_TOKEN=METRICS_TOKEN)
        )

    def kill(self) -> None:
        """Kills gunicorn and its processes at once, whatever they are doing; ends the others."""
        master = self.server.process.pid
        for pid in (master, *children(master)):
            send_signal(pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Ends all three."""
        self._parts.close()

    def open_streams(self) -> int:
        """How many event streams are open."""
        scraper = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        metrics = self.events.request("GET", "/metrics", scraper).body.decode()
        (found,) = re.findall(r"^ownrow_open_streams (\S+)$", metrics, re.MULTILINE)
        return int(float(found))

    def _config(self) -> Config:
        return Config.from_env(
            {
                "APP_ENV": "test",
                "DATABASE_URL": as_role(self._database_url),
                "JWT_SECRETS": worker.KEYS,
                "ENCRYPTION_KEYS": worker.KEYS,
                "DATA_DIR": str(self._directory),
                "DB_ROW_SECURITY": os.environ.get("TEST_ROW_SECURITY", "off"),
            }
        )
