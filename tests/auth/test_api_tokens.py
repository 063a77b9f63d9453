"""API tokens: shown once, stored as a hash, expiring, and ended like sessions."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask import Flask

from app import create_app, db
from app.auth.api_tokens import is_well_formed, new_token
from app.auth.ended_sessions import RETENTION
from app.config import Config
from app.values import Uuid
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.auth_rows import count, dump, run
from tests.support.items import Items
from tests.support.processes import until
from tests.support.services import FlaskCommand, free_port
from tests.support.tokens import READ, WRITE, Token, listed, make_token

FORM = re.compile("own_[0-9A-Za-z]{49}")
HOUR = timedelta(hours=1)


def create(user: ApiUser, **changes: Any) -> Any:
    body = {"name": "a script", "scopes": [READ], **changes}
    return user.call("POST", "/api/auth/tokens", json=body)


def in_hours(hours: float) -> str:
    return (datetime.now(UTC) + hours * HOUR).isoformat(timespec="seconds")


def is_refused(user: ApiUser) -> bool:
    answer = user.get()
    is_invalid = answer.headers.get("WWW-Authenticate") == 'Bearer error="invalid_token"'
    return is_invalid and error(answer) == (401, "UNAUTHENTICATED")


# --- the token ----------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-82")
def test_a_token_is_shown_once_and_stored_as_a_hash(alice: ApiUser, database_url: str) -> None:
    answer = create(alice, name="  a script ", scopes=[WRITE, READ])
    made = data(answer)
    token = made.pop("token")
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert FORM.fullmatch(token)
    assert made == {
        "id": made["id"],
        "name": "a script",
        "scopes": [READ, WRITE],
        "created_at": made["created_at"],
        "expires_at": None,
        "last_used_at": None,
    }
    assert listed(alice) == [made]
    for stored in (token, token[4:47]):
        assert stored not in dump(database_url)
    ((is_hash,),) = run(
        database_url,
        "SELECT token_hash = sha256(%(token)s::bytea) FROM api_tokens",
        token=token.encode(),
    )
    assert is_hash


@pytest.mark.proves("AUTH-82")
def test_the_newest_token_is_listed_first_and_to_its_owner_only(
    alice: ApiUser, bob: ApiUser
) -> None:
    tokens = [make_token(alice, READ, name=name) for name in "abc"]
    assert [each["id"] for each in listed(alice)] == [each.id for each in reversed(tokens)]
    assert listed(bob) == []
    assert error(bob.call("DELETE", f"/api/auth/tokens/{tokens[0].id}")) == (404, "NOT_FOUND")
    assert tokens[0].user.get().status_code == 200


@pytest.mark.proves("AUTH-82")
def test_tokens_are_of_one_form_and_none_is_made_twice() -> None:
    made = {new_token() for _ in range(1000)}
    assert len(made) == 1000
    assert all(map(is_well_formed, made))


@pytest.mark.proves("AUTH-83")
def test_a_typing_error_is_refused_without_the_database(alice: ApiUser, config: Config) -> None:
    token = make_token(alice, READ).text
    swapped = token[:20] + token[20:22][::-1] + token[22:]
    mistyped = [
        token[:-1],
        token + "0",
        token.upper(),
        token.replace("own_", "own-"),
        *(token[:place] + ("x" if token[place] != "x" else "y") + token[place + 1 :]
          for place in range(4, len(token))),
        *([swapped] if swapped != token else []),
        "own_",
        "own_" + "é" * 49,
    ]  # fmt: skip
    assert alice.get().status_code == 200  # the list of ended sessions is fresh for a second
    db.configure(replace(config, database_url=f"postgresql://127.0.0.1:{free_port()}/away"))
    for text in mistyped:
        assert is_refused(replace(alice, access_token=text)), text
    assert error(replace(alice, access_token=new_token()).get()) == (503, "UNAVAILABLE")


@pytest.mark.proves("AUTH-83")
def test_a_token_that_was_never_made_is_refused(alice: ApiUser) -> None:
    assert is_refused(replace(alice, access_token=new_token()))


@pytest.mark.proves("AUTH-82")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scopes", []),
        ("scopes", ["tasks:admin"]),
        ("scopes", [READ, "tasks"]),
        ("scopes", [READ, READ]),
        ("scopes", [READ, 1]),
        ("scopes", [[READ]]),
        ("scopes", READ),
        ("scopes", {READ: True}),
        ("scopes", None),
        ("name", ""),
        ("name", " "),
        ("name", "x" * 101),
        ("name", None),
        ("name", "a\x00"),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "2200-01-01T00:00:00Z"),
        ("expires_at", "2027-01-01"),
        ("expires_at", 1_900_000_000),
        ("owner_id", "x"),
        ("token", "own_"),
    ],
)
def test_what_is_no_token_is_refused(alice: ApiUser, field: str, value: Any) -> None:
    assert broken_fields(create(alice, **{field: value})) == [field]
    assert listed(alice) == []


@pytest.mark.proves("AUTH-82")
def test_name_and_scopes_are_required(alice: ApiUser) -> None:
    answer = alice.call("POST", "/api/auth/tokens", json={})
    assert sorted(broken_fields(answer)) == ["name", "scopes"]


# --- expiry -------------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-86")
def test_a_token_is_valid_until_it_expires(alice: ApiUser, database_url: str) -> None:
    token = make_token(alice, READ, expires_at=in_hours(1))
    soon = datetime.now(UTC) + timedelta(seconds=1)
    run(database_url, "UPDATE api_tokens SET expires_at = %(soon)s", soon=soon)
    assert token.user.get().status_code == 200
    until(lambda: datetime.now(UTC) > soon)
    assert is_refused(token.user)
    assert is_refused(token.user)


@pytest.mark.proves("AUTH-86")
def test_an_expired_token_is_not_listed_and_goes_when_the_next_one_is_made(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    for user in (alice, bob):
        make_token(user, READ, expires_at=in_hours(1))
    run(database_url, "UPDATE api_tokens SET expires_at = now() - interval '1 day'")
    assert listed(alice) == []
    kept = make_token(alice, READ)
    assert [each["id"] for each in listed(alice)] == [kept.id]
    assert count(database_url, "api_tokens WHERE owner_id = %(id)s", id=alice.id) == 1
    assert count(database_url, "sessions WHERE owner_id = %(id)s", id=alice.id) == 2
    assert count(database_url, "api_tokens WHERE owner_id = %(id)s", id=bob.id) == 1


@pytest.mark.proves("AUTH-86")
@pytest.mark.parametrize("offset", ["Z", "+00:00", "-11:00", "+14:00"])
def test_an_instant_of_expiry_is_shown_in_utc(alice: ApiUser, offset: str) -> None:
    given = f"2190-06-30T12:00:00.5{offset}"
    shown = data(create(alice, expires_at=given))["expires_at"]
    assert datetime.fromisoformat(shown) == datetime.fromisoformat(given)
    assert shown.endswith("Z")


# --- its end ------------------------------------------------------------------------------------


def change_password(user: ApiUser) -> Any:
    body = {"current_password": PASSWORD, "new_password": "other quiet rivers"}
    return user.call("PUT", "/api/auth/password", json=body)


def erase(user: ApiUser) -> Any:
    return user.call("DELETE", "/api/auth/me", json={"password": PASSWORD})


@pytest.mark.proves("AUTH-87")
def test_a_token_that_was_ended_is_refused_and_can_not_be_ended_again(alice: ApiUser) -> None:
    token, other = make_token(alice, READ), make_token(alice, READ)
    assert token.user.get().status_code == 200
    ended = alice.call("DELETE", f"/api/auth/tokens/{token.id}")
    assert (ended.status_code, data(ended)) == (200, None)
    until(lambda: is_refused(token.user), 2)
    assert other.user.get().status_code == 200
    assert [each["id"] for each in listed(alice)] == [other.id]
    again = alice.call("DELETE", f"/api/auth/tokens/{token.id}")
    assert error(again) == (404, "NOT_FOUND")
    for unknown in (str(uuid4()), other.id.upper(), "x"):
        assert error(alice.call("DELETE", f"/api/auth/tokens/{unknown}"))[0] == 404


@pytest.mark.proves("AUTH-87")
@pytest.mark.parametrize("end", [change_password, erase])
def test_a_change_of_password_and_an_erasure_end_every_token(
    alice: ApiUser, bob: ApiUser, database_url: str, end: Callable[[ApiUser], Any]
) -> None:
    tokens = [make_token(alice, READ), make_token(alice, WRITE)]
    foreign = make_token(bob, READ)
    assert end(alice).status_code == 200
    until(lambda: all(is_refused(each.user) for each in tokens), 2)
    assert count(database_url, "api_tokens") == 1
    assert foreign.user.get().status_code == 200


@pytest.mark.proves("AUTH-87")
@pytest.mark.parametrize("command", ["disable", "end-sessions"])
def test_an_operator_ends_tokens_with_the_sessions(
    alice: ApiUser, flask: FlaskCommand, command: str
) -> None:
    token = make_token(alice, READ)
    assert token.user.get().status_code == 200
    assert "2 sessions ended" in flask("users", command, alice.email).output
    until(lambda: is_refused(token.user), 2)
    flask("users", "enable", alice.email)
    assert is_refused(token.user)


@pytest.mark.proves("AUTH-87")
def test_logins_and_logouts_leave_tokens_alone(alice: ApiUser, database_url: str) -> None:
    token = make_token(alice, READ)
    run(
        database_url,
        "UPDATE sessions SET created_at = now() - interval '1 year',"
        " last_used_at = now() - interval '1 year' WHERE kind = 'token'",
    )
    credentials = {"email": alice.email, "password": PASSWORD}
    assert alice.client.post("/api/auth/login", json=credentials).status_code == 200
    alice.client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
    assert token.user.get().status_code == 200
    assert count(database_url, "api_tokens") == 1


@pytest.mark.proves("AUTH-87")
def test_a_token_is_no_session_that_the_api_shows_or_ends(alice: ApiUser) -> None:
    token = make_token(alice, READ)
    (session,) = data(alice.call("GET", "/api/auth/sessions"))
    assert session["id"] != token.id
    assert error(alice.call("DELETE", f"/api/auth/sessions/{token.id}")) == (404, "NOT_FOUND")
    assert error(alice.call("DELETE", f"/api/auth/tokens/{session['id']}")) == (404, "NOT_FOUND")
    assert token.user.get().status_code == 200
    assert alice.get().status_code == 200


@pytest.mark.proves("AUTH-87", "AUTH-80")
def test_an_access_token_for_the_session_of_an_api_token_is_refused(
    alice: ApiUser, app: Flask
) -> None:
    """As one who has stolen the signing key could make it, to go beyond the scopes."""
    token = make_token(alice, READ)
    forged = app.extensions["access_tokens"].issue(Uuid(alice.id), Uuid(token.id))
    assert is_refused(replace(alice, access_token=forged))


@pytest.mark.proves("AUTH-90")
def test_a_token_that_was_ended_stays_ended_when_its_end_is_forgotten(
    alice: ApiUser, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process forgets the end of a session after a quarter of an hour."""
    token, clock = make_token(alice, READ), time.monotonic
    assert token.user.get().status_code == 200
    alice.call("DELETE", f"/api/auth/tokens/{token.id}")
    run(
        database_url,
        "UPDATE ended_sessions SET ended_at = ended_at - make_interval(secs => %(seconds)s)",
        seconds=RETENTION + 1,
    )
    monkeypatch.setattr(time, "monotonic", lambda: clock() + RETENTION + 1)
    assert is_refused(token.user)


