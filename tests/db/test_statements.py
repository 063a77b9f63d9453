"""The statements in sql/, their headers, transactions, and the loss of connections."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, TypeVar, cast

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from app import create_app, db, devdb
from app.config import Config
from app.db import migrations, statements
from app.system.repository import LIST_MIGRATIONS
from app.values import Uuid
from tests.support import services
from tests.support.api_user import ApiUser, data, error, register
from tests.support.databases import VOLATILE_SETTINGS, Postgres
from tests.support.faults.proxy import Proxy, proxied
from tests.support.group_commit import READS, WRITES, run_as_group
from tests.support.roles import needs_logins
from tests.support.server import ROOT

R = TypeVar("R", bound=tuple[Any, ...])
Counted = tuple[db.Statement[Any], db.Statement[Any]]

pool = pytest.mark.usefixtures("app")

FILES = sorted(db.SQL.rglob("*.sql"))
NAMES = [str(file.relative_to(db.SQL).with_suffix("")) for file in FILES]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that takes the place of sql/."""
    monkeypatch.setattr(statements, "SQL", tmp_path)
    return tmp_path


class Number(NamedTuple):
    """A number."""

    number: int


class Query(NamedTuple):
    """The text of a statement."""

    query: str | None


def write(directory: Path, name: str, text: str, row: type[R]) -> db.Statement[R]:
    file = directory / f"{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return db.load(name, row)


def test_a_missing_file_is_an_error_at_import(scratch: Path) -> None:
    assert not list(scratch.iterdir())
    with pytest.raises(FileNotFoundError):
        db.load("tasks/nowhere")


@pytest.mark.proves("RUN-20")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_begins_with_its_purpose(name: str) -> None:
    lines = (db.SQL / f"{name}.sql").read_text().splitlines()
    header = [line for line in lines if line.startswith("--")]
    assert lines[: len(header)] == header
    header = [line for line in header if not line.startswith("-- @")]
    assert header
    assert len(header[0]) > 10
    assert header[0].removeprefix("-- ")[0].isupper()
    assert header[-1].endswith(".")


@pytest.mark.proves("RUN-20")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_one_statement_that_carries_its_path(name: str) -> None:
    statement = db.load(name)
    assert statement.text.startswith(f"/* sql/{name}.sql */ ")
    assert ";" not in statement.text
    assert "--" not in statement.text
    assert not re.search(r"SELECT\s+\*|\.\*|RETURNING\s+\*", statement.text)


class Pair(NamedTuple):
    """An id and a note."""

    id: Uuid
    note: str | None


class OtherName(NamedTuple):
    """A Pair with a field of another name."""

    id: Uuid
    text: str | None


class OtherOrder(NamedTuple):
    """A Pair with its fields in another order."""

    note: str | None
    id: Uuid


class OtherType(NamedTuple):
    """A Pair with a field of another type."""

    id: str
    note: str | None


class NeverNull(NamedTuple):
    """A Pair whose note is never null."""

    id: Uuid
    note: str


class MayBeNull(NamedTuple):
    """A Pair whose id may be null."""

    id: Uuid | None
    note: str | None


class FieldMissing(NamedTuple):
    """A Pair without its note."""

    id: Uuid


class FieldAdded(NamedTuple):
    """A Pair with another field."""

    id: Uuid
    note: str | None
    number: int


