"""The statements in sql/, the transaction around them, and connections that die."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import cast

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from app import create_app, db, embedded, migrations
from app.config import Config
from tests.callers import Caller, data, error, register
from tests.conftest import SETTINGS
from tests.databases import Postgres
from tests.faults.proxy import Proxy, proxied
from tests.groups import READS, WRITES, together
from tests.operations import parts
from tests.roles import needs_log_ins
from tests.serving import ROOT

pool = pytest.mark.usefixtures("app")

FILES = sorted(db.SQL.rglob("*.sql"))
NAMES = [str(file.relative_to(db.SQL).with_suffix("")) for file in FILES]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of statements for a test."""
    monkeypatch.setattr(db, "SQL", tmp_path)
    return tmp_path


def write(directory: Path, name: str, text: str) -> db.Statement:
    file = directory / f"{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return db.load(name)


def test_a_missing_file_stops_the_boot(scratch: Path) -> None:
    assert not list(scratch.iterdir())
    with pytest.raises(FileNotFoundError):
        db.load("tasks/nowhere")


@pytest.mark.proves("RUN-20")
@pytest.mark.parametrize("name", NAMES)
def test_a_statement_begins_with_what_it_is_for(name: str) -> None:
    lines = (db.SQL / f"{name}.sql").read_text().splitlines()
    header = [line for line in lines if line.startswith("--")]
    assert lines[: len(header)] == header
    assert header
    assert len(header[0]) > 10
    assert header[0].removeprefix("-- ")[0].isupper()
    assert header[-1].endswith(".")


@pytest.mark.proves("RUN-20")
@pytest.mark.parametrize("name", NAMES)
def test_a_statement_is_one_and_carries_its_path(name: str) -> None:
    statement = db.load(name)
    assert statement.text.startswith(f"/* sql/{name}.sql */ ")
    assert ";" not in statement.text
    assert "--" not in statement.text
    assert not re.search(r"SELECT\s+\*|\.\*|RETURNING\s+\*", statement.text)


