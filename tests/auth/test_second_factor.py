"""The second factor: set up, confirmed, asked for at each log-in, and each code good once."""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from werkzeug.test import TestResponse

from app import create_app
from app.auth.second_factor import matching_step
from app.config import Config
from app.observability import sentry
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.auth_rows import age_attempts, count, dump, run
from tests.support.mail import mail_server
from tests.support.postbox import Postbox
from tests.support.second_factor import (
    PATH,
    Factor,
    confirm,
    forget_steps,
    log_in,
    set_up,
    switch_on,
)
from tests.support.sentry_sink import Sink
from tests.support.server import Server, serving

REQUIRED = (401, "SECOND_FACTOR_REQUIRED")
THROTTLED = (429, "RATE_LIMITED")
STRANGE = "203.0.113.7"  # an address that nobody has logged in from
FREE = 5
STEP = 30  # seconds
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
]
NEW_KEY = {"new": "f00dcafe5a3f4e6182d4b6c8fa1e3957"}


def remove(user: ApiUser, code: str, password: str = PASSWORD) -> TestResponse:
    return user.call("DELETE", PATH, json={"password": password, "code": code})


# --- codes --------------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-130")
@pytest.mark.parametrize(("at", "code"), RFC_CODES)
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert matching_step(RFC_SECRET, code, at) == at // STEP


@pytest.mark.proves("AUTH-130")
@pytest.mark.parametrize(("at", "code"), RFC_CODES[1:])
def test_a_clock_may_differ_by_one_step_either_way_and_no_more(at: int, code: str) -> None:
    own_step = at // STEP
    for steps, expected in ((-2, None), (-1, own_step), (1, own_step), (2, None)):
        assert matching_step(RFC_SECRET, code, at + steps * STEP) == expected


@pytest.mark.proves("AUTH-130")
def test_the_uri_has_the_secret_for_an_authenticator_app(alice: ApiUser) -> None:
    factor = set_up(alice)
    parts = urlsplit(factor.uri)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == f"/Ownrow:{alice.email}"
    assert parse_qs(parts.query) == {"secret": [factor.secret], "issuer": ["Ownrow"]}
    app = pyotp.parse_uri(factor.uri)
    assert isinstance(app, pyotp.TOTP)
    assert confirm(alice, app.now()).status_code == 200


@pytest.mark.proves("AUTH-137")
def test_secrets_and_recovery_codes_are_never_the_same_twice(alice: ApiUser) -> None:
    made = [set_up(alice) for _ in range(3)]
    assert len({factor.secret for factor in made}) == 3
    assert len({code for factor in made for code in factor.recovery_codes}) == 30


# --- switching it on ----------------------------------------------------------------------------


@pytest.mark.proves("AUTH-131")
def test_no_log_in_needs_a_code_before_one_has_confirmed_the_factor(alice: ApiUser) -> None:
    factor = set_up(alice)
    assert data(alice.call("GET", "/api/auth/me"))["has_second_factor"] is False
    assert data(log_in(alice))["user"]["has_second_factor"] is False
    assert broken_fields(confirm(alice, factor.wrong_code)) == ["code"]
    assert log_in(alice).status_code == 200
    assert data(confirm(alice, factor.code))["has_second_factor"] is True
    assert error(log_in(alice)) == REQUIRED


@pytest.mark.proves("AUTH-131")
def test_every_answer_with_the_account_says_whether_it_has_a_second_factor(
    alice: ApiUser, bob: ApiUser
) -> None:
    switch_on(alice)
    for user, expected in ((alice, True), (bob, False)):
        token = {"refresh_token": user.refresh_token}
        for answer in (
            data(user.call("GET", "/api/auth/me")),
            data(user.call("PATCH", "/api/auth/me", json={"mail": False})),
            data(user.client.post("/api/auth/refresh", json=token))["user"],
        ):
            assert answer["has_second_factor"] is expected


@pytest.mark.proves("AUTH-131")
def test_a_factor_that_is_not_confirmed_is_replaced_by_the_next_one(alice: ApiUser) -> None:
    first, second = set_up(alice), set_up(alice)
    assert broken_fields(confirm(alice, first.code)) == ["code"]
    assert confirm(alice, second.code).status_code == 200
    assert error(log_in(alice, first.recovery_codes[0])) == REQUIRED
    assert log_in(alice, second.recovery_codes[0]).status_code == 200


