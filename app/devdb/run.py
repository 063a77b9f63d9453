"""What `make run` runs, and ends together: the database, its migrations, the server, event streams
and a worker."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

import psycopg

from app import devdb
from app.config import Config, ConfigError, socket_below
from app.db import migrations
from app.db.errors import cause
from app.devdb import child_process

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

# Seconds. gunicorn finishes its open requests within the first one.
STOP_TIMEOUT = 40.0
READY_TIMEOUT = 60.0
CHILD_STOP_TIMEOUT = 12.0  # a worker takes 8 itself
CHILD_PAUSE = 1.0  # before a child is started again
POLL_INTERVAL = 0.05


class LaunchError(Exception):
    """The service can't be started, or a part of it ended by itself."""


def main() -> int:
    """Serves until a signal ends it: exit status 0. Otherwise 1, or 2 for a wrong setting."""
    if "MAKELEVEL" in os.environ:
        child_process.end_with_parent(signal.SIGTERM)
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    try:
        return serve(Config.from_env(os.environ))
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    except ConfigError as error:
        say("The environment has mistakes:", *str(error).splitlines())
        return 2
    except (LaunchError, devdb.EmbeddedError) as error:
        say(f"Can't go on: {error}")
        return 1


def serve(config: Config) -> int:
    """Serves until a part ends by itself, which is a failure: exit status 1."""
    require_free_port(config.host, config.port)
    with ExitStack() as parts:
        server = None
        database_url, migration_url = config.database_url, config.migration_database_url
        if database_url is None:
            say(f"Starting PostgreSQL in {config.data_dir}")
            server = parts.enter_context(devdb.start(config.data_dir))
            database_url = server.url(user=devdb.APPLICATION)
            migration_url = server.url()
        migrate(config, migration_url or database_url)
        environment = child_environment(config, database_url)
        gunicorn = parts.enter_context(run_gunicorn(environment))
        children = []
        if config.events_port or "EVENTS_SOCKET" in environment:
            children.append(parts.enter_context(Child("events", environment)))
        else:
            say("No event streams: DATA_DIR is too long for a socket; set EVENTS_SOCKET")
        wait_until_ready(config, gunicorn)
        if config.smtp_url is None and config.app_env in ("staging", "production"):
            say("No worker is started: it could send no mail, as SMTP_URL is unset")
        else:
            children.append(parts.enter_context(Child("worker", environment)))
        welcome(config)
        say(f"Ending, because {first_to_end(gunicorn, server, children)}")
        return 1


def migrate(config: Config, url: str) -> None:
    """Brings the schema up to date, but not in production, where that is a step of its own."""
    if config.app_env == "production":
        say("APP_ENV is production: migrations are not applied here, but by `flask db upgrade`")
        return
    try:
        applied = migrations.upgrade(url)
        migrations.switch_row_security(url, on=config.db_row_security)
    except psycopg.Error as error:
        raise LaunchError(f"the migrations can't be applied: {cause(error)}") from error
    for migration in applied:
        say(f"Applied migration {migration}")


def child_environment(config: Config, database_url: str) -> dict[str, str]:
    """This environment with `database_url`, and the socket where streams are handed over."""
    environment = {**os.environ, "DATABASE_URL": database_url}
    environment.pop("DATABASE_URL_FILE", None)
    events_socket = config.events_socket or socket_below(config.data_dir)
    if events_socket is not None:
        environment["EVENTS_SOCKET"] = str(events_socket)
        environment.pop("EVENTS_SOCKET_FILE", None)
    return environment


