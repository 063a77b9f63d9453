"""Refresh tokens: rotated at each use, with ten seconds of grace and reuse detection."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db
from app.auth import refresh_tokens
from app.auth.refresh_tokens import RefreshToken, RefreshTokens
from app.config import Config
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.auth_rows import (
    age_logins,
    age_sessions,
    age_tokens,
    buffers,
    count,
    dump,
    rows_per_table,
    run,
)
from tests.support.server import Server

DAY = 24 * 60 * 60  # seconds
GRACE = 10  # seconds


def refresh(client: FlaskClient, token: str) -> TestResponse:
    return client.post("/api/auth/refresh", json={"refresh_token": token})


def successor(client: FlaskClient, token: str) -> str:
    return str(data(refresh(client, token))["refresh_token"])


def is_logged_in(client: FlaskClient, access_token: str) -> bool:
    headers = {"Authorization": f"Bearer {access_token}"}
    return client.get("/api/auth/me", headers=headers).status_code == 200


def assert_refused(client: FlaskClient, *tokens: str) -> None:
    for token in tokens:
        assert error(refresh(client, token)) == (401, "UNAUTHENTICATED")


def test_a_refresh_gives_a_new_pair_of_the_same_session(alice: ApiUser) -> None:
    pair = data(refresh(alice.client, alice.refresh_token))
    assert pair.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    assert pair["user"]["id"] == alice.id
    assert pair["refresh_token"] != alice.refresh_token
    fresh = replace(alice, access_token=pair["access_token"])
    sessions = data(fresh.call("GET", "/api/auth/sessions"))
    assert [session["current"] for session in sessions] == [True]
    assert is_logged_in(alice.client, alice.access_token)


@pytest.mark.proves("AUTH-12")
def test_a_repeated_refresh_returns_the_same_successor_for_ten_seconds(
    alice: ApiUser, database_url: str
) -> None:
    first = successor(alice.client, alice.refresh_token)
    assert successor(alice.client, alice.refresh_token) == first
    age_tokens(database_url, GRACE - 2)
    assert successor(alice.client, alice.refresh_token) == first
    assert successor(alice.client, first) != first


@pytest.mark.proves("AUTH-12")
def test_within_the_grace_period_a_used_token_returns_the_newest_one(alice: ApiUser) -> None:
    newest = alice.refresh_token
    for _ in range(12):
        newest = successor(alice.client, newest)
    assert successor(alice.client, alice.refresh_token) == newest


@pytest.mark.proves("AUTH-11")
def test_reuse_after_the_grace_period_ends_the_session(
    alice: ApiUser, database_url: str, config: Config
) -> None:
    newest = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE + 1)
    assert_refused(alice.client, alice.refresh_token)
    assert_refused(alice.client, newest, alice.refresh_token)
    restarted = create_app(config).test_client()
    assert not is_logged_in(restarted, alice.access_token)
    assert_refused(restarted, newest, alice.refresh_token)


def test_reuse_detection_ends_only_its_own_session(alice: ApiUser, database_url: str) -> None:
    credentials = {"email": alice.email, "password": PASSWORD}
    other = data(alice.client.post("/api/auth/login", json=credentials))["refresh_token"]
    successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE + 1)
    assert_refused(alice.client, alice.refresh_token)
    successor(alice.client, other)


def test_twenty_concurrent_refreshes_leave_one_unused_successor(
    server: Server, served_database_url: str
) -> None:
    credentials = {"email": "twenty@example.com", "password": PASSWORD}
    server.request("POST", "/api/auth/register", credentials)
    token = server.request("POST", "/api/auth/login", credentials).json["data"]["refresh_token"]

    def refresh_once(_: int) -> Any:
        return server.request("POST", "/api/auth/refresh", {"refresh_token": token})

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(refresh_once, range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert len({answer.json["data"]["refresh_token"] for answer in answers}) == 1
    parsed = refresh_tokens.parse(token)
    assert parsed is not None
    stored = run(
        served_database_url,
        "SELECT token_number, used_numbers FROM sessions WHERE id = %(session_id)s",
        session_id=parsed.session_id,
    )
    assert stored == [(2, [1])]


@pytest.mark.proves("AUTH-7")
def test_a_refresh_token_lasts_30_days_unused(alice: ApiUser, database_url: str) -> None:
    age_tokens(database_url, 30 * DAY - 60)
    token = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, 30 * DAY + 1)
    assert_refused(alice.client, token)


@pytest.mark.proves("AUTH-7")
def test_a_session_lasts_at_most_90_days(alice: ApiUser, database_url: str) -> None:
    age_logins(database_url, 90 * DAY - 60)
    token = successor(alice.client, alice.refresh_token)
    age_logins(database_url, 61)
    assert_refused(alice.client, token)


@pytest.mark.proves("AUTH-12")
def test_the_grace_period_survives_key_rotation(alice: ApiUser, config: Config) -> None:
    first = successor(alice.client, alice.refresh_token)
    keys = {"new": "f00dcafe5a3f4e6182d4b6c8fa1e3957", **config.jwt_secrets}
    rotated = create_app(replace(config, jwt_secrets=keys)).test_client()
    assert successor(rotated, alice.refresh_token) == first


def test_the_database_holds_no_usable_token(alice: ApiUser, database_url: str) -> None:
    newest = successor(alice.client, alice.refresh_token)
    rows = dump(database_url)
    assert alice.id in rows
    for text in (alice.refresh_token, newest):
        token = refresh_tokens.parse(text)
        assert token is not None
        assert token.hash.hex() in rows
        for secret in (token.seed, token.signature):
            assert secret.hex() not in rows
            assert base64.b64encode(secret).decode() not in rows
        assert text not in rows
        assert_refused(
            alice.client,
            replace(token, seed=token.hash).text,
            replace(token, signature=token.hash).text,
        )
    assert alice.access_token.rpartition(".")[2] not in rows
    assert PASSWORD not in rows


@pytest.mark.proves("AUTH-11")
def test_a_refresh_token_in_another_spelling_is_refused(alice: ApiUser) -> None:
    token = alice.refresh_token
    assert_refused(alice.client, token + "=", token[:-1], token + "A", token.swapcase(), "x", "é")
    last = token[:-1] + chr(ord(token[-1]) + 1)  # the last character has spare bits
    assert_refused(alice.client, last)
    successor(alice.client, token)


@pytest.mark.proves("AUTH-11")
def test_parts_of_two_refresh_tokens_do_not_combine(alice: ApiUser, bob: ApiUser) -> None:
    first, second = (refresh_tokens.parse(user.refresh_token) for user in (alice, bob))
    assert first is not None
    assert second is not None
    mixed = [
        replace(first, owner_id=second.owner_id),
        replace(first, session_id=second.session_id),
        replace(first, seed=second.seed),
        replace(first, signature=second.signature),
    ]
    assert_refused(alice.client, *(token.text for token in mixed))
    successor(alice.client, alice.refresh_token)
    successor(bob.client, bob.refresh_token)


@pytest.mark.parametrize("value", [None, 1, "", ["x"], "x" * 1025])
def test_a_refresh_token_is_a_short_text(client: FlaskClient, value: Any) -> None:
    answer = client.post("/api/auth/refresh", json={"refresh_token": value})
    assert broken_fields(answer) == ["refresh_token"]


# --- one row per session ------------------------------------------------------------------------

NEW_KEY = {"new": "f00dcafe5a3f4e6182d4b6c8fa1e3957"}
MANY = 5_000


def parsed(text: str) -> RefreshToken:
    token = refresh_tokens.parse(text)
    assert token is not None
    return token


def with_keys(config: Config, keys: dict[str, str]) -> FlaskClient:
    return create_app(replace(config, jwt_secrets=keys)).test_client()


def assert_open(user: ApiUser, database_url: str) -> None:
    """The user's session is the only one that may be refreshed, and nothing was announced."""
    assert count(database_url, "ended_sessions") == 0
    assert count(database_url, "sessions WHERE owner_id = %(id)s", id=user.id) == 1


