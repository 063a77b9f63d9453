"""The scopes of API tokens: every operation of the URL map with every scope."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.auth.scopes import (
    OPERATIONS,
    PUBLIC,
    SCOPES,
    SESSION,
    TASKS_ANY,
    TASKS_READ,
    TASKS_WRITE,
    suffice,
)
from tests.support.api_user import PASSWORD, ApiUser, data, error
from tests.support.tokens import ACCOUNT, ALL, READ, WRITE, Token, listed, make_token

CHALLENGE = 'Bearer error="insufficient_scope"'
READS = {"GET", "HEAD"}
# A feed shows its maker nothing that the scope does not: who may read may make and end one.
FEEDS = {"feeds.create_feed", "feeds.delete_feed"}


def operations(app: Flask) -> list[tuple[Rule, str]]:
    """Every method of every route."""
    rules = app.url_map.iter_rules()
    return [(rule, method) for rule in rules for method in (rule.methods or set()) - {"OPTIONS"}]


def send(user: ApiUser, rule: Rule, method: str) -> tuple[int, str | None, str | None]:
    """The status, code and challenge of a request without a body, about things that are missing."""
    arguments: dict[str, Any] = {
        name: "me" if name == "user_id" else str(uuid4()) for name in rule.arguments
    }
    with user.client.application.test_request_context():
        path = user.client.application.url_for(rule.endpoint, **arguments)
    answer = user.call(method, path)
    body = answer.get_json(silent=True) or {}
    code = (body.get("error") or {}).get("code")
    return answer.status_code, code, answer.headers.get("WWW-Authenticate")


@pytest.mark.proves("AUTH-84")
def test_every_operation_has_its_scope_and_no_other_has_one(app: Flask) -> None:
    endpoints = {rule.endpoint for rule, _ in operations(app)}
    assert endpoints == OPERATIONS.keys()
    assert set(OPERATIONS.values()) <= {*SCOPES, TASKS_ANY, SESSION, PUBLIC}
    for rule, method in operations(app):
        if OPERATIONS[rule.endpoint] in (TASKS_READ, TASKS_WRITE) and rule.endpoint not in FEEDS:
            wanted = TASKS_READ if method in READS else TASKS_WRITE
            assert OPERATIONS[rule.endpoint] == wanted, f"{method} {rule}"


@pytest.mark.proves("AUTH-84", "AUTH-85")
@pytest.mark.parametrize("scopes", [*((scope,) for scope in ALL), ALL], ids="+".join)
def test_a_token_may_do_what_its_scopes_say_and_nothing_else(
    app: Flask, alice: ApiUser, scopes: tuple[str, ...]
) -> None:
    user = make_token(alice, *scopes).user
    for rule, method in operations(app):
        needed, place = OPERATIONS[rule.endpoint], f"{method} {rule} {scopes}"
        status, code, challenge = send(user, rule, method)
        if needed == PUBLIC or suffice(frozenset(scopes), needed):
            assert (status not in (401, 403), challenge) == (True, None), place
        else:
            named = "" if needed == SESSION else f', scope="{needed}"'
            assert (status, challenge) == (403, CHALLENGE + named), place
            assert method == "HEAD" or code == "INSUFFICIENT_SCOPE", place
    assert alice.get().status_code == 200


@pytest.mark.proves("AUTH-84")
def test_every_operation_but_the_public_ones_needs_a_token(app: Flask, alice: ApiUser) -> None:
    nobody = replace(alice, access_token=f"own_{'0' * 49}")
    for rule, method in operations(app):
        is_refused = send(nobody, rule, method)[0] == 401
        assert is_refused == (OPERATIONS[rule.endpoint] != PUBLIC), f"{method} {rule}"


@pytest.mark.proves("AUTH-84")
def test_reading_and_writing_are_scopes_of_their_own(alice: ApiUser) -> None:
    """A refusal is never a 401, at which a client would log in again."""
    task = alice.create("kept")
    reader, writer = make_token(alice, READ).user, make_token(alice, WRITE).user
    assert data(reader.get(f"/{task['id']}")) == task
    refused = reader.patch(f"/{task['id']}", json={"title": "changed"})
    assert error(refused) == (403, "INSUFFICIENT_SCOPE")
    assert refused.headers["WWW-Authenticate"] == f'{CHALLENGE}, scope="tasks:write"'
    assert data(alice.get(f"/{task['id']}"))["title"] == "kept"
    assert writer.patch(f"/{task['id']}", json={"title": "changed"}).status_code == 200
    refused = writer.get(f"/{task['id']}")
    assert refused.headers["WWW-Authenticate"] == f'{CHALLENGE}, scope="tasks:read"'
    assert writer.batch({"op": "create", "title": "new"}).status_code == 200
    assert [entry["version"] for entry in data(reader.changes())] == [2, 3]
    assert reader.export().status_code == 200


@pytest.mark.proves("AUTH-85")
def test_a_token_with_every_scope_can_not_touch_the_account(alice: ApiUser) -> None:
    token = make_token(alice)
    other = make_token(alice)
    (session,) = data(alice.call("GET", "/api/auth/sessions"))
    new = {"name": "another", "scopes": ["tasks:read"]}
    passwords = {"current_password": PASSWORD, "new_password": "other quiet rivers"}
    for method, path, body in (
        ("POST", "/tokens", new),
        ("GET", "/tokens", None),
        ("DELETE", f"/tokens/{other.id}", None),
        ("PUT", "/password", passwords),
        ("PATCH", "/me", {"time_zone": "Asia/Tokyo"}),
        ("DELETE", "/me", {"password": PASSWORD}),
        ("GET", "/sessions", None),
        ("DELETE", f"/sessions/{session['id']}", None),
        ("DELETE", f"/sessions/{token.id}", None),
    ):
        answer = token.user.call(method, f"/api/auth{path}", json=body)
        assert error(answer) == (403, "INSUFFICIENT_SCOPE"), path
        assert answer.headers["WWW-Authenticate"] == CHALLENGE
    assert data(token.user.call("GET", "/api/auth/me"))["time_zone"] == "UTC"
    assert {each["id"] for each in listed(alice)} == {token.id, other.id}


@pytest.mark.proves("AUTH-84", "API-3")
def test_a_missing_scope_is_refused_behind_the_path_and_before_the_body(
    alice: ApiUser, bob: ApiUser
) -> None:
    token = make_token(alice, ACCOUNT).user
    assert error(token.call("GET", "/api/me/nowhere"))[0] == 404
    assert error(token.call("PATCH", "/api/me/tasks"))[0] == 405
    assert error(token.call("GET", "/api/ME/tasks"))[0] == 404
    assert error(token.call("GET", f"/api/{bob.id}/tasks")) == (403, "FORBIDDEN")
    refused = token.call("POST", "/api/me/tasks", data=b" " * 70_000)
    assert error(refused) == (403, "INSUFFICIENT_SCOPE")


def test_a_token_in_the_place_of_a_refresh_token_renews_nothing(alice: ApiUser) -> None:
    token: Token = make_token(alice)
    answer = alice.client.post("/api/auth/refresh", json={"refresh_token": token.text})
    assert error(answer) == (401, "UNAUTHENTICATED")
