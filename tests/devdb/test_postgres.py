"""The embedded PostgreSQL: it keeps its data, and starts after every kind of crash."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app import devdb
from tests.support.databases import memory_directory
from tests.support.processes import has_ended, processes_using, until

ROOT = Path(__file__).parent.parent.parent
QUICK = {"fsync": "off", "max_connections": "10", "shared_buffers": "1MB"}
SUPERUSER = {"database": "postgres", "user": devdb.SUPERUSER}

# Starts a server, prints its pid, and waits to be killed.
STARTER = """
import sys, time
from pathlib import Path
from app import devdb
server = devdb.start(Path(sys.argv[1]), settings={"fsync": "off"})
print(server.pid, flush=True)
time.sleep(600)
"""

# Starts and stops a server in an interpreter without installed packages.
START_AND_STOP = f"""
import sys, types
from pathlib import Path
sys.path.append({str(Path(psycopg.__file__).parent.parent)!r})
package = types.ModuleType("app")
package.__path__ = ["app"]
sys.modules["app"] = package
from app import devdb
devdb.start(Path(sys.argv[1]), settings={{"fsync": "off"}}).stop()
"""

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="changes users: run the tests as root")


@pytest.fixture
def new_data_dir() -> Iterator[Path]:
    """A path at which no server has been started."""
    directory = Path(tempfile.mkdtemp(prefix="ownrow-embedded-", dir=memory_directory()))
    yield directory / "data"
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """The directory of a stopped server, shared by the module, as creating a cluster is slow."""
    directory = Path(tempfile.mkdtemp(prefix="ownrow-embedded-", dir=memory_directory()))
    devdb.start(directory / "data", settings=QUICK).stop()
    yield directory / "data"
    shutil.rmtree(directory)


def query(url: str, statement: str) -> object:
    """The first column of the first row, or None without rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@pytest.fixture
