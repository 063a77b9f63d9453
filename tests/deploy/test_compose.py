"""Dockerfile, compose.yaml, and the scripts that they run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import devdb
from tests.support.dockerfile import COMPOSE, instructions
from tests.support.services import ROOT, program


@pytest.mark.proves("OPS-70")
def test_hadolint_reports_nothing_for_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    result = subprocess.run(
        [linter, ROOT / "Dockerfile"], check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.proves("OPS-70")
def test_the_build_context_contains_only_what_the_dockerfile_copies() -> None:
    rules = (ROOT / ".dockerignore").read_text().split("\n*\n")[1].splitlines()
    allowed = {line[1:] for line in rules if line.startswith("!")}
    copied = {
        source.split("/")[0]
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == allowed


# --- compose ------------------------------------------------------------------------------------


def test_docker_compose_accepts_compose_yaml() -> None:
    compose = program("docker-compose")
    subprocess.run([compose, "--file", ROOT / "compose.yaml", "config", "--quiet"], check=True)


def services(*names: str) -> list[dict[str, Any]]:
    """The services of these names in compose.yaml."""
    return [COMPOSE["services"][name] for name in names]


@pytest.mark.proves("OPS-71")
def test_only_nginx_publishes_ports() -> None:
    published = [name for name, each in COMPOSE["services"].items() if "ports" in each]
    assert published == ["nginx"]
    assert COMPOSE["networks"]["back"]["internal"] is True


@pytest.mark.proves("SCALE-40")
def test_citus_is_a_profile_that_listens_on_this_machine_only() -> None:
    nodes = {name: each for name, each in COMPOSE["services"].items() if "citus" in name}
    assert len(nodes) == 4
    for each in nodes.values():
        assert each["profiles"] == ["citus"]
        assert each["network_mode"] == "host"
    ports = [each["command"][6] for name, each in nodes.items() if name != "citus-nodes"]
    assert ports == ["port=5532", "port=5533", "port=5534"]
    for name in ("citus", "citus-worker-1", "citus-worker-2"):
        assert "listen_addresses=localhost" in nodes[name]["command"]
    profiled = [name for name, each in COMPOSE["services"].items() if "profiles" in each]
    assert profiled == [*nodes]


def test_services_are_read_only_and_without_capabilities() -> None:
    for service in services("app", "worker", "events", "migrate", "nginx", "limits"):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_the_service_trusts_forwarded_headers_from_nginx_only() -> None:
    app, events, nginx = services("app", "events", "nginx")
    address = nginx["networks"]["front"]["ipv4_address"]
    assert app["environment"]["FORWARDED_ALLOW_IPS"] == address
    assert events["environment"]["FORWARDED_ALLOW_IPS"] == address


@pytest.mark.proves("WORKER-7")
def test_the_worker_is_the_service_s_image_with_its_own_health() -> None:
    app, worker = services("app", "worker")
    assert worker["image"] == app["image"]
    assert worker["command"] == ["flask", "worker"]
    assert worker["networks"] == ["back", "outside"], "the database, and mail servers"
    port = worker["environment"]["WORKER_PORT"]
    assert f"http://127.0.0.1:{port}/livez" in worker["healthcheck"]["test"][-1]


@pytest.mark.proves("EVENT-13")
def test_event_streams_are_the_service_s_image_where_nginx_looks_for_them() -> None:
    app, events = services("app", "events")
    assert events["image"] == app["image"]
    assert events["command"] == ["flask", "events"]
    port = events["environment"]["EVENTS_PORT"]
    assert f"server events:{port} " in (ROOT / "deploy/nginx.conf").read_text()
    assert f"http://127.0.0.1:{port}/livez" in events["healthcheck"]["test"][-1]
    shared = {"DATABASE_URL_FILE", "JWT_SECRETS_FILE", "ENCRYPTION_KEYS_FILE", "PUBLIC_URL_FILE"}
    for name in (*shared, "RATE_LIMIT_STORAGE_URL", "METRICS_TOKEN_FILE"):
        assert events["environment"][name] == app["environment"][name]


@pytest.mark.proves("OPS-71")
def test_make_secrets_creates_every_secret_once_and_outside_of_git(tmp_path: Path) -> None:
    program("openssl")
    program("git")
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


def test_create_app_role_creates_the_services_role_with_its_password(
    database: devdb.EmbeddedPostgres, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("of the service's own")
    admin = psycopg.conninfo.conninfo_to_dict(database.tcp_url(user=devdb.SUPERUSER))
    environment = {
        "PATH": os.environ["PATH"],
        "POSTGRES_USER": str(admin["user"]),
        "POSTGRES_DB": str(admin["dbname"]),
        "PGHOST": str(admin["host"]),
        "PGPORT": str(admin["port"]),
        "PGPASSWORD": str(admin["password"]),
        "APP_PASSWORD_FILE": str(tmp_path / "password"),
    }
    program("psql")
    subprocess.run([ROOT / "deploy/create-app-role"], env=environment, check=True)
    with psycopg.connect(
        host=str(admin["host"]),
        port=str(admin["port"]),
        dbname=str(admin["dbname"]),
        user="ownrow_app",
        password="of the service's own",
    ) as service:
        assert service.execute("SELECT current_user").fetchone() == ("ownrow_app",)
