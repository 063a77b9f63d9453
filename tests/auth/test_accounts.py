"""Accounts: one per e-mail address in any spelling; erasure removes every row about its user."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask.testing import FlaskClient

from app.reminders.repository import fire_due
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error, register
from tests.support.auth_rows import count, dump, run
from tests.support.imports import imported
from tests.support.mail import enqueue, reminder
from tests.support.planning import change, delete, make, make_chain, make_task
from tests.support.reminders import await_, before, local
from tests.support.remote_user import sign_up as sign_up_remotely
from tests.support.second_factor import switch_on
from tests.support.server import Server
from tests.support.task_rows import unrecorded
from tests.support.tokens import make_token

EMAIL = "Zoë.K@example.com"


def sign_up(client: FlaskClient, email: Any, password: Any = PASSWORD) -> Any:
    return client.post("/api/auth/register", json={"email": email, "password": password})


def log_in(client: FlaskClient, email: Any, password: Any = PASSWORD) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def erase(user: ApiUser, password: Any = PASSWORD) -> Any:
    return user.call("DELETE", "/api/auth/me", json={"password": password})


def test_account_responses_contain_no_password(client: FlaskClient) -> None:
    user = data(sign_up(client, f" {EMAIL} "))
    assert user.keys() == {
        "id",
        "email",
        "email_verified_at",
        "time_zone",
        "reminder_time",
        "mail",
        "has_second_factor",
        "created_at",
        "updated_at",
    }
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
def test_spellings_of_an_e_mail_address_are_one_account(client: FlaskClient, spelling: str) -> None:
    assert sign_up(client, EMAIL).status_code == 201
    assert error(sign_up(client, spelling)) == (409, "EMAIL_TAKEN")
    assert log_in(client, spelling).status_code == 200


@pytest.mark.proves("AUTH-1")
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_an_account_of_any_spelling_logs_in_with_the_usual_one(
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


RESERVED = [
    "printer.local",
    "localhost",
    "ann.localhost",
    "home.arpa",
    "nas.home.arpa",
    "LOCALHOST",
    "printer.LOCAL",
    "printer.\uff4c\uff4f\uff43\uff41\uff4c",
    "printer\u3002local",
    "a.onion",
    "b.invalid",
]


@pytest.mark.proves("AUTH-81")
@pytest.mark.parametrize("domain", RESERVED)
def test_an_address_at_a_reserved_domain_is_refused_with_the_reason(
    client: FlaskClient, domain: str
) -> None:
    answer = sign_up(client, f"ann@{domain}")
    assert error(answer) == (422, "VALIDATION_FAILED")
    (detail,) = answer.get_json()["error"]["details"]
    assert detail["field"] == "email"
    for part in ("reserved", ".local", ".home.arpa", "localhost"):
        assert part in detail["message"]


@pytest.mark.proves("AUTH-81")
@pytest.mark.parametrize("domain", ["local.example.com", "nas.lan", "ann.test", "localhosts.de"])
def test_a_domain_that_only_looks_reserved_is_accepted(client: FlaskClient, domain: str) -> None:
    assert sign_up(client, f"ann@{domain}").status_code == 201


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "a@b",
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
def test_a_malformed_e_mail_address_is_a_broken_field(client: FlaskClient, email: Any) -> None:
    assert broken_fields(sign_up(client, email)) == ["email"]


def test_every_broken_field_is_named(client: FlaskClient) -> None:
    body = {"email": "x", "password": "x", "role": "admin"}
    answer = client.post("/api/auth/register", json=body)
    assert sorted(broken_fields(answer)) == ["email", "password", "role"]


def test_fifty_concurrent_registrations_of_one_address_make_one_account(
    server: Server, served_database_url: str
) -> None:
    name = uuid4().hex
    spellings = [f"{name}@example.com", f"{name.upper()}@Example.com", f"{name}\u200b@example.com"]

    def sign_up_until_answered(number: int) -> int:
        body = {"email": spellings[number % 3], "password": PASSWORD}
        while True:
            status = server.request("POST", "/api/auth/register", body).status
            if status != 503:  # the hashing queue is full
                return status

    with ThreadPoolExecutor(50) as threads:
        statuses = sorted(threads.map(sign_up_until_answered, range(50)))
    assert statuses == [201] + [409] * 49
    accounts = "users WHERE email_key = %(key)s"
    assert count(served_database_url, accounts, key=f"{name}@example.com") == 1


@pytest.mark.proves("AUTH-6")
def test_a_disabled_account_can_neither_log_in_nor_refresh(
    alice: ApiUser, database_url: str
) -> None:
    run(database_url, "UPDATE users SET disabled_at = now()")
    assert error(log_in(alice.client, alice.email)) == (401, "INVALID_CREDENTIALS")
    token = {"refresh_token": alice.refresh_token}
    assert error(alice.client.post("/api/auth/refresh", json=token)) == (401, "UNAUTHENTICATED")


@pytest.mark.proves("API-7")
def test_account_responses_are_not_stored_by_caches(alice: ApiUser) -> None:
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


# --- settings -----------------------------------------------------------------------------------


def change_me(user: ApiUser, body: Any) -> Any:
    return user.call("PATCH", "/api/auth/me", json=body)


@pytest.mark.proves("TASK-138")
def test_an_account_lives_in_utc_and_is_reminded_at_nine(alice: ApiUser) -> None:
    me = data(alice.call("GET", "/api/auth/me"))
    assert (me["time_zone"], me["reminder_time"]) == ("UTC", "09:00")


def test_settings_are_shown_by_every_answer_with_the_account(client: FlaskClient) -> None:
    credentials = {"email": EMAIL, "password": PASSWORD}
    registered = client.post("/api/auth/register", json={**credentials, "time_zone": "Asia/Tokyo"})
    assert data(registered)["time_zone"] == "Asia/Tokyo"
    session = data(log_in(client, EMAIL))
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    body = {"reminder_time": "07:30"}
    changed = data(client.patch("/api/auth/me", json=body, headers=headers))
    assert (changed["time_zone"], changed["reminder_time"]) == ("Asia/Tokyo", "07:30")
    token = {"refresh_token": session["refresh_token"]}
    refreshed = data(client.post("/api/auth/refresh", json=token))
    again = data(log_in(client, EMAIL))
    assert refreshed["user"] == again["user"] == changed
    assert data(client.get("/api/auth/me", headers=headers)) == changed


@pytest.mark.proves("TASK-138")
def test_a_setting_that_is_left_out_stays(alice: ApiUser) -> None:
    both = {"time_zone": "Europe/Madrid", "reminder_time": "23:59"}
    before = data(change_me(alice, both))
    after = data(change_me(alice, {"reminder_time": "00:00"}))
    assert after["updated_at"] > before["updated_at"]
    assert {**after, "updated_at": None} == {**before, "updated_at": None, "reminder_time": "00:00"}


@pytest.mark.proves("TASK-134")
@pytest.mark.parametrize(
    "zone",
    ["", "europe/berlin", "localtime", "Factory", "FOO5BAR", "../x", "+02:00", "Europe/Berlin ",
     "UTC\x00", "\ud800", None, True, 1, [], {}, ["UTC"], "Europe", "U" * 10_000],
)  # fmt: skip
def test_a_time_zone_that_is_none_is_a_broken_field(client: FlaskClient, zone: Any) -> None:
    alice = register(client)
    before = data(alice.call("GET", "/api/auth/me"))
    body = {"time_zone": zone, "reminder_time": "10:00"}
    assert broken_fields(change_me(alice, body)) == ["time_zone"]
    assert data(alice.call("GET", "/api/auth/me")) == before
    registration = {"email": EMAIL, "password": PASSWORD, "time_zone": zone}
    assert broken_fields(client.post("/api/auth/register", json=registration)) == ["time_zone"]


def test_a_reminder_time_that_is_none_is_a_broken_field(alice: ApiUser) -> None:
    before = data(alice.call("GET", "/api/auth/me"))
    texts: list[Any] = [
        "9:00", "24:00", "09:60", "09:00:00", "0900", "09.00", "-1:00", "٠٩:٠٠", "０９:００",
        "09:00\n", " 09:00", "09:00\x00", "\ud800", "", "nine", None, True, 900, 9.0, [], {},
        ["09:00"],
    ]  # fmt: skip
    for text in texts:
        body = {"reminder_time": text, "time_zone": "Asia/Tokyo"}
        assert broken_fields(change_me(alice, body)) == ["reminder_time"], text
    assert data(alice.call("GET", "/api/auth/me")) == before


def test_what_is_no_setting_is_an_unknown_field(alice: ApiUser) -> None:
    for field in ("email", "id", "password", "created_at", "email_key", "is_disabled"):
        assert broken_fields(change_me(alice, {field: "x", "time_zone": "UTC"})) == [field]
    bodies: list[Any] = [{}, [], "UTC", True, 7]
    for body in bodies:
        assert error(change_me(alice, body)) == (422, "VALIDATION_FAILED")


def test_settings_are_those_of_the_token_s_user(alice: ApiUser, bob: ApiUser) -> None:
    before = data(bob.call("GET", "/api/auth/me"))
    assert change_me(alice, {"time_zone": "Asia/Tokyo"}).status_code == 200
    assert data(bob.call("GET", "/api/auth/me")) == before
    answer = alice.client.patch("/api/auth/me", json={"time_zone": "UTC"})
    assert error(answer) == (401, "UNAUTHENTICATED")


# --- erasure ------------------------------------------------------------------------------------

OWNED_TABLES = """
    SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attname = 'owner_id'
    ORDER BY relname
