"""Log-in throttling: a few failed attempts are free, each one after them doubles the wait."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app, db
from app.auth import repository
from app.auth.login_throttle import KeyedHashes
from app.config import Config
from app.http.proxy import client_network
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, error, register
from tests.support.auth_rows import age_attempts, count, dump, run
from tests.support.server import serving

KNOWN_ADDRESS, OTHER_ADDRESS = "127.0.0.1", "203.0.113.7"
WRONG = "wrong"
DAY = 24 * 60 * 60  # seconds
FREE = 5
OLD_KEY, NEW_KEY = "7d0e9b0c5a3f4e6182d4b6c8fa1e3957", "f00dcafe5a3f4e6182d4b6c8fa1e3957"


def log_in(
    client: FlaskClient, email: str, password: str = WRONG, address: str = OTHER_ADDRESS
) -> TestResponse:
    return client.post(
        "/api/auth/login",
        json={"email": email, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )


def fail_log_in(
    client: FlaskClient, email: str, times: int = FREE, address: str = OTHER_ADDRESS
) -> None:
    """Failed attempts, none of which is throttled."""
    for _ in range(times):
        answer = log_in(client, email, address=address)
        assert error(answer) == (401, "INVALID_CREDENTIALS")


def retry_after(answer: TestResponse) -> int:
    """The seconds that a throttled attempt is told to wait."""
    assert error(answer) == (429, "RATE_LIMITED")
    return int(answer.headers["Retry-After"])


@pytest.mark.proves("AUTH-28")
def test_throttled_attempts_leave_no_rows_but_one_event_per_wait(
    client: FlaskClient, database_url: str
) -> None:
    keyed = client.application.extensions["keyed_hashes"]
    address = keyed.address(OTHER_ADDRESS)[-1]
    run(
        database_url,
        "INSERT INTO login_attempts VALUES ('', %(address)s, 60, now())",
        address=address,
    )
    for number in range(30):
        assert retry_after(log_in(client, f"{number}@example.com")) > 800
    assert count(database_url, "login_attempts") == 1
    assert count(database_url, "auth_events") == 1
    age_attempts(database_url, 901)
    fail_log_in(client, "counted@example.com", times=1)
    for number in range(3):
        assert retry_after(log_in(client, f"{number}@example.com")) > 800
    assert count(database_url, "login_attempts") == 3
    events = run(database_url, "SELECT event FROM auth_events ORDER BY id")
    assert [row[0] for row in events] == ["throttled", "refused", "throttled"]


@pytest.mark.proves("AUTH-15")
def test_after_five_failed_attempts_even_the_right_password_is_throttled(alice: ApiUser) -> None:
    fail_log_in(alice.client, alice.email)
    assert retry_after(log_in(alice.client, alice.email)) == 1
    assert retry_after(log_in(alice.client, alice.email, PASSWORD)) == 1


@pytest.mark.proves("AUTH-15")
def test_the_wait_doubles_from_one_second_to_fifteen_minutes(
    alice: ApiUser, database_url: str
) -> None:
    fail_log_in(alice.client, alice.email)
    waits = [retry_after(log_in(alice.client, alice.email))]
    for _ in range(12):
        age_attempts(database_url, waits[-1] - 0.5)
        assert retry_after(log_in(alice.client, alice.email)) == 1
        age_attempts(database_url, 0.5)
        fail_log_in(alice.client, alice.email, times=1)
        waits.append(retry_after(log_in(alice.client, alice.email)))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


@pytest.mark.proves("AUTH-14")
def test_throttled_attempts_do_not_lengthen_the_wait(alice: ApiUser) -> None:
    fail_log_in(alice.client, alice.email)
    assert [retry_after(log_in(alice.client, alice.email)) for _ in range(10)] == [1] * 10


@pytest.mark.proves("AUTH-16")
def test_a_log_in_resets_the_counter_of_its_account(alice: ApiUser, database_url: str) -> None:
    for _ in range(2):
        fail_log_in(alice.client, alice.email)
        age_attempts(database_url, 1)
        assert log_in(alice.client, alice.email, PASSWORD).status_code == 200


@pytest.mark.proves("AUTH-15")
def test_failed_attempts_expire_after_a_day(alice: ApiUser, database_url: str) -> None:
    fail_log_in(alice.client, alice.email)
    age_attempts(database_url, 1)
    fail_log_in(alice.client, alice.email, times=1)
    age_attempts(database_url, DAY)
    fail_log_in(alice.client, alice.email)
    assert retry_after(log_in(alice.client, alice.email)) == 1


def test_expired_counters_are_deleted(client: FlaskClient, database_url: str) -> None:
    for number in range(5):
        fail_log_in(client, f"{number}@example.com", times=1)
    age_attempts(database_url, DAY + 3601)
    fail_log_in(client, "somebody@example.com", times=2)
    assert count(database_url, "login_attempts") == 3


@pytest.mark.proves("AUTH-18")
def test_an_e_mail_without_an_account_is_throttled_alike(
    alice: ApiUser,
) -> None:
    answers = {}
    for email in (alice.email, "nobody@example.com"):
        fail_log_in(alice.client, email)
        answer = log_in(alice.client, email)
        body = {**answer.get_json(), "error": {**answer.get_json()["error"], "request_id": ""}}
        answers[email] = (answer.status_code, answer.headers["Retry-After"], json.dumps(body))
    assert len(set(answers.values())) == 1


def test_spellings_of_an_e_mail_share_one_counter(alice: ApiUser) -> None:
    fail_log_in(alice.client, "ALICE@example.com", times=2)
    fail_log_in(alice.client, "a\u200blice@example.com", times=2)
    fail_log_in(alice.client, " alice@EXAMPLE.com ", times=1)
    assert retry_after(log_in(alice.client, alice.email)) == 1


@pytest.mark.proves("AUTH-17")
def test_attempts_from_elsewhere_do_not_throttle_a_known_address(
    client: FlaskClient,
) -> None:
    victim = register(client, "victim@example.com")
    for number in range(25):
        fail_log_in(client, victim.email, times=4, address=f"198.51.100.{number}")
    assert retry_after(log_in(client, victim.email, PASSWORD, address=OTHER_ADDRESS)) == 1
    assert log_in(client, victim.email, PASSWORD, address=KNOWN_ADDRESS).status_code == 200


@pytest.mark.proves("AUTH-19")
def test_throttling_does_not_affect_open_sessions(alice: ApiUser) -> None:
    fail_log_in(alice.client, alice.email, address=KNOWN_ADDRESS)
    assert retry_after(log_in(alice.client, alice.email, PASSWORD, address=KNOWN_ADDRESS)) == 1
    assert alice.get().status_code == 200
    token = {"refresh_token": alice.refresh_token}
    assert alice.client.post("/api/auth/refresh", json=token).status_code == 200


@pytest.mark.proves("AUTH-15")
def test_an_address_has_fifty_free_attempts_over_all_accounts(
    client: FlaskClient, alice: ApiUser
) -> None:
    for number in range(10):
        fail_log_in(client, f"{number}@example.com", address=OTHER_ADDRESS)
    assert retry_after(log_in(client, "another@example.com", address=OTHER_ADDRESS)) == 1
    assert retry_after(log_in(client, alice.email, PASSWORD, address=OTHER_ADDRESS)) == 1
    fail_log_in(client, "another@example.com", address="203.0.113.8")


@pytest.mark.proves("AUTH-16")
def test_a_log_in_does_not_reset_the_counter_of_its_address(
    client: FlaskClient,
) -> None:
    own = register(client, "attacker@example.com")
    for number in range(10):
        fail_log_in(client, f"{number}@example.com")
        if number < 9:
            assert log_in(client, own.email, PASSWORD).status_code == 200
    assert retry_after(log_in(client, "another@example.com")) == 1


@pytest.mark.proves("AUTH-18")
def test_the_addresses_of_an_ipv6_network_share_one_counter(client: FlaskClient) -> None:
    for number in range(FREE):
        fail_log_in(client, "nobody@example.com", times=1, address=f"2001:db8::{number}")
    assert retry_after(log_in(client, "nobody@example.com", address="2001:db8::ffff:1")) == 1
    fail_log_in(client, "nobody@example.com", times=1, address="2001:db8:0:1::1")


@pytest.mark.proves("AUTH-18")
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("unix:", "unix:"),
    ],
)
def test_an_address_counts_as_its_client_network(address: str | None, expected: str) -> None:
    assert client_network(address) == expected


def test_counters_survive_a_restart(alice: ApiUser, config: Config) -> None:
    fail_log_in(alice.client, alice.email)
    restarted = create_app(config).test_client()
    assert retry_after(log_in(restarted, alice.email)) == 1


@pytest.mark.proves("AUTH-20")
def test_counters_and_known_addresses_survive_key_rotation(alice: ApiUser, config: Config) -> None:
    fail_log_in(alice.client, alice.email)
    rotated = create_app(
        replace(config, jwt_secrets={"new": NEW_KEY, "test": OLD_KEY})
    ).test_client()
    assert retry_after(log_in(rotated, alice.email)) == 1
    assert log_in(rotated, alice.email, PASSWORD, address=KNOWN_ADDRESS).status_code == 200
    retired = create_app(replace(config, jwt_secrets={"new": NEW_KEY})).test_client()
    for number in range(25):
        fail_log_in(retired, alice.email, times=4, address=f"198.51.100.{number}")
    assert log_in(retired, alice.email, PASSWORD, address=KNOWN_ADDRESS).status_code == 200


@pytest.mark.proves("AUTH-20")
def test_the_tables_contain_neither_e_mails_nor_addresses(
    alice: ApiUser, database_url: str
) -> None:
    fail_log_in(alice.client, "nobody@example.com", address=OTHER_ADDRESS)
    run(database_url, "DELETE FROM outgoing_mail")  # links begin with this machine's address
    rows = dump(database_url)
    for own in ("http://127.0.0.1:8000", "@127.0.0.1>"):  # PUBLIC_URL in mails, and its host
        rows = rows.replace(own, "")
    for secret in (
        "nobody",
        OTHER_ADDRESS,
        KNOWN_ADDRESS,
        OTHER_ADDRESS.encode().hex(),
        b"nobody@".hex(),
    ):
        assert secret not in rows


@pytest.mark.proves("AUTH-19")
def test_a_wrong_current_password_counts_as_an_attempt(alice: ApiUser) -> None:
    body = {"current_password": "wrong", "new_password": "other quiet rivers"}
    for _ in range(3):
        assert broken_fields(alice.call("PUT", "/api/auth/password", json=body)) == [
            "current_password"
        ]
    for _ in range(2):
        assert broken_fields(alice.call("DELETE", "/api/auth/me", json={"password": "wrong"})) == [
            "password"
        ]
    right = {**body, "current_password": PASSWORD}
    assert retry_after(alice.call("PUT", "/api/auth/password", json=right)) == 1
    assert retry_after(alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD})) == 1
    assert retry_after(log_in(alice.client, alice.email, PASSWORD, address=KNOWN_ADDRESS)) == 1


def test_a_refused_new_password_counts_no_attempt(alice: ApiUser, database_url: str) -> None:
    for _ in range(FREE + 1):
        body = {"current_password": "wrong", "new_password": "password"}
        answer = alice.call("PUT", "/api/auth/password", json=body)
        assert broken_fields(answer) == ["new_password"]
    assert run(database_url, "SELECT max(failures) FROM login_attempts") == [(0,)]


@pytest.mark.proves("AUTH-14")
def test_an_attempt_refused_for_lack_of_capacity_is_not_counted(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    app = create_app(replace(config, web_threads=4))  # two of them may hash or wait for it
    with app.extensions["passwords"].turn():
        answer = log_in(app.test_client(), alice.email, PASSWORD)
        assert error(answer) == (503, "UNAVAILABLE")
        assert 1 <= int(answer.headers["Retry-After"]) <= 3
    assert run(database_url, "SELECT max(failures) FROM login_attempts") == [(0,)]
    assert log_in(app.test_client(), alice.email, PASSWORD).status_code == 200


@pytest.mark.proves("AUTH-21")
def test_a_full_hashing_queue_refuses_a_log_in_before_any_other_work(
    alice: ApiUser, config: Config, database_url: str
) -> None:
    app = create_app(replace(config, web_threads=2))  # one of them may hash or wait for it
    before = count(database_url, "login_attempts")
    with app.extensions["passwords"].turn():
        answer = log_in(app.test_client(), alice.email, PASSWORD)
    assert error(answer) == (503, "UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3
    assert count(database_url, "login_attempts") == before


@pytest.mark.proves("AUTH-14")
def test_of_twenty_concurrent_attempts_exactly_five_are_counted(
    config: Config, database_url: str
) -> None:
    """A trigger makes each attempt last long enough to overlap with the others."""
    run(
        database_url,
        "CREATE FUNCTION sleep_briefly() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$",
    )
    run(
        database_url,
        "CREATE TRIGGER sleeping BEFORE UPDATE ON login_attempts"
        " FOR EACH ROW EXECUTE FUNCTION sleep_briefly()",
    )
    create_app(replace(config, db_pool_size=20))
    keyed_hashes = KeyedHashes([OLD_KEY])
    start = Barrier(20)

    def count_one(email: str) -> bool:
        counters = keyed_hashes.counters(email, OTHER_ADDRESS, is_known=False)
        start.wait()
        return repository.count_attempt(counters) is None

    with ThreadPoolExecutor(20) as threads:
        counted = list(threads.map(count_one, ["victim@example.com"] * 20))
    db.close_pool()
    assert sum(counted) == FREE


@pytest.mark.proves("AUTH-14")
@pytest.mark.parametrize("account", ["known", "unknown"])
def test_of_twenty_concurrent_log_ins_exactly_five_are_verified(
    account: str, database_url: str, tmp_path: Path
) -> None:
    email = f"{uuid4().hex}@example.com"
    with serving(database_url, tmp_path) as server:
        if account == "known":
            body = {"email": email, "password": PASSWORD}
            assert server.request("POST", "/api/auth/register", body).status == 201

        def attempt(number: int) -> int:
            """Repeats the log-in while the hashing queue is full, which counts no attempt."""
            body = {"email": email, "password": f"wrong {number}"}
            replies = (server.request("POST", "/api/auth/login", body).status for _ in range(1000))
            return next(status for status in replies if status != 503)

        with ThreadPoolExecutor(20) as threads:
            answers = Counter(threads.map(attempt, range(20)))
    assert answers == {401: FREE, 429: 20 - FREE}
