"""Mailed links: verification of an address, its change, and the reset of a password."""

import base64
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db
from app.auth.mailed_links import MailedLinks
from app.config import Config
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error, register
from tests.support.auth_rows import count, dump, run
from tests.support.mail import MESSAGES, mail_server
from tests.support.postbox import LINK, Postbox, html_of, text_of
from tests.support.services import FlaskCommand

NEW_PASSWORD = "eight calm harbours"
NEW_EMAIL = "alice.liddell@example.org"
OLD_KEY, NEW_KEY = "7d0e9b0c5a3f4e6182d4b6c8fa1e3957", "f00dcafe5a3f4e6182d4b6c8fa1e3957"
FREE = 5


@pytest.fixture
def postbox(app: Flask) -> Iterator[Postbox]:  # noqa: ARG001  # it configures the database
    """A mail server, and the worker that sends to it."""
    with mail_server() as (url, inbox):
        yield Postbox(url, inbox)


@pytest.fixture
def set_password(config: Config, owner_config: Config) -> Callable[[str], None]:
    """Gives an account NEW_PASSWORD by the command line."""

    def run_command(email: str) -> None:
        arguments = ["users", "set-password", email, "--password-stdin"]
        runner = create_app(owner_config).test_cli_runner()
        assert runner.invoke(args=arguments, input=f"{NEW_PASSWORD}\n").exit_code == 0
        db.configure(config)

    return run_command


def confirm(client: FlaskClient, what: str, token: str, **fields: str) -> TestResponse:
    return client.post(f"/api/auth/{what}/confirm", json={"token": token, **fields})


def ask_reset(client: FlaskClient, email: str, address: str = "203.0.113.7") -> TestResponse:
    return client.post(
        "/api/auth/reset", json={"email": email}, environ_base={"REMOTE_ADDR": address}
    )


def reset(client: FlaskClient, token: str, password: str = NEW_PASSWORD) -> TestResponse:
    return confirm(client, "reset", token, new_password=password)


def ask_change(user: ApiUser, email: str = NEW_EMAIL, password: str = PASSWORD) -> TestResponse:
    return user.call("POST", "/api/auth/email", json={"email": email, "password": password})


def ask_verification(user: ApiUser) -> TestResponse:
    return user.call("POST", "/api/auth/verification", json={})


def log_in(client: FlaskClient, email: str, password: str = PASSWORD) -> TestResponse:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def me(user: ApiUser) -> Any:
    return data(user.call("GET", "/api/auth/me"))


def is_refused(answer: TestResponse) -> bool:
    """Whether the token is not that of a good link: one text for all reasons."""
    if answer.status_code == 200:
        return False
    assert broken_fields(answer) == ["token"]
    (detail,) = answer.get_json()["error"]["details"]
    assert detail["message"] == "Is not the token of a link that is still good; ask for a new one."
    return True


# --- verification -------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-150", "AUTH-151")
def test_registration_mails_a_link_that_verifies_the_address_once(
    alice: ApiUser, postbox: Postbox
) -> None:
    assert me(alice)["email_verified_at"] is None
    (mail,) = postbox.collect()
    assert str(mail["To"]) == alice.email
    ((link, token),) = LINK.findall(text_of(mail))
    assert f'href="{link}?token={token}"' in html_of(mail)
    user = data(confirm(alice.client, "verification", token))
    assert user == me(alice)
    assert user["email_verified_at"] is not None
    assert is_refused(confirm(alice.client, "verification", token))


@pytest.mark.proves("AUTH-151", "AUTH-152")
def test_a_verification_that_is_mailed_again_replaces_the_one_before(
    alice: ApiUser, postbox: Postbox
) -> None:
    first = postbox.token()
    assert ask_verification(alice).status_code == 202
    second = postbox.token()
    assert is_refused(confirm(alice.client, "verification", first))
    assert not is_refused(confirm(alice.client, "verification", second))
    assert ask_verification(alice).status_code == 202
    assert postbox.collect() == [], "a verified address gets no mail"


@pytest.mark.proves("AUTH-152")
def test_a_mail_whose_link_was_replaced_before_it_left_is_not_sent(
    alice: ApiUser, postbox: Postbox, database_url: str
) -> None:
    assert ask_verification(alice).status_code == 202
    token = postbox.token()
    assert not is_refused(confirm(alice.client, "verification", token))
    assert count(database_url, "outgoing_mail WHERE last_error LIKE 'not sent:%%'") == 1