"""
UNCOUNTED = {"credentials", "ledgers"}  # one row each, which are the account itself
COUNTED_AS = {"reminder_firings": "reminders"}  # else by the table's name


@pytest.mark.proves("AUTH-5", "TASK-204")
def test_erasure_removes_and_counts_the_rows_of_every_table_that_has_an_owner(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    for user in (alice, bob):
        for folder in (make(user, "lists", title="a"), make(user, "lists", title="b")):
            tree = make_chain(user, "parent", "child", list_id=folder["id"])
            change(user, tree[1], labels=["label"], due="2026-10-07")
        make_token(user)
        switch_on(user)
        make(user, "filters", title="due", query="overdue")
        make(user, "feeds", list_id=folder["id"])
        add_attempt(database_url, make(user, "webhooks", url="https://1.1.1.1/"))
        imported(user, "csv", "title\nimported")
        daily = make_task(user, due="2037-10-07", recurrence="FREQ=DAILY")
        body = {"is_completed": True, "occurrence": daily["due"]}
        data(user.patch(f"/{daily['id']}/complete", json=body))
        delete(user, folder, "lists")
        delete(user, make(user, "labels", name="gone"), "labels")
        user.post(json={"title": "kept"}, headers={"Idempotency-Key": "k"})
        enqueue(user.id, reminder(user.email))
        await_(database_url, make_task(user, due=local(minutes=-5), reminders=[before()]))
    assert fire_due(10).fired == 2
    tables = [name for (name,) in run(database_url, OWNED_TABLES)]
    assert len(tables) >= 11

    def rows(user: ApiUser) -> dict[str, int]:
        own = {"owner_id": user.id}
        return {t: count(database_url, f"{t} WHERE owner_id = %(owner_id)s", **own) for t in tables}

    had, others = rows(alice), rows(bob)
    assert [table for table in tables if had[table] == 0] == []  # else give it a row above
    removed = data(erase(alice))
    assert removed["second_factors"] == 1
    assert [table for table in tables if rows(alice)[table] > 0] == []
    assert rows(bob) == others
    exact = set(tables) - UNCOUNTED - {"auth_events"}  # the end of sessions adds some
    named = {table: COUNTED_AS.get(table, table) for table in tables}
    assert {table: removed.get(named[table]) for table in exact} == {t: had[t] for t in exact}
    assert removed["auth_events"] >= had["auth_events"]
    assert set(removed) - set(named.values()) == {"attempt_counters"}


def add_attempt(database_url: str, webhook: dict[str, Any]) -> None:
    """Records an attempt of the webhook."""
    run(
        database_url,
        "INSERT INTO webhook_attempts (owner_id, webhook_id, number, version, type, at,"
        " milliseconds) SELECT owner_id, id, 1, 1, 'task.created', now(), 1 FROM webhooks"
        " WHERE id = %(id)s",
        id=webhook["id"],
    )


@pytest.mark.proves("AUTH-5")
def test_erasure_reports_the_removed_rows_and_leaves_no_trace(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    bob.create()
    before = dump(database_url)
    alice.post(json={"title": "kept"}, headers={"Idempotency-Key": "k"})
    gone = alice.create()["id"]
    alice.delete(f"/{gone}")
    log_in(alice.client, alice.email)
    log_in(alice.client, alice.email, "wrong")
    alice.client.post("/api/auth/reset", json={"email": alice.email})
    alice.client.post("/api/auth/refresh", json={"refresh_token": alice.refresh_token})
    make_token(alice)
    account_hashes = _account_hashes(alice)
    assert all(each in dump(database_url) for each in account_hashes)
    assert data(erase(alice)) == {
        "tasks": 2,
        "lists": 0,
        "labels": 0,
        "filters": 0,
        "reminders": 0,
        "completions": 0,
        "ledger_entries": 3,
        "idempotency_keys": 1,
        "known_addresses": 1,
        "outgoing_mail": 1,
        "api_tokens": 1,
        "account_tokens": 1,
        "second_factors": 0,
        "webhooks": 0,
        "webhook_attempts": 0,
        "feeds": 0,
        "imports": 0,
        "import_rows": 0,
        "import_refs": 0,
        "sessions": 3,
        "attempt_counters": 3,
        # one registration, two log-ins, one refusal, two ended sessions, a token and its end
        "auth_events": 8,
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
    assert bob.id in before
    assert bob.get().status_code == 200


def _account_hashes(user: ApiUser) -> list[str]:
    """The keyed hashes of the user's e-mail, in hexadecimal digits."""
    keyed_hashes = user.client.application.extensions["keyed_hashes"]
    hashes = [*keyed_hashes.account(user.email), *keyed_hashes.mailed(user.email)]
    return [each.hex() for each in hashes]


