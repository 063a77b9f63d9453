"""What probes are told."""

import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient

from app import create_app, db, embedded, migrations, schema
from app.config import Config
from tests.callers import error
from tests.operations import parts
from tests.processes import until


@pytest.fixture
def lonely(config: Config) -> FlaskClient:
    """The service without a database."""
    application = create_app(
        replace(config, database_url=f"postgresql://nobody@127.0.0.1:{parts.free_port()}/nothing")
    )
    db.open_pool()
    return application.test_client()


def not_ready(client: FlaskClient) -> dict[str, str]:
    """What /readyz finds wrong, by field; {} where nothing is."""
    began = time.monotonic()
    answer = client.get("/readyz")
    assert time.monotonic() - began < 2
    if answer.status_code == 200:
        return {}
    assert error(answer) == (503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    return {each["field"]: each["message"] for each in answer.get_json()["error"]["details"]}


@pytest.mark.proves("OPS-30")
def test_being_alive_takes_no_database(lonely: FlaskClient) -> None:
    assert lonely.get("/livez").status_code == 200


@pytest.mark.proves("OPS-30")
def test_readiness_names_the_database_that_is_away(lonely: FlaskClient) -> None:
    assert set(not_ready(lonely)) == {"database"}


@pytest.mark.proves("OPS-30")
def test_readiness_names_the_migrations_that_are_missing_and_heals_by_itself(
    config: Config, empty_database_url: str
) -> None:
    client = create_app(replace(config, database_url=empty_database_url)).test_client()
    db.open_pool()
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
def test_readiness_names_a_database_that_takes_no_writes(
    client: FlaskClient, database_url: str, config: Config
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    db.configure(config)  # what is connected already does not hear of it
    db.open_pool()
    assert "takes no writes" in not_ready(client)["database"]


@pytest.mark.proves("OPS-30")
@pytest.mark.parametrize("is_told", [False, True])
def test_readiness_names_row_security_that_would_hide_all_rows(
    config: Config, database_url: str, is_told: bool
) -> None:
    client = create_app(replace(config, db_row_security=is_told)).test_client()
    db.open_pool()
    migrations.switch_row_security(database_url, on=False)
    assert not_ready(client) == {}
    migrations.switch_row_security(database_url, on=True)
    if is_told:
        assert not_ready(client) == {}
    else:
        assert "DB_ROW_SECURITY=on" in not_ready(client)["row security"]
    db.close_pool()


@pytest.mark.proves("OPS-30")
def test_readiness_answers_within_two_seconds_while_the_database_hangs(
    config: Config, used_data_dir: Path
) -> None:
    with embedded.start(used_data_dir) as postgres:
        client = create_app(replace(config, database_url=postgres.url())).test_client()
        db.open_pool()
        assert not_ready(client) == {}
        with parts.frozen(postgres.pid):
            assert set(not_ready(client)) == {"database"}
            assert client.get("/livez").status_code == 200
        until(lambda: not_ready(client) == {}, 15)
        db.close_pool()