@pytest.mark.slow
@pytest.mark.proves("AUTH-23")
def test_thousands_of_refreshes_leave_one_row_and_ending_it_costs_the_same(
    alice: ApiUser, database_url: str
) -> None:
    rows, ending = rows_per_table(database_url), db.load("auth/end_sessions").text
    owner = {"owner_id": alice.id, "kept_session_id": None}
    before = buffers(database_url, ending, **owner)
    newest = alice.refresh_token
    for _ in range(MANY):
        newest = successor(alice.client, newest)
    assert parsed(newest).number == MANY + 1
    assert rows_per_table(database_url) == rows
    ((marks,),) = run(database_url, "SELECT cardinality(used_at) FROM sessions")
    assert marks <= 102
    assert buffers(database_url, ending, **owner) <= before + 5
    age_tokens(database_url, GRACE + 1)
    assert_refused(alice.client, alice.refresh_token, newest)


@pytest.mark.proves("AUTH-12")
def test_the_grace_time_of_each_used_token_begins_when_it_was_used(
    alice: ApiUser, database_url: str
) -> None:
    second = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE - 4)
    third = successor(alice.client, second)
    age_tokens(database_url, 6)
    assert successor(alice.client, second) == third
    assert_refused(alice.client, alice.refresh_token, third)


