"""What is measured: PostgreSQL with the seeded database, the service as in production, and /proc.

PostgreSQL is the embedded one with its default durability, reached through its Unix socket.
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

from app import child, embedded, migrations
from benchmarks.tokens import User, users

ROOT = Path(__file__).resolve().parent.parent
SEED = Path(__file__).with_name("seed.sql")
SEEDED = "seeded"
SETTINGS = {"shared_buffers": "512MB", "max_connections": "200"}
PATIENCE = 30.0  # seconds
TICK = os.sysconf("SC_CLK_TCK")

# What production needs; only the rate is beyond what anybody would set there.
PRODUCTION = {
    "APP_ENV": "production",
    "JWT_SECRETS": "bench:5b1e0a7c93d84f26a8c0e4d97f3b6152",
    "METRICS_TOKEN": "0123456789abcdef0123456789abcdef",
    "RATE_LIMIT": "9999999/minute",
}


@dataclass(frozen=True)
class Postgres:
    """A running server, and how databases are made in it."""

    server: embedded.EmbeddedPostgres

    @property
    def pid(self) -> int:
        return self.server.pid

    def url(self, database: str, user: str = embedded.APPLICATION) -> str:
        return self.server.url(database, user)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """As the superuser."""
        return psycopg.connect(self.url(database, embedded.SUPERUSER), autocommit=True)

    def create(self, name: str, template: str = "template1") -> None:
        """Makes the database, in place of one of that name."""
        self.drop(name)
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
                    *map(sql.Identifier, (name, embedded.OWNER, template))
                )
            )

    def drop(self, name: str) -> None:
        with self.connect() as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))

    def migrate(self, name: str) -> None:
        """Makes an empty database with every migration applied."""
        self.create(name)
        migrations.upgrade(self.url(name, embedded.OWNER))

    def seed(self) -> None:
        """Makes the database that others are copies of."""
        self.migrate(SEEDED)
        with self.connect(SEEDED) as connection:
            connection.execute(SEED.read_text().encode())
            connection.execute("VACUUM (ANALYZE)")

    def settle(self) -> None:
        """Writes out what has changed, so that what comes next does not pay for it."""
        with self.connect() as connection:
            connection.execute("CHECKPOINT")


@contextmanager
def postgres(folder: Path, **settings: str) -> Iterator[Postgres]:
    with embedded.start(folder / "postgres", settings={**SETTINGS, **settings}) as server:
        yield Postgres(server)


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for data, logs and scripts, removed at the end; TMPDIR says where."""
    folder = Path(tempfile.mkdtemp(prefix="ownrow-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Service:
    """A running gunicorn; `pid` is its master, `log` what it writes."""

    port: int
    pid: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def service(
    database_url: str, folder: Path, application: str = "wsgi:app", **environment: str
) -> Iterator[Service]:
    """gunicorn with the project's configuration; `environment` adds to what production sets.

    The socket is bound here, so that no other process can take the port meanwhile.
    """
    folder.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port, log = listener.getsockname()[1], folder / "service.log"
        program = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                child.command([*program, application], death_signal=signal.SIGTERM),
                cwd=ROOT,
                env=_environment(DATABASE_URL=database_url, DATA_DIR=str(folder), **environment),
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
            process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def seeded_users(postgres: Postgres) -> list[User]:
    """The seeded database's users, with tokens that the service takes."""
    url = postgres.url(SEEDED, embedded.SUPERUSER)
    return users({**PRODUCTION, "DATABASE_URL": url}, url)


def _environment(**settings: str) -> Mapping[str, str]:
    """Nothing of this shell's own settings reaches the service, but where programs are."""
    return {"PATH": os.environ["PATH"], **PRODUCTION, **settings}


def cpu_seconds(root: int) -> float:
    """User and system time of a process and its descendants, those included that have ended."""
    ticks = 0
    for pid in tree(root):
        with suppress(FileNotFoundError, ProcessLookupError):
            ticks += sum(int(field) for field in _stat(pid)[11:15])
    return ticks / TICK


def machine_seconds() -> float:
    """What all CPUs together have spent on work."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / TICK


def memory(root: int) -> float:
    """MiB that a process and its descendants have in memory; shared pages count in each."""
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
    """The fields after the command's name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