@pytest.mark.proves("AUTH-5")
def test_erasure_deletes_the_login_events_of_that_e_mail_only(
    alice: ApiUser, bob: ApiUser, database_url: str
) -> None:
    for _ in range(6):
        log_in(bob.client, alice.email, "wrong")
        log_in(bob.client, bob.email, "wrong")
    failures = "auth_events WHERE event IN ('refused', 'throttled')"
    assert count(database_url, failures) == 12
    run(
        database_url,
        "UPDATE login_attempts SET last_failure_at = last_failure_at - interval '1 hour'",
    )
    assert data(erase(alice))["auth_events"] == 6 + len(
        ("registered", "logged in", "session ended")
    )
    assert count(database_url, failures) == 6
    assert bob.id in dump(database_url)


def test_an_erased_account_is_gone_and_its_e_mail_can_register_again(alice: ApiUser) -> None:
    assert erase(alice).status_code == 200
    assert error(log_in(alice.client, alice.email)) == (401, "INVALID_CREDENTIALS")
    token = {"refresh_token": alice.refresh_token}
    assert error(alice.client.post("/api/auth/refresh", json=token)) == (401, "UNAUTHENTICATED")
    assert error(alice.call("GET", "/api/auth/me")) == (401, "UNAUTHENTICATED")
    assert data(sign_up(alice.client, alice.email))["id"] != alice.id


