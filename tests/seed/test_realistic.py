"""`flask seed --realistic`: what a person plans with, and a ledger that holds."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.seed.generator import PASSWORD
from app.tasks.dates import Dates, instants
from tests.support import services
from tests.support.api_user import ApiUser, data
from tests.support.items import Items


def seeded(app: Flask, database_url: str, tmp_path: Path, tasks: int) -> ApiUser:
    """The user of a seeded account."""
    environ = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    command = ["seed", "--realistic", "--users", "1", "--tasks", str(tasks)]
    status, output = services.flask(environ, *command)
    assert status == 0, output
    status, verified = services.flask(environ, "ledger", "verify")
    assert status == 0, verified
    (email,) = re.findall(r"one of them: (\S+),", output)
    client = app.test_client()
    session = data(client.post("/api/auth/login", json={"email": email, "password": PASSWORD}))
    tokens = session["access_token"], session["refresh_token"]
    return ApiUser(client, session["user"]["id"], email, *tokens)


def zone_of(user: ApiUser) -> str:
    return str(data(user.call("GET", "/api/auth/me"))["time_zone"])


def by_id(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in items}


def test_a_realistic_account_has_what_a_person_plans_with(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    user = seeded(app, database_url, tmp_path, 700)
    tasks = by_id(user.export().get_json()["tasks"])
    lists, labels = (Items(user, kind).listed() for kind in ("list", "label"))
    assert [each["title"] for each in lists if each["archived_at"]] == ["Move to the new flat"]
    assert len(lists) >= 5
    assert len(labels) >= 5
    shares = Counter[str]()
    for task in tasks.values():
        shares.update(
            name for name in ("list_id", "parent_id", "due", "start", "time_zone") if task[name]
        )
        shares["label_ids"] += bool(task["label_ids"])
        shares["priority"] += task["priority"] > 0
        shares["inbox"] += task["list_id"] is None
        shares["timed"] += "T" in (task["due"] or "")
        shares["is_completed"] += task["is_completed"]
    assert all(0.02 * len(tasks) < count < 0.9 * len(tasks) for count in shares.values()), shares
    assert len(shares) == 10
    bases = Counter(task["recurrence_basis"] for task in tasks.values() if task["recurrence"])
    assert bases == {"due": 2, "due_strict": 1, "completion": 1}
    assert all(task["reminders"] for task in tasks.values() if task["recurrence"])
    overdue = user.get("?overdue=true&limit=200")
    assert len(data(overdue)) > 5
    for found in Items(user, "filter").listed():
        path = f"/api/me/tasks?filter={found['query'].replace('<', '%3C').replace('+', '%2B')}"
        assert data(user.call("GET", f"{path}&sort={found['sort']}")), found


def test_realistic_tasks_keep_every_rule(app: Flask, database_url: str, tmp_path: Path) -> None:
    user = seeded(app, database_url, tmp_path, 400)
    zone = zone_of(user)
    tasks = by_id(user.export().get_json()["tasks"])
    labels = by_id(Items(user, "label").listed()).keys()
    for task in tasks.values():
        assert set(task["label_ids"]) <= labels
        assert task["label_ids"] == sorted(task["label_ids"])
        if task["parent_id"] is not None:
            parent = tasks[task["parent_id"]]
            assert parent["list_id"] == task["list_id"]
            assert not parent["is_completed"]
        dates = Dates(task["due"], task["start"], task["time_zone"])
        computed = instants(dates, zone).due_at
        expected = None if computed is None else computed.strftime("%Y-%m-%dT%H:%M:%S")
        assert (task["due_at"] or "")[:19] == (expected or "")
    with psycopg.connect(database_url) as connection:
        backwards = connection.execute(
            "SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY version) AS step"
            " FROM ledger_entries) AS steps WHERE step <= interval '0'"
        ).fetchone()
    assert backwards == (0,)


def test_realistic_items_can_be_changed_like_others(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    user = seeded(app, database_url, tmp_path, 120)
    tasks, labels = Items(user, "task"), Items(user, "label")
    open_tasks = tasks.listed("is_completed=false")
    parent = next(task["parent_id"] for task in open_tasks if task["parent_id"])
    below = tasks.listed(f"parent_id={parent}")
    tasks.change(parent, list_id=None)
    assert {each["list_id"] for each in tasks.listed(f"parent_id={parent}")} == {None}
    assert tasks.call("PATCH", f"/{parent}/complete").status_code == 200
    assert all(each["is_completed"] for each in tasks.listed(f"parent_id={parent}"))
    tasks.delete(parent)
    assert tasks.listed(f"parent_id={parent}") == []
    tasks.post(parent, "restore")
    assert len(tasks.listed(f"parent_id={parent}")) == len(below)
    label = labels.listed()[0]
    taken = labels.call("POST", body={"name": label["name"].upper()})
    assert taken.status_code == 409
    labels.delete(label["id"])
    assert all(label["id"] not in task["label_ids"] for task in tasks.listed())
    zone = user.call("PATCH", "/api/auth/me", json={"time_zone": "Pacific/Auckland"})
    assert zone.status_code == 200


@pytest.mark.parametrize("tasks", [0, 1, 251])
def test_an_account_may_have_few_tasks_or_several_batches(
    app: Flask, database_url: str, tmp_path: Path, tasks: int
) -> None:
    user = seeded(app, database_url, tmp_path, tasks)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (tasks,)
    assert len(Items(user, "filter").listed()) == 3
