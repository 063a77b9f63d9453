"""A PostgreSQL that can be killed, frozen, and started again on the same data."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app import embedded, migrations
from tests.processes import children, send

DEADLINE = 10.0  # seconds


class Postgres:
    """A server and its data directory; `url` stays the same over restarts.

    Start it from the main thread: it ends with the thread that started it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        version: int = 18,
        settings: Mapping[str, str] = embedded.NO_SETTINGS,
    ) -> None:
        self.directory = directory
        self._version = version
        self._settings = settings
        self._running: embedded.EmbeddedPostgres | None = None

    @property
    def running(self) -> embedded.EmbeddedPostgres:
        assert self._running is not None, "PostgreSQL is not running"
        return self._running

    @property
    def url(self) -> str:
        return self.running.url()

    @property
    def admin_url(self) -> str:
        return self.running.url(user=embedded.SUPERUSER)

    @property
    def socket(self) -> Path:
        """The directory of the Unix socket."""
        return self.directory / "socket"

    def start(self) -> float:
        """Starts it, after a crash with its recovery; returns when it was ready."""
        self._running = embedded.start(
            self.directory, version=self._version, settings=self._settings
        )
        return time.monotonic()

    def stop(self) -> None:
        """The clean way: disconnects everybody and ends."""
        self.running.stop()
        self._running = None

    def kill(self) -> None:
        """kill -9 of all of its processes at once."""
        self._signal(signal.SIGKILL)
        self.stop()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in (self.running.pid, *children(self.running.pid)):
            send(pid, number)

    def close(self) -> None:
        """Ends it in whatever state it is."""
        if self._running is not None:
            self.thaw()
            self.stop()


@contextmanager
def postgres(
    directory: Path,
    *,
    version: int = 18,
    settings: Mapping[str, str] = embedded.NO_SETTINGS,
) -> Iterator[Postgres]:
    """A migrated database on a server of its own."""
    server = Postgres(directory, version=version, settings=settings)
    server.start()
    try:
        migrations.upgrade(server.url)
        yield server
    finally:
        server.close()
