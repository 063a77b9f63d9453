"""The statements of a request, as PostgreSQL's log has them, and its round trips."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from app import create_app, db, devdb
from app.config import Config
from app.db import migrations
from tests.support.api_user import ApiUser, register
from tests.support.databases import VOLATILE_SETTINGS
from tests.support.faults.proxy import Proxy, proxied
from tests.support.group_commit import READS, WRITES, run_as_group
from tests.support.items import NAMES, Items

STATEMENT = re.compile(r" LOG:  (?:statement|execute [^:]*): (?:/\* (sql/\S+) \*/)?(.*)")
ENDED_SESSIONS = "sql/auth/list_ended_sessions.sql"  # read once a second by any request
SET_OWNER = "sql/db/set_owner.sql"
OTHERS = ("list", "label", "filter")  # kinds of items besides tasks
FIELDS = {"list": {}, "label": {}, "filter": {"query": "overdue"}}
SET_GROUP_TIMEOUTS = "sql/db/set_group_timeouts.sql"
SET_STATEMENT_TIMEOUT = "sql/db/set_statement_timeout.sql"  # of a search


@dataclass
class Account:
    """A user of a service with one connection, its proxy and PostgreSQL's log."""

    user: ApiUser
    proxy: Proxy
    log: Path
    row_security: str

    def cost(self, method: str, path: str, status: int, **options: Any) -> tuple[list[str], int]:
        """The statements and round trips of one request, without ENDED_SESSIONS."""
        return self.cost_of(lambda: [self.call(method, path, **options)], status)

    def cost_of(
        self, run: Callable[[], Sequence[TestResponse]], status: int
    ) -> tuple[list[str], int]:
        """The same of several requests, each of which must get that status."""
        trips, written = self.proxy.round_trips, self.log.stat().st_size
        for answer in run():
            assert answer.status_code == status, answer.text
        statements = list(self._statements(written))
        counted = [each for each in statements if each != ENDED_SESSIONS]
        excluded = len(statements) - len(counted)
        return counted, self.proxy.round_trips - trips - excluded

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        return self.user.call(method, f"/api/me{path}", **options)

    def _statements(self, offset: int) -> Iterator[str]:
        text = self.log.read_bytes()[offset:].decode()
        for file, rest in STATEMENT.findall(text):
            yield file or rest


@pytest.fixture(scope="module", params=["off", "on"])
def account(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Account]:
    """An account on a PostgreSQL that logs every statement; all statements are prepared."""
    directory = tmp_path_factory.mktemp("postgres")
    settings = {**VOLATILE_SETTINGS, "log_statement": "all"}
    with (
        devdb.start(directory, settings=settings) as server,
        proxied(directory / "socket" / ".s.PGSQL.5432") as proxy,
    ):
        migrations.upgrade(server.url())
        migrations.switch_row_security(server.url(), on=request.param == "on")
        address = f"{devdb.APPLICATION}@127.0.0.1:{proxy.port}/{devdb.DATABASE}"
        app = create_app(
            Config.from_env(
                {
                    "APP_ENV": "test",
                    "DATABASE_URL": f"postgresql://{address}?sslmode=disable",
                    "DATA_DIR": str(directory),
                    "DB_POOL_SIZE": "1",
                    "DB_ROW_SECURITY": request.param,
                    "RATE_LIMIT": "off",
                }
            )
        )
        try:
            user = register(app.test_client())
            made = Account(user, proxy, directory / "postgres.log", request.param)
            prepare(made)
            yield made
        finally:
            db.close_pool()


def prepare(account: Account) -> None:
    """Prepares every statement, as its first use on a connection takes two round trips."""
    task = account.user.create()["id"]
    calls = [*requests(task).values(), *changes_among_others(task).values()]
    for kind in OTHERS:
        item = Items(account.user, kind).create()["id"]
        calls += [*requests_of(kind, item).values(), *changes_of(kind, item).values()]
    for method, path, options in calls:
        assert account.call(method, path, **options).status_code < 300
    for operations in batches():
        assert account.call("POST", "/batch", json=operations).status_code == 200