@contextmanager
def run_gunicorn(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """gunicorn as a child, stopped gracefully at the end."""
    gunicorn = start_child([sys.executable, "-m", "app.serving"], environment)
    try:
        yield gunicorn
    finally:
        stop_gunicorn(gunicorn)


def start_child(program: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A child in a process group of its own: Ctrl-C is for the launcher, which ends it in order."""
    return subprocess.Popen(
        child_process.command(program, death_signal=signal.SIGTERM),
        env=environment,
        process_group=0,
    )


def stop_gunicorn(gunicorn: subprocess.Popen[bytes]) -> None:
    """Lets open requests finish, then kills what is left: workers may outlive a killed master."""
    gunicorn.terminate()
    with suppress(subprocess.TimeoutExpired):
        gunicorn.wait(STOP_TIMEOUT)
    with suppress(ProcessLookupError):
        os.killpg(gunicorn.pid, signal.SIGKILL)


class Child:
    """A command of `flask`, started again when it ends by itself, as the service goes on."""

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        self._command, self._environment = command, environment
        self._program = [sys.executable, "-m", "flask", "--app", "wsgi", command]

    def __enter__(self) -> "Child":
        self._process = start_child(self._program, self._environment)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CHILD_STOP_TIMEOUT)
        self._process.kill()
        self._process.wait()

    def restart_if_ended(self) -> bool:
        """Starts it again where it has ended, after a pause; whether it had."""
        status = self._process.poll()
        if status is None:
            return False
        say(f"flask {self._command} ended by itself, status {status}; starting it again")
        time.sleep(CHILD_PAUSE)
        self._process = start_child(self._program, self._environment)
        return True


def require_free_port(host: str, port: int) -> None:
    """Finds out before anything slow begins; raises LaunchError."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = addresses[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise LaunchError(
            f"can't listen on {host}, port {port} ({error.strerror}): stop what uses it, "
            "or choose another one, such as `make run PORT=8001`"
        ) from error


def wait_until_ready(config: Config, gunicorn: subprocess.Popen[bytes]) -> None:
    """Waits for the first answer; raises LaunchError when there is none."""
    deadline = time.monotonic() + READY_TIMEOUT
    while not answers(config.host, config.port):
        if gunicorn.poll() is not None:
            raise LaunchError("gunicorn did not start, see above")
        if time.monotonic() > deadline:
            raise LaunchError(f"no answer from {address(config)}/livez in {READY_TIMEOUT:.0f} s")
        time.sleep(POLL_INTERVAL)


def answers(host: str, port: int) -> bool:
    """Whether GET /livez gets any answer."""
    connection = http.client.HTTPConnection(LOOPBACK.get(host, host), port, timeout=5)
    try:
        connection.request("GET", "/livez")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def first_to_end(
    gunicorn: subprocess.Popen[bytes],
    server: devdb.EmbeddedPostgres | None,
    children: Sequence[Child],
) -> str:
    """Waits until gunicorn or the server ends by itself, and says which."""
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if gunicorn.poll() is not None:
            return f"gunicorn ended by itself, status {gunicorn.returncode}"
        if server is not None and server.poll() is not None:
            return f"PostgreSQL ended by itself, status {server.poll()}; see its log"
        if any(each.restart_if_ended() for each in children):
            continue
        if ended is not None:
            os.waitpid(ended.si_pid, 0)  # an orphan, which a container's first process inherits


def address(config: Config) -> str:
    """The service's base URL."""
    host = LOOPBACK.get(config.host, config.host)
    return f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"


def welcome(config: Config) -> None:
    """Prints where the service is, and a first request."""
    url = address(config)
    data = "" if config.database_url else f"; the data stays in {config.data_dir}"
    say(
        f"Ownrow is at {url}/app/ in a browser. Its API is at {url}, described at {url}/docs.",
        "A first request:",
        "",
        f"  curl -sS {url}/api/auth/register -H 'Content-Type: application/json' \\",
        """    -d '{"email": "you@example.com", "password": "seven quiet rivers"}'""",
        "",
        f"Ctrl-C ends it{data}.",
    )


def say(*lines: str) -> None:
    """Prints lines at once."""
    print(*lines, sep="\n", flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """The first signal begins an orderly end, which further ones must not disturb."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
