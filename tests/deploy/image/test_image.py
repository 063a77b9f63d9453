"""Executes the Dockerfile's instructions without Docker, and runs the resulting image."""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from app import devdb
from tests.support import services
from tests.support.dockerfile import COMPOSE, CONTAINER_USER, instructions, last_instruction
from tests.support.processes import until
from tests.support.services import ROOT


def is_executable_for_all(program: str) -> bool:
    """Whether every user may execute the program."""
    path = Path(program).resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def interpreter() -> str:
    """A Python that the image's user may execute; this one if there is none."""
    candidates = (sys.executable, "/usr/bin/python3")
    with_venv = (each for each in candidates if Path(each).exists() and is_executable_for_all(each))
    return next(with_venv, sys.executable)


class Image:
    """A directory in place of the image's file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "srv" / "ownrow"
        settings = dict(item.split("=", 1) for item in shlex.split(last_instruction("ENV")))
        settings["PATH"] = self.inside(settings["PATH"]).replace("$PATH", os.environ["PATH"])
        self.environment: Mapping[str, str] = settings

    def inside(self, text: str) -> str:
        """The command with paths in the directory, and with the Python of this machine."""
        text = re.sub(r"(?<![\w/.])/(opt|build|srv)/", rf"{self.root}/\1/", text)
        return re.sub(r"^python(?= )", interpreter(), text)

    def build(self) -> None:
        """Executes COPY and RUN of both stages."""
        stage = 0
        for word, rest in instructions():
            stage += word == "FROM"
            if word == "COPY":
                self.copy(rest, self.root if stage == 1 else self.home)
            if word == "RUN":
                environment = self.environment if stage == 2 else {"PATH": os.environ["PATH"]}
                pip = {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
                subprocess.run(
                    ["sh", "-c", self.inside(rest)],
                    cwd=self.home if stage == 2 else self.root,
                    env={**environment, **pip, "HOME": str(self.root)},
                    check=True,
                )

    def copy(self, rest: str, directory: Path) -> None:
        """Executes a COPY with these arguments; relative targets are in `directory`."""
        if rest.startswith("--from="):
            return  # the first stage has created the venv at its final path
        *sources, target = rest.split()
        place = Path(self.inside(target)) if target.startswith("/") else directory / target
        for source in sources:
            is_directory = (ROOT / source).is_dir()
            destination = place if is_directory else place / Path(source).name
            destination.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if is_directory else shutil.copy
            copy(ROOT / source, destination)

    def command(self, line: list[str]) -> list[str]:
        """The command as the image's user; as the current user without root."""
        if os.geteuid() != 0 or not is_executable_for_all(interpreter()):
            return line
        user, group = CONTAINER_USER.split(":")
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *line]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The built image."""
    made = Image(tmp_path_factory.mktemp("image"))
    made.home.mkdir(parents=True)
    made.build()
    for path in (made.root, *made.root.parents[:-1]):
        if path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o055)
    return made


@pytest.mark.proves("OPS-70")
def test_the_image_migrates_serves_and_is_healthy_as_an_unprivileged_user(
    image: Image, database: devdb.EmbeddedPostgres, tmp_path: Path
) -> None:
    assert last_instruction("USER") == CONTAINER_USER
    port = services.free_port()
    environment = {
        **image.environment,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "DATABASE_URL": database.tcp_url(),
        "JWT_SECRETS": f"first:{os.urandom(32).hex()}",
        "ENCRYPTION_KEYS": f"first:{os.urandom(32).hex()}",
    }
    migrate = image.command(COMPOSE["services"]["migrate"]["command"])
    done = subprocess.run(
        migrate, cwd=image.home, env=environment, check=False, capture_output=True, text=True
    )
    assert "applied 0001.accounts" in done.stdout, done.stderr
    serve = image.command(json.loads(last_instruction("CMD")))
    check = image.command(json.loads(last_instruction("HEALTHCHECK").partition("CMD ")[2]))
    before = {*image.home.rglob("*")}
    log = tmp_path / "server.log"
    with services.running(serve, port, environment=environment, log=log, directory=image.home):
        until(lambda: is_healthy(check, environment, image), 20)
        for path in ("/app/", "/app/vendor/preact.js"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
                assert answer.status == 200
    assert not is_healthy(check, environment, image)
    assert {*image.home.rglob("*")} == before, "the root file system is read-only"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any(line.get("route") == "/livez" for line in lines)


def is_healthy(check: list[str], environment: Mapping[str, str], image: Image) -> bool:
    """Whether the health check of the Dockerfile succeeds."""
    result = subprocess.run(
        check, cwd=image.home, env=environment, check=False, capture_output=True
    )
    return result.returncode == 0
