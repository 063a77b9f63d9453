"""The second wall: with row security on, a statement reaches its owner's rows whatever it says."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from psycopg import sql

from app import create_app, db, migrations
from app.config import Config
from tests.audit.proved import CATALOGUE
from tests.audit.test_twins import OWNED, TOUCHING, mutants
from tests.audit.twins import Worlds
from tests.callers import register
from tests.databases import Postgres
from tests.roles import as_role, needs_log_ins

OWNER = "ownrow_owner"  # the tables' owner, who is bound by a policy only where it is forced
GET_USER = db.load("auth/get_user")
SCHEMA_VERSION = db.load("operations/schema_version")


@pytest.fixture(scope="module")
def walled_database(postgres: Postgres, migrated: str) -> Iterator[str]:
    """A database of this module with row security on."""
    with postgres.database(template=migrated) as name:
        migrations.switch_row_security(postgres.url(name), on=True)
        yield name


@pytest.fixture(scope="module")
def walled(postgres: Postgres, walled_database: str) -> Iterator[Worlds]:
    """The twins behind the wall."""
    with closing(Worlds(postgres, walled_database)) as made:
        yield made


@pytest.fixture
def walled_app(config: Config, database_url: str) -> Iterator[Flask]:
    """The service behind row security, on one connection."""
    migrations.switch_row_security(database_url, on=True)
    app = create_app(replace(config, db_row_security=True, db_pool_size=1))
    db.open_pool()
    yield app
    db.close_pool()


@pytest.mark.proves("OWN-5")
@pytest.mark.parametrize("name", OWNED)
def test_behind_the_second_wall_a_forgotten_predicate_lets_nobody_through(
    walled: Worlds, name: str
) -> None:
    found = {
        removed: list(walled.interferences(name, text, role=OWNER))
        for removed, text in mutants(name).items()
    }
    assert {removed: each for removed, each in found.items() if each} == {}


@pytest.mark.proves("OWN-5")
@pytest.mark.parametrize("name", TOUCHING)
def test_behind_the_second_wall_every_statement_still_does_its_work(
    walled: Worlds, name: str
) -> None:
    assert list(walled.interferences(name, db.load(name).text, role=OWNER)) == []


@pytest.mark.proves("OWN-5")
@pytest.mark.parametrize("table", CATALOGUE.owned_tables)
def test_every_owned_table_has_its_policy_and_forces_it(
    postgres: Postgres, walled_database: str, table: str
) -> None:
    with psycopg.connect(postgres.url(walled_database)) as connection:
        state = connection.execute(
            """
            SELECT relrowsecurity, relforcerowsecurity,
                (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy
                 WHERE polrelid = pg_class.oid AND polname = 'owner' AND polroles = '{0}')
            FROM pg_class WHERE oid = %s::regclass
            """,
            (table,),
        ).fetchone()
    column = CATALOGUE.owner_column(table)
    assert state == (True, True, f"({column} = current_owner())")


@pytest.mark.parametrize("role", [pytest.param("none", marks=needs_log_ins), OWNER])
def test_who_does_not_say_the_owner_sees_nothing(
    walled_app: Flask, database_url: str, role: str
) -> None:
    register(walled_app.test_client(), "alice@example.com")
    visible = {}
    seen = [table for table in CATALOGUE.owned_tables if table != "auth_events"]
    url = as_role(database_url) if role == "none" else database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('role', %s, FALSE)", (role,))
        for table in seen:
            column = CATALOGUE.owner_column(table) or ""
            count = sql.SQL("SELECT count({}) FROM {}")
            found = connection.execute(count.format(sql.Identifier(column), sql.Identifier(table)))
            visible[table] = found.fetchall()
    assert visible == {table: [(0,)] for table in seen}


def test_the_owner_is_told_for_one_transaction_only(walled_app: Flask) -> None:
    alice = register(walled_app.test_client(), "alice@example.com")
    assert db.fetch_one(GET_USER, {"owner_id": UUID(alice.id)}) is not None
    setting = db.Statement("left", "SELECT current_setting('app.owner_id', TRUE) AS left", True)
    row = db.fetch_one(setting, {})
    assert row is not None
    assert not row.left


def test_the_owner_and_the_statement_take_one_round_trip(walled_app: Flask, tmp_path: Path) -> None:
    alice = register(walled_app.test_client(), "alice@example.com")
    params = {"owner_id": UUID(alice.id)}
    db.fetch_one(GET_USER, params)  # prepared from now on
    with db._Loan() as connection:
        trace = (tmp_path / "trace").open("w+")
        connection.pgconn.trace(trace.fileno())
    db.fetch_one(GET_USER, params)
    with db._Loan() as connection:
        connection.pgconn.untrace()
    messages = (tmp_path / "trace").read_text()
    trace.close()
    assert messages.count("Execute") == 2
    assert messages.count("Sync") == 1
    assert messages.count("ReadyForQuery") == 1


def test_an_operator_switches_the_wall_on_and_off(app: Flask, database_url: str) -> None:
    def is_on() -> set[bool]:
        with psycopg.connect(database_url) as connection:
            rows = connection.execute(
                "SELECT relrowsecurity FROM pg_class WHERE relforcerowsecurity"
            )
            return {on for (on,) in rows}

    runner = app.test_cli_runner()
    for state in ("on", "off"):
        runner.invoke(args=["db", "row-security", state])
        assert is_on() == {state == "on"}
        again = runner.invoke(args=["db", "row-security", state])
        assert again.output == f"row security was {state} already\n"