@pytest.mark.proves("AUTH-12")
def test_two_devices_with_one_token_keep_their_session(
    server: Server, served_database_url: str
) -> None:
    """Each of 20 threads refreshes with its last token, which others have used meanwhile."""
    credentials = {"email": "devices@example.com", "password": PASSWORD}
    server.request("POST", "/api/auth/register", credentials)
    first = server.request("POST", "/api/auth/login", credentials).json["data"]["refresh_token"]

    def refresh_often(_: int) -> str:
        token = first
        for _ in range(10):
            answer = server.request("POST", "/api/auth/refresh", {"refresh_token": token})
            assert answer.status == 200
            token = answer.json["data"]["refresh_token"]
        return str(token)

    with ThreadPoolExecutor(20) as threads:
        tokens = set(threads.map(refresh_often, range(20)))
    newest = max(parsed(token).number for token in tokens)
    stored = run(
        served_database_url,
        "SELECT token_number FROM sessions WHERE id = %(session_id)s",
        session_id=parsed(first).session_id,
    )
    assert stored == [(newest,)]


@pytest.mark.proves("AUTH-11")
def test_a_reused_token_has_ended_its_session_before_the_answer(
    alice: ApiUser, database_url: str
) -> None:
    successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE + 1)
    assert_refused(alice.client, alice.refresh_token)
    assert count(database_url, "sessions") == 0
    ended = run(database_url, "SELECT session_id::text FROM ended_sessions")
    assert ended == [(parsed(alice.refresh_token).session_id,)]


@pytest.mark.proves("AUTH-11")
def test_a_reused_token_is_unavailable_while_its_session_cannot_be_ended(
    alice: ApiUser, database_url: str
) -> None:
    successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE + 1)
    with psycopg.connect(database_url) as locking:
        locking.execute("SELECT FROM sessions FOR UPDATE")
        assert error(refresh(alice.client, alice.refresh_token)) == (503, "UNAVAILABLE")
    assert_refused(alice.client, alice.refresh_token)
    assert count(database_url, "sessions") == 0


