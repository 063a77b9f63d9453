"""Errors: each becomes a response of the contract's table, without internal details."""

import re
from collections.abc import Callable

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from app import create_app, db
from app.config import Config
from app.db.errors import CONSTRAINTS, error_for
from app.errors import AppError
from tests.support.api_user import ApiUser, data, error
from tests.support.databases import Postgres
from tests.support.server import ROOT

# The contract's table: every code, and its status.
TABLE = {
    "BAD_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    "INVALID_CREDENTIALS": 401,
    "SECOND_FACTOR_REQUIRED": 401,
    "FORBIDDEN": 403,
    "INSUFFICIENT_SCOPE": 403,
    "EMAIL_NOT_VERIFIED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_TIMEOUT": 408,
    "EMAIL_TAKEN": 409,
    "NAME_TAKEN": 409,
    "IDEMPOTENCY_IN_FLIGHT": 409,
    "SYNC_TOKEN_EXPIRED": 410,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "URI_TOO_LONG": 414,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_FAILED": 422,
    "IDEMPOTENCY_MISMATCH": 422,
    "RATE_LIMITED": 429,
    "HEADERS_TOO_LARGE": 431,
    "INTERNAL": 500,
    "NOT_IMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}


def family(kind: type[AppError]) -> set[type[AppError]]:
    return {kind}.union(*map(family, kind.__subclasses__()))


@pytest.mark.proves("API-2")
def test_the_error_codes_and_statuses_equal_the_contract() -> None:
    assert {kind.code: kind.status for kind in family(AppError)} == TABLE


@pytest.mark.proves("RUN-22")
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_mapped_constraint_exists(database_url: str, name: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT FROM pg_class JOIN pg_index ON pg_index.indexrelid = pg_class.oid"
            " WHERE pg_class.relname = %s AND pg_index.indisunique",
            [name],
        )
        assert found.rowcount == 1


@pytest.mark.proves("RUN-22")
def test_every_constraint_is_named_by_a_migration(database_url: str) -> None:
    """Errors are mapped by the constraint's name, so that PostgreSQL must not choose it."""
    written = "".join(file.read_text() for file in (ROOT / "migrations").glob("*.sql"))
    with psycopg.connect(database_url) as connection:
        names = connection.execute(
            "SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
            " WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('n', 't')"
            " AND relname NOT LIKE '%yoyo%'"
        ).fetchall()
    assert len(names) > 10
    assert [name for (name,) in names if f"CONSTRAINT {name}" not in written] == []


LEAKS = re.compile(
    r"sql|select|insert|constraint|tasks_|psycopg|postgres|traceback|\.py|/app", re.IGNORECASE
)


@pytest.fixture
def break_titles(database_url: str) -> Callable[[], None]:
    """Adds a constraint that the code has no error for."""

    def add() -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "ALTER TABLE tasks ADD CONSTRAINT tasks_secret CHECK (title <> 'forbidden')"
            )

    return add


@pytest.mark.proves("API-4", "RUN-22")
def test_an_unmapped_constraint_is_a_500_without_details(
    alice: ApiUser, break_titles: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    break_titles()
    answer = alice.post(json={"title": "forbidden"}, headers={"X-Request-Id": "watched"})
    assert error(answer) == (500, "INTERNAL")
    assert not LEAKS.search(answer.text)
    assert "tasks_secret" in caplog.text
    assert data(alice.get()) == []
    assert data(alice.post(json={"title": "allowed"}))["version"] == 1


@pytest.mark.proves("API-4")
def test_an_sql_error_is_a_500_without_details(alice: ApiUser, database_url: str) -> None:
    task = alice.create()
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE tasks RENAME COLUMN document TO paper")
    for answer in (alice.get(), alice.get(f"/{task['id']}"), alice.post(json={"title": "a"})):
        assert error(answer) == (500, "INTERNAL")
        assert not LEAKS.search(answer.text)
        assert "paper" not in answer.text


@pytest.mark.proves("API-4")
def test_an_exception_in_a_view_is_a_500_without_details(config: Config) -> None:
    app = create_app(config)
    app.add_url_rule("/broken", view_func=lambda: str(1 // 0))
    answer = app.test_client().get("/broken")
    assert error(answer) == (500, "INTERNAL")
    assert "division" not in answer.text
    assert not LEAKS.search(answer.text)


@pytest.mark.proves("API-6")
def test_a_locked_row_is_a_503(alice: ApiUser, database_url: str) -> None:
    task = alice.create()
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM ledgers FOR UPDATE")
        answer = alice.patch(f"/{task['id']}", json={"title": "b"})
        assert error(answer) == (503, "UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"
        assert data(alice.get(f"/{task['id']}")) == task
    assert data(alice.patch(f"/{task['id']}", json={"title": "b"}))["version"] == 2


@pytest.mark.proves("API-6")
def test_a_read_only_database_is_a_503_for_writes(
    alice: ApiUser, postgres: Postgres, database_url: str
) -> None:
    task = alice.create()
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        assert admin.execute(end, [name]).rowcount > 0
    assert data(alice.get(f"/{task['id']}")) == task
    assert error(alice.post(json={"title": "a"})) == (503, "UNAVAILABLE")


@pytest.mark.proves("API-6")
def test_an_exhausted_pool_is_a_503(alice: ApiUser) -> None:
    pool = db._this_process().pool
    held = [pool.getconn() for _ in range(pool.max_size)]
    try:
        assert error(alice.get()) == (503, "UNAVAILABLE")
    finally:
        for connection in held:
            pool.putconn(connection)
    assert data(alice.get()) == []


@pytest.mark.proves("API-6")
@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (PoolTimeout("x"), 503),
        (psycopg.OperationalError("x"), 503),
        (psycopg.errors.QueryCanceled("x"), 503),
        (psycopg.errors.DeadlockDetected("x"), 503),
        (psycopg.errors.SerializationFailure("x"), 503),
        (psycopg.errors.AdminShutdown("x"), 503),
        (psycopg.errors.TooManyConnections("x"), 503),
        (psycopg.errors.DiskFull("x"), 503),
        (psycopg.errors.ReadOnlySqlTransaction("x"), 503),
        (psycopg.errors.LockNotAvailable("x"), 503),
        (psycopg.errors.UndefinedTable("x"), 500),
        (psycopg.errors.CheckViolation("x"), 500),
        (psycopg.errors.InsufficientPrivilege("x"), 500),
        (psycopg.DataError("x"), 500),
        (psycopg.InterfaceError("x"), 500),
    ],
    ids=lambda value: type(value).__name__,
)
def test_transient_database_errors_are_a_503_and_others_a_500(
    failure: psycopg.Error, status: int
) -> None:
    assert error_for(failure).status == status
