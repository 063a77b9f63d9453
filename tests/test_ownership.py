"""No route gives access to, or information about, another user's resources."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.support.api_user import PASSWORD, ApiUser, data, error

NOBODY = "00000000-0000-4000-8000-000000000000"
BODIES: dict[str, Any] = {
    "tasks.create_task": {"title": "theirs"},
    "tasks.update_task": {"title": "theirs", "description": None, "is_completed": True},
    "kinds.apply_batch": {"operations": [{"op": "create", "title": "theirs"}]},
}


def rules(app: Flask, argument: str) -> list[tuple[Rule, str]]:
    """Each method of each URL rule with that argument in its path."""
    found = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
        if argument in rule.arguments
    ]
    assert len(found) > 5
    return found


def send(user: ApiUser, rule: Rule, method: str, **arguments: str) -> TestResponse:
    path = address(user.client.application, rule, arguments)
    headers = {"X-Request-Id": "same"}
    body = BODIES.get(rule.endpoint) if method not in ("GET", "HEAD") else None
    return user.call(method, path, headers=headers, json=body)


def address(app: Flask, rule: Rule, arguments: Mapping[str, Any]) -> str:
    with app.test_request_context():
        return app.url_for(rule.endpoint, **arguments)


def visible(answer: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """Everything that a client can see of a response."""
    return answer.status, list(answer.headers), answer.data


def rows(database_url: str) -> list[Any]:
    """All rows about items."""
    with psycopg.connect(database_url) as connection:
        return [
            connection.execute(f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY 1").fetchall()
            for table in ("tasks", "ledger_entries", "ledgers", "idempotency_keys")
        ]


@pytest.fixture
def theirs(bob: ApiUser) -> dict[str, str]:
    """The ids of Bob's tasks: one active, one in the trash."""
    trashed = bob.create("in the trash")
    bob.delete(f"/{trashed['id']}")
    return {"a task": bob.create("private")["id"], "one in the trash": trashed["id"]}


@pytest.mark.proves("OWN-2")
@pytest.mark.parametrize("which", ["a task", "one in the trash"])
def test_a_stranger_cannot_tell_a_foreign_task_from_a_missing_one(
    app: Flask, alice: ApiUser, bob: ApiUser, theirs: dict[str, str], database_url: str, which: str
) -> None:
    before = rows(database_url)
    for rule, method in rules(app, "task_id"):
        foreign = send(alice, rule, method, user_id="me", task_id=theirs[which])
        missing = send(alice, rule, method, user_id="me", task_id=str(uuid4()))
        assert visible(foreign) == visible(missing), f"{method} {rule}"
        assert foreign.status_code == 404, f"{method} {rule}"
    assert rows(database_url) == before
    assert data(bob.get(f"/{theirs['a task']}"))["title"] == "private"


@pytest.mark.proves("OWN-1")
def test_another_users_path_is_403_whether_or_not_the_user_exists(
    app: Flask, alice: ApiUser, bob: ApiUser, theirs: dict[str, str], database_url: str
) -> None:
    before = rows(database_url)
    for rule, method in rules(app, "user_id"):
        arguments = {"task_id": theirs["a task"]} if "task_id" in rule.arguments else {}
        existing = send(alice, rule, method, user_id=bob.id, **arguments)
        missing = send(alice, rule, method, user_id=NOBODY, **arguments)
        assert visible(existing) == visible(missing), f"{method} {rule}"
        assert existing.status_code == 403, f"{method} {rule}"
    assert rows(database_url) == before


@pytest.mark.proves("OWN-1")
def test_me_and_the_own_id_are_the_same_user(alice: ApiUser) -> None:
    task = alice.create()
    for user in ("me", alice.id):
        assert data(alice.call("GET", f"/api/{user}/tasks")) == [task]
        assert data(alice.call("GET", f"/api/{user}/tasks/{task['id']}")) == task


@pytest.mark.proves("OWN-1")
@pytest.mark.parametrize("user", ["ME", "Me", "self", "0", "%00", "null", "*", "me%20", "..%2Fme"])
def test_no_other_alias_of_a_user_is_accepted(alice: ApiUser, user: str) -> None:
    assert error(alice.call("GET", f"/api/{user}/tasks")) == (404, "NOT_FOUND")


