"""The measured processes: PostgreSQL with the seeded database and the service; reads their /proc.

PostgreSQL is the embedded one with its default durability, connected through its Unix socket.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from app import devdb
from app.db import migrations
from app.devdb import child_process
from benchmarks.tokens import User, users

ROOT = Path(__file__).resolve().parent.parent
SEED = Path(__file__).with_name("seed.sql")
SEEDED = "seeded"
SETTINGS = {"shared_buffers": "512MB", "max_connections": "200"}
TIMEOUT = 30.0  # seconds
TICK = os.sysconf("SC_CLK_TCK")

# The settings of production; only the rate limit is higher than any realistic one.
PRODUCTION = {
    "APP_ENV": "production",
    "JWT_SECRETS": "bench:5b1e0a7c93d84f26a8c0e4d97f3b6152",
    "ENCRYPTION_KEYS": "bench:5b1e0a7c93d84f26a8c0e4d97f3b6152",
    "METRICS_TOKEN": "0123456789abcdef0123456789abcdef",
    "RATE_LIMIT": "9999999/minute",
}
SAME_HASHES = {"PYTHONHASHSEED": "0"}  # else a server may be faster by a lucky order of hashes


@dataclass(frozen=True)
class Postgres:
    """A running server; creates and drops its databases."""

    server: devdb.EmbeddedPostgres

    @property
    def pid(self) -> int:
        """The id of the server's parent process."""
        return self.server.pid

    def url(self, database: str, user: str = devdb.APPLICATION) -> str:
        """The URL of a database, for a role."""
        return self.server.url(database, user)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the superuser, in autocommit mode."""
        return psycopg.connect(self.url(database, devdb.SUPERUSER), autocommit=True)

    def create(self, name: str, template: str = "template1") -> None:
        """Creates the database; drops one of that name first."""
        self.drop(name)
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
                    *map(sql.Identifier, (name, devdb.OWNER, template))
                )
            )

    def drop(self, name: str) -> None:
        """Drops the database if it exists, and ends its sessions."""
        with self.connect() as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))

    def migrate(self, name: str) -> None:
        """Creates an empty database with every migration applied."""
        self.create(name)
        migrations.upgrade(self.url(name, devdb.OWNER))

    def seed(self) -> None:
        """Creates the database SEEDED, the template of the others."""
        self.migrate(SEEDED)
        with self.connect(SEEDED) as connection:
            connection.execute(SEED.read_text().encode())
            connection.execute("VACUUM (ANALYZE)")

    def checkpoint(self) -> None:
        """Writes out all changes, which would otherwise slow down the next measurement."""
        with self.connect() as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def postgres(folder: Path, **settings: str) -> Iterator[Postgres]:
    """Starts a server; `settings` are of postgresql.conf."""
    with devdb.start(folder / "postgres", settings={**SETTINGS, **settings}) as server:
        yield Postgres(server)


@contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder for data, logs and scripts, below TMPDIR."""
    folder = Path(tempfile.mkdtemp(prefix="ownrow-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Service:
    """A running gunicorn; `log` is in its DATA_DIR."""

    port: int
    pid: int  # of the master process
    log: Path

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def service(
    database_url: str, folder: Path, application: str = "wsgi:app", **settings: str
) -> Iterator[Service]:
    """Starts gunicorn with the project's configuration; `settings` are added to PRODUCTION.

    The socket is bound here, so that no other process can take the port.
    """
    folder.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port, log = listener.getsockname()[1], folder / "service.log"
        program = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                child_process.command([*program, application], death_signal=signal.SIGTERM),
                cwd=ROOT,
                env=environment(DATABASE_URL=database_url, DATA_DIR=str(folder), **settings),
                pass_fds=[listener.fileno()],
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
    try:
        yield Service(port, process.pid, log)
    except Exception:
        tail = log.read_text(errors="replace").splitlines()[-10:]
        print("The service's log ends with:", *tail, sep="\n", file=sys.stderr)
        raise
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(TIMEOUT)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def seeded_users(postgres: Postgres) -> list[User]:
    """The seeded database's users, with access tokens that the service accepts."""
    url = postgres.url(SEEDED, devdb.SUPERUSER)
    return users({**PRODUCTION, "DATABASE_URL": url}, url)


def environment(**settings: str) -> Mapping[str, str]:
    """The service's environment; of this process's own only PATH."""
    return {"PATH": os.environ["PATH"], **PRODUCTION, **settings}


def cpu_seconds(root: int) -> float:
    """User and system time of a process and its descendants, ended children included."""
    ticks = 0
    for pid in tree(root):
        with suppress(FileNotFoundError, ProcessLookupError):
            ticks += sum(int(field) for field in _stat(pid)[11:15])
    return ticks / TICK


def machine_seconds() -> float:
    """The time that all CPUs together have been busy."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / TICK


def memory(root: int) -> float:
    """Resident MiB of a process and its descendants; shared memory counts in each process."""
    pages = 0
    for pid in tree(root):
        with suppress(FileNotFoundError, ProcessLookupError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                children[int(_stat(int(entry.name))[1])].append(int(entry.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may contain spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
