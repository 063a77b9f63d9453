"""The export: all items of one snapshot as JSON, or all tasks as CSV or iCalendar, streamed."""

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
from app.kinds import repository
from app.kinds.export import as_json
from app.ledger.repository import Document
from app.tasks.repository import EXPORT
from app.values import Uuid
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.databases import Postgres
from tests.support.feeds import lines, todos
from tests.support.planning import act, change, delete, make, make_task, read
from tests.support.processes import until
from tests.support.remote_user import RemoteUser, peak_memory, reset_peak_memory, sign_up, workers
from tests.support.server import TIMEOUT, Server, serving
from tests.support.statements import statement
from tests.support.task_rows import add_tasks

NOTHING_ELSE: dict[str, list[object]] = {
    "lists": [],
    "labels": [],
    "filters": [],
    "completions": [],
}
COLUMNS = [
    "id",
    "owner_id",
    "title",
    "description",
    "is_completed",
    "completed_at",
    "list_id",
    "parent_id",
    "position",
    "priority",
    "label_ids",
    "due",
    "start",
    "time_zone",
    "due_at",
    "recurrence",
    "recurrence_basis",
    "reminders",
    "created_at",
    "updated_at",
    "version",
]
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
    answer = alice.call("GET", "/api/me/export")
    assert answer.get_json() == {"tasks": tasks, **NOTHING_ELSE}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ownrow.json"'
    assert answer.headers["Cache-Control"] == "private, no-cache, no-transform"
    assert alice.export("json").data == answer.data


@pytest.mark.proves("LEDGER-30")
@pytest.mark.parametrize("count", [0, 1, 3, 200, 601])
def test_json_has_a_line_per_item(
    alice: ApiUser, superuser: psycopg.Connection, count: int
) -> None:
    add_tasks(superuser, alice.id, count)
    text = alice.export().data.decode()
    assert text.endswith('],\n"lists":[],\n"labels":[],\n"filters":[],\n"completions":[]}')
    beginning, *lines = text.partition("],\n")[0].split("\n")
    assert beginning == '{"tasks":['
    assert [line.endswith(",") for line in lines] == [True] * (count - 1) + [False] * (count > 0)
    items = [json.loads(line.removesuffix(",")) for line in lines]
    assert [item["version"] for item in items] == list(range(1, count + 1))
    assert items[:200] == data(alice.get("?sort=created_at&limit=200"))


def export_of(name: str) -> db.Statement[Document]:
    return statement(f"tests/{name}", "SELECT", Document, returns="document json")


