"""A database on a Citus of TEST_CITUS_URL, made for each session and dropped afterwards.

The URL is a superuser's, of a coordinator whose workers can be reached as it is, with other hosts
and ports. Nodes must let one another in without a password, as in compose.yaml.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import conninfo

from app import create_app, db
from app.config import Config
from app.db import distribution, migrations
from tests.support.citus import PASSWORD, database


@pytest.fixture(scope="session")
def citus_url() -> Iterator[str]:
    """A distributed database; tests use owners of their own."""
    with database() as url:
        migrations.upgrade(url)
        list(distribution.distribute(url))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE ownrow_app PASSWORD '{PASSWORD}'".encode())
        yield url


@pytest.fixture(params=["off", "on"], ids=["row security off", "row security on"])
def citus_config(request: pytest.FixtureRequest, citus_url: str, tmp_path: Path) -> Config:
    """The service's settings there, as ownrow_app; with row security and without it."""
    migrations.switch_row_security(citus_url, on=request.param == "on")
    url = conninfo.make_conninfo(citus_url, user="ownrow_app", password=PASSWORD)
    return Config.from_env(
        {
            "APP_ENV": "test",
            "DATABASE_URL": url,
            "MIGRATION_DATABASE_URL": citus_url,
            "DB_ROW_SECURITY": request.param,
            "DATA_DIR": str(tmp_path),
            "JWT_SECRETS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "ENCRYPTION_KEYS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "RATE_LIMIT": "off",
        }
    )


@pytest.fixture
def citus_app(citus_config: Config) -> Iterator[Flask]:
    """The application on Citus."""
    yield create_app(citus_config)
    db.close_pool()


@pytest.fixture
def citus_client(citus_app: Flask) -> FlaskClient:
    """Its client."""
    return citus_app.test_client()
