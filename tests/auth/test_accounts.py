"""Accounts: one per address however it is spelt, and gone without a trace when its owner leaves."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.auth.database import count, dump, run
from tests.callers import PASSWORD, Caller, broken_fields, data, error
from tests.serving import Server
from tests.tasks.remote import sign_up as sign_up_remotely

EMAIL = "Zoë.K@example.com"


def sign_up(client: FlaskClient, email: Any, password: Any = PASSWORD) -> Any:
    return client.post("/api/auth/register", json={"email": email, "password": password})


def log_in(client: FlaskClient, email: Any, password: Any = PASSWORD) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def erase(caller: Caller, password: Any = PASSWORD) -> Any:
    return caller.call("DELETE", "/api/auth/me", json={"password": password})


def test_an_account_shows_itself_without_its_password(client: FlaskClient) -> None:
    user = data(sign_up(client, f" {EMAIL} "))
    assert user.keys() == {"id", "email", "created_at", "updated_at"}
    assert user["email"] == "zoë.k@example.com"
    session = data(log_in(client, EMAIL))
    assert session["user"] == user
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    assert data(client.get("/api/auth/me", headers=headers)) == user


SPELLINGS = {
    "upper case": "ZOË.K@EXAMPLE.COM",
    "decomposed": "Zoe\u0308.K@example.com",
    "full width": "Ｚｏë.Ｋ@ｅxample.com",
    "Kelvin sign": "Zoë.\u212a@example.com",
    "zero width space": "Zo\u200bë.K@example.com",
    "zero width joiner": "Zoë\u200d.K@example.com",
    "soft hyphen": "Zoë.K@exam\u00adple.com",
    "byte order mark": "\ufeffZoë.K@example.com",
    "grapheme joiner": "Zoë\u034f.K@example.com",
    "variation selector": "Zoë.K\ufe0f@example.com",
    "direction mark": "Zoë.K@example.com\u200f",
    "Hangul filler": "Zoë\u3164.K@example.com",
    "tag": "Zoë\U000e0041.K@example.com",
    "spaces around": "\u2003Zoë.K@example.com\n",
}


@pytest.mark.proves("AUTH-1")
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_another_spelling_of_an_address_is_the_same_account(
    client: FlaskClient, spelling: str
) -> None:
    assert sign_up(client, EMAIL).status_code == 201
    assert error(sign_up(client, spelling)) == (409, "EMAIL_TAKEN")
    assert log_in(client, spelling).status_code == 200


@pytest.mark.proves("AUTH-1")
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_whoever_signs_up_with_a_spelling_can_log_in_with_the_usual_one(
    client: FlaskClient, spelling: str
) -> None:
    assert sign_up(client, spelling).status_code == 201
    assert log_in(client, EMAIL).status_code == 200
    assert error(sign_up(client, EMAIL)) == (409, "EMAIL_TAKEN")


@pytest.mark.proves("AUTH-1")
def test_a_domain_in_punycode_is_the_same_account(client: FlaskClient) -> None:
    assert data(sign_up(client, "a@xn--mnchen-3ya.de"))["email"] == "a@münchen.de"
    assert error(sign_up(client, "a@MÜNCHEN.de")) == (409, "EMAIL_TAKEN")
    assert log_in(client, "a@xn--mnchen-3ya.de").status_code == 200


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "a@b",
        "a@localhost",
        "a b@example.com",
        "a\tb@example.com",
        "a@@example.com",
        "@example.com",
        "a@example..com",
        "Alice <a@example.com>",
        "a@[127.0.0.1]",
        "a\x00@example.com",
        "\ud800@example.com",
        "a" * 250 + "@example.com",
        "İ" * 63 + "@" + "İ." * 60 + "com",
        "\u200b@example.com",
        None,
        7,
        ["a@example.com"],
    ],
)
def test_what_is_no_address_is_refused_by_name(client: FlaskClient, email: Any) -> None:
    assert broken_fields(sign_up(client, email)) == ["email"]


def test_every_broken_field_is_named(client: FlaskClient) -> None:
    body = {"email": "x", "password": "x", "role": "admin"}
    answer = client.post("/api/auth/register", json=body)
    assert sorted(broken_fields(answer)) == ["email", "password", "role"]


def test_fifty_registrations_of_one_address_at_once_make_one_account(
    server: Server, served_database_url: str
) -> None:
    name = uuid4().hex
    spellings = [f"{name}@example.com", f"{name.upper()}@Example.com", f"{name}\u200b@example.com"]

    def sign_up_until_answered(number: int) -> int:
        body = {"email": spellings[number % 3], "password": PASSWORD}
        while True:
            status = server.request("POST", "/api/auth/register", body).status
            if status != 503:  # too many at once: try again
                return status

    with ThreadPoolExecutor(50) as threads:
        statuses = sorted(threads.map(sign_up_until_answered, range(50)))
    assert statuses == [201] + [409] * 49
    theirs = "users WHERE email_key = %(key)s"
    assert count(served_database_url, theirs, key=f"{name}@example.com") == 1


@pytest.mark.proves("AUTH-6")
def test_a_closed_account_can_neither_log_in_nor_refresh(alice: Caller, database_url: str) -> None:
    run(database_url, "UPDATE users SET disabled_at = now()")
    assert error(log_in(alice.client, alice.email)) == (401, "INVALID_CREDENTIALS")
    token = {"refresh_token": alice.refresh_token}
    assert error(alice.client.post("/api/auth/refresh", json=token)) == (401, "UNAUTHENTICATED")


@pytest.mark.proves("API-7")
def test_no_answer_about_an_account_is_kept_by_a_cache(alice: Caller) -> None:
    for answer in (alice.call("GET", "/api/auth/me"), log_in(alice.client, "x")):
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.proves("OPS-13")
def test_passwords_tokens_and_e_mails_stay_out_of_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ["logged@example.com", "very secret rivers"]
    sign_up(client, *secrets)
    sign_up(client, *secrets)
    session = data(log_in(client, *secrets))
    log_in(client, secrets[0], "another secret")
    client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})
    client.get("/api/auth/me", headers={"Authorization": f"Bearer {session['access_token']}x"})
    secrets += ["another secret", session["refresh_token"], session["access_token"]]
    for secret in secrets:
        assert secret not in caplog.text


# --- leaving ------------------------------------------------------------------------------------


@pytest.mark.proves("AUTH-5")
def test_leaving_tells_what_was_removed_and_leaves_no_trace(
    alice: Caller, bob: Caller, database_url: str
) -> None:
    bob.create()
    bobs = dump(database_url)
    alice.post(json={"title": "kept"}, headers={"Idempotency-Key": "k"})
    gone = alice.create()["id"]
    alice.delete(f"/{gone}")
    log_in(alice.client, alice.email)
    log_in(alice.client, alice.email, "wrong")
    alice.client.post("/api/auth/refresh", json={"refresh_token": alice.refresh_token})
    account_hashes = _account_hashes(alice)
    assert any(each in dump(database_url) for each in account_hashes)
    assert data(erase(alice)) == {
        "tasks": 2,
        "ledger_entries": 3,
        "idempotency_keys": 1,
        "known_addresses": 1,
        "sessions": 2,
        "guess_counters": 2,
        # registered, logged in twice, refused once, and the ends of the two sessions
        "auth_events": 6,
    }
    left = dump(database_url)
    assert bob.id in left
    for trace in (alice.id, alice.email, *account_hashes):
        assert trace not in left
    assert run(
        database_url,
        "SELECT event, session_id, address_hash FROM auth_events WHERE owner_id IS NULL",
    ) == [("erased", None, None)]
    for table in ("users", "credentials", "ledgers", "sessions", "known_addresses"):
        assert count(database_url, table) == 1
    assert bob.id in bobs
    assert bob.get().status_code == 200


def _account_hashes(caller: Caller) -> list[str]:
    """The keyed hashes of the caller's e-mail, in hexadecimal digits."""
    fingerprints = caller.client.application.extensions["fingerprints"]
    return [each.hex() for each in fingerprints.account(caller.email)]


