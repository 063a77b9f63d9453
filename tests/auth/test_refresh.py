"""Refresh tokens: rotated at each use, with ten seconds of grace and reuse detection."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.auth import refresh_tokens
from app.config import Config
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.auth_rows import age_sessions, age_tokens, dump, run
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
    counts = run(
        served_database_url,
        "SELECT count(*) FILTER (WHERE used_at IS NULL), count(*) FROM refresh_tokens"
        " WHERE session_id = %(session_id)s",
        session_id=parsed.session_id,
    )
    assert counts == [(1, 2)]


@pytest.mark.proves("AUTH-7")
def test_a_refresh_token_lasts_30_days_unused(alice: ApiUser, database_url: str) -> None:
    age_tokens(database_url, 30 * DAY - 60)
    token = successor(alice.client, alice.refresh_token)
    age_tokens(database_url, 30 * DAY + 1)
    assert_refused(alice.client, token)


@pytest.mark.proves("AUTH-7")
def test_a_session_lasts_at_most_90_days(alice: ApiUser, database_url: str) -> None:
    age_sessions(database_url, 90 * DAY - 60)
    token = successor(alice.client, alice.refresh_token)
    age_sessions(database_url, 61)
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
        for secret in (text, token.secret.hex(), base64.b64encode(token.secret).decode()):
            assert secret not in rows
        stolen = refresh_tokens.RefreshToken(token.owner_id, token.session_id, token.hash)
        assert_refused(alice.client, stolen.text)
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
        replace(first, secret=second.secret),
    ]
    assert_refused(alice.client, *(token.text for token in mixed))
    successor(alice.client, alice.refresh_token)
    successor(bob.client, bob.refresh_token)


@pytest.mark.parametrize("value", [None, 1, "", ["x"], "x" * 1025])
def test_a_refresh_token_is_a_short_text(client: FlaskClient, value: Any) -> None:
    answer = client.post("/api/auth/refresh", json={"refresh_token": value})
    assert broken_fields(answer) == ["refresh_token"]