def test_the_own_id_in_a_noncanonical_form_is_404(alice: ApiUser) -> None:
    for spelling in (alice.id.upper(), alice.id.replace("-", ""), f"{{{alice.id}}}"):
        if spelling != alice.id:
            assert error(alice.call("GET", f"/api/{spelling}/tasks"))[0] == 404


@pytest.mark.proves("OWN-1")
def test_every_user_route_is_401_without_a_valid_token(
    app: Flask, alice: ApiUser, theirs: dict[str, str]
) -> None:
    for rule, method in rules(app, "user_id"):
        for token in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic YTpi"}):
            arguments = {"task_id": theirs["a task"]} if "task_id" in rule.arguments else {}
            path = address(app, rule, {"user_id": alice.id, **arguments})
            answer = alice.client.open(path, method=method, headers=token)
            assert answer.status_code == 401, f"{method} {rule}"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert ("invalid_token" in answer.headers["WWW-Authenticate"]) == bool(token)


def test_a_token_is_accepted_in_the_authorization_header_only(alice: ApiUser) -> None:
    token = alice.access_token
    for where in (
        {"query_string": {"access_token": token}},
        {"headers": {"Cookie": f"access_token={token}"}},
        {"headers": {"X-Access-Token": token}},
        {"data": {"access_token": token}},
    ):
        assert error(alice.client.get("/api/me/tasks", **where)) == (401, "UNAUTHENTICATED")


@pytest.mark.proves("OWN-7")
def test_a_body_cannot_set_the_owner_of_a_task(alice: ApiUser, bob: ApiUser) -> None:
    task = alice.create()
    for body in ({"title": "x", "owner_id": bob.id}, {"title": "x", "user_id": bob.id}):
        assert error(alice.post(json=body))[0] == 422
        assert error(alice.patch(f"/{task['id']}", json=body))[0] == 422
    assert data(bob.get()) == []


@pytest.mark.proves("OWN-3")
def test_lists_searches_feeds_and_exports_contain_own_items_only(
    alice: ApiUser, bob: ApiUser
) -> None:
    mine, other = alice.create("shared words"), bob.create("shared words")
    for user, own in ((alice, mine), (bob, other)):
        for query in ("", "?q=shared", "?sort=title", "?is_completed=false"):
            assert data(user.get(query)) == [own]
        for query in ("", "kind=task"):
            entries = data(user.changes(query=query))
            assert [entry["item"] for entry in entries] == [own]
        assert user.export().get_json() == {"tasks": [own]}


def test_an_idempotency_key_of_another_user_replays_nothing(alice: ApiUser, bob: ApiUser) -> None:
    key = {"Idempotency-Key": "one"}
    mine = alice.post(json={"title": "a"}, headers=key)
    other = bob.post(json={"title": "a"}, headers=key)
    assert "Idempotent-Replayed" not in other.headers
    assert data(other)["owner_id"] == bob.id
    assert data(mine)["id"] != data(other)["id"]


@pytest.mark.proves("TASK-20")
def test_writes_of_one_user_do_not_change_the_version_of_another(
    alice: ApiUser, bob: ApiUser
) -> None:
    for _ in range(3):
        alice.create()
    assert bob.create()["version"] == 1
    assert bob.get(headers={"If-None-Match": '"1"'}).status_code == 304


@pytest.mark.proves("OWN-7")
def test_no_response_contains_a_password_hash(alice: ApiUser, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT password_hash FROM credentials").fetchone()
    assert row is not None
    me = alice.call("GET", "/api/auth/me")
    assert list(data(me)) == ["id", "email", "created_at", "updated_at"]
    body = {"email": alice.email, "password": PASSWORD}
    for answer in (
        me,
        alice.client.post("/api/auth/register", json=body),
        alice.client.post("/api/auth/login", json=body),
        alice.call("GET", "/api/auth/sessions"),
        alice.get(),
    ):
        assert row[0] not in answer.text