@pytest.mark.proves("AUTH-167")
def test_an_operator_can_mark_an_address_as_verified(alice: ApiUser, flask: FlaskCommand) -> None:
    assert flask("users", "verify", alice.email).output == "verified\n"
    verified_at = me(alice)["email_verified_at"]
    assert verified_at is not None
    assert flask("users", "verify", alice.email).exit_code == 0
    assert me(alice)["email_verified_at"] == verified_at
    assert flask("users", "verify", "nobody@example.com").exit_code != 0


# --- change of address --------------------------------------------------------------------------


@pytest.mark.proves("AUTH-153")
def test_an_address_changes_when_the_new_one_is_confirmed_and_the_old_one_is_told(
    alice: ApiUser, postbox: Postbox
) -> None:
    postbox.collect()
    assert ask_change(alice).status_code == 202
    (mail,) = postbox.collect()
    assert str(mail["To"]) == NEW_EMAIL
    assert me(alice)["email"] == alice.email, "nothing changes before"
    ((_, token),) = LINK.findall(text_of(mail))
    user = data(confirm(alice.client, "email", token))
    assert user == me(alice)
    assert (user["email"], user["email_verified_at"] is None) == (NEW_EMAIL, False)
    (notice,) = postbox.collect()
    assert str(notice["To"]) == alice.email
    assert LINK.findall(text_of(notice)) == []
    assert is_refused(confirm(alice.client, "email", token))
    assert log_in(alice.client, alice.email).status_code == 401
    assert log_in(alice.client, NEW_EMAIL).status_code == 200
    assert register(alice.client, alice.email).id != alice.id, "the old address is free"


@pytest.mark.proves("AUTH-153")
def test_a_change_of_address_needs_the_password(alice: ApiUser, postbox: Postbox) -> None:
    postbox.collect()
    assert broken_fields(ask_change(alice, password="wrong")) == ["password"]
    assert postbox.collect() == []


@pytest.mark.proves("AUTH-154")
def test_an_address_that_another_account_has_is_refused_only_to_who_reads_its_mail(
    alice: ApiUser, bob: ApiUser, postbox: Postbox
) -> None:
    postbox.collect()
    assert ask_change(alice, bob.email.upper()).data == ask_change(alice, NEW_EMAIL).data
    assert ask_change(alice, bob.email).status_code == 202
    token = postbox.token()
    assert error(confirm(alice.client, "email", token)) == (409, "EMAIL_TAKEN")
    assert me(alice)["email"] == alice.email
    assert postbox.collect() == []


@pytest.mark.proves("AUTH-154")
def test_an_address_that_was_taken_meanwhile_is_refused(alice: ApiUser, postbox: Postbox) -> None:
    postbox.collect()
    ask_change(alice)
    token = postbox.token()
    register(alice.client, NEW_EMAIL)
    assert error(confirm(alice.client, "email", token)) == (409, "EMAIL_TAKEN")


# --- reset --------------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-155")
def test_a_reset_replaces_the_password_and_ends_every_session(
    alice: ApiUser, bob: ApiUser, postbox: Postbox
) -> None:
    postbox.collect()
    assert ask_reset(alice.client, alice.email).status_code == 202
    (mail,) = postbox.collect()
    assert str(mail["To"]) == alice.email
    ((_, token),) = LINK.findall(text_of(mail))
    assert data(reset(alice.client, token)) is None
    refreshed = alice.client.post("/api/auth/refresh", json={"refresh_token": alice.refresh_token})
    assert refreshed.status_code == 401
    assert log_in(alice.client, alice.email).status_code == 401
    session = data(log_in(alice.client, alice.email, NEW_PASSWORD))
    assert session["user"]["email_verified_at"] is not None
    (notice,) = postbox.collect()
    assert str(notice["To"]) == alice.email
    assert bob.get().status_code == 200


@pytest.mark.proves("AUTH-155")
def test_a_common_password_does_not_spend_the_link(alice: ApiUser, postbox: Postbox) -> None:
    postbox.collect()
    ask_reset(alice.client, alice.email)
    token = postbox.token()
    assert broken_fields(reset(alice.client, token, "password")) == ["new_password"]
    assert reset(alice.client, token).status_code == 200


