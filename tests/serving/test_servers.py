"""The application is plain WSGI: it runs on every server, and in whatever processes that makes."""

import ast
import json
import socket
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from blinker import NamedSignal
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.http.dispatch import Application
from app.http.request import current_request
from tests.support.api_user import register
from tests.support.processes import minimal_environment
from tests.support.remote_user import sign_up
from tests.support.roles import as_role
from tests.support.sentry_sink import Sink
from tests.support.server import ROOT, Reply, Server
from tests.support.servers import METRICS_TOKEN, SERVERS, Software, on_one_connection, serving_on

BODY_LIMIT = 64 * 1024  # bytes
TASKS = "/api/me/tasks"
BATCHES, BATCH_SIZE = 3, 100  # an export of them takes more than one FETCH
LIMITS_WARNING = "rate limits are counted per process"
METRICS_WARNING = "metrics are of one process"


def padded(size: int) -> bytes:
    """A new task in a body of that many bytes."""
    return json.dumps({"title": "padded"}).encode().ljust(size)


def request(method: str, path: str, body: bytes = b"", *lines: str) -> bytes:
    """A request as it is sent, with a Content-Length where it has a body."""
    head = [f"{method} {path} HTTP/1.1", *(lines or ["Host: todo.example"])]
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def chunked(path: str, authorization: str, *chunks: bytes) -> bytes:
    """A POST of JSON in these chunks."""
    lines = ["Host: todo.example", f"Authorization: {authorization}", "Connection: close"]
    lines += ["Transfer-Encoding: chunked", "Content-Type: application/json"]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request("POST", path, b"", *lines) + body + b"0\r\n\r\n"


def failed(answer: Reply) -> tuple[int, str]:
    """Status and code of an error, after a look at its envelope."""
    body = answer.json
    assert body.keys() == {"success", "data", "error"}
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    return answer.status, body["error"]["code"]


def warnings(server: Server) -> tuple[int, int]:
    """How often the log has said that rate limits, and that metrics are those of one process."""
    log = server.log.read_text()
    return log.count(LIMITS_WARNING), log.count(METRICS_WARNING)


@pytest.mark.slow
@pytest.mark.proves("RUN-30", "RUN-31", "RUN-32", "RUN-33", "OPS-7", "OPS-23", "OPS-55")
@pytest.mark.parametrize("name", SERVERS)
def test_the_service_runs_on(name: str, served_database_url: str, tmp_path: Path) -> None:
    software = SERVERS[name]
    with serving_on(software, served_database_url, tmp_path) as server:
        assert server.request("GET", "/livez").status == 200
        assert warnings(server) == (0, 0)
        assert software.worker == "" or f"Using worker: {software.worker}" in server.log.read_text()
        authorization = sign_up(server).authorization
        check_tasks(server, authorization)
        check_answers_without_a_view(server)
        check_bodies(server, authorization)
        check_chunked_bodies(software, server, authorization["Authorization"])
        check_hosts(server)
        check_connections(software, server, authorization["Authorization"])
        check_metrics(server)
        assert warnings(server) == ((0, 0) if software.shares_memory else (1, 1))
        log = server.log.read_text()
    assert "Traceback" not in log
    assert "the request failed" not in log  # as an unexpected error is logged


def check_tasks(server: Server, authorization: dict[str, str]) -> None:
    """Creates, lists, changes in batches and exports."""

    def call(method: str, path: str, body: Any = None, **headers: str) -> Reply:
        return server.request(method, f"/api/me{path}", body, {**authorization, **headers})

    created = call("POST", "/tasks", {"title": "caf\u00e9"})
    assert created.status == 201
    task = created.json["data"]
    assert created.headers["Location"] == f"{TASKS}/{task['id']}"
    for _ in range(2):  # by way of Flask, and directly
        found = call("GET", "/tasks?q=caf%C3%A9").json["data"]
        assert [each["id"] for each in found] == [task["id"]]
    operations = [{"op": "create", "title": f"{number}"} for number in range(BATCH_SIZE)]
    for _ in range(BATCHES):
        assert call("POST", "/batch", {"operations": operations}).status == 200
    exported = call("GET", "/export?format=json")
    assert exported.status == 200
    assert len(json.loads(exported.body)["tasks"]) == 1 + BATCHES * BATCH_SIZE
    head = call("HEAD", f"/tasks/{task['id']}")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(call("GET", f"/tasks/{task['id']}").body)
    assert call("HEAD", "/export?format=json").body == b""