@pytest.mark.proves("AUTH-5")
def test_tries_at_the_e_mail_of_an_account_that_has_gone_are_erased_and_others_are_not(
    alice: Caller, bob: Caller, database_url: str
) -> None:
    for _ in range(6):
        log_in(bob.client, alice.email, "wrong")
        log_in(bob.client, bob.email, "wrong")
    tries = "auth_events WHERE event IN ('refused', 'held up')"
    assert count(database_url, tries) == 12
    run(database_url, "UPDATE guesses SET last_failure_at = last_failure_at - interval '1 hour'")
    assert data(erase(alice))["auth_events"] == 6 + len(
        ("registered", "logged in", "session ended")
    )
    assert count(database_url, tries) == 6
    assert bob.id in dump(database_url)


def test_whoever_left_is_gone_and_may_come_back(alice: Caller) -> None:
    assert erase(alice).status_code == 200
    assert error(log_in(alice.client, alice.email)) == (401, "INVALID_CREDENTIALS")
    token = {"refresh_token": alice.refresh_token}
    assert error(alice.client.post("/api/auth/refresh", json=token)) == (401, "UNAUTHENTICATED")
    assert error(alice.call("GET", "/api/auth/me")) == (401, "UNAUTHENTICATED")
    assert data(sign_up(alice.client, alice.email))["id"] != alice.id