def loaded_names() -> set[str]:
    """The argument of each db.load() in the code."""
    calls = (
        node
        for file in (ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("db.load", "load")
    )
    return {ast.literal_eval(call.args[0]) for call in calls}


def test_every_file_is_loaded_by_somebody() -> None:
    assert loaded_names() == set(NAMES)


@pytest.mark.proves("RUN-20")
def test_no_statement_is_loaded_later_than_its_module() -> None:
    """What is missing stops the boot, and no request reads a file."""
    for file in (ROOT / "app").rglob("*.py"):
        tree = ast.parse(file.read_text())
        inside = (node for part in tree.body if isinstance(part, ast.FunctionDef | ast.ClassDef)
                  for node in ast.walk(part))  # fmt: skip
        calls = (node.func for node in inside if isinstance(node, ast.Call))
        assert not [call for call in calls if ast.unparse(call) == "db.load"], file


@pytest.mark.proves("RUN-20")
@pool
@needs_log_ins
def test_the_server_sees_which_file_a_statement_is_from(scratch: Path) -> None:
    query = "-- Shows itself.\nSELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()\n"
    row = db.fetch_one(write(scratch, "tasks/show", query), {})
    assert row is not None
    assert row.query.startswith("/* sql/tasks/show.sql */ SELECT query")


COUNT = "-- Counts.\nSELECT count(*) AS number FROM counted\n"
ADD = "-- Adds.\nINSERT INTO counted (number) VALUES (%(number)s)\n"


@pytest.fixture
def counted(scratch: Path, database_url: str) -> tuple[db.Statement, db.Statement]:
    """A table that refuses the number 7; statements that count its rows and add one."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE counted (number integer CHECK (number <> 7))")
        connection.execute("GRANT ALL ON counted TO PUBLIC")
    return write(scratch, "count", COUNT), write(scratch, "add", ADD)


def number(count: db.Statement) -> int:
    row = db.fetch_one(count, {})
    assert row is not None
    return int(row.number)


def add_together(add: db.Statement, *numbers: int) -> None:
    with db.transaction():
        for each in numbers:
            db.execute(add, {"number": each})


@pool
def test_a_transaction_commits_all_or_nothing(counted: tuple[db.Statement, db.Statement]) -> None:
    count, add = counted
    with db.transaction():
        assert db.execute(add, {"number": 1}) == 1
        assert db.execute(add, {"number": 2}) == 1
    assert number(count) == 2
    with pytest.raises(psycopg.errors.CheckViolation):
        add_together(add, 3, 7)
    with pytest.raises(psycopg.ProgrammingError):
        add_together(add, 4, cast("int", object()))
    assert number(count) == 2


def add_in_parts(add: db.Statement) -> None:
    with db.transaction():
        add_together(add, 1)
        add_together(add, 7)


@pool
def test_a_transaction_inside_another_is_part_of_it(
    counted: tuple[db.Statement, db.Statement],
) -> None:
    count, add = counted
    with pytest.raises(psycopg.errors.CheckViolation):
        add_in_parts(add)
    assert number(count) == 0


@pool
def test_outside_a_transaction_each_statement_commits_by_itself(
    counted: tuple[db.Statement, db.Statement],
) -> None:
    count, add = counted
    db.execute(add, {"number": 1})
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(add, {"number": 7})
    assert number(count) == 1


@pool
def test_a_failed_transaction_leaves_the_connection_usable(
    counted: tuple[db.Statement, db.Statement], config: Config
) -> None:
    count, add = counted
    for _ in range(2 * config.db_pool_size):
        with pytest.raises(psycopg.errors.CheckViolation), db.transaction():
            db.execute(add, {"number": 7})
    assert number(count) == 0


@pytest.mark.proves("RUN-24")
def test_a_small_table_is_read_by_its_index_too(alice: Caller, database_url: str) -> None:
    """The plan that a connection made for ten rows is the one that it uses for a million."""
    task = alice.create()
    with psycopg.connect(database_url) as connection:
        connection.execute("ANALYZE")
    params = {"owner_id": alice.id, "id": task["id"]}
    with db._pool().connection() as connection:
        plan = connection.execute(f"EXPLAIN {db.load('tasks/get').text}", params).fetchall()
    assert any("Index Scan" in line for (line,) in plan)


END = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"


@pytest.mark.proves("RUN-21")
def test_connections_that_died_while_idle_are_replaced_without_an_error_or_a_wait(
    alice: Caller, postgres: Postgres, database_url: str, config: Config
) -> None:
    task = alice.create()
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    for number in range(2, 6):
        fill_pool(config.db_pool_size)
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            assert admin.execute(END, [name]).rowcount >= config.db_pool_size
        began = monotonic()
        assert data(alice.get(f"/{task['id']}"))["version"] == number - 1
        assert data(alice.patch(f"/{task['id']}", json={"title": f"{number}"}))["version"] == number
        assert monotonic() - began < 0.9  # psycopg's pool sleeps a second when it has to look twice


def fill_pool(size: int) -> None:
    """Has every place in the pool taken by a connection."""
    pool = db._pool()
    for connection in [pool.getconn(10) for _ in range(size)]:
        pool.putconn(connection)


@pytest.fixture
def single(alice: Caller, config: Config) -> Caller:
    """Alice of a service with a single connection, which keeps what she has called for prepared."""
    db.configure(replace(config, db_pool_size=1))
    db.open_pool()
    return alice


def discard() -> None:
    """Has the single connection lose what it has prepared, as one behind a pooler may."""
    with db._pool().connection() as connection:
        connection.execute("DISCARD ALL")


@pytest.mark.proves("OPS-43")
def test_a_prepared_statement_that_was_lost_is_prepared_again(single: Caller) -> None:
    path = f"/{single.create()['id']}"
    for number in range(3):
        assert single.patch(path, json={"title": f"{number}"}).status_code == 200
        assert single.get(path).status_code == 200
        discard()
        assert data(single.get(path))["title"] == f"{number}"
        assert single.patch(path, json={"title": f"{number} again"}).status_code == 200
        discard()
        assert single.patch(path, json={"title": f"{number} at last"}).status_code == 200


@pytest.mark.proves("OPS-43")
def test_a_group_that_loses_a_statement_is_run_again_one_by_one(single: Caller) -> None:
    path = f"/{single.create()['id']}/complete"
    calls = [lambda: data(single.patch(path))["version"]] * 3
    assert [each.result() for each in together(WRITES, *calls)] == [2, 3, 4]
    discard()
    assert sorted(each.result() for each in together(WRITES, *calls)) == [5, 6, 7]


@pytest.mark.proves("OPS-43")
def test_a_transaction_that_loses_a_statement_changes_nothing_and_can_be_repeated(
    single: Caller,
) -> None:
    operations = {"operations": [{"op": "create", "title": "one"}]}
    assert single.post("/batch", json=operations).status_code == 200
    discard()
    answer = single.post("/batch", json=operations)
    assert error(answer) == (503, "UNAVAILABLE")
    assert answer.headers["Retry-After"]
    assert len(data(single.get())) == 1
    assert single.post("/batch", json=operations).status_code == 200


LIST = "-- Lists.\nSELECT number FROM counted\n"


@pytest.mark.proves("OPS-43")
@pytest.mark.parametrize("keeps_statements", [True, False])
def test_a_migration_may_change_what_a_statement_returns(
    config: Config,
    counted: tuple[db.Statement, db.Statement],
    scratch: Path,
    database_url: str,
    keeps_statements: bool,
) -> None:
    db.configure(replace(config, db_pool_size=1, db_prepare=keeps_statements))
    db.open_pool()
    _, add = counted
    listing = write(scratch, "list", LIST)
    db.execute(add, {"number": 1})
    assert [row.number for row in db.fetch_all(listing, {})] == [1]
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE counted DROP CONSTRAINT counted_number_check")
        connection.execute("ALTER TABLE counted ALTER COLUMN number TYPE text")
    assert [row.number for row in db.fetch_all(listing, {})] == ["1"]
    db.close_pool()


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "nonsense": lambda answer: b"\0" * len(answer),
    "an endless row": lambda answer: b"D\x7f\xff\xff\xff" + answer,
    "half of it": lambda answer: answer[: len(answer) // 2],
    "nothing": lambda _: b"",
}


@pytest.fixture(params=[False, True], ids=["alone", "in a pipeline"])
def distant(
    request: pytest.FixtureRequest, config: Config, used_data_dir: Path
) -> Iterator[tuple[Caller, Proxy]]:
    """A user of a service that reaches PostgreSQL through a proxy; row security sends pipelines."""
    with (
        embedded.start(used_data_dir, settings=SETTINGS) as server,
        proxied(used_data_dir / "socket" / ".s.PGSQL.5432") as proxy,
    ):
        migrations.switch_row_security(server.url(), on=request.param)
        place = f"{embedded.APPLICATION}@127.0.0.1:{proxy.port}/{embedded.DATABASE}"
        url = f"postgresql://{place}?sslmode=disable"
        # One connection: no other is on its way, half made, when the proxy spoils all there are.
        settings = {"database_url": url, "db_pool_size": 1, "db_row_security": request.param}
        app = create_app(replace(config, **settings))
        db.open_pool()
        yield register(app.test_client()), proxy
        db.close_pool()


@pytest.mark.proves("OPS-42")
def test_a_connection_whose_answer_breaks_off_is_given_up_at_once(
    distant: tuple[Caller, Proxy],
) -> None:
    caller, proxy = distant
    path = f"/{caller.create()['id']}"
    batch = {"operations": [{"op": "create", "title": "one"}]}
    for change in SPOILT.values():
        assert caller.get(path).status_code == 200
        proxy.spoil(b"tasks/get", change)
        began = monotonic()
        assert data(caller.get(path))["title"] == "a task"
        proxy.spoil(b"tasks/update", change)
        assert error(caller.patch(path, json={"title": "a task"})) == (503, "UNAVAILABLE")
        assert caller.get(path).status_code == 200
        proxy.spoil(b"BEGIN", change)
        assert error(caller.post("/batch", json=batch)) == (503, "UNAVAILABLE")
        assert monotonic() - began < 1


@pytest.mark.proves("OPS-42")
@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
def test_a_group_whose_answer_breaks_off_reads_again_and_writes_no_more(
    distant: tuple[Caller, Proxy], change: Callable[[bytes], bytes]
) -> None:
    caller, proxy = distant
    path = f"/{caller.create()['id']}"
    caller.patch(path, json={"title": "a task"})  # from now on it is prepared
    proxy.spoil(b"tasks/get", change)
    calls = [lambda: data(caller.get(path))["title"]] * 3
    assert [each.result() for each in together(READS, *calls)] == ["a task"] * 3
    caller.patch(path, json={"title": "a task"})
    proxy.spoil(b"tasks/update", change)
    writes = [lambda title=title: caller.patch(path, json={"title": title}) for title in "abc"]
    answers = [error(each.result()) for each in together(WRITES, *writes)]
    assert answers == [(503, "UNAVAILABLE")] * 3
    assert data(caller.get(path))["version"] in (1, 4), "all of them, or none"


@pytest.mark.proves("OPS-41")
def test_a_connection_that_never_answers_is_given_up_after_a_statements_time(
    distant: tuple[Caller, Proxy],
) -> None:
    caller, proxy = distant
    assert caller.get().status_code == 200
    proxy.silence(newcomers=False)
    began = monotonic()
    assert error(caller.get()) == (503, "UNAVAILABLE")
    assert 2 < monotonic() - began < 3
    assert caller.get().status_code == 200
    proxy.silence(newcomers=False)
    began = monotonic()
    answers = [each.result() for each in together(READS, *[caller.get] * 3)]
    assert [error(each) for each in answers] == [(503, "UNAVAILABLE")] * 3
    assert 2 < monotonic() - began < 3


def test_a_database_that_is_away_is_unavailable(
    alice: Caller, postgres: Postgres, database_url: str
) -> None:
    task = alice.create()
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute(END, [name])
        for method, path in (("GET", f"/api/me/tasks/{task['id']}"), ("POST", "/api/me/tasks")):
            answer = alice.call(method, path, json={"title": "a"})
            assert error(answer) == (503, "UNAVAILABLE")
            assert int(answer.headers["Retry-After"]) >= 1
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_a_new_pool_waits_as_if_nothing_had_been_away(config: Config) -> None:
    away = replace(
        config, database_url=f"postgresql://nobody@127.0.0.1:{parts.free_port()}/nothing"
    )
    waits = []
    for _ in range(2):
        db.configure(away)
        db.open_pool()
        began = monotonic()
        with pytest.raises(PoolTimeout):
            db.fetch_all(db.load("operations/schema_version"), {})
        waits.append(monotonic() - began)
    db.close_pool()
    assert min(waits) > 0.9


def test_a_pool_must_be_configured() -> None:
    db.close_pool()
    with pytest.raises(RuntimeError, match="configure"):
        db.open_pool()


@pytest.mark.usefixtures("app")
def test_rows_are_copied_within_a_transaction_only() -> None:
    copying = db.load("operations/copy_seed")
    with pytest.raises(RuntimeError):
        db.copy(copying, ["int8"], [])