def check_answers_without_a_view(server: Server) -> None:
    for path in ("/nowhere", "/caf%C3%A9", "/%FF"):
        assert failed(server.request("GET", path)) == (404, "NOT_FOUND")
    assert failed(server.request("DELETE", "/livez")) == (405, "METHOD_NOT_ALLOWED")
    assert failed(server.request("GET", TASKS)) == (401, "UNAUTHENTICATED")


def check_bodies(server: Server, authorization: dict[str, str]) -> None:
    """64 KB are read, and one byte more is refused."""
    sent = {**authorization, "Content-Type": "application/json"}
    assert server.request("POST", TASKS, padded(BODY_LIMIT), sent).status == 201
    lines = ("Host: todo.example", f"Authorization: {authorization['Authorization']}")
    (over,) = on_one_connection(server, request("POST", TASKS, padded(BODY_LIMIT + 1), *lines))
    assert failed(over) == (413, "PAYLOAD_TOO_LARGE")


def check_chunked_bodies(software: Software, server: Server, authorization: str) -> None:
    """They are read within the same limit, or Content-Length is asked for."""
    chunks = (b'{"title":', b' "in chunks"}')
    (small,) = on_one_connection(server, chunked(TASKS, authorization, *chunks))
    (large,) = on_one_connection(server, chunked(TASKS, authorization, padded(BODY_LIMIT), b" "))
    if software.reads_chunks:
        assert (small.status, small.json["data"]["title"]) == (201, "in chunks")
        assert failed(large) == (413, "PAYLOAD_TOO_LARGE")
    else:
        for answer in (small, large):
            assert failed(answer) == (501, "NOT_IMPLEMENTED")
            assert "Content-Length" in answer.json["error"]["message"]


def check_hosts(server: Server) -> None:
    """A Host header that names no host, and a missing one."""
    for lines in (["Host: a..b"], ["Host: a/b"], []):
        answer = server.raw(request("GET", "/livez", b"", *lines, "Connection: close"))
        assert failed(answer) == (400, "BAD_REQUEST")


def check_connections(software: Software, server: Server, authorization: str) -> None:
    """Requests that follow each other, behind a body that was read and behind one that was not."""
    lines = ("Host: todo.example", f"Authorization: {authorization}")
    again = request("GET", TASKS, b"", *lines)
    body = json.dumps({"title": "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"}).encode()
    known = f"If-None-Match: {on_one_connection(server, again)[0].headers['ETag']}"
    unchanged = request("GET", TASKS, b"", *lines, known)
    answers = on_one_connection(server, unchanged, again)  # some servers close behind a 304
    assert [each.status for each in answers] in ([304], [304, 200])
    for first, status in (
        (again, 200),
        (request("POST", TASKS, body, *lines), 201),
        (request("POST", TASKS, b"{", *lines), 400),
    ):
        answers = on_one_connection(server, first, again)
        expected = [status, 200] if software.keeps_connections else [status]
        assert [each.status for each in answers] == expected
    unread = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" * 10
    for path, status in (("/nowhere", 404), (f"{TASKS}", 401)):
        answers = on_one_connection(server, request("POST", path, unread), again, again)
        assert [each.status for each in answers] in ([status], [status, 200, 200])


def check_metrics(server: Server) -> None:
    for _ in range(2):
        answer = server.request(
            "GET", "/metrics", None, {"Authorization": f"Bearer {METRICS_TOKEN}"}
        )
        assert answer.status == 200
        assert b"ownrow_request_duration_seconds_count" in answer.body


