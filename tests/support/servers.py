"""The service on other WSGI servers than gunicorn with the project's configuration."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.devdb import child_process
from tests.support.processes import until, without_coverage
from tests.support.roles import as_role
from tests.support.server import ROOT, Reply, Server
from tests.support.services import free_port, is_listening

SCRIPTS = Path(sys.executable).parent  # where pip installs the programs of packages
START_TIMEOUT = 30  # seconds
METRICS_TOKEN = "a-token-for-prometheus"
# As on a system without epoll: it is removed before anything can ask for it.
WITHOUT_EPOLL = "import select; del select.epoll; from gunicorn.app.wsgiapp import run; run()"
WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from wsgi import app
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""


@dataclass(frozen=True)
class Software:
    """A WSGI server: how it is started, and what it does with connections and bodies."""

    program: str  # in the environment's bin directory
    arguments: tuple[str, ...]  # {port} stands for the port
    package: str  # what pip installs it from
    keeps_connections: bool
    reads_chunks: bool  # removes a chunked body's framing, and sets wsgi.input_terminated
    shares_memory: bool = False  # among its processes: with gunicorn.conf.py only
    worker: str = ""  # as gunicorn names it in its log


def _gunicorn(worker: str, *arguments: str, shares: bool = True, keeps: bool = True) -> Software:
    bind = ("--bind", "127.0.0.1:{port}", *arguments, "wsgi:app")
    return Software("gunicorn", bind, "gunicorn", keeps, True, shares, worker)


def _uwsgi(socket: str, *arguments: str, keeps: bool = False) -> Software:
    flags = ("--master", "--die-on-term", "--need-app", "--enable-threads", "--threads", "4")
    where = (socket, "127.0.0.1:{port}", "--module", "wsgi:app")
    return Software("uwsgi", (*where, *flags, *arguments), "pyuwsgi", keeps, False)


SERVERS = {
    "gunicorn, fast worker": _gunicorn("app.serving.worker.FastWorker"),
    "gunicorn, gthread": _gunicorn("gthread", "--worker-class", "gthread"),
    "gunicorn, sync": _gunicorn("sync", "--worker-class", "sync", "--threads", "1", keeps=False),
    "gunicorn, gthread, its own configuration": _gunicorn(
        "gthread", "-c", "/dev/null", "--threads", "4", shares=False
    ),
    "gunicorn without epoll": Software(
        "python",
        ("-c", WITHOUT_EPOLL, "--bind", "127.0.0.1:{port}", "wsgi:app"),
        "gunicorn",
        keeps_connections=True,
        reads_chunks=True,
        shares_memory=True,
        worker="gthread",
    ),
    "Granian": Software(
        "granian",
        ("--interface", "wsgi", "--port", "{port}", "wsgi:app"),
        "granian",
        keeps_connections=True,
        reads_chunks=True,
    ),
    "uWSGI": _uwsgi("--http-socket"),
    "uWSGI, loaded in each process": _uwsgi("--http-socket", "--lazy-apps"),
    "uWSGI behind its router": _uwsgi("--http", "--http-keepalive", keeps=True),
    "waitress": Software(
        "waitress-serve",
        ("--listen", "127.0.0.1:{port}", "wsgi:app"),
        "waitress",
        keeps_connections=True,
        reads_chunks=True,
    ),
    "wsgiref": Software(
        "python", ("-c", WSGIREF, "{port}"), "", keeps_connections=False, reads_chunks=False
    ),
    "flask run": Software(
        "flask",
        ("--app", "wsgi", "run", "--port", "{port}"),
        "flask",
        keeps_connections=False,
        reads_chunks=True,
    ),
}


def settings(database_url: str, directory: Path) -> dict[str, str]:
    """The environment of a service with one process, rate limits and metrics."""
    inherited = without_coverage()
    kept = {name: text for name, text in inherited.items() if not name.startswith("DATABASE_")}
    return {
        **kept,
        "APP_ENV": "test",
        "DATABASE_URL": as_role(database_url),
        "DB_ROW_SECURITY": os.environ.get("TEST_ROW_SECURITY", "off"),
        "DATA_DIR": str(directory),
        "JWT_SECRETS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
        "ENCRYPTION_KEYS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
        "LOG_FORMAT": "json",
        "RATE_LIMIT": "600/minute",
        "METRICS_TOKEN": METRICS_TOKEN,
        "WEB_CONCURRENCY": "1",
    }


@contextmanager
def serving_on(
    software: Software, database_url: str, directory: Path, **environment: str
) -> Iterator[Server]:
    """The service on that server, ready to answer; skips the test where it is not installed.

    `environment` has further settings of the service.
    """
    program = SCRIPTS / software.program
    if not program.exists():
        pytest.skip(f"{software.program} is missing: pip install {software.package}")
    port = free_port()
    command = [str(program), *(each.format(port=port) for each in software.arguments)]
    log = directory / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            child_process.command(command, death_signal=signal.SIGTERM),
            cwd=ROOT,
            env=settings(database_url, directory) | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server("127.0.0.1", port, process, log)
    try:
        until(lambda: is_listening(port) or process.poll() is not None, START_TIMEOUT)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(START_TIMEOUT)
        finally:
            process.kill()


def on_one_connection(server: Server, *requests: bytes) -> list[Reply]:
    """Sends each request when the one before is answered, until the server closes or says so."""
    answers: list[Reply] = []
    with server.connect() as connection:
        for request in requests:
            method = request.partition(b" ")[0].decode()
            response = http.client.HTTPResponse(connection, method=method)
            try:
                with suppress(ConnectionError):  # a refusal may end it before all is sent
                    connection.sendall(request)
                response.begin()
                is_last = response.will_close
                answers.append(Reply(response.status, response.headers, response.read()))
            except ConnectionError:
                break
            if is_last:
                break
    return answers
