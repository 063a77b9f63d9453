"""Dockerfile and compose.yaml, as far as that goes without Docker: each line of them is run."""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from app import embedded
from tests.operations import parts
from tests.processes import until

ROOT = parts.ROOT
NOBODY = "10001:10001"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def is_for_everybody(program: str) -> bool:
    """Whether another user could run it."""
    path = Path(program).resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.parents))


def interpreter() -> str:
    """A Python that the image's user can run, where there is one."""
    candidates = (sys.executable, "/usr/bin/python3")
    with_venv = (each for each in candidates if Path(each).exists() and is_for_everybody(each))
    return next(with_venv, sys.executable)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order: word and rest, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


def the(word: str) -> str:
    """The rest of the last instruction of that kind."""
    return [rest for each, rest in instructions() if each == word][-1]


class Image:
    """A directory that stands for the image's file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "srv" / "ownrow"
        settings = dict(item.split("=", 1) for item in shlex.split(the("ENV")))
        settings["PATH"] = self.inside(settings["PATH"]).replace("$PATH", os.environ["PATH"])
        self.environment: Mapping[str, str] = settings

    def inside(self, text: str) -> str:
        """A command with the image's paths below the directory, and this Python as its Python."""
        text = re.sub(r"(?<![\w/.])/(opt|build|srv)/", rf"{self.root}/\1/", text)
        return re.sub(r"^python(?= )", interpreter(), text)

    def build(self) -> None:
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
        if rest.startswith("--from="):
            return  # the venv is at its place already
        *sources, target = rest.split()
        place = Path(self.inside(target)) if target.startswith("/") else directory / target
        for source in sources:
            is_directory = (ROOT / source).is_dir()
            destination = place if is_directory else place / Path(source).name
            destination.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if is_directory else shutil.copy
            copy(ROOT / source, destination)

    def command(self, line: list[str]) -> list[str]:
        """A command as the image's user runs it; as ourselves where we may not become somebody."""
        if os.geteuid() != 0 or not is_for_everybody(interpreter()):
            return line
        user, group = NOBODY.split(":")
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *line]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    made = Image(tmp_path_factory.mktemp("image"))
    made.home.mkdir(parents=True)
    made.build()
    for path in (made.root, *made.root.parents[:-1]):
        if path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o055)
    return made


@pytest.fixture
def database() -> Iterator[embedded.EmbeddedPostgres]:
    """A PostgreSQL that is reached over TCP with a password, as the one in compose.yaml is."""
    with (
        parts.cluster_directory() as directory,
        embedded.start(directory, listen_tcp=True) as postgres,
    ):
        yield postgres


@pytest.mark.proves("OPS-70")
@pytest.mark.slow
def test_the_image_migrates_serves_and_is_healthy_as_nobody_in_particular(
    image: Image, database: embedded.EmbeddedPostgres, tmp_path: Path
) -> None:
    assert the("USER") == NOBODY
    port = parts.free_port()
    environment = {
        **image.environment,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "DATABASE_URL": database.tcp_url(),
        "JWT_SECRETS": f"first:{os.urandom(32).hex()}",
    }
    migrate = image.command(COMPOSE["services"]["migrate"]["command"])
    done = subprocess.run(
        migrate, cwd=image.home, env=environment, check=False, capture_output=True, text=True
    )
    assert "applied 0001.users" in done.stdout, done.stderr
    serve = image.command(json.loads(the("CMD")))
    check = image.command(json.loads(the("HEALTHCHECK").partition("CMD ")[2]))
    before = {*image.home.rglob("*")}
    log = tmp_path / "server.log"
    with parts.running(serve, port, environment=environment, log=log, directory=image.home):
        until(lambda: is_healthy(check, environment, image), 20)
    assert not is_healthy(check, environment, image)
    assert {*image.home.rglob("*")} == before, "the root file system is read-only"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any(line.get("route") == "/livez" for line in lines)


def is_healthy(check: list[str], environment: Mapping[str, str], image: Image) -> bool:
    result = subprocess.run(
        check, cwd=image.home, env=environment, check=False, capture_output=True
    )
    return result.returncode == 0


@pytest.mark.proves("OPS-70")
def test_the_dockerfile_has_no_findings() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [linter, ROOT / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.proves("OPS-70")
def test_no_secret_can_get_into_the_image() -> None:
    kept = (ROOT / ".dockerignore").read_text().split("\n*\n")[1].splitlines()
    allowed = {line[1:] for line in kept if line.startswith("!")}
    copied = {
        source.split("/")[0]
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == allowed


# --- compose ------------------------------------------------------------------------------------


def test_compose_accepts_its_file() -> None:
    compose = parts.program("docker-compose")
    subprocess.run([compose, "--file", ROOT / "compose.yaml", "config", "--quiet"], check=True)


def services(*names: str) -> list[dict[str, Any]]:
    return [COMPOSE["services"][name] for name in names]


@pytest.mark.proves("OPS-71")
def test_only_nginx_is_reached_from_outside() -> None:
    published = [name for name, each in COMPOSE["services"].items() if "ports" in each]
    assert published == ["nginx"]
    assert COMPOSE["networks"]["back"]["internal"] is True


def test_what_faces_the_network_can_change_nothing() -> None:
    for service in services("app", "migrate", "nginx", "limits"):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_the_service_trusts_nginx_and_nobody_else() -> None:
    app, nginx = services("app", "nginx")
    address = nginx["networks"]["front"]["ipv4_address"]
    assert app["environment"]["FORWARDED_ALLOW_IPS"] == address


@pytest.mark.proves("OPS-71")
def test_every_secret_is_made_and_none_is_written_down(tmp_path: Path) -> None:
    parts.program("openssl")
    parts.program("git")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    make = ["deploy/make-secrets", "todo.example.com"]
    subprocess.run(make, cwd=tmp_path, check=True)
    first = {file.name: file.read_text() for file in (tmp_path / "deploy/secrets").iterdir()}
    subprocess.run(make, cwd=tmp_path, check=True)
    again = {file.name: file.read_text() for file in (tmp_path / "deploy/secrets").iterdir()}
    assert first == again
    assert {Path(each["file"]).name for each in COMPOSE["secrets"].values()} == set(first)
    assert (tmp_path / "deploy/secrets").stat().st_mode & 0o077 == 0
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", "deploy/secrets/tls_key"], cwd=ROOT, check=False
    )
    assert ignored.returncode == 0


def test_the_services_role_comes_with_its_password_before_the_migrations(
    database: embedded.EmbeddedPostgres, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("of the service's own")
    admin = psycopg.conninfo.conninfo_to_dict(database.tcp_url(user=embedded.SUPERUSER))
    environment = {
        "PATH": os.environ["PATH"],
        "POSTGRES_USER": str(admin["user"]),
        "POSTGRES_DB": str(admin["dbname"]),
        "PGHOST": str(admin["host"]),
        "PGPORT": str(admin["port"]),
        "PGPASSWORD": str(admin["password"]),
        "APP_PASSWORD_FILE": str(tmp_path / "password"),
    }
    parts.program("psql")
    subprocess.run([ROOT / "deploy/create-app-role"], env=environment, check=True)
    with psycopg.connect(
        host=str(admin["host"]),
        port=str(admin["port"]),
        dbname=str(admin["dbname"]),
        user="ownrow_app",
        password="of the service's own",
    ) as service:
        assert service.execute("SELECT current_user").fetchone() == ("ownrow_app",)
