"""Passwords: any Unicode, never truncated, hashed at a bounded rate."""

import os
import sys
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bcrypt
import psycopg
import pytest
from flask.testing import FlaskClient

from app.auth import repository
from app.auth.passwords import NICENESS, QUEUE_SIZE, QUEUE_TIMEOUT, Passwords
from app.errors import Unavailable
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.auth_rows import count, run
from tests.support.processes import thread_ids, until

EMAIL = "alice@example.com"
NEW_PASSWORD = "other quiet rivers"
COST = 4
CPUS = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 0


def sign_up(client: FlaskClient, password: Any, email: str = EMAIL) -> Any:
    return client.post("/api/auth/register", json={"email": email, "password": password})


def log_in(client: FlaskClient, password: Any, email: str = EMAIL) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


@pytest.mark.proves("AUTH-3")
@pytest.mark.parametrize(
    "password",
    [
        "x7 qPv2z",
        "x7" * 128,
        "        .",
        "пароль от сейфа",
        "密码比较长的一个",
        "🔑🗝️🔐🚪🏠🌳🌊⛰️",
        "e\u0301" * 8,
        "tab\tand\nnewline\u200b",
        "\u0958" * 256,
        "\U0010ffff" * 256,
    ],
)
def test_any_text_of_8_to_256_characters_is_a_password(client: FlaskClient, password: str) -> None:
    assert sign_up(client, password).status_code == 201
    assert log_in(client, password).status_code == 200
    assert error(log_in(client, password[:-1])) == (401, "INVALID_CREDENTIALS")
    assert error(log_in(client, password + " ")) == (401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize(
    "password",
    ["", "x7 qPv2", "x7" * 128 + "x", "nul\x00nul\x00nul", "\ud800" * 8, None, 12345678, ["x"] * 8],
)
def test_other_passwords_are_a_broken_field(client: FlaskClient, password: Any) -> None:
    assert broken_fields(sign_up(client, password)) == ["password"]


@pytest.mark.proves("AUTH-3")
@pytest.mark.parametrize(
    "password", ["password", "12345678", "PassWord1", "iloveyou", "qwertyuiop"]
)
def test_a_common_password_is_refused(client: FlaskClient, password: str) -> None:
    assert broken_fields(sign_up(client, password)) == ["password"]


def test_passwords_are_compared_beyond_72_bytes(client: FlaskClient) -> None:
    shared = "ab c" * 25
    assert sign_up(client, shared + "one").status_code == 201
    for other in (shared + "two", shared, shared[:72], shared + "one" * 50):
        assert error(log_in(client, other)) == (401, "INVALID_CREDENTIALS")
    assert log_in(client, shared + "one").status_code == 200


@pytest.mark.proves("AUTH-3")
@pytest.mark.parametrize(
    ("typed", "retyped"),
    [
        ("Ångström élan", unicodedata.normalize("NFD", "Ångström élan")),
        (unicodedata.normalize("NFD", "한국어 비밀번호"), "한국어 비밀번호"),
        ("\u212bngstrom unit", "\u00c5ngstrom unit"),
    ],
)
def test_a_password_matches_in_each_canonical_unicode_form(
    client: FlaskClient, typed: str, retyped: str
) -> None:
    assert typed != retyped
    sign_up(client, typed)
    assert log_in(client, retyped).status_code == 200


@pytest.mark.proves("AUTH-3")
def test_case_and_compatibility_forms_are_significant(client: FlaskClient) -> None:
    sign_up(client, "ﬁne Weather")
    for other in ("fine Weather", "ﬁne weather", " ﬁne Weather", "ﬁne Weather\u200b"):
        assert error(log_in(client, other)) == (401, "INVALID_CREDENTIALS")


def test_a_password_longer_than_bcrypt_takes_is_not_truncated() -> None:
    passwords = Passwords(COST, 2)
    stored = passwords.hash("p" * 100)
    assert not bcrypt.checkpw(b"p" * 72, stored.encode())
    assert not passwords.verify("p" * 72, stored)
    assert passwords.verify("p" * 100, stored)


def test_equal_passwords_have_different_hashes(database_url: str, client: FlaskClient) -> None:
    sign_up(client, PASSWORD, "one@example.com")
    sign_up(client, PASSWORD, "two@example.com")
    hashes = {row[0] for row in run(database_url, "SELECT password_hash FROM credentials")}
    assert len(hashes) == 2
    assert {text[:7] for text in hashes} == {"$2b$04$"}


GOOD = bcrypt.hashpw(b"x", bcrypt.gensalt(COST)).decode()
BROKEN = {
    "cost 31": GOOD.replace("$04$", "$31$"),
    "cost 15": GOOD.replace("$04$", "$15$"),
    "cost 99": GOOD.replace("$04$", "$99$"),
    "another algorithm": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b",
    "plain text": PASSWORD,
    "cut off": GOOD[:-1],
    "too long": GOOD + "x",
    "salt with spare bits": f"$2b$04${'A' * 22}{'A' * 31}",
    "not ASCII": "é" * 60,
    "a line more": GOOD + "\n",
    "huge": "$2b$04$" + "x" * 248,
}


@pytest.mark.proves("AUTH-4")
@pytest.mark.parametrize("stored", BROKEN.values(), ids=BROKEN)
def test_a_malformed_or_too_costly_hash_refuses_the_log_in_at_once(
    alice: ApiUser, database_url: str, stored: str
) -> None:
    run(database_url, "UPDATE credentials SET password_hash = %(stored)s", stored=stored)
    began = time.perf_counter()
    assert error(log_in(alice.client, PASSWORD)) == (401, "INVALID_CREDENTIALS")
    assert time.perf_counter() - began < 1


@pytest.mark.proves("AUTH-2")
def test_a_wrong_password_an_unknown_e_mail_and_a_disabled_account_get_one_response(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    run(database_url, "UPDATE users SET disabled_at = now() WHERE email LIKE 'bob@%%'")
    credentials = [
        (alice.email, "wrong"),
        (alice.email, ""),
        (alice.email, "x" * 5000),
        ("nobody@example.com", PASSWORD),
        ("not an e-mail", PASSWORD),
        ("", ""),
        ("a" * 5000, PASSWORD),
        (bob.email, PASSWORD),
    ]
    answers = set()
    for email, password in credentials:
        answer = log_in(alice.client, password, email)
        request_id = answer.get_json()["error"]["request_id"]
        answers.add((answer.status_code, answer.text.replace(request_id, "")))
        assert "WWW-Authenticate" not in answer.headers
    assert len(answers) == 1
    assert answers.pop()[0] == 401


@pytest.mark.proves("AUTH-2")
def test_an_unknown_e_mail_takes_as_much_cpu_as_a_known_one() -> None:
    passwords = Passwords(10, 2)
    stored = passwords.hash(PASSWORD)
    seconds = []
    for candidate in (stored, None, GOOD[:-1]):
        samples = []
        for _ in range(3):
            began = time.process_time()
            assert not passwords.verify("wrong", candidate)
            samples.append(time.process_time() - began)
        seconds.append(min(samples))
    assert max(seconds) < 2 * min(seconds)


@pytest.mark.proves("AUTH-21")
def test_the_hashing_queue_is_bounded_in_length_and_time() -> None:
    passwords = Passwords(COST, 20)

    def wait_until_refused(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(Unavailable), passwords.turn():
            pass
        return time.monotonic() - began

    with passwords.turn(), ThreadPoolExecutor(QUEUE_SIZE) as threads:
        refused, *timed_out = sorted(threads.map(wait_until_refused, range(QUEUE_SIZE)))
    assert refused < QUEUE_TIMEOUT / 2
    assert len(timed_out) == QUEUE_SIZE - 1
    assert all(QUEUE_TIMEOUT <= seconds < 2 * QUEUE_TIMEOUT for seconds in timed_out)
    with passwords.turn():
        assert passwords.hash(PASSWORD)


@pytest.mark.proves("AUTH-21")
def test_at_most_half_of_the_threads_are_busy_with_passwords() -> None:
    passwords = Passwords(COST, 2)
    with passwords.turn(), pytest.raises(Unavailable):
        passwords.require_room()


@pytest.mark.proves("AUTH-21")
def test_retry_after_is_spread_over_three_seconds() -> None:
    passwords = Passwords(COST, 2)
    waits = set()
    with passwords.turn():
        for _ in range(100):
            with pytest.raises(Unavailable) as refusal:
                passwords.require_room()
            waits.add(refusal.value.headers["Retry-After"])
    assert waits == {"1", "2", "3"}


@pytest.mark.proves("AUTH-21")
@pytest.mark.skipif(CPUS < 2, reason="needs two CPUs, and Linux for the affinity of a thread")
def test_hashing_leaves_one_cpu_free() -> None:
    before = thread_ids(os.getpid())
    passwords = Passwords(COST, 2)
    with passwords.turn():
        passwords.hash(PASSWORD)
    started = thread_ids(os.getpid()) - before
    (hasher,) = (each for each in started if os.getpriority(os.PRIO_PROCESS, each) == NICENESS)
    allowed = os.sched_getaffinity(0)
    assert os.sched_getaffinity(hasher) == allowed - {min(allowed)}


# --- password change ----------------------------------------------------------------------------


def change(user: ApiUser, current: Any = PASSWORD, new: Any = NEW_PASSWORD) -> Any:
    body = {"current_password": current, "new_password": new}
    return user.call("PUT", "/api/auth/password", json=body)


def test_a_new_password_replaces_the_old_one(alice: ApiUser) -> None:
    answer = change(alice)
    assert (answer.status_code, data(answer)) == (200, None)
    assert error(log_in(alice.client, PASSWORD)) == (401, "INVALID_CREDENTIALS")
    assert log_in(alice.client, NEW_PASSWORD).status_code == 200


def test_a_password_change_ends_only_the_other_sessions_of_its_user(
    alice: ApiUser, bob: ApiUser
) -> None:
    other = data(log_in(alice.client, PASSWORD))["refresh_token"]
    change(alice)
    for token, status in ((other, 401), (alice.refresh_token, 200), (bob.refresh_token, 200)):
        answer = alice.client.post("/api/auth/refresh", json={"refresh_token": token})
        assert answer.status_code == status


def test_a_wrong_current_password_changes_nothing(alice: ApiUser) -> None:
    other = data(log_in(alice.client, PASSWORD))["refresh_token"]
    assert broken_fields(change(alice, current="wrong")) == ["current_password"]
    answer = alice.client.post("/api/auth/refresh", json={"refresh_token": other})
    assert answer.status_code == 200
    assert log_in(alice.client, PASSWORD).status_code == 200


def test_a_new_password_follows_the_registration_rules(alice: ApiUser) -> None:
    assert broken_fields(change(alice, new="short")) == ["new_password"]
    assert broken_fields(change(alice, new="password")) == ["new_password"]
    assert sorted(broken_fields(change(alice, current=None, new=1))) == [
        "current_password",
        "new_password",
    ]


@pytest.mark.proves("AUTH-9")
def test_an_ended_session_cannot_change_the_password(alice: ApiUser, database_url: str) -> None:
    assert alice.get().status_code == 200
    run(database_url, "DELETE FROM sessions")
    assert error(change(alice)) == (401, "UNAUTHENTICATED")
    assert log_in(alice.client, PASSWORD).status_code == 200


def test_of_two_concurrent_password_changes_one_ends_the_other_session(
    alice: ApiUser, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_proved, change_password = threading.Barrier(2, timeout=30), repository.change_password

    def change_after_both_proved(*arguments: Any) -> bool:
        both_proved.wait()
        return change_password(*arguments)

    monkeypatch.setattr(repository, "change_password", change_after_both_proved)
    token = data(log_in(alice.client, PASSWORD))["access_token"]
    other = ApiUser(alice.client, alice.id, alice.email, token, "")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(change, alice, new="first quiet rivers")
        second = threads.submit(change, other, new="second quiet rivers")
        statuses = sorted([first.result().status_code, second.result().status_code])
    assert statuses == [200, 401]
    assert count(database_url, "sessions") == 1


@pytest.mark.proves("AUTH-10")
@pytest.mark.parametrize("attempt", range(5))
def test_a_log_in_during_a_password_change_gets_no_lasting_session(
    alice: ApiUser, attempt: int
) -> None:
    with ThreadPoolExecutor(2) as threads:
        login = threads.submit(log_in, alice.client, PASSWORD)
        changed = threads.submit(change, alice, new=f"{attempt} new quiet rivers")
        answer = login.result()
        assert changed.result().status_code == 200
    if answer.status_code == 200:
        token = {"refresh_token": data(answer)["refresh_token"]}
        answer = alice.client.post("/api/auth/refresh", json=token)
    assert answer.status_code == 401


@pytest.mark.proves("AUTH-10")
def test_a_log_in_verified_before_a_password_change_is_refused_after_it(
    alice: ApiUser, database_url: str
) -> None:
    """The old password was right when it was checked; the change commits before the session."""
    with psycopg.connect(database_url) as changing, ThreadPoolExecutor(1) as threads:
        changing.execute("SELECT FROM credentials FOR UPDATE")
        login = threads.submit(log_in, alice.client, PASSWORD)
        waiting = "pg_locks WHERE NOT granted AND %(pid)s = ANY(pg_blocking_pids(pid))"
        until(lambda: count(database_url, waiting, pid=changing.info.backend_pid) > 0)
        new_hash = bcrypt.hashpw(b"another one", bcrypt.gensalt(4)).decode()
        changing.execute(
            "UPDATE credentials SET password_hash = %s, changed_at = clock_timestamp()", (new_hash,)
        )
        changing.execute("DELETE FROM sessions")
        changing.commit()
        assert error(login.result()) == (401, "INVALID_CREDENTIALS")
    assert count(database_url, "sessions") == 0