@pytest.mark.proves("AUTH-156")
@pytest.mark.parametrize("what", ["verification", "email", "reset"])
def test_of_two_uses_of_a_link_at_once_one_succeeds(
    alice: ApiUser, postbox: Postbox, what: str
) -> None:
    if what != "verification":
        postbox.collect()
        _ = ask_change(alice) if what == "email" else ask_reset(alice.client, alice.email)
    token, barrier = postbox.token(), Barrier(2)

    def use(n: int) -> bool:
        fields = {"new_password": f"{NEW_PASSWORD} {n}"} if what == "reset" else {}
        barrier.wait()
        return is_refused(confirm(alice.client, what, token, **fields))

    with ThreadPoolExecutor(2) as threads:
        assert Counter(threads.map(use, range(2))) == {True: 1, False: 1}


@pytest.mark.proves("AUTH-156")
def test_a_link_serves_its_own_purpose_only(alice: ApiUser, postbox: Postbox) -> None:
    verification = postbox.token()
    ask_reset(alice.client, alice.email)
    token = postbox.token()
    ask_change(alice)
    change = postbox.token()
    for what, foreign in (
        ("verification", [token, change]),
        ("email", [token, verification]),
        ("reset", [verification, change]),
    ):
        fields = {"new_password": NEW_PASSWORD} if what == "reset" else {}
        for each in foreign:
            assert is_refused(confirm(alice.client, what, each, **fields))
    assert not is_refused(confirm(alice.client, "verification", verification))


@pytest.mark.proves("AUTH-156")
@pytest.mark.usefixtures("bob")
def test_a_token_that_was_made_up_or_changed_is_refused(alice: ApiUser, postbox: Postbox) -> None:
    tokens = [token for _, token in postbox.links()]
    raw = [base64.urlsafe_b64decode(each) for each in tokens]
    crossed = base64.urlsafe_b64encode(raw[0][:16] + raw[1][16:]).decode()
    made_up = ["x", "é", "-" * 64, tokens[0][:-1], tokens[0] + "=", f" {tokens[0]}", crossed]
    for each in made_up:
        assert is_refused(confirm(alice.client, "verification", each)), each
        assert is_refused(reset(alice.client, each)), each


@pytest.mark.proves("AUTH-157")
@pytest.mark.parametrize("by", ["user", "operator", "reset", "address"])
def test_a_link_is_dead_after_another_change_of_password_or_address(
    alice: ApiUser, postbox: Postbox, set_password: Callable[[str], None], by: str
) -> None:
    verification = postbox.token()
    ask_reset(alice.client, alice.email)
    token = postbox.token()
    ask_change(alice)
    change = postbox.token()
    if by == "user":
        passwords = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert alice.call("PUT", "/api/auth/password", json=passwords).status_code == 200
    elif by == "operator":
        set_password(alice.email)
    elif by == "reset":
        assert reset(alice.client, token).status_code == 200
    else:
        assert confirm(alice.client, "email", change).status_code == 200
    assert is_refused(confirm(alice.client, "verification", verification))
    assert is_refused(confirm(alice.client, "email", change))
    assert is_refused(reset(alice.client, token))


@pytest.mark.proves("AUTH-158")
@pytest.mark.parametrize(("purpose", "minutes"), [("reset", 30), ("verify", 24 * 60)])
def test_a_link_expires(
    alice: ApiUser, postbox: Postbox, database_url: str, purpose: str, minutes: int
) -> None:
    ask_reset(alice.client, alice.email)
    tokens = {link.rpartition("/")[2]: token for link, token in postbox.links()}
    what, fields = "verification", {}
    if purpose == "reset":
        what, fields = "reset", {"new_password": NEW_PASSWORD}
    age = "UPDATE account_tokens SET expires_at = expires_at - make_interval(mins => %(minutes)s)"
    run(database_url, age, minutes=minutes)
    assert is_refused(confirm(alice.client, what, tokens[purpose], **fields))
    run(database_url, age, minutes=-1)
    assert not is_refused(confirm(alice.client, what, tokens[purpose], **fields))


@pytest.mark.proves("AUTH-158")
def test_the_lifetime_of_a_link_begins_when_its_mail_leaves(
    alice: ApiUser, postbox: Postbox, database_url: str
) -> None:
    postbox.collect()
    ask_reset(alice.client, alice.email)
    postbox.inbox.recipient_reply = "451 Come back later"
    assert postbox.collect() == []
    run(
        database_url,
        "UPDATE account_tokens SET created_at = created_at - interval '1 hour',"
        " expires_at = expires_at - interval '1 hour'",
    )
    run(database_url, "UPDATE outgoing_mail SET next_step_at = now() WHERE text IS NOT NULL")
    postbox.inbox.recipient_reply = ""
    assert reset(alice.client, postbox.token()).status_code == 200