FORKS = """
import gc, json, os
from typing import NamedTuple
from app import db
from app.config import Config
from app.system.repository import list_migrations
from tests.support.statements import statement

class Backend(NamedTuple):
    pid: int

QUERY = "SELECT pg_backend_pid() AS pid"
BACKEND = statement("tests/backend", QUERY, Backend, returns="pid integer")

def tell(name):
    assert list_migrations()
    os.write(1, json.dumps([name, db.fetch_one(BACKEND, {}).pid]).encode() + b"\\n")

def child(name, use):
    pid = os.fork()
    if pid == 0:
        if use:
            tell(name)
            child(name + "'s", use=False)
            tell(name)
        gc.collect()
        db.close_pool()
        gc.collect()
        raise SystemExit
    assert os.waitpid(pid, 0)[1] == 0

db.configure(Config.from_env(os.environ))
child("before", use=True)
tell("parent")
child("child", use=True)
tell("parent")
child("idle", use=False)
tell("parent")
db.close_pool()
"""


@pytest.mark.proves("RUN-31")
def test_the_pool_opens_by_itself_and_again_after_a_fork(database_url: str) -> None:
    output = run_python(
        "-X", "dev", "-W", "ignore:This process:DeprecationWarning", "-c", FORKS, url=database_url
    )
    told = [json.loads(line) for line in output.splitlines()]
    names = [name for name, _ in told]
    assert names == ["before", "before", "parent", "child", "child", "parent", "parent"]
    sessions = {name: {pid for each, pid in told if each == name} for name in names}
    assert all(len(pids) == 1 for pids in sessions.values())
    assert len(set.union(*sessions.values())) == len(sessions)


ENDS = """
import os
from app import db
from app.config import Config
from app.system.repository import list_migrations
db.configure(Config.from_env(os.environ))
assert list_migrations()
"""


@pytest.mark.proves("RUN-31")
def test_a_process_ends_at_once_although_nothing_has_closed_its_pool(database_url: str) -> None:
    # psycopg_pool waits 5 s for each thread of a pool that was left open, and says so.
    assert run_python("-X", "dev", "-c", ENDS, url=database_url) == ""


def run_python(*arguments: str, url: str = "postgresql://nobody@localhost/none") -> str:
    """What Python prints; it must succeed without a warning. `url` is the database's."""
    environment = minimal_environment(
        APP_ENV="test",
        DATABASE_URL=as_role(url),
        JWT_SECRETS="test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957",
        PYTHONPATH=str(ROOT),
    )
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


WITHOUT_EPOLL = """
import runpy, select, sys
del select.epoll
found = runpy.run_path("gunicorn.conf.py")
found["on_reload"](None)
print(found["worker_class"], "app.serving.worker" in sys.modules)
"""


@pytest.mark.proves("RUN-33")
def test_gthread_is_chosen_where_epoll_is_missing() -> None:
    assert run_python("-c", WITHOUT_EPOLL).split() == ["gthread", "False"]
    chosen = 'import runpy; print(runpy.run_path("gunicorn.conf.py")["worker_class"])'
    assert run_python("-c", chosen).strip() == "app.serving.worker.FastWorker"


@pytest.mark.proves("RUN-30")
def test_only_the_worker_and_the_configuration_know_gunicorn() -> None:
    app = ROOT / "app"
    importing = {
        file.relative_to(app).parts[0]
        for file in app.rglob("*.py")
        if any(name.partition(".")[0] == "gunicorn" for name in imports(file))
    }
    assert importing == {"serving"}
    served = {
        str(file.relative_to(app))
        for file in app.rglob("*.py")
        if any(name.startswith("app.serving") for name in imports(file))
    }
    outside = {each for each in served if not each.startswith("serving/")}
    assert outside == {"events/server.py", "system/doctor.py"}, "they take connections over, or try"


