"""The next test gets the same copy only if it can not tell it from a new one."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from flask import Flask

from app import create_app, db
from app.config import Config
from tests.support.api_user import register
from tests.support.database_copies import DatabaseCopies, DatabaseCopy
from tests.support.databases import Postgres

Use = Callable[[DatabaseCopy, Flask], object]
IsReused = Callable[[Use], bool]


@pytest.fixture
def is_reused(database_copies: DatabaseCopies, config: Config) -> IsReused:
    """Uses a copy as a test does; returns whether the next test would get the same copy."""

    def run(use: Use) -> bool:
        with database_copies.copy() as copy:
            settings = replace(config, database_url=copy.app_url)
            app = create_app(settings)
            with copy.pool(settings):
                use(copy, app)
        with database_copies.copy() as following:
            return following is copy

    return run


def executing(statement: str) -> Use:
    """Executes the statement on a connection of the pool."""

    def use(_copy: DatabaseCopy, _app: Flask) -> None:
        with db._this_process().pool.connection() as connection:
            connection.execute(statement)

    return use


def test_a_copy_is_reused_with_its_pool_but_without_its_rows(
    postgres: Postgres, database_copies: DatabaseCopies, config: Config
) -> None:
    seen = set()
    for _ in range(3):
        with database_copies.copy() as copy:
            settings = replace(config, database_url=copy.app_url)
            app = create_app(settings)
            with copy.pool(settings):
                register(app.test_client(), "alice@example.com").create()
                with db._this_process().pool.connection() as connection:
                    pid = connection.info.backend_pid
                with psycopg.connect(postgres.superuser_url(copy.name)) as superuser:
                    events = superuser.execute("SELECT min(id), count(*) FROM auth_events")
                    seen.add((copy.name, pid, events.fetchone()))
    assert len(seen) == 1


@pytest.mark.parametrize("url", ["owner_url", "superuser_url"])
def test_a_copy_is_dropped_if_a_test_could_change_its_schema(is_reused: IsReused, url: str) -> None:
    assert not is_reused(lambda copy, _: getattr(copy, url))


def test_a_copy_is_dropped_if_the_pool_is_not_used(database_copies: DatabaseCopies) -> None:
    with database_copies.copy() as copy:
        pass
    with database_copies.copy() as following:
        assert following is not copy
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(copy.app_url)


def test_a_copy_is_dropped_if_a_table_has_grown_so_that_plans_may_change(
    is_reused: IsReused,
) -> None:
    add = "INSERT INTO ended_sessions SELECT gen_random_uuid() FROM generate_series(1, {})"
    assert is_reused(executing(add.format(10)))
    assert not is_reused(executing(add.format(3000)))


@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path = pg_catalog",
        "SET work_mem = '1MB'",
        "SELECT set_config('app.owner_id', 'alice', FALSE)",
        "SELECT pg_advisory_lock(1)",
        "LISTEN something",
        "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE other AS SELECT 1",
    ],
)
def test_a_copy_is_dropped_if_a_session_of_the_pool_has_changed(
    is_reused: IsReused, statement: str
) -> None:
    assert not is_reused(executing(statement))


def test_a_copy_is_dropped_if_prepared_statements_are_missing(is_reused: IsReused) -> None:
    def deallocate(copy: DatabaseCopy, app: Flask) -> None:
        register(app.test_client())
        executing("DEALLOCATE ALL")(copy, app)

    assert not is_reused(deallocate)


def test_a_copy_is_dropped_if_a_connection_is_in_use(is_reused: IsReused) -> None:
    assert not is_reused(lambda _copy, _app: db._this_process().pool.getconn())


def test_a_copy_is_dropped_if_the_pool_was_configured_anew(is_reused: IsReused) -> None:
    def configure(_: DatabaseCopy, app: Flask) -> None:
        db.configure(app.extensions["settings"])
        register(app.test_client())

    assert not is_reused(configure)
