"""`flask db distribute` and connections on Citus, as far as plain PostgreSQL can tell.

The rest is in tests/citus/, which needs a Citus.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from app import db, devdb
from app.auth import repository as auth
from app.db import distribution, migrations, schema
from app.db.connection import Call, Connection
from app.db.distribution import MAKE_ROLES
from app.db.errors import error_for
from app.db.placement import DISTRIBUTED, LOCAL, LOCAL_FUNCTIONS
from app.errors import Internal, Unavailable
from app.webhooks import repository as webhooks
from tests.support.api_user import PASSWORD, ApiUser
from tests.support.citus import calls, stand_in
from tests.support.database_copies import DatabaseCopy
from tests.support.services import FlaskCommand
from tests.support.services import flask as run_flask

TABLES = """
SELECT relname::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ 'yoyo'
"""
DEFINERS = """
SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
"""
CONSTRAINTS = "SELECT conname::text FROM pg_constraint WHERE contype = 'f'"
TRIGGERS = "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal"
DROPPED = {"ledgers_owner_fkey", "feeds_list_fkey"}


@pytest.fixture
def own_server(used_data_dir: Path) -> Iterator[devdb.EmbeddedPostgres]:
    """A server of this test, whose roles it may change, with the migrations."""
    with devdb.start(used_data_dir) as server:
        yield server


def distribute(url: str) -> tuple[int, str]:
    return run_flask({"MIGRATION_DATABASE_URL": url, "DATABASE_URL": url}, "db", "distribute")


def names(url: str, query: str) -> set[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        return {name for (name,) in connection.execute(query.encode())}


@pytest.mark.proves("SCALE-1")
def test_each_table_is_on_one_of_the_lists(superuser: psycopg.Connection[Any]) -> None:
    found = sorted(name for (name,) in superuser.execute(TABLES))
    assert sorted([*LOCAL, *DISTRIBUTED]) == found


@pytest.mark.proves("SCALE-2")
def test_every_key_of_a_distributed_table_begins_with_the_owner(
    superuser: psycopg.Connection[Any],
) -> None:
    rows = superuser.execute(
        "SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indisunique AND indrelid::regclass::text = ANY(%s)",
        [list(DISTRIBUTED)],
    ).fetchall()
    assert len(rows) >= len(DISTRIBUTED)
    assert [index for _, index in rows if "(owner_id" not in index] == []


@pytest.mark.proves("SCALE-1")
def test_functions_with_rights_of_their_own_stay_on_the_coordinator_but_the_ledgers(
    superuser: psycopg.Connection[Any],
) -> None:
    found = {name for (name,) in superuser.execute(DEFINERS)}
    assert found - set(LOCAL_FUNCTIONS) == {"record_change"}
    assert set(LOCAL_FUNCTIONS) <= found


@pytest.mark.proves("SCALE-11")
def test_roles_on_nodes_have_the_settings_and_memberships_of_the_migration() -> None:
    made = re.findall(r"^ +'((?:GRANT|ALTER ROLE).*)',?$", schema.read("0004.roles"), re.MULTILINE)
    for_nodes = re.findall(r"^ +'((?:GRANT|ALTER ROLE).*)',?$", MAKE_ROLES, re.MULTILINE)
    assert len(made) >= 6
    assert set(for_nodes) - set(made) == {
        "GRANT USAGE, CREATE ON SCHEMA public TO ownrow_owner",
        "ALTER ROLE ownrow_owner LOGIN",
        "ALTER ROLE ownrow_ledger LOGIN",
    }
    assert set(made) <= set(for_nodes)


@pytest.mark.proves("SCALE-10")
def test_plain_postgresql_is_refused_with_what_to_do(database_url: str) -> None:
    status, output = distribute(database_url)
    assert status == 1
    assert "no extension citus" in output
    assert "CREATE EXTENSION citus" in output


@pytest.mark.proves("SCALE-10")
def test_a_database_without_migrations_is_refused(empty_database_url: str) -> None:
    status, output = distribute(empty_database_url)
    assert status == 1
    assert "run: flask db upgrade" in output


@pytest.mark.proves("SCALE-10")
def test_a_citus_without_workers_and_a_role_without_rights_are_refused(
    own_server: devdb.EmbeddedPostgres,
) -> None:
    superuser = own_server.url(user=devdb.SUPERUSER)
    stand_in(superuser, has_workers=False)
    status, output = distribute(superuser)
    assert status == 1
    assert "citus_add_node" in output
    status, output = distribute(own_server.url())
    assert status == 1
    assert "no superuser" in output
    assert calls(superuser) == []


@pytest.mark.proves("SCALE-11")
def test_it_distributes_in_the_order_that_citus_needs_and_twice_without_harm(
    own_server: devdb.EmbeddedPostgres,
) -> None:
    url = own_server.url(user=devdb.SUPERUSER)
    stand_in(url)
    keys, triggers = names(url, CONSTRAINTS), names(url, TRIGGERS)
    status, output = distribute(url)
    assert status == 0, output
    made = calls(url)
    tables = [call for call in made if call.startswith("table ")]
    assert tables == [f"table {name} by owner_id" for name in DISTRIBUTED]
    truncated = [call for call in made if call.startswith("truncate ")]
    assert truncated == [f"truncate {name}" for name in DISTRIBUTED]
    assert made.index(tables[0]) > max(
        place for place, call in enumerate(made) if call.startswith("function ")
    )
    assert made.index(truncated[0]) > made.index(tables[-1])
    assert keys - names(url, CONSTRAINTS) == DROPPED
    assert triggers - names(url, TRIGGERS) == {distribution.UNMADE_TRIGGER}
    for said in (
        "distributed tasks by owner_id",
        "dropped the foreign key ledgers_owner_fkey",
        "made the trigger tasks_recorded on every shard",
        "let ownrow_app insert into all columns of ledgers",
    ):
        assert said in output
    status, output = distribute(url)
    assert (status, output) == (0, "nothing to distribute\n")
    status, output = run_flask({"MIGRATION_DATABASE_URL": url, "DATABASE_URL": url}, "doctor")
    assert "ok    sharding: Citus with 2 worker nodes, all active" in output
    assert "without its triggers" not in output


@pytest.mark.proves("SCALE-11")
def test_a_step_that_fails_leaves_no_table_distributed(own_server: devdb.EmbeddedPostgres) -> None:
    url = own_server.url(user=devdb.SUPERUSER)
    stand_in(url)
    before = names(url, CONSTRAINTS), names(url, TRIGGERS)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE others (owner_id uuid PRIMARY KEY)")
        connection.execute("ALTER TABLE import_refs ADD FOREIGN KEY (owner_id) REFERENCES others")
    status, output = distribute(url)
    assert status == 1
    assert "foreign keys that Citus refuses" in output
    assert names(url, CONSTRAINTS) >= before[0]
    assert names(url, TRIGGERS) == before[1]
    assert [call for call in calls(url) if call != "on workers"] == []


@pytest.mark.proves("SCALE-12")
def test_migrations_say_nothing_to_nodes_until_a_table_is_distributed(
    own_server: devdb.EmbeddedPostgres,
) -> None:
    url = own_server.url(user=devdb.SUPERUSER)
    stand_in(url)
    with psycopg.connect(url, autocommit=True) as connection:
        distribution.set_propagation(connection)
        shown = connection.execute("SHOW citus.enable_ddl_propagation").fetchone()
        assert shown == ("off",)
    assert distribute(url)[0] == 0
    with psycopg.connect(url, autocommit=True) as connection:
        distribution.set_propagation(connection)
        found = "SELECT current_setting('citus.enable_ddl_propagation', TRUE)"
        assert connection.execute(found).fetchone() == (None,)
    assert migrations.upgrade(url) == []


@pytest.mark.proves("SCALE-32")
def test_the_doctor_names_what_is_not_distributed_and_what_moves(
    own_server: devdb.EmbeddedPostgres,
) -> None:
    url = own_server.url(user=devdb.SUPERUSER)
    stand_in(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE pg_catalog.pg_dist_node SET isactive = FALSE WHERE groupid = 2")
        connection.execute(
            "INSERT INTO pg_catalog.pg_dist_background_job VALUES"
            " (1, 'running', 'Rebalance colocation group 1'), (2, 'finished', 'an old one')"
        )
    status, output = run_flask({"MIGRATION_DATABASE_URL": url, "DATABASE_URL": url}, "doctor")
    assert status == 1
    assert "BAD   sharding: nodes that are not active: two:5432" in output
    assert "BAD   sharding: not distributed: ledgers, " in output
    assert "note  sharding: in progress: Rebalance colocation group 1\n" in output


# --- connections --------------------------------------------------------------------------------


@pytest.fixture
def sharded(app: Flask, superuser: psycopg.Connection[Any]) -> Flask:
    """The application, whose pool takes the database for one of Citus, which has that setting."""
    name = superuser.info.dbname
    superuser.execute(f"ALTER DATABASE {name} SET citus.version = '14.0'".encode())
    db._this_process().pool.drain()  # sessions have the settings of their beginning
    return app


def settings() -> tuple[str, bool]:
    with db._Loan() as connection:  # what only the layer itself sees
        shown = connection.execute("SHOW plan_cache_mode").fetchone()
        assert shown is not None
        return shown[0], connection.is_sharded


@pytest.mark.proves("SCALE-20")
@pytest.mark.usefixtures("app")
def test_plans_depend_on_parameters_only_where_shards_do() -> None:
    assert settings() == ("force_generic_plan", False)


@pytest.mark.proves("SCALE-20")
@pytest.mark.usefixtures("sharded")
def test_there_is_no_generic_plan_on_citus() -> None:
    assert settings() == ("auto", True)


def blocks(connection: Connection, log: Path, *given: Call) -> list[str]:
    """The BEGIN and COMMIT that go out with the calls, by libpq's own record of its messages."""
    with log.open("w") as file:
        connection.pgconn.trace(file.fileno())
        connection.run(*given)
        connection.pgconn.untrace()
    return re.findall(r'Parse\t.* "(BEGIN|COMMIT)"', log.read_text())


