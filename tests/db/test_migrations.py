"""Migrations and their rollbacks: applied once, atomically, without long locks."""

import hashlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskCliRunner

from app import create_app
from app.config import Config
from app.db import migrations, schema
from tests.support.api_user import ApiUser, data
from tests.support.processes import until, without_coverage
from tests.support.roles import as_role
from tests.support.server import ROOT, serving
from tests.support.services import flask, free_port

# Every object of the public schema as text, without yoyo's own tables.
SCHEMA = """
SELECT kind, definition FROM (
    SELECT 'column', attrelid::regclass || '.' || attname || ' ' || attnum || ' '
        || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' '
        || coalesce(pg_get_expr(adbin, adrelid), '') || ' '
        || coalesce(col_description(attrelid, attnum), '')
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
        AND NOT attisdropped
    UNION ALL
    SELECT 'table', pg_class.oid::regclass || ' ' || relrowsecurity || relforcerowsecurity
        || coalesce(relacl::text, '') || coalesce(obj_description(pg_class.oid, 'pg_class'), '')
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL
    SELECT 'constraint', conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'function', pg_get_functiondef(oid) || coalesce(proacl::text, '')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    UNION ALL
    SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'policy', pg_policies::text FROM pg_policies WHERE schemaname = 'public'
    UNION ALL
    SELECT 'view', viewname || definition FROM pg_views WHERE schemaname = 'public'
) AS objects (kind, definition)
WHERE definition NOT LIKE '%yoyo%'
ORDER BY kind, definition
"""
ROWS = "SELECT to_jsonb({table}) - 'document' FROM {table} ORDER BY 1"
FILES = sorted(schema.DIRECTORY.glob("*.sql"))
KNOWN = schema.known()


