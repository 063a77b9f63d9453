"""Fixtures: a PostgreSQL, a migrated database without rows per test, the application, and users.

Each worker of pytest-xdist starts a PostgreSQL in 0.6 s. TEST_POSTGRES_VERSION is its version (15,
16 or 18); TEST_DATABASE_URL is another server to use, whose role may create databases.
TEST_ROW_SECURITY=on enables row security. The service connects as ownrow_app; `database_url` is for
the owner of the schema, who sees all rows with row security as well.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql

from app import create_app, db, devdb
from app.config import Config
from app.db import migrations
from tests.support import services
from tests.support.api_user import ApiUser, register
from tests.support.contract_check import checked
from tests.support.database_copies import DatabaseCopies, DatabaseCopy
from tests.support.databases import VOLATILE_SETTINGS, Postgres, memory_directory
from tests.support.processes import coverage_settings
from tests.support.sentry_sink import Sink
from tests.support.server import ROOT, Server, serving
from tests.support.services import FlaskCommand

ROW_SECURITY = os.environ.get("TEST_ROW_SECURITY", "off")


def pytest_configure() -> None:
    os.environ["PYTHONPATH"] = str(ROOT)  # child processes import tests.support.monitoring
    os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # one of them imports Trio
    gc.set_threshold(50_000)  # pytest keeps many objects, and a collection frees few


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are CPUs: tests of deadlines mostly wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs modules with slow tests first, so that the workers end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this session."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        with psycopg.connect(given, autocommit=True) as admin:
            yield Postgres(given, given, admin)
        return
    directory = Path(tempfile.mkdtemp(prefix="ownrow-test-", dir=memory_directory()))
    version = int(os.environ.get("TEST_POSTGRES_VERSION", "18"))
    settings = {**VOLATILE_SETTINGS, "autovacuum": "off"}  # tests run ANALYZE themselves
    with devdb.start(directory, version=version, settings=settings) as running:
        admin_url = running.url("postgres", devdb.SUPERUSER)
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(devdb.OWNER)))
            yield Postgres(admin_url, running.url(), admin)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A DATA_DIR with the migrated cluster of a stopped server, to be copied.

    A copy saves most of the time of a first start.
    """
    with services.cluster_directory() as directory:
        with devdb.start(directory) as server:
            migrations.upgrade(server.url())
        yield directory


@pytest.fixture
def used_data_dir(cluster: Path) -> Iterator[Path]:
    """A copy of `cluster` for this test."""
    with services.cluster_directory(copied=cluster) as directory:
        yield directory


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> Iterator[str]:
    """The name of the migrated database that is the template of all others."""
    with postgres.database() as name:
        migrations.upgrade(postgres.url(name))
        migrations.switch_row_security(postgres.url(name), on=ROW_SECURITY == "on")
        yield name


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture(scope="session")
def database_copies(postgres: Postgres, migrated: str) -> Iterator[DatabaseCopies]:
    """Copies of the migrated database."""
    with closing(DatabaseCopies(postgres, migrated)) as copies:
        yield copies


@pytest.fixture
def database_copy(database_copies: DatabaseCopies) -> Iterator[DatabaseCopy]:
    """This test's database, with all migrations and without rows."""
    with database_copies.copy() as copy:
        yield copy


@pytest.fixture
def database_url(database_copy: DatabaseCopy) -> str:
    """The URL of this test's database for the owner of the schema."""
    return database_copy.owner_url


@pytest.fixture
def config(database_copy: DatabaseCopy, tmp_path: Path) -> Config:
    """The settings for this test's database, with the rights of ownrow_app only."""
    return Config.from_env(
        {
            "APP_ENV": "test",
            "DATABASE_URL": database_copy.app_url,
            "DB_ROW_SECURITY": ROW_SECURITY,
            "DATA_DIR": str(tmp_path),
            "JWT_SECRETS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "ENCRYPTION_KEYS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "RATE_LIMIT": "off",
        }
    )


@pytest.fixture
def owner_config(config: Config, database_url: str) -> Config:
    """The settings for this test's database, with the owner's rights for commands."""
    return replace(config, migration_database_url=database_url)


@pytest.fixture
def app(config: Config, database_copy: DatabaseCopy) -> Iterator[Flask]:
    """The application; each response is checked against specs/openapi.yaml."""
    application = create_app(config)
    application.wsgi_app = checked(application.wsgi_app)  # type: ignore[assignment, method-assign]
    with database_copy.pool(config):
        yield application


@pytest.fixture
def flask(config: Config, owner_config: Config) -> FlaskCommand:
    """Runs a `flask` command on this test's database; returns click's result."""
    runner = create_app(owner_config).test_cli_runner()

    def run(*arguments: str) -> Result:
        result = runner.invoke(args=arguments)
        db.configure(config)
        return result

    return run


@pytest.fixture
def superuser(database_copy: DatabaseCopy) -> Iterator[psycopg.Connection]:
    """A superuser's connection to this test's database, in autocommit mode."""
    with psycopg.connect(database_copy.superuser_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


@pytest.fixture(scope="session")
def served_database_url(postgres: Postgres, migrated: str) -> Iterator[str]:
    """The URL of the database behind `server`."""
    with postgres.database(template=migrated) as name:
        yield postgres.url(name)


@pytest.fixture(scope="session")
def server(served_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gunicorn that all tests share: create users, but do not stop it or its workers.

    A test that needs other settings, or kills processes, starts one with `serving`.
    """
    directory = tmp_path_factory.mktemp("server")
    with serving(served_database_url, directory, **coverage_settings()) as running:
        yield running


@pytest.fixture
def alice(client: FlaskClient) -> ApiUser:
    """A registered user."""
    return register(client, "alice@example.com")


@pytest.fixture
def bob(client: FlaskClient) -> ApiUser:
    """Another registered user."""
    return register(client, "bob@example.com")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server that keeps the reports which are sent to its `dsn`."""
    with Sink() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
