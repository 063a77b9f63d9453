"""Jumps of the server's wall clock revive no token and extend no rate limit."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

import pytest

from tests.support.faults.load import TASKS, User, log_in, register
from tests.support.faults.postgres import Postgres
from tests.support.processes import until
from tests.support.server import Server, serving

HOUR = 3600  # seconds
QUOTA = 8  # requests a second
REFRESH = 1.1  # seconds until each worker has reloaded the ended sessions
Jump = Callable[[int], None]


@pytest.fixture
def clock(directory: Path) -> Path:
    """The file with the offset of the server's clock, in seconds."""
    file = directory / "clock"
    file.write_text("+0")
    return file


@pytest.fixture
def jump(clock: Path) -> Jump:
    """Sets the offset of the server's clock, in seconds."""

    def to(seconds: int) -> None:
        following = clock.with_suffix(".next")
        following.write_text(f"{seconds:+d}")
        following.replace(clock)

    return to


@pytest.fixture
def server(database: Postgres, clock: Path, tmp_path: Path) -> Iterator[Server]:
    """A server whose wall clock has an offset; its monotonic clock does not."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is missing: apt-get install gcc libc6-dev")
    library = tmp_path / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    wrong = {
        "LD_PRELOAD": str(library),
        "CLOCK_FILE": str(clock),
        "RATE_LIMIT": f"{QUOTA}/second",
    }
    with serving(database.url, tmp_path, **wrong) as running:
        yield running


def status(server: Server, user: User) -> int:
    """The status of an authenticated request."""
    headers = {"Authorization": f"Bearer {user.token}"}
    return server.request("GET", f"{TASKS}?limit=1", headers=headers).status


def log_out(server: Server, user: User) -> None:
    """Ends the user's current session."""
    sessions = server.request(
        "GET", "/api/auth/sessions", headers={"Authorization": f"Bearer {user.token}"}
    ).json["data"]
    (current,) = [each["id"] for each in sessions if each["current"]]
    ended = server.request(
        "DELETE",
        f"/api/auth/sessions/{current}",
        headers={"Authorization": f"Bearer {user.token}"},
    )
    assert ended.status == 200


def test_an_ended_session_stays_ended_after_clock_jumps(server: Server, jump: Jump) -> None:
    user = register(server)
    log_out(server, user)
    until(lambda: status(server, user) == 401, 2)
    for seconds in (HOUR, 0, -HOUR, 0):
        jump(seconds)
        sleep(REFRESH)
        assert status(server, user) == 401


def test_a_token_expires_by_the_wall_clock_and_new_ones_work_after_each_jump(
    server: Server, jump: Jump
) -> None:
    user = register(server)
    assert status(server, user) == 200
    jump(HOUR)
    assert status(server, user) == 401
    ahead = log_in(server, user.email)
    assert status(server, ahead) == 200
    log_out(server, ahead)
    until(lambda: status(server, ahead) == 401, 2)
    jump(0)
    sleep(REFRESH)
    assert status(server, ahead) == 401
    assert status(server, log_in(server, user.email)) == 200


def refresh(server: Server) -> int:
    """The status of a request that is rate limited by client address."""
    return server.request("POST", "/api/auth/refresh", {"refresh_token": "none"}).status


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_rate_limit_ends_within_two_seconds_of_a_clock_jump(
    server: Server, jump: Jump, seconds: int
) -> None:
    for now in (seconds, 0):
        until(lambda: refresh(server) == 429, 10)
        jump(now)
        until(lambda: refresh(server) == 401, 2)