def objects(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(SCHEMA).fetchall()


def rows(url: str, table: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(ROWS.format(table=table)).fetchall()


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found if "yoyo" not in name}


# --- the files ----------------------------------------------------------------------------------


@pytest.mark.proves("MIG-1")
def test_every_migration_has_its_rollback_and_depends_on_earlier_ones() -> None:
    assert len(FILES) == 2 * len(KNOWN)
    for number, name in enumerate(KNOWN, 1):
        assert name.startswith(f"{number:04}.")
        undo = schema.DIRECTORY / f"{name}.rollback.sql"
        assert undo.read_text().strip()
        if number > 1:
            text = (schema.DIRECTORY / f"{name}.sql").read_text()
            (needed,) = re.findall(r"^-- depends: (.+)$", text, re.MULTILINE)
            assert set(needed.split()) <= set(KNOWN[: number - 1])


@pytest.mark.proves("MIG-4")
def test_a_released_migration_does_not_change() -> None:
    """After writing a new one: (cd migrations && sha256sum *.sql > SHA256SUMS)."""
    written = (schema.DIRECTORY / "SHA256SUMS").read_text().splitlines()
    assert written == [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in FILES
    ]


# --- upgrade and rollback -----------------------------------------------------------------------


@pytest.mark.proves("MIG-1")
def test_each_rollback_restores_the_schema_before_its_migration(empty_database_url: str) -> None:
    steps = [objects(empty_database_url)]
    assert migrations.upgrade(empty_database_url) == KNOWN
    complete = objects(empty_database_url)
    for name in reversed(KNOWN):
        assert migrations.rollback(empty_database_url) == [name]
        steps.append(objects(empty_database_url))
    assert steps[-1] == steps[0]
    assert tables(empty_database_url) == set()
    assert migrations.rollback(empty_database_url) == []
    assert migrations.upgrade(empty_database_url) == KNOWN
    assert objects(empty_database_url) == complete
    assert migrations.upgrade(empty_database_url) == []


@pytest.mark.proves("MIG-1")
def test_each_rollback_keeps_the_rows_of_the_remaining_tables(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    for caller in (alice, bob):
        task = caller.create("a", "b")
        caller.patch(f"/{task['id']}/complete", headers={"Idempotency-Key": "k"})
        caller.delete(f"/{caller.create('c')['id']}")
    kept = {table: len(rows(database_url, table)) for table in tables(database_url)}
    assert min(kept[table] for table in ("users", "tasks", "ledgers", "ledger_entries")) >= 2
    for _ in KNOWN:
        migrations.rollback(database_url)
        for table in tables(database_url):
            assert len(rows(database_url, table)) == kept[table], table
    assert migrations.upgrade(database_url) == KNOWN
    assert {len(rows(database_url, table)) for table in tables(database_url)} == {0}


def roll_back(url: str, name: str) -> None:
    """Rolls back that migration and all after it, the newest first."""
    for each in reversed(KNOWN[KNOWN.index(name) :]):
        if each in applied(url):
            assert migrations.rollback(url) == [each]


def applied(url: str) -> set[str]:
    """The names of the applied migrations."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall()
    return {name for (name,) in found}


def test_rollback_and_upgrade_keep_the_rows_of_older_tables(
    alice: ApiUser, database_url: str, tmp_path: Path
) -> None:
    task = alice.create("a", "b")
    roll_back(database_url, "0007.planning")  # with what only it has
    before = rows(database_url, "users"), rows(database_url, "tasks")
    roll_back(database_url, "0004.roles")
    assert (rows(database_url, "users"), rows(database_url, "tasks")) == before
    migrations.upgrade(database_url)
    assert data(alice.get(f"/{task['id']}")) == task
    status, output = flask(environment(database_url, tmp_path), "ledger", "verify")
    assert status == 0, output


def test_tasks_from_before_planning_keep_their_order_and_verify(
    alice: ApiUser, database_url: str, tmp_path: Path
) -> None:
    roll_back(database_url, "0007.planning")
    with psycopg.connect(database_url) as connection:
        for number in range(3):
            connection.execute(OLD_TASK, {"owner_id": alice.id, "title": f"old {number}"})
    migrations.upgrade(database_url)
    alice.create("new")
    listed = data(alice.get("?sort=position"))
    assert [task["title"] for task in listed] == ["old 0", "old 1", "old 2", "new"]
    status, output = flask(environment(database_url, tmp_path), "ledger", "verify")
    assert status == 0, output


OLD_TASK = """
WITH ledger AS (
    SELECT version + 1 AS version, next_change_at(changed_at) AS at
    FROM ledgers WHERE owner_id = %(owner_id)s FOR UPDATE
)
INSERT INTO tasks (
    owner_id, id, title, title_folded, description_folded, created_at, updated_at, version,
    last_action, request_id
)
SELECT
    %(owner_id)s, uuidv7_at(at), %(title)s, %(title)s, '', at, at, version, 'create', 'old'
FROM ledger
"""


# --- concurrent, killed and failed upgrades -----------------------------------------------------


def environment(url: str, directory: Path) -> dict[str, str]:
    named = {"APP_ENV": "test", "DATABASE_URL": url, "DATA_DIR": str(directory)}
    return {**without_coverage(), **named}


@pytest.mark.proves("MIG-3")
def test_concurrent_upgrades_apply_each_migration_once(
    empty_database_url: str, tmp_path: Path
) -> None:
    def upgrade(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
            cwd=ROOT,
            env=environment(empty_database_url, tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    with ThreadPoolExecutor(3) as starters:
        outputs = sorted(starters.map(upgrade, range(3)))
    assert outputs[0] == "".join(f"applied {name}\n" for name in KNOWN)
    assert outputs[1:] == ["nothing to apply\n"] * 2
    assert all(migrations.status(empty_database_url).values())


SLOW = "CREATE TABLE half_way (); DO $$ BEGIN PERFORM pg_sleep({seconds}); END $$;\n"
UPGRADE = """
import sys
from pathlib import Path
from app.db import migrations, schema
schema.DIRECTORY = Path(sys.argv[1])
print(migrations.upgrade(sys.argv[2]))
"""
WAITING = """
    SELECT FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
SLEEPING = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s"


@pytest.mark.proves("MIG-2")
def test_a_killed_migration_is_applied_by_the_next_upgrade(
    empty_database_url: str, tmp_path: Path
) -> None:
    slow = tmp_path / "9999.slow.sql"
    for file in FILES:
        (tmp_path / file.name).symlink_to(file)
    slow.write_text(SLOW.format(seconds=600))
    slow.with_name("9999.slow.rollback.sql").write_text("DROP TABLE half_way;\n")
    program = [sys.executable, "-c", UPGRADE, str(tmp_path), empty_database_url]
    running = subprocess.Popen(program, cwd=ROOT)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        watched = [connection.info.dbname]
        until(lambda: connection.execute(SLEEPING, watched).rowcount == 1)
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        assert "half_way" not in tables(empty_database_url)
        assert "users" in tables(empty_database_url)
        slow.write_text(SLOW.format(seconds=0))
    output = subprocess.run(
        program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert output == "['9999.slow']\n"
    assert "half_way" in tables(empty_database_url)


@pytest.mark.proves("MIG-2")
def test_a_failed_migration_is_rolled_back(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001.bad.sql").write_text("CREATE TABLE made (); SELECT 1 / 0;\n")
    monkeypatch.setattr(schema, "DIRECTORY", tmp_path)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrations.upgrade(empty_database_url)
    assert tables(empty_database_url) == set()
    assert migrations.status(empty_database_url) == {"0001.bad": False}


ADD_COLUMN = "ALTER TABLE used ADD COLUMN later text;\n"


@pytest.fixture
def used_table(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection]:
    """A connection whose transaction holds a lock on a table that a migration changes."""
    (tmp_path / "0001.later.sql").write_text(ADD_COLUMN)
    monkeypatch.setattr(schema, "DIRECTORY", tmp_path)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE used ()")
        connection.commit()
        connection.execute("SELECT FROM used")
        yield connection


def longest_wait(change: Future[Any], connection: psycopg.Connection, statement: str) -> float:
    """The longest of three runs of `statement`, in seconds, while `change` waits for a lock."""
    waits = []
    for _ in range(3):
        until(lambda: connection.execute(WAITING).rowcount == 1)
        began = monotonic()
        connection.execute(statement)
        waits.append(monotonic() - began)
    assert not change.done()
    return max(waits)


@pytest.mark.proves("MIG-7")
def test_a_migration_that_waits_for_a_lock_delays_others_for_less_than_a_second(
    used_table: psycopg.Connection, empty_database_url: str
) -> None:
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(empty_database_url, autocommit=True) as other,
    ):
        migrating = thread.submit(migrations.upgrade, empty_database_url)
        assert longest_wait(migrating, other, "SELECT FROM used") < 1
        used_table.rollback()
        assert migrating.result(30) == ["0001.later"]
        other.execute("SELECT later FROM used")


@pytest.mark.proves("MIG-7")
def test_a_row_security_switch_that_waits_delays_others_for_less_than_a_second(
    database_url: str,
) -> None:
    migrations.switch_row_security(database_url, on=False)
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(database_url) as holder,
        psycopg.connect(database_url, autocommit=True, options="-c lock_timeout=5s") as other,
    ):
        holder.execute("SELECT FROM tasks")
        switching = thread.submit(migrations.switch_row_security, database_url, on=True)
        assert longest_wait(switching, other, "SELECT FROM tasks") < 1
        holder.rollback()
        assert switching.result(30)


@pytest.mark.proves("MIG-7")
def test_a_migration_that_gets_no_lock_is_rolled_back(
    used_table: psycopg.Connection, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "TRIES", 2)
    with pytest.raises(psycopg.errors.LockNotAvailable):
        migrations.upgrade(empty_database_url)
    used_table.rollback()
    assert migrations.status(empty_database_url) == {"0001.later": False}
    assert migrations.upgrade(empty_database_url) == ["0001.later"]


@pytest.mark.proves("MIG-7")
def test_a_migration_without_a_transaction_waits_for_its_lock(
    used_table: psycopg.Connection, empty_database_url: str, tmp_path: Path
) -> None:
    text = "-- transactional: false\nCREATE INDEX CONCURRENTLY used_index ON used ((1));\n"
    (tmp_path / "0001.later.sql").write_text(text)
    used_table.execute("LOCK TABLE used IN ROW EXCLUSIVE MODE")
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(empty_database_url, autocommit=True) as other,
    ):
        migrating = thread.submit(migrations.upgrade, empty_database_url)
        waiting = f"{WAITING} AND clock_timestamp() - query_start > interval '0.4 s'"
        until(lambda: migrating.done() or other.execute(waiting).rowcount == 1)
        used_table.rollback()
        assert migrating.result(30) == ["0001.later"]


@pytest.mark.proves("MIG-5")
@pytest.mark.parametrize("app_env", ["test", "production"])
def test_the_server_applies_no_migration(
    empty_database_url: str, tmp_path: Path, app_env: str
) -> None:
    with serving(empty_database_url, tmp_path, APP_ENV=app_env) as running:
        assert running.request("GET", "/readyz").status == 503
        assert running.request("GET", "/livez").status == 200
    assert tables(empty_database_url) == set()


# --- flask db -----------------------------------------------------------------------------------


@pytest.fixture
def flask_db(owner_config: Config) -> FlaskCliRunner:
    return create_app(owner_config).test_cli_runner()


def test_flask_db_upgrades_rolls_back_and_reports_the_status(
    flask_db: FlaskCliRunner, database_url: str
) -> None:
    def output(*words: str) -> list[str]:
        result = flask_db.invoke(args=["db", *words])
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    assert output("status") == [f"applied  {name}" for name in KNOWN]
    assert output("upgrade") == ["nothing to apply"]
    assert output("rollback") == [f"rolled back {KNOWN[-1]}"]
    assert output("status")[-1] == f"missing  {KNOWN[-1]}"
    assert output("rollback", "--count", "99") == [f"rolled back {name}" for name in KNOWN[-2::-1]]
    assert output("rollback") == ["nothing to roll back"]
    assert tables(database_url) == set()
    assert output("upgrade") == [f"applied {name}" for name in KNOWN]


def test_a_new_migration_depends_on_the_newest(
    flask_db: FlaskCliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "migrations"
    directory.mkdir()
    for name in KNOWN:
        (directory / f"{name}.sql").touch()
    monkeypatch.setattr(schema, "DIRECTORY", directory)
    result = flask_db.invoke(args=["db", "new", "add-due-dates"])
    made = f"{int(KNOWN[-1][:4]) + 1:04}.add-due-dates"
    assert result.output.splitlines() == [
        f"migrations/{made}.sql",
        f"migrations/{made}.rollback.sql",
    ]
    assert f"-- depends: {KNOWN[-1]}\n" in (directory / f"{made}.sql").read_text()
    assert (directory / f"{made}.rollback.sql").is_file()


@pytest.mark.parametrize("name", ["Due", "a b", "../x", "1", "", "a" * 99, "x.sql"])
def test_a_new_migration_refuses_other_names(flask_db: FlaskCliRunner, name: str) -> None:
    result = flask_db.invoke(args=["db", "new", name])
    assert result.exit_code != 0
    assert "lower case with dashes" in result.output
    assert sorted(schema.DIRECTORY.glob("*.sql")) == FILES


def test_a_command_without_a_database_names_database_url(tmp_path: Path) -> None:
    environ = environment("", tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "status"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    assert "DATABASE_URL" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.proves("OPS-84")
@pytest.mark.parametrize(
    "command", [["status"], ["upgrade"], ["rollback"], ["row-security", "on"]], ids=" ".join
)
@pytest.mark.parametrize("host", ["127.0.0.1", "%2Fnowhere"])
def test_an_unreachable_database_is_an_error_of_one_line(
    tmp_path: Path, host: str, command: list[str]
) -> None:
    url = f"postgresql://ann:canary@/ownrow?host={host}&port={free_port()}"
    status, output = flask(environment(url, tmp_path), "db", *command)
    assert status == 1
    assert re.fullmatch(
        r"Error: The database can't be used: .+: is the server running there\?\n", output
    )
    assert "canary" not in output


@pytest.mark.proves("OPS-84")
def test_a_refusal_by_the_database_is_an_error_of_one_line(
    empty_database_url: str, tmp_path: Path
) -> None:
    migrations.upgrade(empty_database_url)
    status, output = flask(environment(as_role(empty_database_url), tmp_path), "db", "rollback")
    assert status == 1
    assert re.fullmatch(
        r"Error: The database refuses: permission denied .+ \(SQLSTATE 42501\)\n", output
    ), output


def test_no_message_of_a_migration_names_migrations_by_number() -> None:
    """Later ones would make it wrong, and a released migration never changes."""
    for file in (ROOT / "migrations").glob("*.sql"):
        code = "\n".join(line.partition("--")[0] for line in file.read_text().splitlines())
        for text in re.findall(r"(?<!U&)'([^']*)'", code):
            assert not re.search(r"\b00[0-9]{2}\b", text), f"{file.name}: {text}"