@pytest.mark.proves("AUTH-156")
def test_a_disabled_account_gets_no_link_and_its_links_are_dead(
    alice: ApiUser, postbox: Postbox, flask: FlaskCommand
) -> None:
    postbox.collect()
    ask_reset(alice.client, alice.email)
    token = postbox.token()
    flask("users", "disable", alice.email)
    assert is_refused(reset(alice.client, token))
    assert ask_reset(alice.client, alice.email).status_code == 202
    assert postbox.collect() == []


# --- what a stranger can see --------------------------------------------------------------------


@pytest.mark.proves("AUTH-159")
def test_a_stranger_cannot_tell_a_known_address_from_an_unknown_one(
    alice: ApiUser, postbox: Postbox, database_url: str
) -> None:
    postbox.collect()
    known, unknown = (
        [ask_reset(alice.client, email) for _ in range(FREE + 1)]
        for email in (alice.email, "nobody@example.com")
    )
    for one, other in zip(known, unknown, strict=True):
        assert one.status_code == other.status_code
        assert one.headers.get("Retry-After") == other.headers.get("Retry-After")
    assert {each.data for each in known[:FREE]} == {each.data for each in unknown[:FREE]}
    assert [each.status_code for each in known] == [202] * FREE + [429]
    assert [str(mail["To"]) for mail in postbox.collect()] == [alice.email]
    assert count(database_url, "reset_requests") == 0


@pytest.mark.proves("AUTH-159")
def test_a_reset_request_runs_the_same_statements_with_an_account_and_without(
    alice: ApiUser, capfd: pytest.CaptureFixture[str]
) -> None:
    def statements(email: str) -> list[str]:
        capfd.readouterr()
        assert ask_reset(alice.client, email).status_code == 202
        return re.findall(r" ([a-z]+/[a-z_]+)=", "".join(capfd.readouterr()))

    known, unknown = statements(alice.email), statements("nobody@example.com")
    assert known == unknown
    assert known == ["auth/ensure_counters", "auth/count_attempt", "auth/request_reset"]


@pytest.mark.slow
@pytest.mark.proves("AUTH-159")
@pytest.mark.usefixtures("app")
def test_the_time_of_a_reset_request_does_not_tell_whether_there_is_an_account(
    config: Config, database_url: str
) -> None:
    number = 1000
    run(
        database_url,
        "WITH made AS (INSERT INTO users (id, email, email_key)"
        " SELECT gen_random_uuid(), email, email FROM ("
        "  SELECT 'known' || n || '@example.com' AS email FROM generate_series(1, %(n)s) AS n"
        " ) AS names RETURNING id)"
        " INSERT INTO credentials (owner_id, password_hash) SELECT id, 'none' FROM made",
        n=number,
    )
    plain = create_app(config).test_client()
    emails = [f"{kind}{n}@example.com" for kind in ("known", "other") for n in range(1, number + 1)]
    random.Random(7).shuffle(emails)
    times: dict[str, list[float]] = {}
    for n, email in enumerate(["warm@example.com"] * 3 + emails):
        began = time.perf_counter()
        answer = ask_reset(plain, email, f"10.{n // 65536}.{n // 256 % 256}.{n % 256}")
        took = time.perf_counter() - began
        assert answer.status_code == 202
        times.setdefault(email[:5], []).append(took)
    auc = area_under_curve(times["known"], times["other"])
    assert 0.45 <= auc <= 0.55, f"AUC {auc:.3f} over {number} requests each"


def area_under_curve(these: list[float], those: list[float]) -> float:
    """How often one of these is larger than one of those; 0.5 where they can't be told apart."""
    ranked = sorted([(each, 1) for each in these] + [(each, 0) for each in those])
    ranks = sum(rank for rank, (_, is_these) in enumerate(ranked, 1) if is_these)
    pairs = len(these) * len(those)
    return (ranks - len(these) * (len(these) + 1) / 2) / pairs


