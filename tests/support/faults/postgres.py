"""A PostgreSQL that can be killed, stopped by SIGSTOP, and started again on the same data."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app import devdb
from app.db import migrations
from app.devdb.postgres import NO_SETTINGS
from tests.support.processes import children, send_signal

# Terminates one random session of the service.
TERMINATE_ONE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ownrow web' ORDER BY random() LIMIT 1
"""


class Postgres:
    """A server and its data directory; `url` is the same after a restart.

    Start it from the main thread: the server ends with the thread that started it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        version: int = 18,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        self.directory = directory
        self._version = version
        self._settings = settings
        self._running: devdb.EmbeddedPostgres | None = None

    @property
    def running(self) -> devdb.EmbeddedPostgres:
        """The started server; raises AssertionError if it is stopped."""
        assert self._running is not None, "PostgreSQL is not running"
        return self._running

    @property
    def url(self) -> str:
        """The database's URL for the owner of the schema."""
        return self.running.url()

    @property
    def admin_url(self) -> str:
        """The database's URL for the superuser."""
        return self.running.url(user=devdb.SUPERUSER)

    @property
    def socket(self) -> Path:
        """The directory of the Unix socket."""
        return self.directory / "socket"

    def start(self) -> float:
        """Starts the server; returns the monotonic time when it was ready."""
        self._running = devdb.start(self.directory, version=self._version, settings=self._settings)
        return time.monotonic()

    def stop(self) -> None:
        """Shuts the server down; open sessions are terminated."""
        self.running.stop()
        self._running = None

    def kill(self) -> None:
        """Sends SIGKILL to all of its processes."""
        self._signal(signal.SIGKILL)
        self.stop()

    def freeze(self) -> None:
        """Stops all of its processes by SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continues all of its processes by SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in (self.running.pid, *children(self.running.pid)):
            send_signal(pid, number)

    def close(self) -> None:
        """Shuts the server down in any state."""
        if self._running is not None:
            self.thaw()
            self.stop()


@contextmanager
def postgres(
    directory: Path,
    *,
    version: int = 18,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Iterator[Postgres]:
    """A migrated database on a server of its own."""
    server = Postgres(directory, version=version, settings=settings)
    server.start()
    try:
        migrations.upgrade(server.url)
        yield server
    finally:
        server.close()
