"""Liveness and readiness probes."""

import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient

from app import create_app, db, devdb
from app.config import Config
from app.db import migrations, schema
from tests.support import services
from tests.support.api_user import error
from tests.support.processes import until


@pytest.fixture
def offline_client(config: Config) -> FlaskClient:
    """A client of a service whose database is unreachable."""
    application = create_app(
        replace(
            config, database_url=f"postgresql://nobody@127.0.0.1:{services.free_port()}/nothing"
        )
    )
    return application.test_client()


def not_ready(client: FlaskClient) -> dict[str, str]:
    """The problems that /readyz reports, by field; {} where it is ready."""
    began = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - began < 2
    if answer.status_code == 200:
        return {}
    assert error(answer) == (503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    return {each["field"]: each["message"] for each in answer.get_json()["error"]["details"]}


@pytest.mark.proves("OPS-30")
def test_liveness_needs_no_database(offline_client: FlaskClient) -> None:
    assert offline_client.get("/livez").status_code == 200


@pytest.mark.proves("OPS-30")
def test_readiness_reports_an_unreachable_database(offline_client: FlaskClient) -> None:
    assert set(not_ready(offline_client)) == {"database"}


@pytest.mark.proves("OPS-30")
def test_readiness_reports_missing_migrations_until_they_are_applied(
    config: Config, empty_database_url: str
) -> None:
    client = create_app(replace(config, database_url=empty_database_url)).test_client()
    assert schema.known()[0] in not_ready(client)["schema"]
    migrations.upgrade(empty_database_url)
    assert not_ready(client) == {}
    newest = migrations.rollback(empty_database_url)[0]
    assert not_ready(client)["schema"] == f"Migrations are missing: {newest}."
    migrations.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as owner:
        owner.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('h', '9999.newer')"
        )
    assert not_ready(client) == {}
    db.close_pool()


@pytest.mark.proves("OPS-30")
def test_readiness_reports_a_read_only_database(
    client: FlaskClient, database_url: str, config: Config
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    db.configure(config)  # the setting applies to new connections only
    assert "takes no writes" in not_ready(client)["database"]


@pytest.mark.proves("OPS-30")
@pytest.mark.parametrize("is_configured", [False, True])
def test_readiness_reports_row_security_that_would_hide_all_rows(
    config: Config, database_url: str, is_configured: bool
) -> None:
    client = create_app(replace(config, db_row_security=is_configured)).test_client()
    migrations.switch_row_security(database_url, on=False)
    assert not_ready(client) == {}
    migrations.switch_row_security(database_url, on=True)
    if is_configured:
        assert not_ready(client) == {}
    else:
        assert "DB_ROW_SECURITY=on" in not_ready(client)["row security"]
    db.close_pool()


@pytest.mark.proves("OPS-30")
def test_readiness_answers_within_two_seconds_while_the_database_hangs(
    config: Config, used_data_dir: Path
) -> None:
    with devdb.start(used_data_dir) as postgres:
        client = create_app(replace(config, database_url=postgres.url())).test_client()
        assert not_ready(client) == {}
        with services.frozen(postgres.pid):
            assert set(not_ready(client)) == {"database"}
            assert client.get("/livez").status_code == 200
        until(lambda: not_ready(client) == {}, 15)
        db.close_pool()