def test_a_wrong_password_removes_nothing(alice: Caller, database_url: str) -> None:
    alice.create()
    assert broken_fields(erase(alice, "wrong")) == ["password"]
    assert broken_fields(erase(alice, None)) == ["password"]
    assert error(alice.call("DELETE", "/api/auth/me")) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert count(database_url, "tasks") == 1
    assert alice.get().status_code == 200


@pytest.mark.proves("AUTH-9")
def test_a_session_that_just_ended_can_no_longer_erase_the_account(
    alice: Caller, database_url: str
) -> None:
    assert alice.get().status_code == 200
    run(database_url, "DELETE FROM sessions")
    assert error(erase(alice)) == (401, "UNAUTHENTICATED")
    assert count(database_url, "users") == 1


@pytest.mark.proves("AUTH-5", "OPS-40")
def test_erasing_takes_longer_than_other_statements_may(alice: Caller, database_url: str) -> None:
    """A trigger stands for the time that a large account takes."""
    run(
        database_url,
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(2.5); RETURN OLD; END $$",
    )
    run(
        database_url,
        "CREATE TRIGGER lingering BEFORE DELETE ON ledgers FOR EACH ROW EXECUTE FUNCTION linger()",
    )
    assert erase(alice).status_code == 200
    assert count(database_url, "users") == 0


@pytest.mark.proves("AUTH-5")
def test_a_task_written_while_its_account_is_erased_waits_and_is_refused(
    alice: Caller, database_url: str
) -> None:
    alice.create()
    with psycopg.connect(database_url) as writer, ThreadPoolExecutor(1) as threads:
        writer.execute("SELECT FROM ledgers FOR UPDATE")
        erased = threads.submit(erase, alice)
        threading.Event().wait(0.1)
        writer.execute("UPDATE ledgers SET changed_at = now()")
        writer.commit()
        assert data(erased.result())["tasks"] == 1
    assert count(database_url, "tasks") == 0


BIG = 50_000  # tasks
FILL = """
WITH made AS (
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, created_at, updated_at, deleted_at,
        version, last_action
    )
    SELECT
        %(owner_id)s, gen_random_uuid(), 'one of many', 'one of many', '', now(), now(),
        CASE WHEN n %% 10 = 0 THEN now() END, n,
        CASE WHEN n %% 10 = 0 THEN 'delete' ELSE 'create' END
    FROM generate_series(1, %(count)s) AS n
    RETURNING owner_id, id, version, last_action, deleted_at, document
),

entry AS (
    INSERT INTO ledger_entries (owner_id, version, task_id, action, at, request_id, task, hash)
    SELECT
        owner_id, version, id, last_action, now(), 'filled',
        CASE WHEN deleted_at IS NULL THEN document END, sha256('')
    FROM made
)

UPDATE ledgers SET version = %(count)s WHERE owner_id = %(owner_id)s
"""


@pytest.mark.proves("AUTH-5", "OPS-40")
def test_a_big_account_goes_whole_while_others_are_served(
    server: Server, served_database_url: str
) -> None:
    big, other = sign_up_remotely(server), sign_up_remotely(server)
    run(served_database_url, FILL, owner_id=big.id, count=BIG)

    def leave() -> Any:
        password = {"password": PASSWORD}
        return server.request("DELETE", "/api/auth/me", password, big.authorization)

    served, slowest = 0, 0.0
    with ThreadPoolExecutor(1) as threads:
        left = threads.submit(leave)
        while not left.done():
            began = time.monotonic()
            other.create("meanwhile")
            assert other.get().status == 200
            served, slowest = served + 1, max(slowest, time.monotonic() - began)
    removed = left.result().json["data"]
    assert (removed["tasks"], removed["ledger_entries"]) == (BIG, BIG)
    for table in ("tasks", "ledger_entries", "ledgers", "sessions"):
        theirs = f"{table} WHERE owner_id = %(owner_id)s"
        assert count(served_database_url, theirs, owner_id=big.id) == 0
    assert served >= 5
    assert slowest < 1
