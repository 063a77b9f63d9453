"""The clock of the server's machine jumps: no token comes back to life, no limit lasts longer."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

import pytest

from tests.faults.load import TASKS, User, log_in, register
from tests.faults.postgres import Postgres
from tests.processes import until
from tests.serving import Server, serving

HOUR = 3600  # seconds
QUOTA = 8  # requests a second
FRESH = 1.1  # seconds, after which each worker reads anew which sessions have ended
Jump = Callable[[int], None]


@pytest.fixture
def clock(directory: Path) -> Path:
    """The file that says by how many seconds the server's clock is wrong."""
    file = directory / "clock"
    file.write_text("+0")
    return file


@pytest.fixture
def jump(clock: Path) -> Jump:
    def to(seconds: int) -> None:
        following = clock.with_suffix(".next")
        following.write_text(f"{seconds:+d}")
        following.replace(clock)

    return to


@pytest.fixture
def server(database: Postgres, clock: Path, tmp_path: Path) -> Iterator[Server]:
    """A server whose wall clock is wrong; the time that passes is left alone."""
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
    headers = {"Authorization": f"Bearer {user.token}"}
    return server.request("GET", f"{TASKS}?limit=1", headers=headers).status


def log_out(server: Server, user: User) -> None:
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


def test_an_ended_session_stays_ended_whatever_the_clock_says(server: Server, jump: Jump) -> None:
    gone = register(server)
    log_out(server, gone)
    until(lambda: status(server, gone) == 401, 2)
    for seconds in (HOUR, 0, -HOUR, 0):
        jump(seconds)
        sleep(FRESH)
        assert status(server, gone) == 401


def test_a_token_ends_by_the_clock_and_a_new_one_works(server: Server, jump: Jump) -> None:
    user = register(server)
    assert status(server, user) == 200
    jump(HOUR)
    assert status(server, user) == 401
    ahead = log_in(server, user.email)
    assert status(server, ahead) == 200
    log_out(server, ahead)
    until(lambda: status(server, ahead) == 401, 2)
    jump(0)
    sleep(FRESH)
    assert status(server, ahead) == 401
    assert status(server, log_in(server, user.email)) == 200


def refresh(server: Server) -> int:
    """A request that is limited by its address."""
    return server.request("POST", "/api/auth/refresh", {"refresh_token": "none"}).status


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_no_limit_is_stuck_after_the_clock_has_jumped(
    server: Server, jump: Jump, seconds: int
) -> None:
    for now in (seconds, 0):
        until(lambda: refresh(server) == 429, 10)
        jump(now)
        until(lambda: refresh(server) == 401, 2)
