"""gunicorn with the project's configuration on a free port, as a process of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.devdb import child_process
from tests.support.contract_check import check
from tests.support.processes import children, until, without_coverage
from tests.support.roles import as_role

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT = 30  # seconds

ADDRESSES = slice(1, 3)  # the fields of a line in /proc/net/tcp: local and remote address


@dataclass(frozen=True)
class Reply:
    """A response; the names of its headers are case-insensitive."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body as parsed JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running gunicorn; `process` is the master and `log` its output."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"http://{self.host}:{self.port}"

    def connect(self) -> socket.socket:
        """Opens a TCP connection."""
        return socket.create_connection((self.host, self.port), timeout=TIMEOUT)

    def connect_narrowly(self) -> socket.socket:
        """Opens a connection with a small buffer: most of a large response stays with the server
        until the client reads it."""
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(TIMEOUT)
        client.connect((self.host, self.port))
        return client

    def raw(self, request: bytes) -> Reply:
        """Sends the bytes on a new connection; reads one response."""
        with self.connect() as connection:
            connection.sendall(request)
            return reply(connection, request.partition(b" ")[0].decode("latin-1"))

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends a request; checks the response against the contract. A body is sent as JSON, bytes
        are sent as they are."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Reply(response.status, response.headers, response.read())
        finally:
            connection.close()
        check(method, path.partition("?")[0], answer.status, answer.headers, answer.body)
        return answer


def reply(connection: socket.socket, method: str = "GET") -> Reply:
    """Reads one response from the connection."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Reply(response.status, response.headers, response.read())


def replies(connection: socket.socket, count: int) -> list[Reply]:
    """Reads `count` pipelined responses, each of which must have a Content-Length."""
    answers = []
    with connection.makefile("rb") as stream:
        for _ in range(count):
            status = int(stream.readline().split()[1])
            headers = http.client.parse_headers(stream)
            answers.append(Reply(status, headers, stream.read(int(headers["Content-Length"]))))
    return answers


def connections_per_worker(server: Server) -> list[int]:
    """The number of client connections of each worker."""
    return [len(client_ports(server, worker)) for worker in children(server.process.pid)]


def connect_to_every_worker(server: Server, clients: ExitStack) -> list[socket.socket]:
    """Opens connections until each worker has one; `clients` closes them."""
    connected = []

    def has_each_one() -> bool:
        client = clients.enter_context(server.connect())
        connected.append(client)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: todo.example\r\n\r\n")
        return reply(client).status == 200 and 0 not in connections_per_worker(server)

    until(has_each_one)
    return connected


def client_ports(server: Server, worker: int) -> set[int]:
    """The ports of the clients that are connected to this worker."""
    links = [_link(each) for each in Path(f"/proc/{worker}/fd").iterdir()]
    sockets = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(address.partition(":")[2], 16) for address in fields[ADDRESSES])
        if fields[9] in sockets and local == server.port and remote:
            found.add(remote)
    return found


def _link(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


@contextmanager
def serving(
    database_url: str,
    directory: Path,
    *arguments: str,
    **environment: str,
) -> Iterator[Server]:
    """gunicorn on that database, as ownrow_app; it is ready within the block.

    `arguments` are gunicorn's, `environment` has the service's settings, without PORT on a free
    port, and logs are written to `directory`. Coverage is measured only with
    `**coverage_settings()`. The socket is bound here and inherited, so that no other process can
    take the port.
    """
    wanted = int(environment.get("PORT", "0"))
    with socket.create_server(("127.0.0.1", wanted), backlog=1024) as listener:
        host, port = listener.getsockname()
        inherited = without_coverage()
        settings = {
            **{name: text for name, text in inherited.items() if not name.startswith("DATABASE_")},
            "APP_ENV": "test",
            "DATABASE_URL": as_role(database_url),
            "MIGRATION_DATABASE_URL": database_url,
            "DB_ROW_SECURITY": os.environ.get("TEST_ROW_SECURITY", "off"),
            "DATA_DIR": str(directory),
            "JWT_SECRETS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "ENCRYPTION_KEYS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "RATE_LIMIT": "off",
            "WEB_CONCURRENCY": "2",
            **environment,
        }
        program = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
        log = directory / "gunicorn.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                child_process.command(
                    [*program, *arguments, "wsgi:app"], death_signal=signal.SIGTERM
                ),
                cwd=ROOT,
                env=settings,
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
    server = Server(host, port, process, log)
    try:
        answer = server.request("GET", "/livez")
        assert answer.status == 200, answer.body
        workers = int(settings["WEB_CONCURRENCY"])
        until(lambda: len(children(process.pid)) == workers)  # they start one by one
        yield server
    except ConnectionError as error:
        raise AssertionError(log.read_text()) from error
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(TIMEOUT)
    finally:
        process.kill()