@pytest.mark.parametrize(
    ("counts", "lines"),
    [
        ((0, 0, 0), ['{"as":[],', '"bs":[],', '"cs":[]}']),
        ((2, 0, 1), ['{"as":[', '"a0",', '"a1"],', '"bs":[],', '"cs":[', '"c0"]}']),
        ((0, 3, 0), ['{"as":[],', '"bs":[', '"b0",', '"b1",', '"b2"],', '"cs":[]}']),
        ((1, 1, 2), ['{"as":[', '"a0"],', '"bs":[', '"b0"],', '"cs":[', '"c0",', '"c1"]}']),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_json_has_an_array_for_each_kind(
    counts: tuple[int, ...], lines: list[str], size: int
) -> None:
    kinds = {f"{name}s": export_of(name) for name in "abc"}
    chunks = [
        (
            kinds[f"{name}s"],
            [Document(f'"{name}{n}"'.encode()) for n in range(count)[start:][:size]],
        )
        for name, count in zip("abc", counts, strict=True)
        for start in range(0, count, size)
    ]
    body = b"".join(as_json(kinds, chunks)).decode()
    assert body.split("\n") == lines
    assert json.loads(body).keys() == {"as", "bs", "cs"}


@pytest.mark.proves("TASK-203")
def test_json_has_archived_lists_with_their_tasks(alice: ApiUser) -> None:
    archived = make(alice, "lists", title="archived")
    task = make_task(alice, "hidden", list_id=archived["id"])
    act(alice, archived, "archive", "lists")
    assert alice.export().get_json() == {
        "tasks": [task],
        **NOTHING_ELSE,
        "lists": [read(alice, archived, "lists")],
    }


@pytest.mark.proves("LEDGER-30")
def test_json_has_where_recurring_tasks_stand_in_their_series(alice: ApiUser) -> None:
    rule = "FREQ=WEEKLY;BYDAY=MO;COUNT=5"
    task = make_task(alice, "weekly", due="2030-03-04", recurrence="FREQ=WEEKLY;COUNT=5")
    body = {"is_completed": True, "occurrence": "2030-03-04"}
    assert alice.patch(f"/{task['id']}/complete", json=body).status_code == 200
    moved = change(alice, task, due="2030-03-13")
    once = make_task(alice, "once", due="2030-03-04")
    exported = alice.export().get_json()
    place = {"recurrence_from": "2030-03-11", "recurrence_left": 4}
    assert exported["tasks"] == [{**moved, **place}, once]
    (completion,) = data(alice.get(f"/{task['id']}/completions"))
    before = {"recurrence": rule, "recurrence_from": "2030-03-04", "recurrence_left": 5}
    assert exported["completions"] == [{"task_id": task["id"], **completion, **before}]


@pytest.mark.proves("FEED-20", "LEDGER-30")
def test_ics_has_all_tasks_outside_the_trash(alice: ApiUser) -> None:
    archived = make(alice, "lists", title="archived")
    deleted = make(alice, "lists", title="deleted")
    make_task(alice, "in an archived list", list_id=archived["id"], due="2026-02-05")
    make_task(alice, "in a deleted list", list_id=deleted["id"])
    make_task(alice, "in the inbox", due="2026-10-25T02:30:00", time_zone="Europe/Madrid")
    alice.delete(f"/{alice.create('in the trash')['id']}")
    act(alice, archived, "archive", "lists")
    delete(alice, deleted, "lists")
    answer = alice.export("ics")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ownrow.ics"'
    first, second = todos(answer.data.decode())
    assert (first.summary.value, second.summary.value) == ("in an archived list", "in the inbox")
    assert lines(answer.data.decode(), "DUE") == [
        "DUE;VALUE=DATE:20260205",
        "DUE;TZID=Europe/Madrid:20261025T023000",
    ]
    assert broken_fields(alice.export("ics&bom=true")) == ["bom"]


@pytest.mark.proves("LEDGER-30")
def test_csv_has_a_record_per_task_and_a_content_type_of_its_own(alice: ApiUser) -> None:
    task = alice.create("first", 'he said "no", and\r\nleft')
    done = data(alice.patch(f"/{alice.create('second')['id']}/complete"))
    answer = alice.export("csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ownrow.csv"'
    header, first, second = records(answer)
    assert header == COLUMNS
    assert dict(zip(header, first, strict=True)) == {
        **dict.fromkeys(COLUMNS, ""),
        **{name: value for name, value in task.items() if value is not None},
        "is_completed": "false",
        "priority": "0",
        "label_ids": "",
        "reminders": "",
        "version": "1",
    }
    assert dict(zip(header, second, strict=True)) == {
        **dict.fromkeys(COLUMNS, ""),
        **{name: value for name, value in done.items() if value is not None},
        "is_completed": "true",
        "priority": "0",
        "label_ids": "",
        "reminders": "",
        "version": "3",
    }

    label = data(alice.call("POST", "/api/me/labels", json={"name": "a"}))["id"]
    other = data(alice.call("POST", "/api/me/labels", json={"name": "b"}))["id"]
    dates = {"due": "2026-10-07T09:00:00", "start": "2026-10-01", "time_zone": "Europe/Madrid"}
    alice.patch(f"/{task['id']}", json={"label_ids": [label, other], "priority": 3, **dates})
    planned = dict(zip(*records(alice.export("csv"))[:2], strict=True))
    assert planned.items() >= dates.items()
    assert planned["label_ids"].split() == sorted([label, other])
    assert (planned["priority"], planned["due_at"]) == ("3", "2026-10-07T07:00:00.000000Z")


@pytest.mark.proves("TASK-62")
def test_csv_follows_rfc_4180(alice: ApiUser) -> None:
    alice.create('a "b", c', "line\nbreak")
    lines = alice.export("csv").data
    assert lines.endswith(b"\r\n")
    assert b'"a ""b"", c","line\nbreak",false,,' in lines


@pytest.mark.proves("TASK-62")
@pytest.mark.parametrize("start", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_cell_that_begins_like_a_formula_is_escaped(alice: ApiUser, start: str) -> None:
    text = f"{start}1+1"
    alice.create(f"x{text}", text)
    if start.strip():
        alice.create(text, f"x{text}")
    cells = [record[2:4] for record in records(alice.export("csv"))[1:]]
    assert cells[0] == [f"x{text}".strip(), f"'{text}"]
    if start.strip():
        assert cells[1] == [f"'{text}", f"x{text}"]


@pytest.mark.proves("TASK-63")
@pytest.mark.parametrize("count", [0, 1])
def test_a_byte_order_mark_is_added_on_demand(alice: ApiUser, count: int) -> None:
    for _ in range(count):
        alice.create("ü")
    plain = alice.export("csv").data
    assert plain.startswith(b"id,")
    assert alice.export("csv&bom=false").data == plain
    assert alice.export("csv&bom=true").data == b"\xef\xbb\xbf" + plain


@pytest.mark.proves("TASK-63")
def test_a_byte_order_mark_is_for_csv_only(alice: ApiUser) -> None:
    assert broken_fields(alice.export("json&bom=true")) == ["bom"]
    assert broken_fields(alice.export("csv&bom=1")) == ["bom"]
    assert alice.export("json&bom=false").status_code == 200


@pytest.mark.parametrize("form", ["json", "csv", "ics"])
@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 400])
def test_chunks_join_into_one_document(
    alice: ApiUser, superuser: psycopg.Connection, form: str, count: int
) -> None:
    add_tasks(superuser, alice.id, count)
    answer = alice.export(form)
    titles = [f"task {number}" for number in range(1, count + 1)]
    if form == "json":
        assert [task["title"] for task in answer.get_json()["tasks"]] == titles
    elif form == "ics":
        assert [todo.summary.value for todo in todos(answer.data.decode())] == titles
    else:
        assert [record[2] for record in records(answer)] == ["title", *titles]


@pytest.mark.proves("OWN-3")
def test_an_export_has_the_items_of_its_owner_only(alice: ApiUser, bob: ApiUser) -> None:
    alice.create()
    assert bob.export().get_json() == {"tasks": [], **NOTHING_ELSE}
    assert records(bob.export("csv")) == [COLUMNS]
    foreign = bob.call("GET", f"/api/{alice.id}/export")
    assert error(foreign) == (403, "FORBIDDEN")


@pytest.mark.parametrize("query", ["format=xml", "format=", "format=JSON", "limit=1"])
def test_unknown_formats_and_parameters_are_refused(alice: ApiUser, query: str) -> None:
    assert broken_fields(alice.call("GET", f"/api/me/export?{query}")) == [query.partition("=")[0]]


@pytest.mark.proves("LEDGER-32")
def test_head_has_the_headers_of_get_and_reads_no_item(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    alice.create()
    get = alice.export("csv")
    assert len(records(get)) == 2
    with superuser.transaction():
        superuser.execute("LOCK TABLE tasks")
        head = alice.call("HEAD", "/api/me/export?format=csv")
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Type", "Content-Disposition"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.proves("LEDGER-31")
@pytest.mark.parametrize("form", ["json", "csv", "ics"])
def test_head_sends_no_content_length_as_get_is_chunked(server: Server, form: str) -> None:
    remote = sign_up(server)
    head = remote.call("HEAD", f"/export?format={form}")
    get = remote.call("GET", f"/export?format={form}")
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
        assert error(alice.export()) == (503, "UNAVAILABLE")


@pytest.mark.proves("TASK-60")
@pytest.mark.parametrize("form", ["json", "csv", "ics"])
def test_an_export_reads_one_snapshot_while_tasks_change(
    alice: ApiUser, superuser: psycopg.Connection, form: str
) -> None:
    """The changes are to tasks of the first chunk, which is sent, and of the last one."""
    add_tasks(superuser, alice.id, 601)
    before = alice.export(form).data
    answer = alice.export(form, buffered=False)
    chunks = answer.iter_encoded()
    body = next(chunks)
    tasks = data(alice.get("?limit=100")) + data(alice.get("?limit=100&sort=created_at"))
    changes = [{"op": "delete"}, {"op": "complete"}, {"op": "update", "title": "changed meanwhile"}]
    operations = [{**changes[n % 3], "id": task["id"]} for n, task in enumerate(tasks)]
    for start in (0, 100):
        assert alice.batch(*operations[start:][:100]).status_code == 200
    alice.create("created meanwhile")
    body += b"".join(chunks)
    answer.close()
    assert body == before
    assert alice.export(form).data != before


@pytest.mark.proves("TASK-60")
def test_all_kinds_are_read_from_one_snapshot(alice: ApiUser) -> None:
    again = statement(
        "tests/export_again",
        "SELECT document FROM tasks WHERE owner_id = %(owner_id)s ORDER BY id",
        Document,
        returns="document json",
    )
    task = alice.create("before")
    chunks = repository.export(Uuid(alice.id), [EXPORT, again])
    first = next(chunks)
    alice.create("created meanwhile")
    alice.patch(f"/{task['id']}", json={"title": "changed meanwhile"})
    second, *rest = chunks
    assert (first[0], second[0], rest) == (EXPORT, again, [])
    assert [json.loads(row.document) for row in first[1]] == [task]
    assert second[1] == first[1]


def test_an_abandoned_export_returns_its_connection_to_the_pool(
    alice: ApiUser, superuser: psycopg.Connection, config: Config
) -> None:
    add_tasks(superuser, alice.id, 1000)
    for _ in range(config.db_pool_size + 1):
        answer = alice.export(buffered=False)
        next(answer.iter_encoded())
        answer.close()
    assert alice.get("?limit=1").status_code == 200


@pytest.mark.proves("OPS-40", "LEDGER-31")
@pytest.mark.usefixtures("app")
def test_each_chunk_has_a_statement_timeout_of_its_own(config: Config) -> None:
    """The whole export may take longer than statement_timeout; a chunk may not."""
    db.configure(replace(config, db_statement_timeout_ms=300))
    chunks = db.stream([SLOW_ROWS], {"owner_id": uuid4(), "seconds": 0.2})
    assert [len(next(chunks)[1]), len(next(chunks)[1])] == [200, 200]
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
            add_tasks(admin, remote.id, 20_000)
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
    lines = ["GET /api/me/export HTTP/1.1", "Host: localhost"]
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
    assert exporter.get("/tasks?limit=1").status == 200


@pytest.mark.proves("LEDGER-31")
@pytest.mark.slow
def test_a_client_that_disconnects_leaves_no_open_transaction(
    exporter: RemoteUser, observer: psycopg.Connection
) -> None:
    for _ in range(5):
        with begin(exporter):
            until(lambda: not is_idle(observer))
        until(lambda: is_idle(observer))
    assert exporter.get("/tasks?limit=1").status == 200


@pytest.mark.proves("TASK-60")
@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "csv", "ics"])
def test_memory_does_not_grow_with_the_number_of_items(exporter: RemoteUser, form: str) -> None:
    (worker,) = workers(exporter.server)
    other = sign_up(exporter.server)
    assert other.get(f"/export?format={form}").status == 200
    before = reset_peak_memory(worker)
    assert len(exporter.get(f"/export?format={form}").body) > 5_000_000
    assert peak_memory(worker) - before < 2_000_000
