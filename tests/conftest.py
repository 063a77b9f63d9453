"""The database that a test gets, on a real PostgreSQL: as new, and its own while it runs.

Every worker of pytest-xdist starts a server of its own (0.6 s). See tests/databases.py for how one
test's database becomes the next one's. TEST_POSTGRES_VERSION chooses the server's version (15, 16
or 18); TEST_DATABASE_URL names another server to use instead, whose user may create databases.
TEST_ROW_SECURITY=on runs everything behind the second wall. The service connects as ownrow_app;
`database_url` is the owner's, who sees all rows whichever wall stands.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql

from app import create_app, embedded, migrations
from app.config import Config
from tests.callers import Caller, register
from tests.contract.answers import checked
from tests.databases import Copies, Copy, Postgres, memory
from tests.operations import parts
from tests.processes import measuring
from tests.roles import as_role
from tests.serving import ROOT, Server, serving

ROW_SECURITY = os.environ.get("TEST_ROW_SECURITY", "off")

# A crash loses nothing here that is needed again.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "shared_buffers": "64MB",
}


def pytest_configure() -> None:
    os.environ["PYTHONPATH"] = str(ROOT)  # processes that are measured find tests.monitoring
    os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # one imports Trio, which nothing here runs on
    gc.set_threshold(50_000)  # what pytest holds is much, and is looked through each time in vain


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests of deadlines wait most of the time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first, so that what is left for the end is short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        with psycopg.connect(given, autocommit=True) as admin:
            yield Postgres(given, given, admin)
        return
    directory = Path(tempfile.mkdtemp(prefix="ownrow-test-", dir=memory()))
    version = int(os.environ.get("TEST_POSTGRES_VERSION", "18"))
    settings = {**SETTINGS, "autovacuum": "off"}  # statistics come when a test asks for them
    with embedded.start(directory, version=version, settings=settings) as running:
        admin_url = running.url("postgres", embedded.SUPERUSER)
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(embedded.OWNER)))
            yield Postgres(admin_url, running.url(), admin)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """A DATA_DIR where a service has been and was stopped: most of a first start makes what it has.

    It is there to be copied.
    """
    with parts.cluster_directory() as directory:
        with embedded.start(directory) as server:
            migrations.upgrade(server.url())
        yield directory


@pytest.fixture
def used_data_dir(cluster: Path) -> Iterator[Path]:
    """Such a DATA_DIR of the test's own."""
    with parts.cluster_directory(copied=cluster) as directory:
        yield directory


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> Iterator[str]:
    """The name of the database that every test's own is a copy of."""
    with postgres.database() as name:
        migrations.upgrade(postgres.url(name))
        migrations.switch_row_security(postgres.url(name), on=ROW_SECURITY == "on")
        yield name


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """A database without any schema."""
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture(scope="session")
def copies(postgres: Postgres, migrated: str) -> Iterator[Copies]:
    with closing(Copies(postgres, migrated)) as lender:
        yield lender


@pytest.fixture
def copy(copies: Copies) -> Iterator[Copy]:
    """A database that is this test's alone, with every migration applied and no rows."""
    with copies.lent() as lent:
        yield lent


@pytest.fixture
def database_url(copy: Copy) -> str:
    """Its address for the owner of the schema."""
    return copy.url


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    return Config.from_env(
        {
            "APP_ENV": "test",
            "DATABASE_URL": as_role(database_url),
            "MIGRATION_DATABASE_URL": database_url,
            "DB_ROW_SECURITY": ROW_SECURITY,
            "DATA_DIR": str(tmp_path),
            "JWT_SECRETS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
            "RATE_LIMIT": "off",
        }
    )


@pytest.fixture
def app(config: Config, copy: Copy) -> Iterator[Flask]:
    """The application, each of whose answers is held against specs/openapi.yaml."""
    application = create_app(config)
    application.wsgi_app = checked(application.wsgi_app)  # type: ignore[assignment, method-assign]
    copy.pool.open(config)
    yield application
    copy.pool.put_away()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def served_database_url(postgres: Postgres, migrated: str) -> Iterator[str]:
    """The database behind `server`."""
    with postgres.database(template=migrated) as name:
        yield postgres.url(name)


@pytest.fixture(scope="session")
def server(served_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real gunicorn, for many tests: make users of your own, and leave the process alone.

    A test that needs other settings, or kills something, starts its own with `serving`.
    """
    directory = tmp_path_factory.mktemp("server")
    with serving(served_database_url, directory, **measuring()) as running:
        yield running


@pytest.fixture
def alice(client: FlaskClient) -> Caller:
    return register(client, "alice@example.com")


@pytest.fixture
def bob(client: FlaskClient) -> Caller:
    return register(client, "bob@example.com")