@pytest.mark.proves("SCALE-21")
@pytest.mark.usefixtures("sharded")
def test_begin_goes_before_what_citus_would_commit_by_itself(
    alice: ApiUser, tmp_path: Path
) -> None:
    owner = {"owner_id": alice.id}
    one, other = (auth.GET_USER, owner), (auth.GET_CLOCK, owner)
    of_all = (webhooks.LIST_DUE, {"limit": 1})
    with db._Loan() as connection:
        assert blocks(connection, tmp_path / "log", one, other) == ["BEGIN", "COMMIT"]
        assert blocks(connection, tmp_path / "log", of_all) == ["BEGIN", "COMMIT"]
        assert blocks(connection, tmp_path / "log", one) == []
        with connection.transaction():
            assert blocks(connection, tmp_path / "log", one, other) == []


@pytest.mark.proves("SCALE-21")
@pytest.mark.usefixtures("app")
def test_no_begin_goes_out_on_plain_postgresql(alice: ApiUser, tmp_path: Path) -> None:
    owner = {"owner_id": alice.id}
    with db._Loan() as connection:
        one, other = (auth.GET_USER, owner), (auth.GET_CLOCK, owner)
        assert blocks(connection, tmp_path / "log", one, other) == []


@pytest.mark.proves("SCALE-21")
@pytest.mark.usefixtures("sharded")
def test_a_pipeline_begins_with_begin_on_citus_and_an_error_ends_the_transaction(
    alice: ApiUser,
) -> None:
    owner = {"owner_id": alice.id}
    refused = (webhooks.LIST_DUE, {"limit": -1})
    with db._Loan() as connection:
        assert len(connection.run((auth.GET_USER, owner), (auth.GET_CLOCK, owner))) == 2
        with pytest.raises(psycopg.errors.InvalidRowCountInLimitClause):
            connection.run((auth.GET_USER, owner), refused)
        assert connection.pgconn.transaction_status == 0
        assert len(connection.run((auth.GET_USER, owner), (auth.GET_CLOCK, owner))) == 2


