"""Row security limits every statement to its owner's rows, even without its predicates."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from psycopg import sql

from app import create_app, db
from app.config import Config
from app.db import migrations
from tests.support.api_user import register
from tests.support.audited import OWNED, TOUCHING, Audits
from tests.support.databases import Postgres
from tests.support.id_collisions import Collisions
from tests.support.roles import as_role, needs_logins
from tests.support.statements import statement


class OwnerSetting(NamedTuple):
    """The owner's id that a transaction has set, or an empty text."""

    owner_id: str | None


OWNER = "ownrow_owner"  # the tables' owner, who is bound by a policy only where it is forced
GET_USER = db.load("auth/get_user")
SCHEMA_VERSION = db.load("system/list_migrations")


@pytest.fixture(scope="module")
def secured_database(postgres: Postgres, migrated: str) -> Iterator[str]:
    """A database of this module with row security on."""
    with postgres.database(template=migrated) as name:
        migrations.switch_row_security(postgres.url(name), on=True)
        yield name


@pytest.fixture(scope="module")
def secured(postgres: Postgres, secured_database: str) -> Iterator[Collisions]:
    """The id collisions with row security on."""
    with closing(Collisions(postgres, secured_database)) as made:
        yield made


@pytest.fixture
def secured_app(config: Config, database_url: str) -> Iterator[Flask]:
    """The service with row security on, and one connection."""
    migrations.switch_row_security(database_url, on=True)
    app = create_app(replace(config, db_row_security=True, db_pool_size=1))
    yield app
    db.close_pool()


@pytest.mark.proves("OWN-5")
@pytest.mark.parametrize("name", OWNED)
def test_with_row_security_a_missing_predicate_affects_no_other_owner(
    secured: Collisions, audits: Audits, name: str
) -> None:
    found = {
        removed: list(secured.interferences(name, text, role=OWNER))
        for removed, text in audits.mutants(name).items()
    }
    assert {removed: each for removed, each in found.items() if each} == {}


@pytest.mark.proves("OWN-5")
@pytest.mark.parametrize("name", TOUCHING)
def test_with_row_security_every_statement_has_the_same_effects(
    secured: Collisions, name: str
) -> None:
    assert list(secured.interferences(name, db.load(name).text, role=OWNER)) == []


@pytest.mark.proves("OWN-5")
def test_every_owned_table_has_its_policy_and_forces_it(
    postgres: Postgres, secured_database: str, audits: Audits
) -> None:
    with psycopg.connect(postgres.url(secured_database)) as connection:
        found = connection.execute(
            """
            SELECT relname, relrowsecurity, relforcerowsecurity,
                (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy
                 WHERE polrelid = pg_class.oid AND polname = 'owner' AND polroles = '{0}')
            FROM pg_class WHERE oid = ANY(%s::regclass[]) ORDER BY relname
            """,
            (audits.catalogue.owned_tables,),
        ).fetchall()
    assert found == [
        (table, True, True, f"({owner_column(table)} = current_owner())")
        for table in audits.catalogue.owned_tables
    ]


def owner_column(table: str) -> str:
    return "id" if table == "users" else "owner_id"


def test_every_view_runs_behind_the_policies_of_its_reader(
    postgres: Postgres, secured_database: str
) -> None:
    with psycopg.connect(postgres.url(secured_database)) as connection:
        views = connection.execute(
            "SELECT relname, reloptions FROM pg_class"
            " WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
    assert "items" in {name for name, _ in views}
    assert {tuple(options) for _, options in views} == {("security_invoker=true",)}


@pytest.mark.parametrize("role", [pytest.param("none", marks=needs_logins), OWNER])
def test_no_row_is_visible_where_the_owner_is_not_set(
    secured_app: Flask, database_url: str, audits: Audits, role: str
) -> None:
    register(secured_app.test_client(), "alice@example.com")
    visible = {}
    seen = [table for table in audits.catalogue.owned_tables if table != "auth_events"]
    url = as_role(database_url) if role == "none" else database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('role', %s, FALSE)", (role,))
        for table in seen:
            column = owner_column(table)
            count = sql.SQL("SELECT count({}) FROM {}")
            found = connection.execute(count.format(sql.Identifier(column), sql.Identifier(table)))
            visible[table] = found.fetchall()
    assert visible == {table: [(0,)] for table in seen}


def test_the_owner_is_set_for_one_transaction_only(secured_app: Flask) -> None:
    alice = register(secured_app.test_client(), "alice@example.com")
    assert db.fetch_one(GET_USER, {"owner_id": UUID(alice.id)}) is not None
    setting = statement(
        "setting",
        "SELECT current_setting('app.owner_id', TRUE) AS owner_id",
        OwnerSetting,
        returns="owner_id text null",
    )
    row = db.fetch_one(setting, {})
    assert row is not None
    assert not row.owner_id


def test_the_owner_and_the_statement_take_one_round_trip(
    secured_app: Flask, tmp_path: Path
) -> None:
    alice = register(secured_app.test_client(), "alice@example.com")
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


def test_an_operator_switches_row_security_on_and_off(
    owner_config: Config, database_url: str
) -> None:
    def is_on() -> set[bool]:
        with psycopg.connect(database_url) as connection:
            rows = connection.execute(
                "SELECT relrowsecurity FROM pg_class WHERE relforcerowsecurity"
            )
            return {on for (on,) in rows}

    runner = create_app(owner_config).test_cli_runner()
    for state in ("on", "off"):
        runner.invoke(args=["db", "row-security", state])
        assert is_on() == {state == "on"}
        again = runner.invoke(args=["db", "row-security", state])
        assert again.output == f"row security was {state} already\n"