def requests(task: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Every endpoint of items that answers from one statement, in an order in which all succeed."""
    return {
        "list": ("GET", "/tasks", {}),
        "search": ("GET", "/tasks?q=a&is_completed=false&sort=title", {}),
        "create": ("POST", "/tasks", {"json": {"title": "Buy milk"}}),
        "get": ("GET", f"/tasks/{task}", {}),
        "update": ("PATCH", f"/tasks/{task}", {"json": {"title": "Buy oat milk"}}),
        "toggle": ("PATCH", f"/tasks/{task}/complete", {}),
        "reopen": ("PATCH", f"/tasks/{task}/complete", {"json": {"is_completed": False}}),
        "history": ("GET", f"/tasks/{task}/history", {}),
        "trash": ("GET", "/tasks/trash", {}),
        "changes": ("GET", "/changes", {}),
    }


def requests_of(kind: str, item: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """The same of lists, labels or filters."""
    path = f"/{kind}s"
    return {
        "list": ("GET", path, {}),
        "create": ("POST", path, {"json": FIELDS[kind] | {NAMES[kind]: uuid4().hex}}),
        "get": ("GET", f"{path}/{item}", {}),
        "history": ("GET", f"{path}/{item}/history", {}),
        "trash": ("GET", f"{path}/trash", {}),
        "changes": ("GET", f"/changes?kind={kind}", {}),
    }


def changes_of(kind: str, item: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """The changes of an item of these kinds that read it, in an order in which all succeed."""
    path = f"/{kind}s/{item}"
    return {
        "update": ("PATCH", path, {"json": {NAMES[kind]: uuid4().hex}}),
        "move": ("POST", f"{path}/move", {"json": {"before": None}}),
        "delete": ("DELETE", path, {}),
        "restore": ("POST", f"{path}/restore", {}),
    }


def changes_among_others(task: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """The changes that read a task's tree and neighbours, in an order in which all succeed."""
    return {
        "no change": ("PATCH", f"/tasks/{task}/complete", {"json": {"is_completed": False}}),
        "due": ("PATCH", f"/tasks/{task}", {"json": {"due": "2026-10-07"}}),
        "delete": ("DELETE", f"/tasks/{task}", {}),
        "restore": ("POST", f"/tasks/{task}/restore", {}),
        "create": ("POST", "/tasks", {"json": {"title": "a", "due": "2026-10-07"}}),
        "first subtask": ("POST", "/tasks", {"json": {"title": "a", "parent_id": task}}),
        "second subtask": ("POST", "/tasks", {"json": {"title": "a", "parent_id": task}}),
    }


def batches() -> list[dict[str, Any]]:
    """The smallest batch and the largest."""
    return [{"operations": [{"op": "create", "title": "a"}] * size} for size in (1, 100)]


@pytest.mark.proves("RUN-23")
def test_a_request_is_one_statement_and_one_round_trip(account: Account) -> None:
    task = account.user.create()["id"]
    set_owner = [SET_OWNER] if account.row_security == "on" else []
    for name, (method, path, options) in requests(task).items():
        status = 201 if name == "create" else 200
        settings = [SET_STATEMENT_TIMEOUT, *set_owner] if name == "search" else set_owner
        statements, trips = account.cost(method, path, status, **options)
        assert (len(statements), trips) == (len(settings) + 1, 1), (name, statements)
        assert statements[:-1] == settings, name
        assert statements[-1].startswith(("sql/tasks/", "sql/ledger/", "sql/search/")), name


@pytest.mark.proves("RUN-23")
@pytest.mark.parametrize("kind", OTHERS)
def test_a_request_for_other_kinds_is_one_statement_and_one_round_trip(
    account: Account, kind: str
) -> None:
    item = Items(account.user, kind).create()["id"]
    set_owner = [SET_OWNER] if account.row_security == "on" else []
    for name, (method, path, options) in requests_of(kind, item).items():
        status = 201 if name == "create" else 200
        statements, trips = account.cost(method, path, status, **options)
        assert (len(statements), trips) == (len(set_owner) + 1, 1), (name, statements)
        assert statements[:-1] == set_owner, name
        assert statements[-1].startswith((f"sql/{kind}s/", "sql/ledger/")), name


@pytest.mark.proves("RUN-23", "LEDGER-8")
@pytest.mark.parametrize("kind", OTHERS)
def test_a_change_of_another_kind_locks_the_ledger_before_it_reads_the_item(
    account: Account, kind: str
) -> None:
    item = Items(account.user, kind).create()["id"]
    for name, (method, path, options) in changes_of(kind, item).items():
        statements, trips = account.cost(method, path, 200, **options)
        counted = [each for each in statements if each != SET_OWNER]
        assert counted[:2] == ["BEGIN", "sql/ledger/lock_ledger.sql"], name
        assert f"sql/{kind}s/find.sql" in counted[2:], name
        assert counted[-1] == "COMMIT", name
        assert trips == len(counted) <= 7, (name, counted)


@pytest.mark.proves("RUN-23", "LEDGER-8")
def test_a_change_among_others_locks_the_ledger_before_it_reads_them(account: Account) -> None:
    task = account.user.create()["id"]
    lock, read = "sql/ledger/lock_ledger.sql", "sql/tasks/find_trees.sql"
    zone, store, create = (
        "sql/auth/get_clock.sql",
        "sql/tasks/store.sql",
        "sql/tasks/create.sql",
    )
    # A new subtask reads the tasks above it, not those beside it, of which there may be 500.
    below = [lock, "sql/tasks/count_children.sql", "sql/tasks/find.sql", create]
    expected = {
        "no change": [lock, read],
        "due": [lock, read, zone, store],
        "delete": [lock, read, store],
        "restore": [lock, read, store],
        "create": [lock, zone, create],
        "first subtask": [*below, "sql/tasks/mark_parent.sql"],
        "second subtask": below,
    }
    for name, (method, path, options) in changes_among_others(task).items():
        status = 201 if method == "POST" and path == "/tasks" else 200
        statements, trips = account.cost(method, path, status, **options)
        counted = [each for each in statements if each != SET_OWNER]
        tried = ["sql/tasks/complete.sql"] if name == "no change" else []
        assert counted == [*tried, "BEGIN", *expected[name], "COMMIT"], name
        assert trips == len(counted), name


@pytest.mark.proves("RUN-25")
@pytest.mark.parametrize("kind", ["get", "toggle"])
def test_a_group_of_requests_is_one_round_trip(account: Account, kind: str) -> None:
    method, path, _ = requests(account.user.create()["id"])[kind]
    queue, file = (READS, "get") if kind == "get" else (WRITES, "complete")

    def run() -> list[TestResponse]:
        calls = [lambda: account.call(method, path)] * 3
        return [each.result() for each in run_as_group(queue, *calls)]

    run()  # prepares SET_GROUP_TIMEOUTS
    set_owner = [SET_OWNER] if account.row_security == "on" else []
    expected = [SET_GROUP_TIMEOUTS] + [*set_owner, f"sql/tasks/{file}.sql"] * 3
    assert account.cost_of(run, 200) == (expected, 1)


@pytest.mark.proves("RUN-23")
def test_a_404_of_a_read_is_one_statement_and_one_round_trip(account: Account) -> None:
    count = 2 if account.row_security == "on" else 1
    for method, path in (("GET", ""), ("GET", "/history")):
        statements, trips = account.cost(method, f"/tasks/{uuid4()}{path}", 404)
        assert (len(statements), trips) == (count, 1), (method, path, statements)


@pytest.mark.proves("RUN-23")
def test_a_401_and_a_422_run_no_statement(account: Account) -> None:
    malformed = {"Authorization": "Bearer malformed"}
    assert account.cost("GET", "/tasks", 401, headers=malformed) == ([], 0)
    assert account.cost("POST", "/tasks", 422, json={"title": ""}) == ([], 0)


@pytest.mark.proves("RUN-23")
@pytest.mark.parametrize("number", [0, 1], ids=["one operation", "100 operations"])
def test_a_batch_of_any_size_takes_six_round_trips(account: Account, number: int) -> None:
    """BEGIN, the lock, a savepoint, all operations in one pipeline, its release, and COMMIT."""
    batch = batches()[number]
    set_owner = [SET_OWNER] if account.row_security == "on" else []
    changes = ["sql/tasks/create.sql"] * len(batch["operations"])
    locked = [*set_owner, "sql/ledger/lock_ledger.sql"]
    expected = ["BEGIN", *locked, "SAVEPOINT", *set_owner, *changes, "RELEASE", "COMMIT"]
    statements, trips = account.cost("POST", "/batch", 200, json=batch)
    assert ([each.partition(" ")[0] for each in statements], trips) == (expected, 6)
