"""The export: all tasks of one snapshot, streamed as JSON or CSV."""

import csv
import io
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from werkzeug.test import TestResponse

from app import db
from app.config import Config
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.databases import Postgres
from tests.support.processes import until
from tests.support.remote_user import RemoteUser, peak_memory, reset_peak_memory, sign_up, workers
from tests.support.server import TIMEOUT, Server, serving
from tests.support.statements import statement

COLUMNS = [
    "id",
    "owner_id",
    "title",
    "description",
    "is_completed",
    "completed_at",
    "created_at",
    "updated_at",
    "version",
]
MANY_TASKS = """
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description, description_folded, created_at, updated_at,
        version, last_action
    )
    SELECT
        owner_id, uuidv7_at(now() + n * interval '1 microsecond'), 'task ' || n, '',
        repeat('x', 100), '', now(), now(), version + n, 'create'
    FROM ledgers CROSS JOIN generate_series(1, %s) AS n
"""

EXPORTERS = """
    FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'FETCH%'
    AND state IN ('active', 'idle in transaction')
"""
EXPORTING = f"SELECT count(*) {EXPORTERS}"
SLOW_ROWS = statement(
    "tests/slow_rows",
    """
    SELECT CASE n WHEN 200 THEN pg_sleep(%(seconds)s) WHEN 400 THEN pg_sleep(%(seconds)s)
    WHEN 401 THEN pg_sleep(60) END FROM generate_series(1, 401) AS n
    """,
)


def records(answer: TestResponse) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.data.decode(), newline="")))


@pytest.mark.proves("TASK-60", "LEDGER-30")
def test_json_is_the_default_and_equals_the_list(alice: ApiUser) -> None:
    tasks = [alice.create(f"task {number}", "ü\n") for number in range(3)]
    alice.delete(f"/{alice.create('in the trash')['id']}")
    answer = alice.get("/export")
    assert answer.get_json() == tasks
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tasks.json"'
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert alice.get("/export?format=json").data == answer.data


@pytest.mark.proves("LEDGER-30")
def test_csv_has_a_record_per_task_and_a_content_type_of_its_own(alice: ApiUser) -> None:
    task = alice.create("first", 'he said "no", and\r\nleft')
    done = data(alice.patch(f"/{alice.create('second')['id']}/complete"))
    answer = alice.get("/export?format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tasks.csv"'
    header, first, second = records(answer)
    assert header == COLUMNS
    assert dict(zip(header, first, strict=True)) == {
        **task,
        "is_completed": "false",
        "completed_at": "",
        "version": "1",
    }
    assert dict(zip(header, second, strict=True)) == {
        **done,
        "description": "",
        "is_completed": "true",
        "version": "3",
    }


@pytest.mark.proves("TASK-62")
def test_csv_follows_rfc_4180(alice: ApiUser) -> None:
    alice.create('a "b", c', "line\nbreak")
    lines = alice.get("/export?format=csv").data
    assert lines.endswith(b"\r\n")
    assert b'"a ""b"", c","line\nbreak",false,,' in lines


@pytest.mark.proves("TASK-62")
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_begins_like_a_formula_is_escaped(alice: ApiUser, start: str) -> None:
    text = f"{start}1+1"
    alice.create(f"x{text}", text)
    if start.strip():
        alice.create(text, f"x{text}")
    cells = [record[2:4] for record in records(alice.get("/export?format=csv"))[1:]]
    assert cells[0] == [f"x{text}".strip(), f"'{text}"]
    if start.strip():
        assert cells[1] == [f"'{text}", f"x{text}"]


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 400])
def test_chunks_join_into_one_document(
    alice: ApiUser, superuser: psycopg.Connection, kind: str, count: int
) -> None:
    superuser.execute(MANY_TASKS, [count])
    answer = alice.get(f"/export?format={kind}")
    titles = [f"task {number}" for number in range(1, count + 1)]
    if kind == "json":
        assert [task["title"] for task in answer.get_json()] == titles
    else:
        assert [record[2] for record in records(answer)] == ["title", *titles]


@pytest.mark.proves("OWN-3")
def test_an_export_has_the_tasks_of_its_owner_only(alice: ApiUser, bob: ApiUser) -> None:
    alice.create()
    assert bob.get("/export").data == b"[]"
    assert records(bob.get("/export?format=csv")) == [COLUMNS]
    foreign = bob.call("GET", f"/api/{alice.id}/tasks/export")
    assert error(foreign) == (403, "FORBIDDEN")


@pytest.mark.parametrize("query", ["format=xml", "format=", "format=JSON", "limit=1"])
def test_unknown_formats_and_parameters_are_refused(alice: ApiUser, query: str) -> None:
    assert broken_fields(alice.get(f"/export?{query}")) == [query.partition("=")[0]]