PAIR = """\
-- Reads a pair.
-- @reads
-- @param id uuid
-- @returns id uuid, note text null
SELECT id, note FROM pairs WHERE id = %(id)s
"""
PARAM, RETURNS = "-- @param id uuid\n", "-- @returns id uuid, note text null\n"
BROKEN_HEADERS = {
    "neither @reads nor @writes": PAIR.replace("-- @reads\n", ""),
    "both @reads and @writes": PAIR.replace("-- @reads\n", "-- @reads\n-- @writes\n"),
    "@reads twice": PAIR.replace("-- @reads\n", "-- @reads\n-- @reads\n"),
    "@reads with a word": PAIR.replace("-- @reads\n", "-- @reads only\n"),
    "no blank before a tag": PAIR.replace("-- @reads\n", "-- @reads\n--@writes\n"),
    "a blank within a tag": PAIR.replace(PARAM, PARAM + "-- @ param note text\n"),
    "a @param twice": PAIR.replace(PARAM, PARAM + PARAM),
    "an unknown tag": PAIR.replace("-- @reads\n", "-- @reads\n-- @cached\n"),
    "a @param without a type": PAIR.replace(PARAM, "-- @param id\n"),
    "a @param with more than a type": PAIR.replace(PARAM, "-- @param id uuid not null\n"),
    "an empty @param": PAIR.replace(PARAM, "-- @param\n"),
    "a missing @param": PAIR.replace(PARAM, ""),
    "a @param of another name": PAIR.replace(PARAM, "-- @param ids uuid\n"),
    "a @param too many": PAIR.replace(PARAM, PARAM + "-- @param note text\n"),
    "a column without a type": PAIR.replace(RETURNS, "-- @returns id, note text null\n"),
    "a comma too many": PAIR.replace(RETURNS, "-- @returns id uuid, note text null,\n"),
    "an empty @returns": PAIR.replace(RETURNS, "-- @returns\n"),
    "a missing @returns": PAIR.replace(RETURNS, ""),
    "an unknown type in @returns": PAIR.replace("note text", "note money"),
}


def test_a_header_declares_parameters_columns_and_retries(scratch: Path) -> None:
    reading = write(scratch, "tasks/pair", PAIR, Pair)
    parameters = (statements.Column("id", "uuid"),)
    columns = (statements.Column("id", "uuid"), statements.Column("note", "text", True))
    assert reading.header == statements.Header(False, parameters, columns)
    assert reading.reads_only
    assert not write(scratch, "tasks/pair", PAIR.replace("@reads", "@writes"), Pair).reads_only


@pytest.mark.parametrize("case", BROKEN_HEADERS)
def test_a_broken_header_is_an_error_that_names_the_file(scratch: Path, case: str) -> None:
    assert BROKEN_HEADERS[case] != PAIR
    with pytest.raises(statements.HeaderError, match=r"sql/tasks/pair\.sql"):
        write(scratch, "tasks/pair", BROKEN_HEADERS[case], Pair)


@pytest.mark.parametrize(
    "row", [OtherName, OtherOrder, OtherType, NeverNull, MayBeNull, FieldMissing, FieldAdded]
)
def test_a_row_type_other_than_returns_is_an_error_that_names_the_file(
    scratch: Path, row: type[Any]
) -> None:
    with pytest.raises(statements.HeaderError, match=rf"sql/tasks/pair\.sql: {row.__name__}"):
        write(scratch, "tasks/pair", PAIR, row)


def loaded_names() -> set[str]:
    """The argument of each db.load() in the code."""
    calls = (
        node
        for file in (ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("db.load", "statements.load")
    )
    return {ast.literal_eval(call.args[0]) for call in calls}


def test_every_file_is_loaded() -> None:
    assert loaded_names() == set(NAMES)


@pytest.mark.proves("RUN-20")
def test_statements_are_loaded_at_import() -> None:
    """A missing file is an error at the start, and no request reads a file."""
    for file in (ROOT / "app").rglob("*.py"):
        tree = ast.parse(file.read_text())
        inside = (node for part in tree.body if isinstance(part, ast.FunctionDef | ast.ClassDef)
                  for node in ast.walk(part))  # fmt: skip
        calls = (node.func for node in inside if isinstance(node, ast.Call))
        assert not [
            call for call in calls if ast.unparse(call) in ("db.load", "statements.load")
        ], file


SHOW = """\
-- Shows itself.
-- @reads
-- @returns query text null
SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""


@pytest.mark.proves("RUN-20")
@pool
@needs_logins
def test_the_server_sees_the_file_of_a_statement(scratch: Path) -> None:
    row = db.fetch_one(write(scratch, "tasks/show", SHOW, Query), {})
    assert row is not None
    assert row.query is not None
    assert row.query.startswith("/* sql/tasks/show.sql */ SELECT query")


COUNT = """\
-- Counts.
-- @reads
-- @returns number bigint
SELECT count(*) AS number FROM counted
"""
ADD = """\
-- Adds.
-- @writes
-- @param number integer
INSERT INTO counted (number) VALUES (%(number)s)
"""
FIND = """\
-- Finds.
-- @reads
-- @param number integer
-- @returns number bigint
SELECT number::bigint AS number FROM counted WHERE number = %(number)s
"""


@pytest.fixture
def counted(scratch: Path, database_url: str) -> Counted:
    """A table that refuses the number 7; statements that count its rows and add one."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE counted (number integer CHECK (number <> 7))")
        connection.execute("GRANT ALL ON counted TO PUBLIC")
    return write(scratch, "count", COUNT, Number), write(scratch, "add", ADD, db.NoRow)


