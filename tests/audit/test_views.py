"""The audit trail as the auditor's role sees it."""

from collections.abc import Iterator
from typing import Any, LiteralString
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from psycopg.rows import dict_row

from app.auth import repository
from app.cli.connection import connected
from app.db import migrations
from app.values import Uuid
from tests.support.api_user import PASSWORD, ApiUser, data
from tests.support.auth_rows import run
from tests.support.databases import Postgres
from tests.support.items import KINDS, Items
from tests.support.roles import as_role
from tests.support.second_factor import switch_on
from tests.support.tokens import WRITE, make_token

pytestmark = pytest.mark.proves("OWN-8")


@pytest.fixture
def auditor(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(
        as_role(database_url, "ownrow_auditor"), autocommit=True, row_factory=dict_row
    ) as connection:
        yield connection


def fetch_rows(
    auditor: psycopg.Connection[dict[str, Any]], query: LiteralString
) -> list[dict[str, Any]]:
    return auditor.execute(query).fetchall()


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_has_its_account_session_and_request(
    alice: ApiUser, auditor: psycopg.Connection[dict[str, Any]], kind: str
) -> None:
    items = Items(alice, kind)
    body = items.fields("one")
    made = data(items.call("POST", body=body, headers={"X-Request-Id": "the-request"}))
    items.delete(made["id"])
    changes = fetch_rows(auditor, "SELECT * FROM audit_changes ORDER BY version")
    assert [(row["email"], row["action"]) for row in changes] == [
        ("alice@example.com", "create"),
        ("alice@example.com", "delete"),
    ]
    assert {row["kind"] for row in changes} == {kind}
    assert {row["item_id"] for row in changes} == {UUID(made["id"])}
    assert changes[0]["request_id"] == "the-request"
    assert changes[0]["item"][items.name] == "one"
    assert changes[0]["session_id"] is not None


def test_the_trail_has_logins_refusals_and_logouts(
    alice: ApiUser, auditor: psycopg.Connection[dict[str, Any]]
) -> None:
    wrong = {"email": alice.email, "password": "not that one"}
    assert alice.client.post("/api/auth/login", json=wrong).status_code == 401
    unknown = {"email": "nobody@example.com", "password": PASSWORD}
    assert alice.client.post("/api/auth/login", json=unknown).status_code == 401
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    events = fetch_rows(auditor, "SELECT * FROM audit_auth_events ORDER BY at")
    assert [(row["event"], row["email"]) for row in events] == [
        ("registered", alice.email),
        ("logged in", alice.email),
        ("refused", None),
        ("refused", None),
        ("session ended", alice.email),
    ]
    tried = [row["account_hash"] for row in events if row["event"] == "refused"]
    assert tried[0] != tried[1]


def test_the_trail_has_throttled_attempts(
    alice: ApiUser, auditor: psycopg.Connection[dict[str, Any]]
) -> None:
    wrong = {"email": "nobody@example.com", "password": "not that one"}
    answers = [alice.client.post("/api/auth/login", json=wrong).status_code for _ in range(8)]
    assert answers == [401] * 5 + [429] * 3
    events = fetch_rows(auditor, "SELECT event FROM audit_auth_events ORDER BY at DESC LIMIT 2")
    assert events == [{"event": "throttled"}, {"event": "refused"}]


def test_the_trail_has_changes_of_an_account_and_no_name_after_its_erasure(
    alice: ApiUser, auditor: psycopg.Connection[dict[str, Any]]
) -> None:
    new = {"current_password": PASSWORD, "new_password": "eight quiet rivers"}
    alice.call("PUT", "/api/auth/password", json=new)
    events = fetch_rows(auditor, "SELECT event, email FROM audit_auth_events ORDER BY at")
    assert [(row["event"], row["email"]) for row in events] == [
        ("registered", alice.email),
        ("logged in", alice.email),
        ("password changed", alice.email),
    ]
    alice.call("DELETE", "/api/auth/me", json={"password": "eight quiet rivers"})
    (row,) = fetch_rows(auditor, "SELECT * FROM audit_auth_events")
    assert row.pop("at") is not None
    assert row.pop("event") == "erased"
    assert set(row.values()) == {None}


@pytest.mark.proves("AUTH-91", "OWN-8")
def test_the_trail_has_api_tokens_and_what_they_changed(
    alice: ApiUser, database_url: str, auditor: psycopg.Connection[dict[str, Any]]
) -> None:
    token, expired = make_token(alice, WRITE, name="import"), make_token(alice, name="old")
    Items(token.user, "task").create("by a script")
    run(
        database_url,
        "UPDATE api_tokens SET expires_at = now() - interval '1 day' WHERE id = %(id)s",
        id=expired.id,
    )
    (row,) = fetch_rows(
        auditor,
        "SELECT sessions.kind, token_name, scopes, item ->> 'title' AS title"
        " FROM audit_changes INNER JOIN audit_open_sessions AS sessions ON session_id = id",
    )
    assert row == {
        "kind": "token", "token_name": "import", "scopes": [WRITE], "title": "by a script",
    }  # fmt: skip
    assert alice.call("DELETE", f"/api/auth/tokens/{token.id}").status_code == 200
    open_sessions = fetch_rows(auditor, "SELECT kind FROM audit_open_sessions")
    assert open_sessions == [{"kind": "login"}]
    events = fetch_rows(
        auditor,
        "SELECT event, session_id::text AS id FROM audit_auth_events ORDER BY at DESC LIMIT 3",
    )
    assert [(each["event"], each["id"]) for each in events] == [
        ("token ended", token.id),
        ("token made", expired.id),
        ("token made", token.id),
    ]


def test_open_sessions_and_rows_are_counted_per_owner(
    alice: ApiUser, bob: ApiUser, auditor: psycopg.Connection[dict[str, Any]]
) -> None:
    alice.post(json={"title": "one"})
    open_sessions = fetch_rows(auditor, "SELECT email FROM audit_open_sessions ORDER BY email")
    assert [row["email"] for row in open_sessions] == [alice.email, bob.email]
    alice.delete(f"/{alice.create('two')['id']}")
    for number, kind in enumerate(("list", "label", "filter"), 1):
        items = Items(bob, kind)
        made = [items.create()["id"] for _ in range(number + 1)]
        items.delete(made[0])
    switch_on(bob)
    rows = fetch_rows(auditor, "SELECT email, what, number FROM audit_rows_per_owner")
    assert {(row["email"], row["what"], row["number"]) for row in rows} == {
        (alice.email, "task", 1),
        (alice.email, "task in trash", 1),
        (alice.email, "ledger entry", 3),
        (bob.email, "list", 1),
        (bob.email, "list in trash", 1),
        (bob.email, "label", 2),
        (bob.email, "label in trash", 1),
        (bob.email, "filter", 3),
        (bob.email, "filter in trash", 1),
        (bob.email, "ledger entry", 12),
        (alice.email, "session", 1),
        (alice.email, "known address", 1),
        (bob.email, "session", 1),
        (bob.email, "known address", 1),
        (bob.email, "second factor", 1),
    }


@pytest.mark.usefixtures("bob")
@pytest.mark.parametrize(
    ("tampering", "first_version"),
    [
        ("UPDATE ledger_entries SET item = '{}' WHERE version = 2", 2),
        ("UPDATE ledger_entries SET at = at - interval '1 hour' WHERE version = 1", 1),
        ("DELETE FROM ledger_entries WHERE version = 2", 2),
        ("DELETE FROM ledger_entries WHERE version = 3", 3),
        ("UPDATE ledgers SET hash = sha256('x')", 3),
        ("UPDATE ledgers SET version = 4", 4),
    ],
)
def test_a_ledger_that_was_tampered_with_is_named_with_its_first_version(
    alice: ApiUser,
    database_url: str,
    auditor: psycopg.Connection[dict[str, Any]],
    tampering: LiteralString,
    first_version: int,
) -> None:
    for title in ("one", "two", "three"):
        alice.post(json={"title": title})
    assert fetch_rows(auditor, "SELECT * FROM audit_broken_ledgers") == []
    with psycopg.connect(database_url) as owner:
        owner.execute("SET ROLE ownrow_owner")
        owner.execute("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_kept")
        owner.execute("ALTER TABLE ledger_entries NO FORCE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE ledgers NO FORCE ROW LEVEL SECURITY")
        condition = " AND " if " WHERE " in tampering else " WHERE "
        owner.execute(f"{tampering}{condition}owner_id = %s", (alice.id,))
    broken = fetch_rows(auditor, "SELECT owner_id::text, first_version FROM audit_broken_ledgers")
    assert broken == [{"owner_id": alice.id, "first_version": first_version}]


@pytest.mark.usefixtures("alice")
def test_pg_stat_activity_shows_the_statements_file_and_the_kind_of_process(
    app: Flask, database_url: str, postgres: Postgres
) -> None:
    def seen() -> set[tuple[str, str]]:
        with psycopg.connect(postgres.admin_url) as connection:
            rows = connection.execute(
                "SELECT application_name, query FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend'",
                (urlsplit(database_url).path[1:],),
            ).fetchall()
        return {(name, query.partition(" */")[0]) for name, query in rows}

    assert seen() == {("ownrow web", "/* sql/auth/get_user.sql")}
    with migrations._backend(database_url):
        assert "ownrow migration" in {name for name, _ in seen()}
    with app.app_context(), connected():
        repository.enable_user(Uuid(str(UUID(int=0))))
        assert seen() == {("ownrow command", "/* sql/auth/enable_user.sql")}