@pytest.mark.proves("LEDGER-32")
def test_head_has_the_headers_of_get_and_reads_no_task(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    alice.create()
    get = alice.get("/export?format=csv")
    assert len(records(get)) == 2
    with superuser.transaction():
        superuser.execute("LOCK TABLE tasks")
        head = alice.call("HEAD", "/api/me/tasks/export?format=csv")
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Type", "Content-Disposition"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.proves("LEDGER-31")
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_head_sends_no_content_length_as_get_is_chunked(server: Server, kind: str) -> None:
    remote = sign_up(server)
    head = remote.call("HEAD", f"/export?format={kind}")
    get = remote.call("GET", f"/export?format={kind}")
    ignored = {"Date", "X-Request-Id"}
    sent = {name: value for name, value in head.headers.items() if name not in ignored}
    expected = {name: value for name, value in get.headers.items() if name not in ignored}
    assert expected.pop("Transfer-Encoding") == "chunked"  # HEAD may leave it out
    assert (head.status, head.body, sent) == (200, b"", expected)


def test_an_export_that_cannot_begin_is_a_503_in_the_envelope(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    with superuser.transaction():
        superuser.execute("LOCK TABLE tasks")
        assert error(alice.get("/export")) == (503, "UNAVAILABLE")


@pytest.mark.proves("TASK-60")
def test_an_export_reads_one_snapshot(alice: ApiUser, superuser: psycopg.Connection) -> None:
    superuser.execute(MANY_TASKS, [1000])
    answer = alice.get("/export", buffered=False)
    chunks = answer.iter_encoded()
    body = next(chunks)
    superuser.execute("UPDATE tasks SET title = 'changed meanwhile'")
    body += b"".join(chunks)
    answer.close()
    titles = [task["title"] for task in json.loads(body)]
    assert titles == [f"task {number}" for number in range(1, 1001)]


def test_an_abandoned_export_returns_its_connection_to_the_pool(
    alice: ApiUser, superuser: psycopg.Connection, config: Config
) -> None:
    superuser.execute(MANY_TASKS, [1000])
    for _ in range(config.db_pool_size + 1):
        answer = alice.get("/export", buffered=False)
        next(answer.iter_encoded())
        answer.close()
    assert alice.get("?limit=1").status_code == 200


@pytest.mark.proves("OPS-40", "LEDGER-31")
@pytest.mark.usefixtures("app")
def test_each_chunk_has_a_statement_timeout_of_its_own(config: Config) -> None:
    """The whole export may take longer than statement_timeout; a chunk may not."""
    db.configure(replace(config, db_statement_timeout_ms=300))
    chunks = db.stream(SLOW_ROWS, {"owner_id": uuid4(), "seconds": 0.2})
    assert [len(next(chunks)), len(next(chunks))] == [200, 200]
    with pytest.raises(psycopg.errors.QueryCanceled):
        next(chunks)


# --- on the real server -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def export_database(postgres: Postgres, migrated: str) -> Iterator[str]:
    """The database behind `exporter`."""
    with postgres.database(template=migrated) as name:
        yield name


@pytest.fixture(scope="module")
def exporter(
    postgres: Postgres, export_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RemoteUser]:
    """A user with 20,000 tasks, of a server with one worker."""
    directory = tmp_path_factory.mktemp("exporter")
    url = postgres.superuser_url(export_database)
    with serving(postgres.url(export_database), directory, WEB_CONCURRENCY="1") as server:
        remote = sign_up(server)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(MANY_TASKS, [20_000])
            admin.execute("VACUUM ANALYZE tasks")
        yield remote


@pytest.fixture
def observer(postgres: Postgres, export_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection, which sees the queries of the server's connections."""
    url = postgres.superuser_url(export_database)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def begin(exporter: RemoteUser) -> socket.socket:
    """Starts an export; returns the client's socket, which has read the first bytes only."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(TIMEOUT)
    connection.connect((exporter.server.host, exporter.server.port))
    lines = ["GET /api/me/tasks/export HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in exporter.authorization.items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


def is_idle(observer: psycopg.Connection) -> bool:
    return observer.execute(EXPORTING).fetchone() == (0,)


@pytest.mark.proves("TASK-61")
@pytest.mark.slow
def test_an_error_while_streaming_aborts_that_response_only(
    exporter: RemoteUser, observer: psycopg.Connection
) -> None:
    for _ in range(5):  # more than the server has threads
        with begin(exporter) as connection:
            until(lambda: not is_idle(observer))
            observer.execute(f"SELECT pg_terminate_backend(pid) {EXPORTERS}".encode())
            rest = b"".join(iter(lambda: connection.recv(65536), b""))
        assert not rest.endswith(b"0\r\n\r\n")
        assert b"]" not in rest[-10:]
    assert exporter.get("?limit=1").status == 200


@pytest.mark.proves("LEDGER-31")
@pytest.mark.slow
def test_a_client_that_disconnects_leaves_no_open_transaction(
    exporter: RemoteUser, observer: psycopg.Connection
) -> None:
    for _ in range(5):
        with begin(exporter):
            until(lambda: not is_idle(observer))
        until(lambda: is_idle(observer))
    assert exporter.get("?limit=1").status == 200


@pytest.mark.proves("TASK-60")
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_memory_does_not_grow_with_the_number_of_tasks(exporter: RemoteUser, kind: str) -> None:
    (worker,) = workers(exporter.server)
    other = sign_up(exporter.server)
    assert other.get(f"/export?format={kind}").status == 200
    before = reset_peak_memory(worker)
    assert len(exporter.get(f"/export?format={kind}").body) > 5_000_000
    assert peak_memory(worker) - before < 2_000_000