@pytest.mark.proves("AUTH-11")
def test_a_forged_token_ends_no_session(alice: ApiUser, bob: ApiUser, database_url: str) -> None:
    newest = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE + 1)
    spent, current, other = parsed(alice.refresh_token), parsed(newest), parsed(bob.refresh_token)
    guessed = RefreshTokens(["another secret than the service's"])
    forged = [
        replace(current, number=1),
        replace(spent, number=2),
        replace(spent, number=2**63 - 2),
        replace(spent, seed=b"s" * 32),
        replace(spent, signature=b"m" * 32),
        replace(spent, signature=current.signature),
        replace(spent, owner_id=other.owner_id, session_id=other.session_id),
        replace(other, number=2),
        replace(other, session_id=spent.session_id),
        replace(other, owner_id=spent.owner_id, session_id=spent.session_id),
        guessed.first(spent.owner_id, spent.session_id),
        guessed.successor(spent),
    ]
    for token in forged:
        assert_refused(alice.client, token.text)
        answer = alice.client.post("/api/auth/logout", json={"refresh_token": token.text})
        assert answer.status_code == 200
    assert_open(alice, database_url)
    assert_open(bob, database_url)
    successor(alice.client, newest)


@pytest.mark.proves("AUTH-11")
def test_a_used_token_with_any_character_replaced_ends_no_session(
    alice: ApiUser, database_url: str
) -> None:
    newest = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, GRACE + 1)
    spent = alice.refresh_token
    for at, character in enumerate(spent):
        other = "B" if character == "A" else "A"
        assert_refused(alice.client, spent[:at] + other + spent[at + 1 :])
    assert_open(alice, database_url)
    successor(alice.client, newest)
    assert_refused(alice.client, spent)
    assert count(database_url, "sessions") == 0


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**64 - 1])
def test_a_number_outside_of_its_range_is_no_token(alice: ApiUser, number: int) -> None:
    text = replace(parsed(alice.refresh_token), number=number).text
    assert refresh_tokens.parse(text) is None
    assert_refused(alice.client, text)


def test_a_token_of_another_size_reaches_no_database(
    alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "fetch_one", None)
    assert_refused(alice.client, "A" * 138, "A" * 1024, "AAAA", alice.refresh_token[4:])


@pytest.mark.proves("AUTH-12", "AUTH-24")
def test_tokens_are_known_while_one_of_the_keys_has_signed_them(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    rotated = with_keys(config, {**NEW_KEY, **config.jwt_secrets})
    second = successor(rotated, alice.refresh_token)
    assert successor(rotated, alice.refresh_token) == second
    third = successor(rotated, second)
    assert successor(rotated, alice.refresh_token) == third
    age_tokens(database_url, GRACE + 1)
    assert_refused(rotated, alice.refresh_token, third)


@pytest.mark.proves("AUTH-24")
def test_the_newest_token_outlasts_the_key_that_signed_it(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    first = alice.refresh_token
    second = successor(alice.client, first)
    without = with_keys(config, NEW_KEY)
    third = successor(without, second)
    assert successor(without, second) == third  # a lost answer
    age_tokens(database_url, GRACE + 1)
    assert_refused(without, first)
    assert_open(alice, database_url)
    assert_refused(without, second, third)
    assert count(database_url, "sessions") == 0


@pytest.mark.proves("AUTH-24")
def test_a_logout_accepts_every_token_of_the_session(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    newest = alice.refresh_token
    for _ in range(3):
        newest = successor(alice.client, newest)
    age_tokens(database_url, GRACE + 1)
    for client, known in ((with_keys(config, NEW_KEY), False), (alice.client, True)):
        answer = client.post("/api/auth/logout", json={"refresh_token": alice.refresh_token})
        assert answer.status_code == 200
        assert count(database_url, "sessions") == (0 if known else 1)


@pytest.mark.proves("AUTH-25")
def test_a_clock_that_goes_back_an_hour_logs_nobody_out(alice: ApiUser, database_url: str) -> None:
    """The rows are an hour ahead instead of the clock an hour behind."""
    second = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, -3600)
    age_sessions(database_url, -3600)
    assert successor(alice.client, alice.refresh_token) == second
    third = successor(alice.client, second)
    assert successor(alice.client, second) == third
    assert successor(alice.client, alice.refresh_token) == third
    log_in = {"email": alice.email, "password": PASSWORD}
    assert alice.client.post("/api/auth/login", json=log_in).status_code == 200
    age_tokens(database_url, GRACE + 1)
    assert_refused(alice.client, alice.refresh_token, third)
