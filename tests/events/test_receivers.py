"""The receivers of specs/events.md, as a reader copies them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Config
from tests.support.api_user import ApiUser
from tests.support.events import streaming
from tests.support.processes import minimal_environment, until
from tests.support.server import ROOT
from tests.support.services import free_port

SPECS = (ROOT / "specs" / "events.md").read_text(encoding="utf-8")
PROGRAMS = {"python": (sys.executable, "-c"), "javascript": ("node", "-e")}


@pytest.mark.slow
@pytest.mark.proves("EVENT-1", "EVENT-2", "EVENT-10")
@pytest.mark.parametrize("language", PROGRAMS)
def test_a_receiver_of_the_specification_comes_back_and_misses_nothing(
    alice: ApiUser, config: Config, tmp_path: Path, language: str
) -> None:
    program, option = PROGRAMS[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (nodejs)")
    (code,) = re.findall(rf"```{language}\n(.+?)```", SPECS, re.DOTALL)
    port, output = free_port(), tmp_path / "output"
    settings = {"API": f"http://127.0.0.1:{port}/api", "TOKEN": alice.access_token}

    def prints(line: str) -> None:
        until(lambda: line in output.read_text().splitlines())

    with output.open("wb") as log:
        other = subprocess.Popen(
            [program, option, code],
            env=minimal_environment(False, **settings),
            stdout=log,
            stderr=log,
        )
        try:
            with streaming(tmp_path, config, EVENTS_PORT=str(port)):
                prints("changes 0")
                alice.create()
                prints("changes 1")
            alice.create()
            with streaming(tmp_path, config, EVENTS_PORT=str(port)):
                prints("changes 2")
                assert output.read_text().splitlines() == ["changes 0", "changes 1", "changes 2"]
                session = alice.refresh_token
                alice.client.post("/api/auth/logout", json={"refresh_token": session})
                prints("log in again")
                assert other.wait(30) in (0, 1)
        finally:
            other.kill()
            other.wait()
