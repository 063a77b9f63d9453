"""`flask events` as a process of its own, and a client of event streams."""

import http.client
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config import Config
from tests.support.processes import minimal_environment, until
from tests.support.server import Reply, reply
from tests.support.services import ROOT, free_port
from tests.support.worker import environment

TIMEOUT = 30.0  # seconds
STARTED = "events: started"


@dataclass(frozen=True)
class Event:
    """An event as a client gets it, and the monotonic second when it came."""

    name: str
    id: int
    data: Any
    at: float


class EventStream:
    """An open stream, read line by line as the standard has it (WHATWG HTML, section 9.2.6)."""

    def __init__(self, connection: socket.socket, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response
        self.status, self.headers = response.status, response.headers
        self.retry: int | None = None
        self.comments = 0
        self._lines: queue.Queue[bytes | Exception] = queue.Queue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the stream."""
        with suppress(OSError):  # the other end has closed it
            self._connection.shutdown(socket.SHUT_RDWR)
        self._reading.join()
        self._response.close()
        self._connection.close()

    def _read(self) -> None:
        try:
            while line := self._response.readline():
                self._lines.put(line)
            self._lines.put(b"")
        except (OSError, http.client.HTTPException) as error:
            self._lines.put(error)

    def _line(self, deadline: float) -> bytes:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(line, Exception):
            raise line
        return line

    def next(self, seconds: float = TIMEOUT) -> Event | None:
        """The next event; None at the orderly end.

        Raises TimeoutError when none comes in time, and another OSError or HTTPException where the
        stream breaks off.
        """
        fields: dict[str, str] = {}
        deadline = time.monotonic() + seconds
        while line := self._line(deadline).decode():
            name, _, text = line.rstrip("\n").partition(":")
            if line == "\n" and "data" in fields:
                data = json.loads(fields["data"])
                return Event(fields["event"], int(fields["id"]), data, time.monotonic())
            if line == "\n":
                fields = {}
            elif not name:
                self.comments += 1
            elif name == "retry":
                self.retry = int(text)
            else:
                fields[name] = text.removeprefix(" ")
        return None

    def is_silent(self, seconds: float) -> bool:
        """Whether no event comes, nor the end, within that time."""
        try:
            self.next(seconds)
        except TimeoutError:
            return True
        return False


Open = Callable[..., EventStream]  # the fixture `opened`: opens a user's stream


@dataclass(frozen=True)
class Streaming:
    """A running `flask events`, the port that it listens on, and the file of its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def output(self) -> str:
        """The log so far."""
        return self.log.read_text()

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)

    def open(
        self, token: str, last_event_id: str | int | None = None, path: str = "/api/me/events"
    ) -> EventStream:
        """Opens a stream, or gets the answer that there is instead of one."""
        return open_stream(self.port, token, last_event_id, path)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """The whole response to a request that opens no stream."""
        with self.connect() as connection:
            connection.sendall(head(method, path, headers or {}))
            return reply(connection, method)

    def end(self) -> int:
        """Sends SIGTERM; returns the exit status, or raises where 30 s are not enough."""
        self.process.terminate()
        return self.process.wait(30)


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: todo.example"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def open_stream(
    port: int,
    token: str,
    last_event_id: str | int | None = None,
    path: str = "/api/me/events",
    host: str = "127.0.0.1",
) -> EventStream:
    """Opens a stream at that port, or gets the answer that there is instead of one."""
    headers = {"Authorization": f"Bearer {token}"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = str(last_event_id)
    connection = socket.create_connection((host, port), timeout=TIMEOUT)
    connection.sendall(head("GET", path, headers))
    response = http.client.HTTPResponse(connection, method="GET")
    response.begin()
    connection.settimeout(None)
    return EventStream(connection, response)


@contextmanager
def streaming(directory: Path, config: Config, **settings: str) -> Iterator[Streaming]:
    """`flask events` that has started, ended by SIGTERM at the end of the block.

    EVENTS_SOCKET is a file in `directory`, unless `settings` has one.
    """
    log = directory / "events.log"
    earlier = log.read_text().count(STARTED) if log.exists() else 0
    defaults = {"EVENTS_PORT": str(free_port()), "RATE_LIMIT": "off", "LOG_FORMAT": "json"}
    variables = {**defaults, **settings}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "events"],
            cwd=ROOT,
            env=minimal_environment(**environment(directory, config, **variables)),
            stdout=output,
            stderr=output,
        )
    running = Streaming(process, int(variables["EVENTS_PORT"]), log)
    try:
        until(lambda: running.output().count(STARTED) > earlier or process.poll() is not None)
        assert process.poll() is None, running.output()
        yield running
        if process.poll() is None:
            assert running.end() == 0, running.output()
    finally:
        process.kill()
        process.wait()
