"""Between the statements of a transaction nothing else runs: its locks would wait for it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask import Flask

import app as package
from app import db
from app.http.request import current_request
from app.ledger import repository
from app.values import fold
from tests.support.api_user import PASSWORD, ApiUser, data, register
from tests.support.feeds import make_feed
from tests.support.mail import mail_server
from tests.support.mcp import Assistant
from tests.support.postbox import Postbox
from tests.support.reminders import before
from tests.support.second_factor import switch_on
from tests.support.tokens import make_token

ROOT = Path(package.__file__).parent
# Modules of C functions that work on clients' text; Python's re and json end in the last two.
WORK = {"unicodedata", "_hashlib", "_hmac", "_blake2", "_bcrypt", "orjson", "_sre", "_json"}
TEXT = "Ünïcode ﷺ"
RULES = ("grid", "normal_form", "rule", "series", "until")
# Modules that decide on what was read under the ledger's lock, by arithmetic alone.
DECISIONS = {
    "ledger/positions.py", "tasks/dates.py", "tasks/series.py", "tasks/tree.py",
    "tasks/unit_of_work.py", "zones.py",
}  # fmt: skip
# The same, of texts that have at most 255 characters: reading one takes less than 0.1 ms.
SHORT = {"tasks/reminders.py", *(f"recurrence/{name}.py" for name in RULES)}


def is_of_transactions(frame: FrameType) -> bool:
    """Whether this function of the application belongs between statements."""
    file = Path(frame.f_code.co_filename)
    in_database = file.is_relative_to(ROOT / "db") or file.name in ("repository.py", "errors.py")
    is_write = "write" in frame.f_code.co_qualname.split(".")  # called by idempotency.once
    return in_database or is_write or _module(frame) in DECISIONS | SHORT


def _module(frame: FrameType) -> str:
    file = Path(frame.f_code.co_filename)
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else ""


def _is_work(function: Any) -> bool:
    return str(function.__module__).partition(".")[0] in WORK


@contextmanager
def recording() -> Iterator[set[str]]:
    """What this thread calls between statements, apart from `is_of_transactions`."""
    called: set[str] = set()

    def record(frame: FrameType, event: str, argument: Any) -> None:
        if db._database.thread.connection is None:
            return
        if event == "call" and Path(frame.f_code.co_filename).is_relative_to(ROOT):
            if not is_of_transactions(frame):
                called.add(frame.f_code.co_qualname)
        elif event == "c_call" and _module(frame) not in SHORT and _is_work(argument):
            called.add(f"{argument.__module__}.{argument.__name__}")

    sys.setprofile(record)
    try:
        yield called
    finally:
        sys.setprofile(None)


def make_every_write(user: ApiUser) -> None:
    """Calls each route that writes, most of them with an Idempotency-Key."""
    keys = ({"Idempotency-Key": f"key {number}", "If-Match": "*"} for number in range(100))
    fields = {"title": TEXT, "description": TEXT}
    task = f"/{data(user.post(json=fields, headers=next(keys)))['id']}"
    for _ in range(2):
        assert user.post(json=fields, headers={"Idempotency-Key": "again"}).status_code == 201
    for method in ("PUT", "PATCH"):
        changed = {"title": f"{TEXT} {method}"}
        path = f"/api/me/tasks{task}"
        assert user.call(method, path, json=changed, headers=next(keys)).status_code == 200
    assert user.patch(f"{task}/complete", headers=next(keys)).status_code == 200
    assert user.delete(task, headers=next(keys)).status_code == 200
    assert user.post(f"{task}/restore", headers=next(keys)).status_code == 200
    create, update = {"op": "create", **fields}, {"op": "update", "id": task[1:], "title": TEXT}
    delete = {"op": "delete", "id": task[1:]}
    make_every_write_of_planning(user, task, keys)
    assert user.batch(create, update, delete, headers=next(keys)).status_code == 200
    assert user.batch(create).status_code == 200
    assert user.delete(task, headers=next(keys)).status_code == 404
    credentials = {"email": user.email, "password": PASSWORD}
    session = data(user.client.post("/api/auth/login", json=credentials))
    token = {"refresh_token": session["refresh_token"]}
    session = data(user.client.post("/api/auth/refresh", json=token))
    token = {"refresh_token": session["refresh_token"]}
    assert user.call("DELETE", f"/api/auth/tokens/{make_token(user).id}").status_code == 200
    other = data(user.call("GET", "/api/auth/sessions"))[0]["id"]
    assert user.call("DELETE", f"/api/auth/sessions/{other}").status_code == 200
    assert user.client.post("/api/auth/logout", json=token).status_code == 200
    change = {"current_password": PASSWORD, "new_password": f"{PASSWORD} {TEXT}"}
    assert user.call("PUT", "/api/auth/password", json=change).status_code == 200
    body = {"password": change["new_password"]}
    assert user.call("DELETE", "/api/auth/me", json=body).status_code == 200


def make_every_write_of_links(user: ApiUser, postbox: Postbox) -> None:
    """Calls the routes of mailed links, and the jobs of the worker that mail them."""

    def take(path: str, body: dict[str, str], status: int = 200) -> None:
        answer = user.call("POST", f"/api/auth/{path}", json=body)
        assert answer.status_code == status, answer.text

    take("verification", {}, 202)
    take("verification/confirm", {"token": postbox.token()})
    take("email", {"email": "another@example.com", "password": PASSWORD}, 202)
    take("email/confirm", {"token": postbox.token()})
    postbox.collect()
    take("reset", {"email": "another@example.com"}, 202)
    take("reset/confirm", {"token": postbox.token(), "new_password": f"{PASSWORD} {TEXT}"})


def make_every_write_of_planning(user: ApiUser, task: str, keys: Iterator[dict[str, str]]) -> None:
    """Calls the routes of lists, labels and filters, and those of tasks among others."""
    bodies = {
        "lists": {"title": TEXT, "description": TEXT},
        "labels": {"name": TEXT, "color": "#AABBCC"},
        "filters": {"title": TEXT, "query": f'title = "{TEXT}" and due < +7d'},
    }

    def call(method: str, path: str, body: object = None) -> Any:
        sent = {} if body is None else {"json": body}
        answer = user.call(method, f"/api/me/{path}", headers=next(keys), **sent)
        assert answer.status_code in (200, 201), answer.text
        return data(answer)

    for kind, body in bodies.items():
        item = f"{kind}/{call('POST', kind, body)['id']}"
        call("PUT", item, body)
        call("PATCH", item, {name: f"{TEXT}!" for name in ("name", "title") if name in body})
        call("POST", f"{item}/move", {"after": None})
        for action in ("archive", "unarchive") if kind == "lists" else ():
            call("POST", f"{item}/{action}")
        call("DELETE", item)
        call("POST", f"{item}/restore")
    planned = {"due": "2026-10-25T02:30", "start": "2026-10-07", "labels": [TEXT, "ß"]}
    call("PATCH", f"tasks{task}", planned)
    call("POST", "tasks", {"title": TEXT, "parent_id": task[1:], **planned})
    call("POST", f"tasks{task}/move", {"before": None})
    call("PATCH", f"tasks{task}/complete")
    day = "2037-01-31"
    series = {"title": TEXT, "due": day, "recurrence": "FREQ=MONTHLY", "reminders": [before()]}
    path = f"tasks/{call('POST', 'tasks', series)['id']}"
    due = call("PATCH", f"{path}/complete", {"is_completed": True, "occurrence": day})["due"]
    call("POST", f"{path}/skip", {"occurrence": due})
    zone = {"time_zone": "Europe/Madrid", "reminder_time": "08:30"}
    assert user.call("PATCH", "/api/auth/me", json=zone).status_code == 200


def make_every_write_of_webhooks(user: ApiUser) -> None:
    """Calls the routes of webhooks."""
    path = "/api/me/webhooks"
    body = {"url": "https://1.1.1.1/", "types": ["task.created"]}
    webhook = f"{path}/{data(user.call('POST', path, json=body))['id']}"
    answers = [
        user.call("PATCH", webhook, json={"enabled": False}),
        user.call("POST", f"{webhook}/replay", json={"since": 0}),
        user.call("POST", f"{webhook}/rotate"),
        user.call("DELETE", webhook),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4


def make_every_write_of_feeds(user: ApiUser) -> None:
    """Calls the routes of feeds."""
    feed = make_feed(user)
    assert user.call("DELETE", f"/api/me/feeds/{feed['id']}").status_code == 200


def make_every_write_of_imports(user: ApiUser) -> None:
    """Calls the routes of imports."""
    answer = user.call("POST", "/api/me/imports?source=csv", data="title\na")
    assert answer.status_code == 202
    assert user.call("DELETE", answer.headers["Location"]).status_code == 200


def make_every_write_of_second_factors(user: ApiUser) -> None:
    """Calls the routes of the second factor."""
    factor = switch_on(user)
    body = {"password": PASSWORD, "code": factor.recovery_codes[0]}
    assert user.call("DELETE", "/api/auth/second-factor", json=body).status_code == 200


@pytest.mark.proves("OPS-44")
def test_between_the_statements_of_a_transaction_nothing_else_runs(app: Flask) -> None:
    called: set[tuple[str, str]] = set()

    @app.before_request
    def note() -> None:
        request = current_request()
        called.add((request.endpoint or "", request.method))

    with recording() as between:
        make_every_write(register(app.test_client(), "alice@example.com"))
        with mail_server() as server:
            make_every_write_of_links(register(app.test_client()), Postbox(*server))
        other = register(app.test_client())
        make_every_write_of_webhooks(other)
        make_every_write_of_feeds(other)
        make_every_write_of_imports(other)
        make_every_write_of_second_factors(other)
        Assistant(other).call("create_task", title=TEXT)
    writing = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
    }
    assert writing - called == set()
    assert between == set()


@pytest.mark.proves("OPS-44")
def test_work_between_statements_is_noticed(
    alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(row: Any) -> Any:
        fold(TEXT)
        return changed(row)

    changed = repository.changed
    monkeypatch.setattr(repository, "changed", late)
    with recording() as between:
        alice.batch({"op": "create", "title": "a"})
    assert {"fold", "unicodedata.normalize"} <= between