@pytest.mark.proves("SCALE-22")
@pytest.mark.usefixtures("sharded")
def test_requests_work_with_what_connections_do_on_citus(alice: ApiUser) -> None:
    """With row security too, where TEST_ROW_SECURITY is on: the owner is set by set_on_nodes()."""
    answer = alice.post(json={"title": "one"})
    assert answer.status_code == 201
    assert [task["title"] for task in alice.get().get_json()["data"]] == ["one"]


@pytest.mark.proves("SCALE-22")
@pytest.mark.usefixtures("sharded")
def test_a_setting_for_all_nodes_ends_with_the_transaction(database_copy: DatabaseCopy) -> None:
    shown = (
        "SELECT current_setting('app.note', TRUE), "
        "current_setting('citus.propagate_set_commands', TRUE)"
    )
    with psycopg.connect(database_copy.app_url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute("SELECT set_on_nodes('app.note', 'it''s')")
            assert connection.execute(shown).fetchone() == ("it's", "local")
            for call in ("due_webhooks(1)", "streamed_versions('{}', '{}')", "due_imports(1)"):
                connection.execute(f"SELECT FROM {call}".encode())
            for call in ("tasks_with_due_reminders(1)", "count_troubled_webhooks()"):
                connection.execute(f"SELECT FROM {call}".encode())
        assert connection.execute(shown).fetchone() in {("", ""), (None, None), ("", None)}


@pytest.mark.proves("SCALE-23")
@pytest.mark.parametrize(
    ("table", "expected"), [("tasks_102013", Unavailable), ("tasks", Internal)]
)
def test_a_shard_that_was_moved_away_is_a_503(
    superuser: psycopg.Connection[Any], table: str, expected: type[Exception]
) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable) as raised:
        superuser.execute(f"SELECT FROM gone.{table}".encode())
    assert type(error_for(raised.value)) is expected


