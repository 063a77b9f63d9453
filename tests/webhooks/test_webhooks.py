"""Webhooks through the API: what their owner may say of them, and sees."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from cryptography.exceptions import InvalidTag

from app.values import Uuid
from app.webhooks.schemas import TYPES
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.planning import make
from tests.support.services import FlaskCommand
from tests.support.tokens import make_token
from tests.support.webhooks import hook, read

URL = "https://1.1.1.1/hook"


def post(user: ApiUser, path: str, body: Any = None, **headers: str) -> Any:
    """Sends a POST below /webhooks."""
    return user.call("POST", f"/api/me/webhooks{path}", json=body, headers=headers)


@pytest.mark.proves("HOOK-14")
def test_a_webhook_is_shown_without_its_secret_but_at_its_creation(alice: ApiUser) -> None:
    answer = post(alice, "", {"url": URL, "types": ["task.completed", "task.created"]})
    made = data(answer)
    assert answer.headers["Location"] == f"/api/me/webhooks/{made['id']}"
    assert made.pop("secret").startswith("whsec_")
    assert made["types"] == ["task.created", "task.completed"]
    assert (made["enabled"], made["list_id"], made["failures"]) == (True, None, 0)
    assert data(alice.call("GET", "/api/me/webhooks")) == [made]
    assert read(alice, made) == made


@pytest.mark.proves("HOOK-14")
@pytest.mark.parametrize(
    ("fields", "broken"),
    [
        ({}, ["url"]),
        ({"url": 1}, ["url"]),
        ({"url": "x" * 2049}, ["url"]),
        ({"url": URL, "types": []}, ["types"]),
        ({"url": URL, "types": ["task.created", "task.created"]}, ["types"]),
        ({"url": URL, "types": ["task.exploded"]}, ["types"]),
        ({"url": URL, "types": "task.created"}, ["types"]),
        ({"url": URL, "list_id": "none"}, ["list_id"]),
        ({"url": URL, "list_id": str(uuid4())}, ["list_id"]),
        ({"url": URL, "secret": "whsec_mine"}, ["secret"]),
        ({"url": URL, "enabled": False}, ["enabled"]),
    ],
)
def test_a_body_that_breaks_a_rule_names_the_field(
    alice: ApiUser, fields: dict[str, Any], broken: list[str]
) -> None:
    assert broken_fields(post(alice, "", fields)) == broken


@pytest.mark.proves("HOOK-14")
def test_a_change_keeps_what_it_does_not_name(alice: ApiUser) -> None:
    home = make(alice, "lists", title="Home")
    made = hook(alice, URL, types=list(TYPES), list_id=home["id"])
    path = f"/api/me/webhooks/{made['id']}"
    for fields in ({"url": "https://8.8.8.8/"}, {"types": None}, {"list_id": None}):
        before = read(alice, made)
        changed = data(alice.call("PATCH", path, json=fields))
        assert changed == {**before, **fields, "updated_at": changed["updated_at"]}
    disabled = data(alice.call("PATCH", path, json={"enabled": False}))
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "owner")
    enabled = data(alice.call("PATCH", path, json={"enabled": True}))
    assert (enabled["disabled_at"], enabled["disabled_reason"]) == (None, None)
    assert broken_fields(alice.call("PATCH", path, json={})) == [""]
    assert data(alice.call("DELETE", path)) is None
    assert error(alice.call("DELETE", path)) == (404, "NOT_FOUND")
    assert error(alice.call("GET", path)) == (404, "NOT_FOUND")


@pytest.mark.proves("HOOK-14")
def test_an_account_has_up_to_50_webhooks(alice: ApiUser, superuser: psycopg.Connection) -> None:
    superuser.execute(
        "INSERT INTO webhooks (owner_id, id, url, secret, delivered_version)"
        " SELECT %s, gen_random_uuid(), 'https://1.1.1.1/', '', 0 FROM generate_series(1, 49)",
        (alice.id,),
    )
    made = hook(alice, URL)
    assert broken_fields(post(alice, "", {"url": URL})) == [""]
    alice.call("DELETE", f"/api/me/webhooks/{made['id']}")
    hook(alice, URL)


@pytest.mark.proves("HOOK-7")
def test_secrets_are_encrypted_in_the_database_and_in_what_a_retry_gets(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    key = {"Idempotency-Key": "k1"}
    first, again = (post(alice, "", {"url": URL}, **key) for _ in range(2))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert data(again) == data(first)
    path = f"/{data(first)['id']}/rotate"
    rotated, once_more = (data(post(alice, path, **{"Idempotency-Key": "k2"})) for _ in range(2))
    assert rotated == once_more
    assert len(data(alice.call("GET", "/api/me/webhooks"))) == 1
    stored = superuser.execute(
        "SELECT webhooks::text || encode(secret, 'escape') FROM webhooks"
        " UNION ALL SELECT idempotency_keys::text FROM idempotency_keys"
    ).fetchall()
    assert len(stored) == 3
    for secret in (data(first)["secret"], rotated["secret"]):
        assert all(secret.removeprefix("whsec_") not in text for (text,) in stored)
        assert all(secret.removeprefix("whsec_").encode().hex() not in text for (text,) in stored)


@pytest.mark.proves("HOOK-7")
def test_a_sealed_secret_of_one_webhook_is_of_no_use_to_another(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    made, other = hook(alice, URL), hook(alice, URL)
    secrets = alice.client.application.extensions["webhook_secrets"]
    row = superuser.execute("SELECT secret FROM webhooks WHERE id = %s", (made["id"],)).fetchone()
    assert row is not None
    assert secrets.open(Uuid(alice.id), made["id"], row[0]) == made["secret"]
    with pytest.raises(InvalidTag):
        secrets.open(Uuid(alice.id), other["id"], row[0])


@pytest.mark.proves("HOOK-16")
def test_a_token_needs_the_scope_webhooks(alice: ApiUser) -> None:
    tasks = make_token(alice, "tasks:read", "tasks:write").user
    assert error(post(tasks, "", {"url": URL})) == (403, "INSUFFICIENT_SCOPE")
    user = make_token(alice, "webhooks").user
    made = hook(user, URL)
    assert read(user, made)["id"] == made["id"]
    assert error(user.get()) == (403, "INSUFFICIENT_SCOPE")


@pytest.mark.proves("HOOK-14")
def test_a_webhook_takes_no_version_and_is_in_no_feed(alice: ApiUser) -> None:
    task = alice.create()
    hook(alice, URL)
    assert [each["version"] for each in data(alice.changes())] == [task["version"]]
    assert alice.create()["version"] == task["version"] + 1


@pytest.mark.proves("HOOK-14")
def test_a_webhook_ends_with_its_list(alice: ApiUser, superuser: psycopg.Connection) -> None:
    home = make(alice, "lists", title="Home")
    hook(alice, URL, list_id=home["id"])
    superuser.execute("DELETE FROM lists WHERE owner_id = %s", (alice.id,))
    assert data(alice.call("GET", "/api/me/webhooks")) == []


@pytest.mark.proves("HOOK-15")
def test_the_operator_lists_webhooks_and_disables_them_for_good(
    alice: ApiUser, flask: FlaskCommand, superuser: psycopg.Connection
) -> None:
    made = hook(alice, "https://1.1.1.1/secret-path")
    alice.create()
    listed = flask("webhooks", "list").output
    assert made["id"] in listed
    assert alice.id in listed
    assert "https://1.1.1.1" in listed
    assert "secret-path" not in listed
    assert flask("webhooks", "list", "--troubled").output == ""
    assert "ok    webhooks: none fails" in flask("doctor").output
    superuser.execute("UPDATE webhooks SET failures = 1")
    assert "note  webhooks: 1 fail, 0 are disabled" in flask("doctor").output
    assert flask("webhooks", "disable", alice.id, made["id"]).output == "disabled\n"
    assert "disabled (operator)" in flask("webhooks", "list", "--troubled").output
    path = f"/api/me/webhooks/{made['id']}"
    assert broken_fields(alice.call("PATCH", path, json={"enabled": True})) == ["enabled"]
    assert flask("webhooks", "enable", alice.id, made["id"]).output == "enabled\n"
    assert read(alice, made)["enabled"]
    missing = flask("webhooks", "enable", alice.id, str(uuid4()))
    assert missing.exit_code == 1
    assert flask("webhooks", "enable", alice.id, "none").exit_code == 1