def starter(new_data_dir: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], int]]]:
    """Starts a process that starts a server; returns the process and the server's pid."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(new_data_dir)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()
    until(lambda: not processes_using(new_data_dir))


def test_a_new_cluster_has_a_utf8_database_owned_by_a_role_without_superuser_rights(
    new_data_dir: Path,
) -> None:
    with devdb.start(new_data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT current_database()") == "ownrow"
        assert query(server.url(), "SELECT current_setting('is_superuser')") == "off"
        assert query(server.url(), "SELECT lower('ÄÉЖΩ')") == "äéжω"
        assert query(server.url(), "SHOW server_encoding") == "UTF8"
        query(server.url(), "CREATE TABLE made_by_its_owner (id integer)")


def test_data_survives_a_restart(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK) as server:
        query(server.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
    assert has_ended(server.pid)
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT answer FROM kept") == 42


def test_a_dropped_database_is_created_again(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK) as server:
        query(server.url(**SUPERUSER), "DROP DATABASE ownrow")
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT 1") == 1


@pytest.mark.proves("RUN-12")
def test_it_listens_on_tcp_only_with_listen_tcp(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SHOW listen_addresses") == ""
        with pytest.raises(devdb.EmbeddedError, match="listen_tcp"):
            server.tcp_url()


def test_tcp_connections_need_the_password(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK, listen_tcp=True) as server:
        url = server.tcp_url()
        assert query(url, "SELECT 1") == 1
        assert query(url, "SELECT host(inet_client_addr())") == "127.0.0.1"
        password = url.split(":")[2].split("@")[0]
        with pytest.raises(psycopg.OperationalError, match="password"):
            query(url.replace(password, "guessed"), "SELECT 1")


@pytest.mark.proves("RUN-12")
def test_cluster_socket_and_log_are_accessible_to_their_user_only(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK):
        for name in ("postgres", "socket", "postgres.log", "postgres.lock"):
            assert (data_dir / name).stat().st_mode & 0o077 == 0, name
        assert data_dir.stat().st_mode & 0o066 == 0


def test_settings_are_passed_to_the_server(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SHOW fsync") == "off"
    with devdb.start(data_dir) as server:
        assert query(server.url(), "SHOW fsync") == "on"


def test_an_unknown_setting_is_reported_with_the_end_of_the_log(new_data_dir: Path) -> None:
    with pytest.raises(devdb.EmbeddedError, match="unrecognized configuration parameter"):
        devdb.start(new_data_dir, settings={"fsync": "off", "no_such_setting": "1"})
    assert not processes_using(new_data_dir)
    devdb.start(new_data_dir, settings=QUICK).stop()


def test_a_second_start_on_the_same_directory_is_refused(data_dir: Path) -> None:
    with devdb.start(data_dir, settings=QUICK) as server:
        with pytest.raises(devdb.EmbeddedError, match=f"already running.*{os.getpid()}"):
            devdb.start(data_dir, settings=QUICK)
        assert query(server.url(), "SELECT 1") == 1


def test_servers_of_two_directories_run_at_the_same_time(new_data_dir: Path) -> None:
    with (
        devdb.start(new_data_dir / "one", settings=QUICK) as one,
        devdb.start(new_data_dir / "two", settings=QUICK) as two,
    ):
        query(one.url(), "CREATE TABLE only_here (id integer)")
        assert query(two.url(), "SELECT to_regclass('only_here')") is None


@pytest.mark.proves("RUN-11")
def test_the_server_ends_with_a_killed_parent_and_the_next_start_succeeds(
    new_data_dir: Path, starter: Callable[[], tuple[subprocess.Popen[str], int]]
) -> None:
    process, _ = starter()
    process.kill()
    process.wait()
    with devdb.start(new_data_dir, settings=QUICK) as server:
        assert processes_using(new_data_dir)
        query(server.url(), "CREATE TABLE kept (id integer)")
    assert not processes_using(new_data_dir)


@pytest.mark.proves("RUN-11")
def test_the_start_after_a_kill_recovers_the_data(data_dir: Path) -> None:
    server = devdb.start(data_dir, settings=QUICK)
    query(server.url(), "CREATE TABLE recovered AS SELECT 42 AS answer")
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: server.poll() is not None)
    assert (data_dir / "postgres" / "postmaster.pid").exists()
    server.stop()
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT answer FROM recovered") == 42


@pytest.fixture
def bystander(data_dir: Path) -> Iterator[int]:
    """The pid of another program's process that runs as the server's user."""
    owner = (data_dir / "postgres").stat().st_uid
    user = owner if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "600"], user=user) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("name", ["postgres/postmaster.pid", "socket/.s.PGSQL.5432.lock"])
def test_a_stale_lock_file_with_the_pid_of_another_process_does_not_prevent_a_start(
    data_dir: Path, bystander: int, name: str
) -> None:
    rest = f"{data_dir}/postgres\n1700000000\n5432\n{data_dir}/socket\n\n0 0\nready\n"
    (data_dir / name).write_text(f"{bystander}\n{rest}")
    (data_dir / name).chmod(0o644)
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT 1") == 1


def test_a_stale_socket_does_not_prevent_a_start(data_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(data_dir / "socket" / ".s.PGSQL.5432"))
    with devdb.start(data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT 1") == 1


def test_an_interrupted_initdb_is_repeated(new_data_dir: Path) -> None:
    unfinished = new_data_dir / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with devdb.start(new_data_dir, settings=QUICK) as server:
        assert query(server.url(), "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_path_too_long_for_a_socket_works(new_data_dir: Path) -> None:
    deep = new_data_dir / "/".join(["deep" * 10] * 4)
    with devdb.start(deep, settings=QUICK) as server:
        directory = Path(str(query(server.url(**SUPERUSER), "SHOW unix_socket_directories")))
        assert directory.stat().st_mode & 0o077 == 0
        assert query(server.url(), "SELECT 1") == 1
    assert not directory.exists()


def test_a_path_with_blanks_and_percent_signs_works(new_data_dir: Path) -> None:
    with devdb.start(new_data_dir / "50% of my data", settings=QUICK) as server:
        assert query(server.url(), "SELECT 1") == 1


@pytest.mark.proves("RUN-13")
def test_a_cluster_of_another_major_version_is_reported_with_the_fix(new_data_dir: Path) -> None:
    with devdb.start(new_data_dir, version=16, settings=QUICK) as server:
        assert str(query(server.url(), "SHOW server_version")).startswith("16.")
    with pytest.raises(devdb.EmbeddedError, match=r"made by PostgreSQL 16.*this is 18.*pg_dump"):
        devdb.start(new_data_dir, settings=QUICK)


def test_a_version_that_is_not_installed_is_reported_with_its_package(new_data_dir: Path) -> None:
    with pytest.raises(devdb.EmbeddedError, match="apt-get install postgresql-9"):
        devdb.start(new_data_dir, version=9)


def test_a_file_in_place_of_the_directory_is_reported(new_data_dir: Path) -> None:
    new_data_dir.write_text("not a directory")
    with pytest.raises(devdb.EmbeddedError, match=str(new_data_dir)):
        devdb.start(new_data_dir)


@as_root_only
def test_parent_directories_are_made_traversable_but_not_readable(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = data_dir.parent
    home.chmod(0o700)
    with devdb.start(data_dir, settings=QUICK) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert home.stat().st_mode & 0o777 == 0o701
    (message,) = caplog.messages
    assert message == f"PostgreSQL runs as nobody: let others pass through (not read) {home}"


@as_root_only
def test_root_can_start_the_server_of_another_user(new_data_dir: Path) -> None:
    user = pwd.getpwnam("daemon")
    new_data_dir.parent.chmod(0o711)
    new_data_dir.mkdir()
    os.chown(new_data_dir, user.pw_uid, user.pw_gid)
    done = start_as(user, new_data_dir)
    assert done.returncode == 0, done.stderr
    assert (new_data_dir / "postgres").stat().st_uid == user.pw_uid
    with devdb.start(new_data_dir, settings=QUICK) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == user.pw_uid


@as_root_only
def test_a_directory_of_another_user_is_reported(data_dir: Path) -> None:
    refused = start_as(pwd.getpwnam("daemon"), data_dir)
    assert "made by another user" in refused.stderr


def start_as(user: pwd.struct_passwd, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Starts and stops a server as that user, by a Python that the user may execute."""
    for python in (sys.executable, "/usr/bin/python3"):
        if run_as(user, python, "import sys; sys.exit(sys.version_info < (3, 11))").returncode == 0:
            return run_as(user, python, START_AND_STOP, str(data_dir))
    pytest.skip(f"needs a Python 3.11 that {user.pw_name} may run: apt-get install python3")


def run_as(
    user: pwd.struct_passwd, python: str, program: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Runs a Python program as that user."""
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return subprocess.run(
        [*become, python, "-c", program, *arguments],
        cwd=ROOT,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