def number(count: db.Statement[Number]) -> int:
    row = db.fetch_one(count, {})
    assert row is not None
    return int(row.number)


def add_together(add: db.Statement[Any], *numbers: int) -> None:
    with db.transaction():
        for each in numbers:
            db.execute(add, {"number": each})


@pool
def test_a_transaction_commits_all_or_nothing(counted: Counted) -> None:
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


def add_in_parts(add: db.Statement[Any]) -> None:
    with db.transaction():
        add_together(add, 1)
        add_together(add, 7)


@pool
def test_a_transaction_inside_another_is_part_of_it(
    counted: Counted,
) -> None:
    count, add = counted
    with pytest.raises(psycopg.errors.CheckViolation):
        add_in_parts(add)
    assert number(count) == 0


@pool
def test_a_pipeline_returns_the_first_row_of_each_statement(
    counted: Counted, scratch: Path
) -> None:
    _, add = counted
    find = write(scratch, "find", FIND, Number)
    with db.transaction():
        add_together(add, 1, 2, 2)
        found = db.fetch_each([(find, {"number": each}) for each in (2, 5, 1)])
    assert found == [Number(2), None, Number(1)]


def add_in_a_pipeline(add: db.Statement[Any], *numbers: int) -> None:
    with db.transaction():
        db.fetch_each([(add, {"number": each}) for each in numbers])


@pool
@pytest.mark.parametrize("numbers", [(7, 1, 2), (1, 7, 2), (1, 2, 7)])
def test_a_statement_that_fails_in_a_pipeline_undoes_the_transaction(
    counted: Counted, numbers: tuple[int, ...]
) -> None:
    count, add = counted
    with pytest.raises(psycopg.errors.CheckViolation):
        add_in_a_pipeline(add, *numbers)
    assert number(count) == 0
    add_in_a_pipeline(add, 1, 2, 3)
    assert number(count) == 3


@pool
def test_outside_a_transaction_each_statement_commits_by_itself(
    counted: Counted,
) -> None:
    count, add = counted
    db.execute(add, {"number": 1})
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(add, {"number": 7})
    assert number(count) == 1


@pool
def test_a_failed_transaction_leaves_the_connection_usable(
    counted: Counted, config: Config
) -> None:
    count, add = counted
    for _ in range(2 * config.db_pool_size):
        with pytest.raises(psycopg.errors.CheckViolation), db.transaction():
            db.execute(add, {"number": 7})
    assert number(count) == 0


@pytest.mark.proves("RUN-24")
def test_a_small_table_is_read_by_its_index(alice: ApiUser, database_url: str) -> None:
    """A connection keeps the plan that it made for ten rows when there are a million."""
    task = alice.create()
    with psycopg.connect(database_url) as connection:
        connection.execute("ANALYZE")
    params = {"owner_id": alice.id, "id": task["id"]}
    with db._this_process().pool.connection() as connection:
        plan = connection.execute(f"EXPLAIN {db.load('tasks/get').text}", params).fetchall()
    assert any("Index Scan" in line for (line,) in plan)


END = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"


@pytest.mark.proves("RUN-21")
def test_connections_that_died_while_idle_are_replaced_without_an_error_or_a_wait(
    alice: ApiUser, postgres: Postgres, database_url: str, config: Config
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
        assert monotonic() - began < 0.9  # psycopg_pool sleeps a second before a second attempt


def fill_pool(size: int) -> None:
    """Opens as many connections as the pool may have."""
    pool = db._this_process().pool
    for connection in [pool.getconn(10) for _ in range(size)]:
        pool.putconn(connection)


@pytest.fixture
def single(alice: ApiUser, config: Config) -> ApiUser:
    """Alice of a service with a single connection, which keeps her statements prepared."""
    db.configure(replace(config, db_pool_size=1))
    return alice


def discard() -> None:
    """Makes the single connection lose its prepared statements, as one behind a pooler may."""
    with db._this_process().pool.connection() as connection:
        connection.execute("DISCARD ALL")


@pytest.mark.proves("OPS-43")
def test_a_lost_prepared_statement_is_prepared_again(single: ApiUser) -> None:
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
def test_the_jobs_of_a_group_with_a_lost_prepared_statement_run_alone(single: ApiUser) -> None:
    path = f"/{single.create()['id']}/complete"
    calls = [lambda: data(single.patch(path))["version"]] * 3
    assert [each.result() for each in run_as_group(WRITES, *calls)] == [2, 3, 4]
    discard()
    assert sorted(each.result() for each in run_as_group(WRITES, *calls)) == [5, 6, 7]


@pytest.mark.proves("OPS-43")
def test_a_transaction_with_a_lost_prepared_statement_is_a_503_and_can_be_repeated(
    single: ApiUser,
) -> None:
    operation = {"op": "create", "title": "one"}
    assert single.batch(operation).status_code == 200
    discard()
    answer = single.batch(operation)
    assert error(answer) == (503, "UNAVAILABLE")
    assert answer.headers["Retry-After"]
    assert len(data(single.get())) == 1
    assert single.batch(operation).status_code == 200


LIST = "-- Lists.\n-- @reads\n-- @returns number integer\nSELECT number FROM counted\n"


@pytest.mark.proves("OPS-43")
@pytest.mark.parametrize("prepares", [True, False])
def test_a_migration_may_change_the_result_type_of_a_statement(
    config: Config,
    counted: Counted,
    scratch: Path,
    database_url: str,
    prepares: bool,
) -> None:
    db.configure(replace(config, db_pool_size=1, db_prepare=prepares))
    _, add = counted
    listing: db.Statement[Any] = write(scratch, "list", LIST, Number)
    db.execute(add, {"number": 1})
    assert [row.number for row in db.fetch_all(listing, {})] == [1]
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE counted DROP CONSTRAINT counted_number_check")
        connection.execute("ALTER TABLE counted ALTER COLUMN number TYPE text")
    assert [row.number for row in db.fetch_all(listing, {})] == ["1"]
    db.close_pool()


CORRUPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "zero bytes": lambda answer: b"\0" * len(answer),
    "an endless row": lambda answer: b"D\x7f\xff\xff\xff" + answer,
    "one half": lambda answer: answer[: len(answer) // 2],
    "nothing": lambda _: b"",
}


@pytest.fixture(params=[False, True], ids=["alone", "in a pipeline"])
def distant(
    request: pytest.FixtureRequest, config: Config, used_data_dir: Path
) -> Iterator[tuple[ApiUser, Proxy]]:
    """A user of a service that reaches PostgreSQL through a proxy; row security sends pipelines."""
    with (
        devdb.start(used_data_dir, settings=VOLATILE_SETTINGS) as server,
        proxied(used_data_dir / "socket" / ".s.PGSQL.5432") as proxy,
    ):
        migrations.switch_row_security(server.url(), on=request.param)
        address = f"{devdb.APPLICATION}@127.0.0.1:{proxy.port}/{devdb.DATABASE}"
        url = f"postgresql://{address}?sslmode=disable"
        # One connection, as the proxy would not corrupt another that is being opened.
        settings = {"database_url": url, "db_pool_size": 1, "db_row_security": request.param}
        app = create_app(replace(config, **settings))
        yield register(app.test_client()), proxy
        db.close_pool()


@pytest.mark.proves("OPS-42")
def test_a_connection_with_a_malformed_response_is_closed_at_once(
    distant: tuple[ApiUser, Proxy],
) -> None:
    user, proxy = distant
    path = f"/{user.create()['id']}"
    operation = {"op": "create", "title": "one"}
    for change in CORRUPTIONS.values():
        assert user.get(path).status_code == 200
        proxy.corrupt(b"tasks/get", change)
        began = monotonic()
        assert data(user.get(path))["title"] == "a task"
        proxy.corrupt(b"tasks/update", change)
        assert error(user.patch(path, json={"title": "a task"})) == (503, "UNAVAILABLE")
        assert user.get(path).status_code == 200
        proxy.corrupt(b"BEGIN", change)
        assert error(user.batch(operation)) == (503, "UNAVAILABLE")
        assert monotonic() - began < 1


@pytest.mark.proves("OPS-42")
@pytest.mark.parametrize("change", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_group_with_a_malformed_response_repeats_reads_and_no_writes(
    distant: tuple[ApiUser, Proxy], change: Callable[[bytes], bytes]
) -> None:
    user, proxy = distant
    path = f"/{user.create()['id']}"
    user.patch(path, json={"title": "a task"})  # prepares the statement
    proxy.corrupt(b"tasks/get", change)
    calls = [lambda: data(user.get(path))["title"]] * 3
    assert [each.result() for each in run_as_group(READS, *calls)] == ["a task"] * 3
    user.patch(path, json={"title": "a task"})
    proxy.corrupt(b"tasks/update", change)
    writes = [lambda title=title: user.patch(path, json={"title": title}) for title in "abc"]
    answers = [error(each.result()) for each in run_as_group(WRITES, *writes)]
    assert answers == [(503, "UNAVAILABLE")] * 3
    assert data(user.get(path))["version"] in (1, 4), "all of the group, or none"


@pytest.mark.proves("OPS-41")
def test_a_silent_connection_is_closed_after_the_statement_timeout(
    distant: tuple[ApiUser, Proxy],
) -> None:
    user, proxy = distant
    assert user.get().status_code == 200
    proxy.silence(new_connections=False)
    began = monotonic()
    assert error(user.get()) == (503, "UNAVAILABLE")
    assert 2 < monotonic() - began < 3
    assert user.get().status_code == 200
    proxy.silence(new_connections=False)
    began = monotonic()
    answers = [each.result() for each in run_as_group(READS, *[user.get] * 3)]
    assert [error(each) for each in answers] == [(503, "UNAVAILABLE")] * 3
    assert 2 < monotonic() - began < 3


def test_an_unreachable_database_is_a_503(
    alice: ApiUser, postgres: Postgres, database_url: str
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


def test_a_new_pool_begins_with_the_full_timeout(config: Config) -> None:
    away = replace(
        config, database_url=f"postgresql://nobody@127.0.0.1:{services.free_port()}/nothing"
    )
    waits = []
    for _ in range(2):
        db.configure(away)
        began = monotonic()
        with pytest.raises(PoolTimeout):
            db.fetch_all(LIST_MIGRATIONS, {})
        waits.append(monotonic() - began)
    db.close_pool()
    assert min(waits) > 0.9


def test_a_pool_must_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    db.close_pool()
    monkeypatch.setattr(db._database, "settings", None)
    with pytest.raises(RuntimeError, match="configure"):
        db.fetch_all(LIST_MIGRATIONS, {})


@pytest.mark.usefixtures("app")
def test_a_pipeline_needs_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        db.fetch_each([(LIST_MIGRATIONS, {})])