# --- how many -----------------------------------------------------------------------------------

ADD = """
WITH session AS (
    INSERT INTO sessions (owner_id, id, kind)
    SELECT %(owner_id)s, gen_random_uuid(), 'token' FROM generate_series(1, %(count)s)
    RETURNING owner_id, id
)

INSERT INTO api_tokens (owner_id, id, name, scopes, token_hash)
SELECT owner_id, id, 'one of many', ARRAY['tasks:read'], sha256(id::text::bytea)
FROM session
"""


@pytest.mark.proves("AUTH-88")
def test_an_account_has_at_most_a_hundred_living_tokens(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    expiring = make_token(alice, READ, expires_at=in_hours(1))
    run(database_url, ADD, owner_id=alice.id, count=99)
    answer = create(alice)
    assert error(answer) == (422, "VALIDATION_FAILED")
    assert "100" in answer.get_json()["error"]["details"][0]["message"]
    assert create(bob).status_code == 201
    run(
        database_url,
        "UPDATE api_tokens SET expires_at = now() WHERE id = %(id)s",
        id=expiring.id,
    )
    assert create(alice).status_code == 201
    assert error(create(alice))[0] == 422
    assert len(listed(alice)) == 100


@contextmanager
def uncommitted(database_url: str, user: ApiUser) -> Iterator[psycopg.Connection]:
    """The transaction of another request of the user, which the block's end commits."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT set_config('app.owner_id', %s, FALSE)", (user.id,))
        yield connection


BLOCKED = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def is_awaited(other: psycopg.Connection) -> bool:
    """Whether a request waits for the end of that transaction."""
    return other.execute(BLOCKED).fetchone() is not None


@pytest.mark.proves("AUTH-88")
def test_concurrent_requests_do_not_make_one_token_too_many(
    alice: ApiUser, database_url: str
) -> None:
    run(database_url, ADD, owner_id=alice.id, count=99)
    ((session,),) = run(database_url, "SELECT id::text FROM sessions WHERE kind = 'login'")
    with ThreadPoolExecutor(1) as threads:
        with uncommitted(database_url, alice) as other:
            owner = {"owner_id": alice.id, "session_id": session}
            other.execute(db.load("auth/lock_session").text, owner)
            other.execute(ADD.encode(), {"owner_id": alice.id, "count": 1})
            sent = threads.submit(create, alice)
            until(lambda: is_awaited(other), 2)
        assert error(sent.result()) == (422, "VALIDATION_FAILED")
    assert len(listed(alice)) == 100


@pytest.mark.proves("AUTH-87", "AUTH-88")
@pytest.mark.parametrize("change", ["change_password", "disable_user", "end_session"])
def test_no_token_is_made_beside_what_ends_its_session(
    alice: ApiUser, database_url: str, change: str
) -> None:
    """Such a token would outlive a change of the password."""
    ((session, changed_at),) = run(
        database_url, "SELECT id, changed_at FROM sessions CROSS JOIN credentials"
    )
    params = {
        "owner_id": alice.id,
        "session_id": session,
        "kind": "login",
        "kept_session_id": None,
        "new_password_hash": "hash",
        "password_changed_at": changed_at,
    }
    with ThreadPoolExecutor(1) as threads:
        with uncommitted(database_url, alice) as other:
            other.execute(db.load(f"auth/{change}").text, params)
            sent = threads.submit(create, alice)
            until(lambda: is_awaited(other), 2)
            other.execute(db.load("auth/end_sessions").text, params)
        assert error(sent.result()) == (401, "UNAUTHENTICATED")
    assert count(database_url, "sessions") == 0


@pytest.mark.proves("AUTH-88")
def test_a_session_that_has_just_ended_makes_no_token(alice: ApiUser, database_url: str) -> None:
    """Although this worker has not heard of its end yet."""
    assert alice.get().status_code == 200
    run(database_url, "DELETE FROM sessions")
    assert error(create(alice)) == (401, "UNAUTHENTICATED")
    assert count(database_url, "sessions") == 0


# --- its use ------------------------------------------------------------------------------------


def last_use(database_url: str, token: Token) -> datetime | None:
    ((at,),) = run(
        database_url, "SELECT last_used_at FROM api_tokens WHERE id = %(id)s", id=token.id
    )
    return at  # type: ignore[no-any-return]


@pytest.mark.proves("AUTH-89")
def test_the_hour_of_the_last_use_is_noted_once(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    token = make_token(alice, READ)
    assert last_use(database_url, token) is None
    began = datetime.now(UTC)
    assert token.user.get().status_code == 200
    until(lambda: last_use(database_url, token) is not None)
    noted = last_use(database_url, token)
    assert noted is not None
    assert began - HOUR < noted <= datetime.now(UTC)
    assert (noted.minute, noted.second, noted.microsecond) == (0, 0, 0)
    assert datetime.fromisoformat(listed(alice)[0]["last_used_at"]) == noted
    before = run(database_url, "SELECT xmin::text FROM api_tokens")
    other_worker = create_app(config).test_client()
    for user in (token.user, replace(token.user, client=other_worker)):
        assert user.get().status_code == 200
    db.close_pool()  # which waits for what runs in the background
    if datetime.now(UTC) < noted + HOUR:
        assert run(database_url, "SELECT xmin::text FROM api_tokens") == before


@pytest.mark.proves("AUTH-89")
def test_no_request_waits_until_its_use_is_noted(alice: ApiUser, database_url: str) -> None:
    token = make_token(alice, READ)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT set_config('app.owner_id', %s, FALSE)", (alice.id,))
        other.execute("SELECT id FROM api_tokens FOR UPDATE")
        began = time.monotonic()
        for _ in range(3):
            assert token.user.get().status_code == 200
        assert time.monotonic() - began < 0.4  # lock_timeout is 1 s
        assert last_use(database_url, token) is None


@pytest.mark.proves("AUTH-89")
def test_a_token_reads_from_a_database_that_takes_no_writes(
    alice: ApiUser, config: Config, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(alice, READ)
    read_only = "options=-c%20default_transaction_read_only%3Don"
    url = f"{config.database_url}{'&' if '?' in (config.database_url or '') else '?'}{read_only}"
    db.configure(replace(config, database_url=url))
    client = create_app(replace(config, database_url=url)).test_client()
    user = replace(token.user, client=client)
    for _ in range(3):
        assert user.get().status_code == 200
    until(lambda: "auth/note_token_use was not executed" in caplog.text)
    assert user.get().status_code == 200
    assert last_use(database_url, token) is None


@pytest.mark.proves("AUTH-91")
def test_the_ledger_names_the_token_that_made_a_change(alice: ApiUser, database_url: str) -> None:
    token = make_token(alice, WRITE)
    Items(token.user, "list").create()
    assert run(database_url, "SELECT session_id::text FROM ledger_entries") == [(token.id,)]
