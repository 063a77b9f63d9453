"""Programs that the service works with, each started on a free port; commands of `flask`."""

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import Result
from psycopg.conninfo import conninfo_to_dict

from app import create_app
from app.config import Config
from tests.support.databases import memory_directory
from tests.support.processes import children, send_signal, until

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = {"psql": "postgresql-client"}
# The access rights on the current database.
RIGHTS = "SELECT datacl::text FROM pg_database WHERE datname = current_database()"
# The number of sessions of the current database that wait for a lock.
LOCK_WAITS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""

FlaskCommand = Callable[..., Result]  # the fixture `flask`: runs a command with these arguments


def program(name: str) -> str:
    """The path of a program; skips the test if it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {PACKAGES.get(name, name)}")
    return found


@contextmanager
def cluster_directory(copied: Path | None = None) -> Iterator[Path]:
    """A temporary DATA_DIR that PostgreSQL's own user can enter, unlike pytest's directories.

    It is empty, or contains a copy of the cluster in `copied`, whose server must be stopped.
    """
    with tempfile.TemporaryDirectory(prefix="ownrow-test-", dir=memory_directory()) as directory:
        if copied is not None:
            copy_cluster(copied, Path(directory))
        yield Path(directory)


def copy_cluster(source: Path, target: Path) -> None:
    """Copies the cluster of a DATA_DIR into another one, with its owner and permissions."""
    target.mkdir(exist_ok=True)
    subprocess.run(["cp", "--archive", source / "postgres", target], check=True)


def free_port() -> int:
    """A port that nothing listens on, below the range of ephemeral ports."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_listening(port: int) -> bool:
    """Whether a program accepts connections on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def flask(environ: Mapping[str, str], *command: str, given: str = "") -> tuple[int, str]:
    """The exit status and the output of a `flask` command with that input, run in this process.

    That takes a fifth of the time of a new process. It closes the pool of `app.db`.
    """
    done = create_app(Config.from_env(environ)).test_cli_runner().invoke(args=command, input=given)
    return done.exit_code, done.output


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    directory: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program that listens on `port` within the block; its output is written to `log`."""
    with open(log or os.devnull, "ab") as output:  # noqa: PTH123
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=output, stderr=output, process_group=0
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
    """An empty Redis; yields its port."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(command, port):
        yield port


@contextmanager
def pgbouncer(database_url: str, directory: Path) -> Iterator[str]:
    """PgBouncer in transaction mode in front of the database; yields its URL.

    It assigns its two server connections in turn (round robin), as under load.
    """
    port, program_path = free_port(), program("pgbouncer")
    target = conninfo_to_dict(database_url)
    (directory / "users").write_text(f'"{target["user"]}" ""\n')
    settings = directory / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"ownrow = host={target['host']} port={target['port']} dbname={target['dbname']}"
        f" user={target['user']}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {directory / 'users'}\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nserver_round_robin = 1\n"
    )
    as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
    if as_nobody:
        for path in (directory, *directory.parents):
            if not path.stat().st_mode & stat.S_IXOTH:
                path.chmod(path.stat().st_mode | stat.S_IXOTH)
    command = [program_path, *as_nobody, str(settings)]
    with running(command, port, log=directory / "pgbouncer.log"):
        yield f"postgresql://{target['user']}@127.0.0.1:{port}/ownrow"


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stops a process and its children by SIGSTOP within the block; their sockets stay open."""
    family = [pid, *children(pid)]
    for each in family:
        send_signal(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(family):
            send_signal(each, signal.SIGCONT)