def imports(file: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.proves("RUN-30")
def test_flasks_request_context_is_enough_for_code_outside_a_request(app: Flask) -> None:
    with app.test_request_context("/api/me/tasks?limit=1", headers={"If-Match": '"7"'}):
        assert flask.url_for("tasks.list_tasks", user_id="me") == TASKS
        found = current_request()
        assert (found.method, found.path) == ("GET", TASKS)
        assert found.query_string == b"limit=1"
        assert found.header("IF_MATCH") == '"7"'
        assert current_request() is found
    with app.test_request_context("/livez", method="POST"):
        assert (current_request().method, current_request().path) == ("POST", "/livez")


@pytest.mark.proves("RUN-30")
@pytest.mark.parametrize("missing", ["PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "CONTENT_TYPE"])
def test_an_environ_need_not_have_what_may_be_empty(app: Flask, missing: str) -> None:
    environ = EnvironBuilder("/").get_environ()
    environ.pop(missing, None)
    assert isinstance(app, Application)
    unchecked = partial(Application.wsgi_app, app)
    for _ in range(2):
        body, status, _ = run_wsgi_app(unchecked, dict(environ), buffered=True)
        assert status == "200 OK"
        assert json.loads(b"".join(body))["data"]["name"] == "Ownrow"


PATHS = [
    ("GET", "/livez"),
    ("HEAD", "/livez"),
    ("GET", "/"),
    ("GET", "/metrics"),
    ("GET", TASKS),
    ("HEAD", TASKS),
    ("GET", f"{TASKS}?limit=1"),
    ("GET", f"{TASKS}?limit=none"),
    ("GET", f"{TASKS}/{{task}}"),
    ("HEAD", f"{TASKS}/{{task}}"),
    ("GET", f"{TASKS}/{{task}}/history"),
    ("GET", f"{TASKS}/{{stranger}}"),
    ("GET", "/api/{user}/tasks/{task}"),
    ("GET", "/api/{stranger}/tasks"),
    ("GET", "/api/me/changes"),
    ("GET", f"{TASKS}/trash"),
    ("GET", "/api/me/export?format=csv"),
    ("HEAD", "/api/me/export?format=json"),
    ("POST", TASKS),
    ("PATCH", f"{TASKS}/{{task}}"),
    ("POST", "/api/auth/login"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_second_answer_is_the_first_but_for_its_request_id(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    user = register(client)
    task = user.create()
    names = {"task": task["id"], "user": user.id, "stranger": str(uuid4())}
    application = client.application
    assert isinstance(application, Application)
    application._plans.clear()
    slow = count_slow(monkeypatch)
    answers = []
    for _ in range(2):
        answer = user.call(method, path.format(**names), headers={"X-Request-Id": "same"})
        answers.append((answer.status, list(answer.headers), answer.data))
        assert slow["requests"] == 1
    assert answers[0] == answers[1]


def count_slow(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the requests that are answered by Flask's own dispatch from now on."""
    counted: Counter[str] = Counter()
    dispatch = Flask.full_dispatch_request

    def counting(application: Flask, *arguments: Any) -> flask.Response:
        counted["requests"] += 1
        return dispatch(application, *arguments)

    monkeypatch.setattr(Flask, "full_dispatch_request", counting)
    return counted


@pytest.fixture
def calls() -> Counter[str]:
    return Counter()


def test_teardown_functions_and_what_runs_after_a_request_are_called_each_time(
    app: Flask, calls: Counter[str]
) -> None:
    @app.teardown_request
    def tear_down(_error: BaseException | None) -> None:
        calls["torn down"] += 1

    @app.before_request
    def ask_for_more() -> None:
        flask.after_this_request(count_after)

    def count_after(response: flask.Response) -> flask.Response:
        calls["after"] += 1
        response.headers["X-After"] = flask.request.path
        return response

    user = register(app.test_client())
    calls.clear()
    for number in range(1, 4):
        answer = user.get()
        assert answer.status_code == 200
        assert answer.headers["X-After"] == TASKS
        assert calls == {"torn down": number, "after": number}
    assert isinstance(app, Application)
    assert not app._plans


def test_teardown_functions_of_the_application_context_are_called_each_time(
    app: Flask, calls: Counter[str]
) -> None:
    @app.teardown_appcontext
    def tear_down(_error: BaseException | None) -> None:
        calls["torn down"] += 1

    client = app.test_client()
    for number in range(1, 4):
        assert client.get("/livez").status_code == 200
        assert calls["torn down"] == number


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    "signal",
    [
        flask.request_started,
        flask.request_finished,
        flask.request_tearing_down,
        flask.appcontext_pushed,
        flask.appcontext_tearing_down,
    ],
    ids=lambda signal: str(signal.name),
)
def test_signals_are_sent_while_they_have_receivers(
    app: Flask, calls: Counter[str], signal: NamedSignal, is_known: bool
) -> None:
    def receive(_sender: Flask, **_data: Any) -> None:
        calls["received"] += 1

    client = app.test_client()
    if is_known:  # requests to the path take the fast way before anything is connected
        client.get("/livez")
    with signal.connected_to(receive, app):
        for number in range(1, 4):
            assert client.get("/livez").status_code == 200
            assert calls["received"] == number


FORGED = b"SCRIPT_NAME: /livez\r\nPATH_INFO: /livez\r\nSCRIPT-NAME: /livez\r\n"


@pytest.mark.slow
@pytest.mark.proves("OPS-56")
@pytest.mark.parametrize("name", ["gunicorn, fast worker", "gunicorn, gthread"])
def test_a_client_behind_a_proxy_cannot_change_the_path(
    name: str, served_database_url: str, tmp_path: Path
) -> None:
    arguments = (*SERVERS[name].arguments, "--forwarded-allow-ips", "127.0.0.1")
    software = replace(SERVERS[name], arguments=arguments)
    with serving_on(software, served_database_url, tmp_path) as server:
        answer = server.raw(b"GET /livez HTTP/1.1\r\nHost: todo.example\r\n" + FORGED + b"\r\n")
        assert answer.json["data"] == {"status": "alive"}
        answer = server.raw(b"GET / HTTP/1.1\r\nHost: todo.example\r\n" + FORGED + b"\r\n")
        assert answer.json["data"]["name"] == "Ownrow"


RESET = struct.pack("ii", 1, 0)  # SO_LINGER with timeout 0: close() sends RST
LENGTH = "Content-Length: 100"
BROKEN_OFF = {
    "nothing": b"",
    "the request line": b"POST /api/auth/login HT",
    "a header": b"POST /api/auth/login HTTP/1.1\r\nHost: todo.exa",
    "the body": request("POST", "/api/auth/login", b"", "Host: a", LENGTH)[:-2] + b"\r\n{",
    "a chunk": request("POST", "/api/auth/login", b"", "Host: a", "Transfer-Encoding: chunked")
    + b"64\r\n{",
    "a large body": request("POST", "/api/auth/login", b"", "Host: a", "Content-Length: 65536")
    + b"{" * 9000,
    "the next request": request("GET", "/livez") + b"GET / HTTP/1.1\r\nHo",
    "the response": request("GET", "/docs/swagger-ui-bundle.js") * 8,
}


@pytest.mark.slow
@pytest.mark.proves("OPS-88")
@pytest.mark.parametrize(
    "name",
    ["gunicorn, fast worker", "gunicorn, gthread", "gunicorn, sync", "gunicorn without epoll"],
)
def test_a_client_s_reset_is_no_error_of_the_service(
    name: str, served_database_url: str, tmp_path: Path, sink: Sink
) -> None:
    with serving_on(
        SERVERS[name], served_database_url, tmp_path, SENTRY_DSN=sink.dsn, LOG_LEVEL="debug"
    ) as server:
        for beginning in BROKEN_OFF.values():
            for answered in (False, True):  # the reset comes before the bytes are read, or after
                with server.connect() as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    client.sendall(beginning)
                    if answered and SERVERS[name].keeps_connections:
                        assert server.raw(request("GET", "/livez")).status == 200
        assert server.raw(request("GET", "/livez")).status == 200
        server.process.terminate()
        assert server.process.wait(30) == 0
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {line["level"] for line in lines} <= {"debug", "info", "warning"}
    assert [line for line in lines if "Traceback" in str(line)] == []
    assert sink.received == []
