"""The programs around the service, each started for a test on a port of its own."""

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from app import create_app
from app.config import Config
from tests.databases import memory
from tests.processes import children, send, until

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = {"psql": "postgresql-client"}
# On the database that one is connected to.
RIGHTS = "SELECT datacl::text FROM pg_database WHERE datname = current_database()"


def program(name: str) -> str:
    """The path of a program; skips the test where it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {PACKAGES.get(name, name)}")
    return found


@contextmanager
def cluster_directory(copied: Path | None = None) -> Iterator[Path]:
    """A DATA_DIR that PostgreSQL's own user can get to, unlike pytest's directories.

    It is empty, or has the cluster of another one, whose server is stopped.
    """
    with tempfile.TemporaryDirectory(prefix="ownrow-test-", dir=memory()) as directory:
        if copied is not None:
            copy_cluster(copied, Path(directory))
        yield Path(directory)


def copy_cluster(source: Path, target: Path) -> None:
    """Gives one DATA_DIR the cluster of another, with the user whose it is."""
    target.mkdir(exist_ok=True)
    subprocess.run(["cp", "--archive", source / "postgres", target], check=True)


def free_port() -> int:
    """A port that nothing listens on; a connection's own end, made meanwhile, is a higher one."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def flask(environ: Mapping[str, str], *command: str) -> tuple[int, str]:
    """The exit status of a `flask` command and what it prints, without a process of its own.

    That takes a fifth of the time. Afterwards `app.db` has no pool.
    """
    done = create_app(Config.from_env(environ)).test_cli_runner().invoke(args=command)
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
    """A program that listens on `port` within the block; what it prints goes to `log`."""
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
    """A Redis without any data; yields its port."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(command, port):
        yield port


@contextmanager
def pgbouncer(database_url: str, directory: Path) -> Iterator[str]:
    """PgBouncer in transaction mode in front of that database; yields the URL to it.

    Its two connections to the server are handed out by turns, as a busy pooler's are.
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
    """A process and its children that keep their sockets open and do nothing."""
    family = [pid, *children(pid)]
    for each in family:
        send(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(family):
            send(each, signal.SIGCONT)
