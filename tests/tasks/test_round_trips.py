"""What a request costs in statements, as PostgreSQL's log has them, and in waiting for answers."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from app import create_app, db, embedded, migrations
from app.config import Config
from tests.callers import Caller, register
from tests.conftest import SETTINGS
from tests.faults.proxy import Proxy, proxied
from tests.groups import READS, WRITES, together

STATEMENT = re.compile(r" LOG:  (?:statement|execute [^:]*): (?:/\* (sql/\S+) \*/)?(.*)")
ENDED_SESSIONS = "sql/auth/list_ended_sessions.sql"  # read once a second, whatever is asked
SET_OWNER = "sql/operations/set_owner.sql"
LIMIT_GROUP = "sql/operations/limit_group.sql"


@dataclass
class Account:
    """A user of a service with one connection, and what that connection is heard of."""

    caller: Caller
    proxy: Proxy
    log: Path
    row_security: str

    def cost(self, method: str, path: str, status: int, **options: Any) -> tuple[list[str], int]:
        """Statements and round trips of one request, apart from the look at ended sessions."""
        return self.cost_of(lambda: [self.call(method, path, **options)], status)

    def cost_of(
        self, run: Callable[[], Sequence[TestResponse]], status: int
    ) -> tuple[list[str], int]:
        """The same of several requests, each of which is to be answered with that status."""
        trips, written = self.proxy.round_trips, self.log.stat().st_size
        for answer in run():
            assert answer.status_code == status, answer.text
        statements = list(self._statements(written))
        asked = [each for each in statements if each != ENDED_SESSIONS]
        apart = len(statements) - len(asked)
        return asked, self.proxy.round_trips - trips - apart

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        return self.caller.call(method, f"/api/me/tasks{path}", **options)

    def _statements(self, offset: int) -> Iterator[str]:
        text = self.log.read_bytes()[offset:].decode()
        for file, rest in STATEMENT.findall(text):
            yield file or rest


@pytest.fixture(scope="module", params=["off", "on"])
def account(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Account]:
    """On a PostgreSQL that logs every statement, with the prepared ones prepared."""
    directory = tmp_path_factory.mktemp("postgres")
    settings = {**SETTINGS, "log_statement": "all"}
    with (
        embedded.start(directory, settings=settings) as server,
        proxied(directory / "socket" / ".s.PGSQL.5432") as proxy,
    ):
        migrations.upgrade(server.url())
        migrations.switch_row_security(server.url(), on=request.param == "on")
        place = f"{embedded.APPLICATION}@127.0.0.1:{proxy.port}/{embedded.DATABASE}"
        app = create_app(
            Config.from_env(
                {
                    "APP_ENV": "test",
                    "DATABASE_URL": f"postgresql://{place}?sslmode=disable",
                    "DATA_DIR": str(directory),
                    "DB_POOL_SIZE": "1",
                    "DB_ROW_SECURITY": request.param,
                    "RATE_LIMIT": "off",
                }
            )
        )
        db.open_pool()
        try:
            caller = register(app.test_client())
            made = Account(caller, proxy, directory / "postgres.log", request.param)
            prepare(made)
            yield made
        finally:
            db.close_pool()


def prepare(account: Account) -> None:
    """A connection's first use of a statement takes a round trip more."""
    task = account.caller.create()["id"]
    for method, path, options in requests(task).values():
        assert account.call(method, path, **options).status_code < 300
    for operations in batches():
        assert account.call("POST", "/batch", json=operations).status_code == 200


def requests(task: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Every endpoint of tasks that answers from one statement, in an order in which all succeed."""
    return {
        "list": ("GET", "", {}),
        "search": ("GET", "?q=a&is_completed=false&sort=title", {}),
        "create": ("POST", "", {"json": {"title": "Buy milk"}}),
        "get": ("GET", f"/{task}", {}),
        "update": ("PATCH", f"/{task}", {"json": {"title": "Buy oat milk"}}),
        "no change": ("PATCH", f"/{task}", {"json": {"title": "Buy oat milk"}}),
        "toggle": ("PATCH", f"/{task}/complete", {}),
        "complete": ("PATCH", f"/{task}/complete", {"json": {"is_completed": True}}),
        "history": ("GET", f"/{task}/history", {}),
        "delete": ("DELETE", f"/{task}", {}),
        "trash": ("GET", "/trash", {}),
        "restore": ("POST", f"/{task}/restore", {}),
        "changes": ("GET", "/changes?since=0", {}),
    }


def batches() -> list[dict[str, Any]]:
    """A small one and the largest."""
    return [{"operations": [{"op": "create", "title": "a"}] * size} for size in (1, 100)]


@pytest.mark.proves("RUN-23")
def test_a_request_is_one_statement_and_one_round_trip(account: Account) -> None:
    task = account.caller.create()["id"]
    beside = [SET_OWNER] if account.row_security == "on" else []
    for name, (method, path, options) in requests(task).items():
        status = 201 if name == "create" else 200
        statements, trips = account.cost(method, path, status, **options)
        assert (len(statements), trips) == (len(beside) + 1, 1), (name, statements)
        assert statements[:-1] == beside, name
        assert statements[-1].startswith("sql/tasks/"), name


@pytest.mark.proves("RUN-25")
@pytest.mark.parametrize("kind", ["get", "toggle"])
def test_requests_that_come_together_are_one_round_trip(account: Account, kind: str) -> None:
    method, path, _ = requests(account.caller.create()["id"])[kind]
    lane, file = (READS, "get") if kind == "get" else (WRITES, "complete")

    def run() -> list[TestResponse]:
        calls = [lambda: account.call(method, path)] * 3
        return [each.result() for each in together(lane, *calls)]

    run()  # a group's own statement is to be prepared, too
    beside = [SET_OWNER] if account.row_security == "on" else []
    expected = [LIMIT_GROUP] + [*beside, f"sql/tasks/{file}.sql"] * 3
    assert account.cost_of(run, 200) == (expected, 1)


@pytest.mark.proves("RUN-23")
def test_what_is_not_there_costs_as_much(account: Account) -> None:
    count = 2 if account.row_security == "on" else 1
    for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", "/complete"), ("GET", "/history")):
        statements, trips = account.cost(method, f"/{uuid4()}{path}", 404)
        assert (len(statements), trips) == (count, 1), (method, path, statements)


@pytest.mark.proves("RUN-23")
def test_what_the_token_or_the_body_refuses_costs_nothing(account: Account) -> None:
    stranger = {"Authorization": "Bearer nobody"}
    assert account.cost("GET", "", 401, headers=stranger) == ([], 0)
    assert account.cost("POST", "", 422, json={"title": ""}) == ([], 0)


@pytest.mark.proves("RUN-23")
def test_a_large_batch_costs_what_a_small_one_does(account: Account) -> None:
    small, large = (account.cost("POST", "/batch", 200, json=each) for each in batches())
    assert small == large
    assert len(small[0]) <= 6 + 2 * (account.row_security == "on"), small