# --- without the foreign keys that Citus can't have ---------------------------------------------


@pytest.fixture
def without_keys(superuser: psycopg.Connection[Any]) -> None:
    """The constraints and the trigger that `flask db distribute` drops are gone."""
    superuser.execute("ALTER TABLE ledgers DROP CONSTRAINT ledgers_owner_fkey")
    superuser.execute("ALTER TABLE feeds DROP CONSTRAINT feeds_list_fkey")
    superuser.execute("DROP TRIGGER ledgers_kept ON ledgers")


@pytest.mark.proves("SCALE-13")
@pytest.mark.usefixtures("without_keys")
def test_an_erasure_leaves_nothing_without_foreign_keys_to_the_ledger(
    alice: ApiUser, superuser: psycopg.Connection[Any]
) -> None:
    assert alice.post(json={"title": "one"}).status_code == 201
    erased = alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert erased.status_code == 200
    for table in (*LOCAL, *DISTRIBUTED):
        if table in ("auth_events", "ended_sessions", "login_attempts", "reset_requests"):
            continue
        rows = superuser.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert rows == (0,), table


@pytest.mark.proves("SCALE-13")
@pytest.mark.usefixtures("without_keys")
def test_a_purge_ends_the_feeds_of_lists_without_a_foreign_key(
    alice: ApiUser, superuser: psycopg.Connection[Any], flask: FlaskCommand
) -> None:
    made = alice.call("POST", "/api/me/lists", json={"title": "work"})
    list_id = made.get_json()["data"]["id"]
    for chosen in (list_id, None):
        feed = {"list_id": chosen, "as": "todo"}
        answer = alice.call("POST", "/api/me/feeds", json=feed)
        assert answer.status_code == 201, answer.get_data(as_text=True)
    assert alice.call("DELETE", f"/api/me/lists/{list_id}").status_code == 200
    result = flask("ledger", "purge", "--older-than", "0s")
    assert result.exit_code == 0, result.output
    assert superuser.execute("SELECT list_id FROM feeds").fetchall() == [(None,)]
