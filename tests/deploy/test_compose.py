"""What is written in Dockerfile and compose.yaml, and what their scripts make."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import embedded
from tests.deploy.dockerfile import COMPOSE, instructions
from tests.operations import parts
from tests.operations.parts import ROOT


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
