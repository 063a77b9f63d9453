"""A worker that is killed between a commit and its response."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.history_checker import CONNECTION_ERRORS
from tests.support.processes import until
from tests.support.remote_user import RemoteUser, sign_up, workers
from tests.support.server import Server, serving
from tests.support.services import FlaskCommand

pytestmark = pytest.mark.slow


class CommitTrap:
    """A proxy in front of PostgreSQL that, once set, drops the response to the next COMMIT."""

    def __init__(self, database_url: str) -> None:
        self._database = conninfo_to_dict(database_url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_set = threading.Event()
        self.has_dropped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        parts = urlsplit(database_url)
        host, port = self._listener.getsockname()
        kept = [pair for pair in parse_qsl(parts.query) if pair[0] not in ("host", "port")]
        query = urlencode([*kept, ("host", host), ("port", port), ("sslmode", "disable")])
        self.url = parts._replace(netloc=parts.netloc.partition("@")[0] + "@", query=query).geturl()

    def set(self) -> None:
        self._is_set.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=[client], daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = str(self._database["host"]), str(self._database.get("port", 5432))
        if not host.startswith("/"):
            return socket.create_connection((host, int(port)))
        database = socket.socket(socket.AF_UNIX)
        database.connect(f"{host}/.s.PGSQL.{port}")
        return database

    def _relay(self, client: socket.socket) -> None:
        with client, self._connect() as database:
            dropped = threading.Event()
            back = threading.Thread(target=self._answer, args=[database, client, dropped])
            back.start()
            with suppress(OSError):
                while request := client.recv(65536):
                    if b"COMMIT" in request and self._is_set.is_set():
                        self._is_set.clear()
                        dropped.set()
                    database.sendall(request)
                database.shutdown(socket.SHUT_WR)
            back.join()

    def _answer(
        self, database: socket.socket, client: socket.socket, dropped: threading.Event
    ) -> None:
        with suppress(OSError):
            while answer := database.recv(65536):
                if dropped.is_set():
                    self.has_dropped.set()
                    return
                client.sendall(answer)


@pytest.fixture
def trap(database_url: str) -> Iterator[CommitTrap]:
    with closing(CommitTrap(database_url)) as trap:
        yield trap


@pytest.fixture
def own_server(trap: CommitTrap, tmp_path: Path) -> Iterator[Server]:
    with serving(trap.url, tmp_path, WEB_CONCURRENCY="1") as server:
        yield server


@pytest.fixture
def owner(own_server: Server) -> RemoteUser:
    return sign_up(own_server)


@pytest.mark.proves("TASK-43")
def test_a_retry_after_a_crash_between_commit_and_reply_gets_the_first_response(
    owner: RemoteUser, trap: CommitTrap, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    key = {"Idempotency-Key": "survives"}
    (worker,) = workers(owner.server)
    trap.set()
    outcome: list[object] = []

    def create() -> None:
        try:
            outcome.append(owner.call("POST", "/tasks", {"title": "once"}, key))
        except CONNECTION_ERRORS as error:
            outcome.append(error)

    request = threading.Thread(target=create)
    request.start()
    assert trap.has_dropped.wait(30)
    os.kill(worker, signal.SIGKILL)
    request.join()
    assert isinstance(outcome[0], CONNECTION_ERRORS)
    assert superuser.execute("SELECT title FROM tasks").fetchall() == [("once",)]

    until(lambda: workers(owner.server) not in ([], [worker]))
    retry = owner.call("POST", "/tasks", {"title": "once"}, key)
    assert (retry.status, retry.headers["Idempotent-Replayed"]) == (201, "true")
    tasks = owner.get("/tasks").json["data"]
    assert tasks == [retry.json["data"]]
    assert retry.headers["Location"] == f"/api/me/tasks/{tasks[0]['id']}"
    assert superuser.execute("SELECT count(*) FROM ledger_entries").fetchone() == (1,)
    assert flask("ledger", "verify").exit_code == 0