def test_erasure_with_a_wrong_password_removes_nothing(alice: ApiUser, database_url: str) -> None:
    alice.create()
    assert broken_fields(erase(alice, "wrong")) == ["password"]
    assert broken_fields(erase(alice, None)) == ["password"]
    assert error(alice.call("DELETE", "/api/auth/me")) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert count(database_url, "tasks") == 1
    assert alice.get().status_code == 200


@pytest.mark.proves("AUTH-9")
def test_an_ended_session_cannot_erase_the_account(alice: ApiUser, database_url: str) -> None:
    assert alice.get().status_code == 200
    run(database_url, "DELETE FROM sessions")
    assert error(erase(alice)) == (401, "UNAUTHENTICATED")
    assert count(database_url, "users") == 1


@pytest.mark.proves("AUTH-5", "OPS-40")
def test_erasure_may_take_longer_than_the_statement_timeout(
    alice: ApiUser, database_url: str
) -> None:
    """A trigger takes as long as the erasure of a large account."""
    run(
        database_url,
        "CREATE FUNCTION sleep_long() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(2.5); RETURN OLD; END $$",
    )
    run(
        database_url,
        "CREATE TRIGGER sleeping BEFORE DELETE ON ledgers"
        " FOR EACH ROW EXECUTE FUNCTION sleep_long()",
    )
    assert erase(alice).status_code == 200
    assert count(database_url, "users") == 0