@pytest.mark.proves("AUTH-160")
def test_mails_to_an_address_are_limited_in_all_its_spellings_and_by_every_way(
    alice: ApiUser, bob: ApiUser
) -> None:
    spellings = [alice.email, alice.email.upper(), " Alice@example.com ", "ａlice@example.com"]
    for n, email in enumerate(spellings):
        assert ask_reset(alice.client, email, f"203.0.113.{n}").status_code == 202
    assert ask_verification(alice).status_code == 202
    answer = ask_reset(alice.client, alice.email, "203.0.113.99")
    assert error(answer) == (429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert ask_change(bob, alice.email).status_code == 429
    assert ask_reset(alice.client, bob.email).status_code == 202


@pytest.mark.proves("AUTH-160")
def test_mails_that_one_client_asks_for_are_limited(client: FlaskClient) -> None:
    answers = [ask_reset(client, f"user{n}@example.com").status_code for n in range(51)]
    assert Counter(answers) == {202: 50, 429: 1}
    assert ask_reset(client, "user51@example.com", "198.51.100.1").status_code == 202


@pytest.mark.proves("AUTH-160")
def test_resent_verifications_and_changes_of_address_are_limited(
    alice: ApiUser, bob: ApiUser
) -> None:
    answers = [ask_verification(alice).status_code for _ in range(FREE + 1)]
    assert answers == [202] * FREE + [429]
    answers = [ask_change(bob, f"new{n}@example.com").status_code for n in range(FREE + 1)]
    assert answers == [202] * FREE + [429]


@pytest.mark.proves("AUTH-161")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example.com"},
        {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "http"},
        {"Forwarded": "host=evil.example.com"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_links_begin_with_public_url_whatever_the_headers_say(
    config: Config, alice: ApiUser, postbox: Postbox, headers: dict[str, str]
) -> None:
    postbox.collect()
    here = create_app(replace(config, public_url="https://todo.example.com")).test_client()
    here.post("/api/auth/reset", json={"email": alice.email}, headers=headers)
    address = {"email": NEW_EMAIL, "password": PASSWORD}
    here.post("/api/auth/email", json=address, headers={**headers, **alice.authorization})
    mails = postbox.collect()
    assert len(mails) == 2
    for mail in mails:
        ((link, _),) = LINK.findall(text_of(mail))
        assert link.startswith("https://todo.example.com/app/#/")
        assert "evil" not in mail.as_string()


@pytest.mark.proves("AUTH-161")
@pytest.mark.usefixtures("alice")
def test_the_token_is_in_the_fragment_which_browsers_send_to_no_server(postbox: Postbox) -> None:
    (mail,) = postbox.collect()
    address, _, fragment = text_of(mail).partition("#")
    ((_, token),) = LINK.findall(text_of(mail))
    assert token in fragment
    assert token not in address


@pytest.mark.proves("AUTH-162")
@pytest.mark.parametrize(
    "email",
    [
        "a@example.com\r\nBcc: eve@example.com",
        "a@example.com\nBcc: eve@example.com",
        '"a\r\nBcc: eve@example.com"@example.com',
        "a@example.com, eve@example.com",
        "<eve@example.com> a@example.com",
        "a@example.com\u2028Bcc: eve@example.com",
        "=?utf-8?q?a?=\r\n@example.com",
    ],
)
def test_an_address_cannot_add_a_header_or_a_recipient(
    alice: ApiUser, postbox: Postbox, email: str
) -> None:
    postbox.collect()
    assert broken_fields(ask_reset(alice.client, email)) == ["email"]
    assert broken_fields(ask_change(alice, email)) == ["email"]
    assert postbox.collect() == []


@pytest.mark.proves("AUTH-1", "AUTH-159")
def test_a_reset_finds_the_account_in_each_spelling_of_its_address(
    client: FlaskClient, postbox: Postbox
) -> None:
    user = register(client, "Zoë.K@example.com")
    postbox.collect()
    for email in ("ZOË.K@EXAMPLE.COM", "Zoe\u0308.K@example.com", "Ｚｏë.Ｋ@ｅxample.com"):
        ask_reset(client, email)
        (mail,) = postbox.collect()
        assert str(mail["To"]) == user.email, "the mail goes to the account's address"
    for email in ("ZoëK@example.com", "Zoë.K+x@example.com", "zoe.k@example.com"):
        ask_reset(client, email)
        assert postbox.collect() == [], "dots, tags and accents make another address"


# --- secrets ------------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-163")
@pytest.mark.parametrize("is_sent", [False, True], ids=["before the mail left", "after it"])
def test_a_dump_of_the_database_holds_no_token(
    alice: ApiUser, postbox: Postbox, database_url: str, is_sent: bool
) -> None:
    postbox.collect()
    ask_change(alice)
    ask_reset(alice.client, alice.email)
    before = dump(database_url)
    tokens = [token for _, token in postbox.links()]
    assert len(tokens) == 2
    text = dump(database_url) if is_sent else before
    for token in tokens:
        raw = base64.urlsafe_b64decode(token)
        for trace in (token, raw.hex(), raw[16:].hex()):
            assert trace not in text


@pytest.mark.proves("AUTH-163")
def test_what_the_database_holds_is_no_token(
    alice: ApiUser, postbox: Postbox, database_url: str
) -> None:
    postbox.collect()
    held = run(database_url, "SELECT uuid_send(owner_id), seed, hash FROM account_tokens")
    for owner, *secrets in held:
        for secret in secrets:
            token = base64.urlsafe_b64encode(owner + secret).decode()
            assert is_refused(confirm(alice.client, "verification", token))


@pytest.mark.proves("AUTH-163")
def test_the_log_has_no_token_and_no_address(
    alice: ApiUser,
    postbox: Postbox,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", logger="mail.log")  # of the mail server
    verification = postbox.token()
    confirm(alice.client, "verification", verification)
    ask_reset(alice.client, alice.email)
    token = postbox.token()
    reset(alice.client, token, "short")
    reset(alice.client, token)
    reset(alice.client, token)
    logged = caplog.text + "".join(capfd.readouterr())
    assert "/api/auth/reset/confirm" in logged
    for trace in (token, verification, alice.email, NEW_PASSWORD):
        assert trace not in logged


@pytest.mark.proves("AUTH-164")
def test_a_waiting_mail_outlives_a_new_key_in_front_but_not_the_removal_of_its_own(
    alice: ApiUser, postbox: Postbox
) -> None:
    rotated, replaced = (
        Postbox(postbox.url, postbox.inbox, MailedLinks(MESSAGES, keys))
        for keys in ([NEW_KEY, OLD_KEY], [NEW_KEY])
    )
    token = rotated.token()
    assert confirm(alice.client, "verification", token).status_code == 200
    ask_change(alice)
    assert replaced.collect() == []


@pytest.mark.proves("AUTH-165")
def test_the_audit_trail_tells_of_verification_change_and_reset(
    alice: ApiUser, postbox: Postbox, database_url: str
) -> None:
    confirm(alice.client, "verification", postbox.token())
    ask_change(alice)
    confirm(alice.client, "email", postbox.token())
    postbox.collect()
    ask_reset(alice.client, NEW_EMAIL)
    reset(alice.client, postbox.token())
    events = run(
        database_url,
        "SELECT event FROM audit_auth_events WHERE owner_id = %(owner_id)s ORDER BY at",
        owner_id=alice.id,
    )
    told = [event for (event,) in events if event not in ("registered", "logged in")]
    assert told[:4] == [
        "email verified", "email change requested", "email changed", "reset requested",
    ]  # fmt: skip
    assert sorted(told[4:]) == ["password changed", "password reset", "session ended"]


# --- EMAIL_VERIFICATION -------------------------------------------------------------------------


@pytest.mark.proves("AUTH-166")
def test_where_verification_is_required_nothing_but_auth_answers_before_it(
    config: Config, postbox: Postbox
) -> None:
    strict = create_app(replace(config, email_verification="required")).test_client()
    user = register(strict)
    assert len(postbox.links()) == 1
    for path in ("/api/me/tasks", f"/api/{user.id}/lists", "/api/me/changes", "/api/me/export"):
        assert error(user.call("GET", path)) == (403, "EMAIL_NOT_VERIFIED")
    assert error(user.post(json={"title": "a"})) == (403, "EMAIL_NOT_VERIFIED")
    assert strict.get("/api/me/tasks").status_code == 401
    assert user.call("GET", "/api/auth/me").status_code == 200
    assert user.call("GET", "/api/auth/sessions").status_code == 200
    assert user.call("POST", "/api/auth/verification", json={}).status_code == 202
    token = postbox.token()
    assert confirm(strict, "verification", token).status_code == 200
    assert user.get().status_code == 200


@pytest.mark.proves("AUTH-166")
def test_by_default_verification_is_optional(alice: ApiUser) -> None:
    assert me(alice)["email_verified_at"] is None
    assert alice.get().status_code == 200
