"""`make run` starts PostgreSQL, gunicorn and a worker, and ends all of them in every case."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.support.events import open_stream
from tests.support.processes import processes_using, until, without_coverage
from tests.support.services import cluster_directory, copy_cluster, free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
CREDENTIALS = {"email": "ada@example.com", "password": "seven quiet rivers"}
KEYS = "2026:7d0e9b0c5a3f4e6182d4b6c8fa1e3957"
PRODUCTION = {"APP_ENV": "production", "JWT_SECRETS": KEYS, "ENCRYPTION_KEYS": KEYS}


@dataclass
class Launcher:
    """A process of `python -m app.devdb.run`; `log` is its output."""

    process: subprocess.Popen[bytes]
    port: int
    data_dir: Path
    log: Path

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        """The output so far."""
        return self.log.read_text()

    def ready(self) -> "Launcher":
        """Waits until it serves; raises AssertionError with its output if it ends before."""
        until(lambda: "Ctrl-C ends it" in self.output() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.output()
        return self

    def ended(self) -> int:
        """Waits for the end of the process; returns its exit status."""
        return self.process.wait(60)

    def post(self, path: str, body: object) -> int:
        """Sends JSON; returns the status of the response."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def log_in(self) -> str:
        """The access token of the registered account."""
        request = urllib.request.Request(
            f"{self.url}/api/auth/login",
            json.dumps(CREDENTIALS).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["data"]["access_token"])

    def pid_of(self, program: str) -> int:
        """The first process with `program` in its command line: the parent of the others."""
        return min(
            pid for pid, command in processes_using(self.data_dir).items() if program in command
        )


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty DATA_DIR."""
    with cluster_directory() as directory:
        yield directory


@pytest.fixture
def used(data_dir: Path, cluster: Path) -> None:
    """Copies an initialised cluster into `data_dir`."""
    copy_cluster(cluster, data_dir)


Launch = Callable[..., Launcher]


@pytest.fixture
def launch(data_dir: Path) -> Iterator[Launch]:
    """Starts launchers, and ends them after the test."""
    launched: list[Launcher] = []

    def start(
        *,
        directory: Path = data_dir,
        port: int | None = None,
        prefix: tuple[str, ...] = (),
        measured: bool = True,
        **settings: str,
    ) -> Launcher:
        port = port or free_port()
        environment = {
            name: value
            for name, value in (os.environ if measured else without_coverage()).items()
            if not name.startswith(("DATABASE_URL", "MAKE", "MIGRATION_"))
        }
        environment |= {
            "APP_ENV": "test",
            "DATA_DIR": str(directory),
            "PORT": str(port),
            "WEB_CONCURRENCY": "1",
        }
        log = data_dir / f"output-{len(launched)}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "app.devdb.run"],
                cwd=ROOT,
                env=environment | settings,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        launched.append(Launcher(process, port, directory, log))
        return launched[-1]

    yield start
    for launcher in launched:
        launcher.process.terminate()
    for launcher in launched:
        launcher.ended()
    until(lambda: not any(processes_using(launcher.data_dir) for launcher in launched))


@pytest.mark.proves("RUN-10", "RUN-11")
def test_the_printed_first_request_works_and_the_next_run_has_its_data(
    launch: Launch,
) -> None:
    launcher = launch(APP_ENV="development").ready()
    command = shlex.split(launcher.output()[launcher.output().index("curl ") :], comments=False)
    url, body = command[command.index("-sS") + 1], command[command.index("-d") + 1]
    assert url == f"{launcher.url}/api/auth/register"
    # bcrypt has a low priority: on a busy machine the first requests may exceed their deadline.
    until(lambda: launcher.post("/api/auth/register", json.loads(body)) == 201)
    assert f"{launcher.url}/docs" in launcher.output()
    assert f"{launcher.url}/app/" in launcher.output()
    launcher.process.terminate()
    assert launcher.ended() == 0
    again = launch(measured=False).ready()
    assert "Applied migration" not in again.output()
    until(lambda: again.post("/api/auth/login", json.loads(body)) == 200)


@pytest.mark.proves("RUN-10")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.usefixtures("used")
def test_a_signal_shuts_everything_down_with_status_zero(
    launch: Launch, data_dir: Path, number: signal.Signals
) -> None:
    launcher = launch(measured=number == signal.SIGTERM).ready()
    assert launcher.pid_of("postgres -D")
    os.killpg(launcher.process.pid, number)  # the process group, as a terminal does
    assert launcher.ended() == 0, launcher.output()
    assert not processes_using(data_dir)
    assert "database system is shut down" in (data_dir / "postgres.log").read_text()


def test_a_signal_during_the_start_shuts_everything_down(launch: Launch, data_dir: Path) -> None:
    launcher = launch()
    until(lambda: "Starting PostgreSQL" in launcher.output())
    launcher.process.terminate()
    assert launcher.ended() == 0, launcher.output()
    until(lambda: not processes_using(data_dir))


@pytest.mark.proves("RUN-10")
@pytest.mark.usefixtures("used")
def test_killing_it_leaves_no_process_and_the_next_run_has_the_data(
    launch: Launch, data_dir: Path
) -> None:
    killed = launch(measured=False).ready()
    assert killed.post("/api/auth/register", CREDENTIALS) == 201
    killed.process.kill()
    killed.ended()
    again = launch(measured=False).ready()
    assert again.post("/api/auth/login", CREDENTIALS) == 200
    again.process.kill()
    again.ended()
    until(lambda: not processes_using(data_dir), 60)


@pytest.mark.parametrize(
    ("program", "reason"),
    [("gunicorn", "gunicorn ended by itself"), ("postgres -D", "PostgreSQL ended")],
)
@pytest.mark.usefixtures("used")
def test_if_gunicorn_or_postgresql_dies_the_rest_ends_with_a_reason(
    launch: Launch, data_dir: Path, program: str, reason: str
) -> None:
    launcher = launch(measured=program == "gunicorn").ready()
    os.kill(launcher.pid_of(program), signal.SIGKILL)
    assert launcher.ended() == 1
    assert reason in launcher.output()
    until(lambda: not processes_using(data_dir))


@pytest.mark.proves("EVENT-13", "EVENT-12", "EVENT-10")
@pytest.mark.usefixtures("used")
def test_event_streams_are_at_the_address_and_their_process_is_started_again(
    launch: Launch, data_dir: Path
) -> None:
    launcher = launch(measured=False).ready()
    until(lambda: "events: started" in launcher.output())
    until(lambda: launcher.post("/api/auth/register", CREDENTIALS) in (201, 409))
    token = launcher.log_in()
    with open_stream(launcher.port, token) as stream:
        event = stream.next()
        assert event is not None
        assert event.data == {"version": 0}
        os.kill(launcher.pid_of("wsgi events"), signal.SIGKILL)
        until(lambda: launcher.output().count("events: started") == 2)
        assert "flask events ended by itself" in launcher.output()
    with open_stream(launcher.port, token, 0) as again:
        assert again.is_silent(0.5)
        launcher.process.terminate()
        assert again.next() is None
    assert launcher.ended() == 0, launcher.output()
    assert "events: ended" in launcher.output()
    assert not (data_dir / "events.sock").exists()
    assert not processes_using(data_dir)


@pytest.mark.proves("WORKER-7")
@pytest.mark.usefixtures("used")
def test_a_worker_runs_and_is_started_again_when_it_is_killed(
    launch: Launch, data_dir: Path
) -> None:
    launcher = launch(measured=False).ready()
    until(lambda: "worker: started" in launcher.output())
    first = launcher.pid_of("wsgi worker")
    os.kill(first, signal.SIGKILL)
    until(lambda: launcher.output().count("worker: started") == 2)
    assert "flask worker ended by itself" in launcher.output()
    assert launcher.pid_of("wsgi worker") != first
    assert launcher.post("/api/auth/register", CREDENTIALS) == 201
    launcher.process.terminate()
    assert launcher.ended() == 0
    assert "worker: ended" in launcher.output()
    assert not processes_using(data_dir)


@pytest.mark.proves("WORKER-7")
def test_in_production_without_a_mail_server_the_service_runs_without_a_worker(
    launch: Launch, database_url: str
) -> None:
    launcher = launch(DATABASE_URL=database_url, measured=False, **PRODUCTION).ready()
    assert "No worker is started" in launcher.output()
    assert not [
        each for each in processes_using(launcher.data_dir).values() if "wsgi worker" in each
    ]


@pytest.mark.usefixtures("used")
def test_it_ends_with_its_parent_make(launch: Launch, data_dir: Path) -> None:
    shell = ("sh", "-c", '"$@" & wait', "sh")
    launcher = launch(prefix=shell, measured=False, MAKELEVEL="1").ready()
    launcher.process.kill()
    until(lambda: not processes_using(data_dir))


def test_two_instances_run_at_the_same_time_on_two_ports(
    launch: Launch, data_dir: Path, cluster: Path
) -> None:
    copy_cluster(cluster, data_dir / "one")
    copy_cluster(cluster, data_dir / "two")
    one = launch(directory=data_dir / "one", measured=False).ready()
    two = launch(directory=data_dir / "two", measured=False).ready()
    assert one.post("/api/auth/register", CREDENTIALS) == 201
    assert two.post("/api/auth/login", CREDENTIALS) == 401
    assert two.post("/api/auth/register", CREDENTIALS) == 201


@pytest.mark.proves("RUN-13")
@pytest.mark.usefixtures("used")
def test_a_second_instance_on_the_same_data_is_refused(launch: Launch) -> None:
    first = launch(measured=False).ready()
    second = launch()
    assert second.ended() == 1
    assert "already running" in second.output()
    assert first.post("/api/auth/register", CREDENTIALS) == 201


@pytest.mark.proves("RUN-13")
def test_a_port_in_use_is_reported_before_anything_is_created(
    launch: Launch, data_dir: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        launcher = launch(port=taken.getsockname()[1])
        assert launcher.ended() == 1
    assert f"port {launcher.port}" in launcher.output()
    assert "make run PORT=" in launcher.output()
    assert not (data_dir / "postgres").exists()


@pytest.mark.proves("RUN-1")
def test_all_invalid_settings_are_reported_together(launch: Launch) -> None:
    launcher = launch(LOG_LEVEL="loud", WEB_THREADS="many")
    assert launcher.ended() == 2
    assert "LOG_LEVEL" in launcher.output()
    assert "WEB_THREADS" in launcher.output()
    assert "Traceback" not in launcher.output()


def test_with_database_url_that_database_is_migrated_and_none_is_started(
    launch: Launch, data_dir: Path, empty_database_url: str
) -> None:
    launcher = launch(DATABASE_URL=empty_database_url).ready()
    assert "Applied migration 0001.accounts" in launcher.output()
    assert launcher.post("/api/auth/register", CREDENTIALS) == 201
    assert not (data_dir / "postgres").exists()
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT email FROM users").fetchall() == [("ada@example.com",)]


@pytest.mark.proves("MIG-5")
def test_in_production_no_migration_is_applied(launch: Launch, empty_database_url: str) -> None:
    launcher = launch(DATABASE_URL=empty_database_url, **PRODUCTION).ready()
    assert "flask db upgrade" in launcher.output()
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('users')").fetchone() == (None,)


@pytest.mark.proves("MIG-5", "RUN-3")
def test_in_staging_an_embedded_database_is_started_and_migrated(launch: Launch) -> None:
    launcher = launch(**{**PRODUCTION, "APP_ENV": "staging"}, measured=False).ready()
    assert "Starting PostgreSQL" in launcher.output()
    assert "Applied migration 0001.accounts" in launcher.output()


@pytest.mark.proves("RUN-7")
def test_empty_variables_count_as_unset_for_gunicorn_too(launch: Launch) -> None:
    launch(WEB_CONCURRENCY="", FORWARDED_ALLOW_IPS="", SENDFILE="").ready()


def test_an_unreachable_database_is_reported_in_one_line(launch: Launch) -> None:
    launcher = launch(DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    assert launcher.ended() == 1
    *_, last = launcher.output().splitlines()
    assert "the migrations can't be applied" in last
    assert "is the server running there?" in last
    assert "Traceback" not in launcher.output()