@pytest.mark.proves("AUTH-5")
def test_erasure_waits_for_a_concurrent_writer(alice: ApiUser, database_url: str) -> None:
    alice.create()
    with psycopg.connect(database_url) as writer, ThreadPoolExecutor(1) as threads:
        writer.execute("SELECT FROM ledgers FOR UPDATE")
        erased = threads.submit(erase, alice)
        threading.Event().wait(0.1)
        writer.execute("UPDATE ledgers SET changed_at = now()")
        writer.commit()
        assert data(erased.result())["tasks"] == 1
    assert count(database_url, "tasks") == 0


TASK_COUNT = 50_000
FILL = """
WITH made AS (
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, created_at, updated_at, deleted_at,
        version, last_action, request_id
    )
    SELECT
        %(owner_id)s, gen_random_uuid(), 'one of many', 'one of many', '', now(), now(),
        CASE WHEN n %% 10 = 0 THEN now() END, n,
        CASE WHEN n %% 10 = 0 THEN 'delete' ELSE 'create' END, 'filled'
    FROM generate_series(1, %(count)s) AS n
    RETURNING owner_id, id, version, last_action, deleted_at, document
),

entry AS (
    INSERT INTO ledger_entries (
        owner_id, version, kind, item_id, action, at, request_id, item, hash
    )
    SELECT
        owner_id, version, 'task', id, last_action, now(), 'filled',
        CASE WHEN deleted_at IS NULL THEN document END, sha256('')
    FROM made
)

UPDATE ledgers SET version = %(count)s WHERE owner_id = %(owner_id)s
"""


@pytest.mark.proves("AUTH-5", "OPS-40")
def test_a_large_account_is_erased_while_other_users_are_served(
    server: Server, served_database_url: str
) -> None:
    large, other = sign_up_remotely(server), sign_up_remotely(server)
    with psycopg.connect(served_database_url) as connection, unrecorded(connection):
        connection.execute(FILL, {"owner_id": large.id, "count": TASK_COUNT})

    def erase_large() -> Any:
        password = {"password": PASSWORD}
        return server.request("DELETE", "/api/auth/me", password, large.authorization)

    served, slowest = 0, 0.0
    with ThreadPoolExecutor(1) as threads:
        erasure = threads.submit(erase_large)
        while not erasure.done():
            began = time.monotonic()
            other.create("meanwhile")
            assert other.get("/tasks").status == 200
            served, slowest = served + 1, max(slowest, time.monotonic() - began)
    removed = erasure.result().json["data"]
    assert (removed["tasks"], removed["ledger_entries"]) == (TASK_COUNT, TASK_COUNT)
    for table in ("tasks", "ledger_entries", "ledgers", "sessions"):
        rows = f"{table} WHERE owner_id = %(owner_id)s"
        assert count(served_database_url, rows, owner_id=large.id) == 0
    assert served >= 5
    assert slowest < 1