@pytest.mark.proves("AUTH-131")
def test_a_factor_that_is_on_can_be_neither_replaced_nor_confirmed_again(
    alice: ApiUser, database_url: str
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    for answer in (
        alice.call("POST", PATH, json={"password": PASSWORD}),
        confirm(alice, factor.code),
    ):
        assert broken_fields(answer) == [""]
    assert log_in(alice, factor.code).status_code == 200


@pytest.mark.proves("AUTH-131")
def test_only_a_code_of_the_app_confirms_a_factor(alice: ApiUser) -> None:
    factor = set_up(alice)
    assert broken_fields(confirm(alice, factor.recovery_codes[0])) == ["code"]
    assert log_in(alice).status_code == 200


@pytest.mark.proves("AUTH-131")
def test_without_a_factor_there_is_nothing_to_confirm_or_remove(alice: ApiUser) -> None:
    assert broken_fields(confirm(alice, "000000")) == [""]
    assert broken_fields(remove(alice, "000000")) == [""]
    set_up(alice)
    assert broken_fields(remove(alice, "000000")) == [""]


@pytest.mark.proves("AUTH-131")
def test_setting_up_takes_the_password_and_an_open_session(
    alice: ApiUser, database_url: str
) -> None:
    wrong = alice.call("POST", PATH, json={"password": "wrong"})
    assert broken_fields(wrong) == ["password"]
    assert count(database_url, "second_factors") == 0
    factor = set_up(alice)
    run(database_url, "DELETE FROM sessions")
    assert error(confirm(alice, factor.code)) == (401, "UNAUTHENTICATED")
    again = alice.call("POST", PATH, json={"password": PASSWORD})
    assert error(again) == (401, "UNAUTHENTICATED")
    assert log_in(alice).status_code == 200


@pytest.mark.proves("AUTH-131")
def test_open_sessions_go_on_when_the_factor_is_switched_on(alice: ApiUser) -> None:
    other = data(log_in(alice))["refresh_token"]
    switch_on(alice)
    answer = alice.client.post("/api/auth/refresh", json={"refresh_token": other})
    assert answer.status_code == 200


# --- logging in ---------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-132")
def test_a_log_in_needs_the_password_and_a_right_code(alice: ApiUser, database_url: str) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    for code in (None, "", factor.wrong_code, "12345", "abc", "1" * 60000, "٣" * 6):
        assert error(log_in(alice, code)) == REQUIRED
        age_attempts(database_url, 900)
    spaced = f" {factor.code[:3]} {factor.code[3:]} "
    assert data(log_in(alice, spaced))["user"]["has_second_factor"] is True


@pytest.mark.proves("AUTH-132")
def test_a_wrong_password_has_one_answer_whatever_the_code(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    answers = [
        log_in(user, code, password="wrong")
        for user in (alice, bob)
        for code in (None, factor.wrong_code, factor.code, factor.recovery_codes[0])
    ]
    assert {error(answer) for answer in answers} == {(401, "INVALID_CREDENTIALS")}
    assert len({answer.get_json()["error"]["message"] for answer in answers}) == 1
    assert log_in(alice, factor.code).status_code == 200, "the code was used up"


@pytest.mark.proves("AUTH-132")
def test_an_account_without_a_factor_needs_no_code_and_minds_none(alice: ApiUser) -> None:
    assert log_in(alice, "000000").status_code == 200


@pytest.mark.proves("AUTH-132")
def test_a_factor_is_its_owners_alone(alice: ApiUser, bob: ApiUser, database_url: str) -> None:
    mine, theirs = switch_on(alice), switch_on(bob)
    forget_steps(database_url)
    for code in (theirs.code, theirs.recovery_codes[0]):
        assert error(log_in(alice, code)) == REQUIRED
    assert log_in(alice, mine.code).status_code == 200
    assert log_in(bob, theirs.recovery_codes[0]).status_code == 200


@pytest.mark.proves("AUTH-132")
def test_a_disabled_account_gets_no_hint_of_its_factor(alice: ApiUser, database_url: str) -> None:
    factor = switch_on(alice)
    run(database_url, "UPDATE users SET disabled_at = now()")
    for code in (None, factor.code):
        assert error(log_in(alice, code)) == (401, "INVALID_CREDENTIALS")


# --- once ---------------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-133")
def test_a_code_is_good_once_in_its_thirty_seconds(alice: ApiUser, database_url: str) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    code = factor.code
    assert log_in(alice, code).status_code == 200
    assert error(log_in(alice, code)) == REQUIRED


@pytest.mark.proves("AUTH-133")
def test_the_code_that_confirmed_the_factor_does_not_log_in(alice: ApiUser) -> None:
    factor = set_up(alice)
    code = factor.code
    assert confirm(alice, code).status_code == 200
    assert error(log_in(alice, code)) == REQUIRED


@pytest.mark.proves("AUTH-133")
def test_a_code_of_an_earlier_step_than_the_last_one_is_refused(
    alice: ApiUser, database_url: str
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    earlier, code = factor.code, factor.code_at(1)
    assert log_in(alice, code).status_code == 200
    assert error(log_in(alice, earlier)) == REQUIRED


@pytest.mark.proves("AUTH-133", "AUTH-134")
@pytest.mark.parametrize(
    "choose", [lambda factor: factor.code, lambda factor: factor.recovery_codes[3]]
)
def test_of_concurrent_log_ins_with_one_code_exactly_one_succeeds(
    alice: ApiUser, database_url: str, choose: Callable[[Factor], str]
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    code = choose(factor)
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda _: log_in(alice, code), range(3)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 2}


@pytest.mark.proves("AUTH-134")
def test_each_recovery_code_logs_in_once_in_any_spelling(alice: ApiUser, database_url: str) -> None:
    codes = switch_on(alice).recovery_codes
    for code, typed in ((codes[0], codes[0]), (codes[1], codes[1].lower().replace("-", " "))):
        assert log_in(alice, typed).status_code == 200
        assert error(log_in(alice, code)) == REQUIRED
    assert run(database_url, "SELECT cardinality(recovery_hashes) FROM second_factors") == [(8,)]
    assert log_in(alice, codes[9].replace("-", "")).status_code == 200


# --- guessing -----------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-135")
def test_five_wrong_codes_are_free_and_then_even_a_right_one_waits(
    alice: ApiUser, database_url: str
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    for _ in range(FREE):
        assert error(log_in(alice, factor.wrong_code)) == REQUIRED
    answer = log_in(alice, factor.code)
    assert (error(answer), answer.headers["Retry-After"]) == (THROTTLED, "1")
    age_attempts(database_url, 1)
    assert error(log_in(alice, factor.wrong_code)) == REQUIRED
    assert log_in(alice, factor.code).headers["Retry-After"] == "2"


@pytest.mark.proves("AUTH-135")
def test_wrong_codes_and_wrong_passwords_are_counted_together(alice: ApiUser) -> None:
    factor = switch_on(alice)
    for _ in range(3):
        assert error(log_in(alice, factor.wrong_code)) == REQUIRED
    for _ in range(2):
        assert error(log_in(alice, password="wrong")) == (401, "INVALID_CREDENTIALS")
    assert error(log_in(alice)) == THROTTLED


@pytest.mark.proves("AUTH-135")
def test_a_right_password_without_a_code_neither_counts_nor_resets(
    alice: ApiUser, database_url: str
) -> None:
    factor = switch_on(alice)
    run(database_url, "DELETE FROM login_attempts")
    for _ in range(FREE - 1):
        assert error(log_in(alice, factor.wrong_code, address=STRANGE)) == REQUIRED
    for _ in range(FREE):
        assert error(log_in(alice, address=STRANGE)) == REQUIRED
    assert run(database_url, "SELECT DISTINCT failures FROM login_attempts") == [(FREE - 1,)]
    assert error(log_in(alice, factor.wrong_code, address=STRANGE)) == REQUIRED
    assert error(log_in(alice, address=STRANGE)) == THROTTLED


@pytest.mark.proves("AUTH-135")
def test_a_right_password_without_a_code_does_not_put_off_the_code_that_follows(
    alice: ApiUser, database_url: str
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    for _ in range(FREE + 3):
        assert error(log_in(alice, factor.wrong_code)) == REQUIRED
        age_attempts(database_url, 20)
    assert error(log_in(alice)) == REQUIRED
    assert log_in(alice, factor.code).status_code == 200


@pytest.mark.proves("AUTH-135")
def test_a_right_code_resets_the_counter(alice: ApiUser) -> None:
    factor = switch_on(alice)
    for number in range(3):
        for _ in range(FREE - 1):
            assert error(log_in(alice, factor.wrong_code)) == REQUIRED
        assert log_in(alice, factor.recovery_codes[number]).status_code == 200


@pytest.mark.proves("AUTH-135")
def test_codes_tried_in_a_session_count_likewise(alice: ApiUser, database_url: str) -> None:
    factor = set_up(alice)
    for _ in range(FREE):
        assert broken_fields(confirm(alice, factor.wrong_code)) == ["code"]
    assert error(confirm(alice, factor.code)) == THROTTLED
    run(database_url, "DELETE FROM login_attempts")
    assert confirm(alice, factor.code).status_code == 200
    for _ in range(FREE - 1):
        assert broken_fields(remove(alice, factor.wrong_code)) == ["code"]
    assert broken_fields(remove(alice, factor.recovery_codes[0], "wrong")) == ["password"]
    assert error(remove(alice, factor.recovery_codes[0])) == THROTTLED
    assert error(log_in(alice)) == THROTTLED


@pytest.mark.slow
@pytest.mark.proves("AUTH-135")
def test_wrong_codes_slow_down_in_every_worker_and_after_a_restart(
    alice: ApiUser, database_url: str, tmp_path: Path
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    body = {"email": alice.email, "password": PASSWORD}

    def try_codes(server: Server, *codes: str) -> list[int]:
        return [
            server.request("POST", "/api/auth/login", {**body, "code": code}).status
            for code in codes
        ]

    with serving(database_url, tmp_path) as server:
        assert try_codes(server, *[factor.wrong_code] * FREE) == [401] * FREE
        age_attempts(database_url, 1)
        assert try_codes(server, factor.wrong_code) == [401]
        age_attempts(database_url, -600)  # however slow this machine is
        assert set(try_codes(server, *[factor.code] * 6)) == {429}
    with serving(database_url, tmp_path) as restarted:
        assert try_codes(restarted, factor.code) == [429]
        age_attempts(database_url, 900)
        assert try_codes(restarted, factor.code) == [200]


# --- switching it off ---------------------------------------------------------------------------


@pytest.mark.proves("AUTH-136")
@pytest.mark.parametrize("by", ["code", "recovery code"])
def test_removal_takes_the_password_and_a_code(alice: ApiUser, database_url: str, by: str) -> None:
    factor = switch_on(alice)
    assert broken_fields(remove(alice, factor.recovery_codes[0], "wrong")) == ["password"]
    assert broken_fields(remove(alice, factor.wrong_code)) == ["code"]
    assert broken_fields(alice.call("DELETE", PATH, json={"password": PASSWORD})) == ["code"]
    forget_steps(database_url)
    code = factor.code if by == "code" else factor.recovery_codes[0]
    assert data(remove(alice, code))["has_second_factor"] is False
    assert count(database_url, "second_factors") == 0
    assert log_in(alice).status_code == 200


@pytest.mark.proves("AUTH-136")
def test_after_a_removal_another_factor_can_be_set_up(alice: ApiUser, database_url: str) -> None:
    old = switch_on(alice)
    assert remove(alice, old.recovery_codes[0]).status_code == 200
    new = switch_on(alice)
    forget_steps(database_url)
    for code in (old.code, old.recovery_codes[1]):
        assert error(log_in(alice, code)) == REQUIRED
    assert log_in(alice, new.code).status_code == 200


# --- what is stored -----------------------------------------------------------------------------


@pytest.mark.proves("AUTH-138")
def test_a_secret_moved_to_another_account_is_useless(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    switch_on(alice)
    theirs = switch_on(bob)
    run(
        database_url,
        "UPDATE second_factors SET secret = (SELECT secret FROM second_factors"
        " WHERE owner_id = %(bob)s) WHERE owner_id = %(alice)s",
        alice=alice.id,
        bob=bob.id,
    )
    forget_steps(database_url)
    assert error(log_in(alice, theirs.code)) == (500, "INTERNAL")
    assert log_in(bob, theirs.code).status_code == 200


@pytest.mark.proves("AUTH-138")
def test_a_key_is_replaced_without_anybody_noticing(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    factor = switch_on(alice)
    keys = {**NEW_KEY, **config.encryption_keys}
    for changed in (keys, NEW_KEY):
        forget_steps(database_url)
        client = create_app(replace(config, encryption_keys=changed)).test_client()
        assert log_in(replace(alice, client=client), factor.code).status_code == 200
        assert run(database_url, "SELECT key_id FROM second_factors") == [("new",)]


@pytest.mark.proves("AUTH-138")
def test_without_its_key_a_secret_is_an_error_and_recovery_codes_still_log_in(
    alice: ApiUser, config: Config, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    client = create_app(replace(config, encryption_keys=NEW_KEY)).test_client()
    there = replace(alice, client=client)
    assert error(log_in(there, factor.code)) == (500, "INTERNAL")
    assert "ENCRYPTION_KEYS lacks test" in caplog.text
    assert log_in(there, factor.recovery_codes[0]).status_code == 200


@pytest.mark.proves("AUTH-139")
def test_neither_codes_nor_secrets_are_in_the_database_the_log_or_the_metrics(
    alice: ApiUser, database_url: str, tmp_path: Path
) -> None:
    with serving(
        database_url, tmp_path, LOG_LEVEL="debug", METRICS_TOKEN="0123456789abcdef"
    ) as server:

        def call(method: str, path: str, body: Any) -> Any:
            return server.request(method, path, body, alice.authorization)

        password = {"password": PASSWORD}
        factor = Factor(**call("POST", PATH, password).json["data"])
        codes = [factor.wrong_code, factor.code, factor.code_at(1)]
        for code in codes[:2]:
            call("POST", f"{PATH}/confirm", {"code": code})
        recovery = factor.recovery_codes[:2]
        for code in (*codes, *recovery):
            body = {"email": alice.email, **password, "code": code}
            server.request("POST", "/api/auth/login", body)
        stored = dump(database_url)
        call("DELETE", PATH, {**password, "code": factor.recovery_codes[2]})
        metrics = {"Authorization": "Bearer 0123456789abcdef"}
        texts = [stored, dump(database_url), server.log.read_text()]
        texts.append(server.request("GET", "/metrics", headers=metrics).body.decode())
    raw = base64.b32decode(factor.secret)
    spellings = [factor.secret, factor.secret.encode().hex(), raw.hex(), factor.uri]
    for code in factor.recovery_codes:
        digits = code.replace("-", "")
        spellings += [code, digits, digits.encode().hex(), base64.b32decode(digits).hex()]
    for text in texts:
        assert not [each for each in spellings if each.lower() in text.lower()]
        for code in codes:
            assert not re.search(rf"(?<![0-9a-f.]){code}(?![0-9a-f])", text)
    assert "auth/second-factor" in texts[2]


@pytest.mark.proves("AUTH-139")
def test_an_error_report_has_neither_the_code_nor_the_secret(
    alice: ApiUser, config: Config, database_url: str, sink: Sink
) -> None:
    factor = switch_on(alice)
    forget_steps(database_url)
    app = create_app(replace(config, encryption_keys=NEW_KEY, sentry_dsn=sink.dsn))
    code = factor.code
    assert error(log_in(replace(alice, client=app.test_client()), code)) == (500, "INTERNAL")
    sentry.flush(app)
    assert sink.received
    for text in sink.received:
        assert "UnknownKeyError" in text
        for secret in (f'"{code}"', f"'{code}'", factor.secret, PASSWORD):
            assert secret not in json.dumps(text)


# --- the audit trail ----------------------------------------------------------------------------


@pytest.mark.proves("AUTH-140")
def test_the_trail_has_each_switch_each_recovery_code_and_each_refusal(
    alice: ApiUser, database_url: str
) -> None:
    run(database_url, "DELETE FROM auth_events")
    factor = switch_on(alice)
    log_in(alice)
    log_in(alice, factor.wrong_code)
    log_in(alice, factor.recovery_codes[0])
    remove(alice, factor.recovery_codes[1])
    events = run(database_url, "SELECT event, owner_id::text FROM auth_events ORDER BY id")
    assert events == [
        ("second factor on", alice.id),
        ("refused", None),
        ("recovery code used", alice.id),
        ("logged in", alice.id),
        ("recovery code used", alice.id),
        ("second factor off", alice.id),
    ]


@pytest.mark.proves("AUTH-140")
def test_setting_up_without_confirming_leaves_no_event(alice: ApiUser, database_url: str) -> None:
    before = count(database_url, "auth_events")
    set_up(alice)
    set_up(alice)
    run(database_url, "DELETE FROM second_factors")
    assert count(database_url, "auth_events") == before


@pytest.mark.proves("AUTH-5", "AUTH-140")
def test_an_erasure_counts_the_factor_and_leaves_nothing_of_it(
    alice: ApiUser, database_url: str
) -> None:
    switch_on(alice)
    removed = data(alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD}))
    assert removed["second_factors"] == 1
    assert count(database_url, "second_factors") == 0
    assert run(database_url, "SELECT event FROM auth_events") == [("erased",)]


@pytest.mark.proves("AUTH-141")
def test_a_reset_of_the_password_does_not_take_the_place_of_the_second_factor(
    alice: ApiUser,
) -> None:
    factor = switch_on(alice)
    changed = "eight quiet rivers"
    with mail_server() as server:
        postbox = Postbox(*server)
        postbox.collect()
        alice.client.post("/api/auth/reset", json={"email": alice.email})
        body = {"token": postbox.token(), "new_password": changed}
    assert alice.client.post("/api/auth/reset/confirm", json=body).status_code == 200
    assert error(log_in(alice, password=changed)) == (401, "SECOND_FACTOR_REQUIRED")
    assert log_in(alice, factor.recovery_codes[0], changed).status_code == 200
