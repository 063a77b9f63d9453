"""Guessing passwords: a few tries are free, then each costs a longer wait."""

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
from app.auth.guesses import Fingerprints, network
from app.config import Config
from tests.auth.database import age_guesses, count, dump, run
from tests.callers import PASSWORD, Caller, broken_fields, error, register
from tests.serving import serving

HOME, ELSEWHERE = "127.0.0.1", "203.0.113.7"
WRONG = "wrong"
DAY = 24 * 60 * 60  # seconds
FREE = 5
OLD_KEY, NEW_KEY = "7d0e9b0c5a3f4e6182d4b6c8fa1e3957", "f00dcafe5a3f4e6182d4b6c8fa1e3957"


def log_in(
    client: FlaskClient, email: str, password: str = WRONG, address: str = ELSEWHERE
) -> TestResponse:
    return client.post(
        "/api/auth/login",
        json={"email": email, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )


def guess(client: FlaskClient, email: str, times: int = FREE, address: str = ELSEWHERE) -> None:
    """Wrong passwords that are not held up."""
    for _ in range(times):
        answer = log_in(client, email, address=address)
        assert error(answer) == (401, "INVALID_CREDENTIALS")


def wait(answer: TestResponse) -> int:
    """The seconds that a try which is held up has to wait."""
    assert error(answer) == (429, "RATE_LIMITED")
    return int(answer.headers["Retry-After"])


@pytest.mark.proves("AUTH-15")
def test_five_wrong_guesses_are_free_and_then_even_the_right_one_waits(alice: Caller) -> None:
    guess(alice.client, alice.email)
    assert wait(log_in(alice.client, alice.email)) == 1
    assert wait(log_in(alice.client, alice.email, PASSWORD)) == 1


@pytest.mark.proves("AUTH-15")
def test_the_wait_doubles_from_one_second_to_fifteen_minutes(
    alice: Caller, database_url: str
) -> None:
    guess(alice.client, alice.email)
    waits = [wait(log_in(alice.client, alice.email))]
    for _ in range(12):
        age_guesses(database_url, waits[-1] - 0.5)
        assert wait(log_in(alice.client, alice.email)) == 1
        age_guesses(database_url, 0.5)
        guess(alice.client, alice.email, times=1)
        waits.append(wait(log_in(alice.client, alice.email)))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


@pytest.mark.proves("AUTH-14")
def test_tries_that_are_held_up_do_not_lengthen_the_wait(alice: Caller) -> None:
    guess(alice.client, alice.email)
    assert [wait(log_in(alice.client, alice.email)) for _ in range(10)] == [1] * 10


@pytest.mark.proves("AUTH-16")
def test_the_right_password_gives_the_free_guesses_back(alice: Caller, database_url: str) -> None:
    for _ in range(2):
        guess(alice.client, alice.email)
        age_guesses(database_url, 1)
        assert log_in(alice.client, alice.email, PASSWORD).status_code == 200


@pytest.mark.proves("AUTH-15")
def test_wrong_guesses_are_forgotten_after_a_day(alice: Caller, database_url: str) -> None:
    guess(alice.client, alice.email)
    age_guesses(database_url, 1)
    guess(alice.client, alice.email, times=1)
    age_guesses(database_url, DAY)
    guess(alice.client, alice.email)
    assert wait(log_in(alice.client, alice.email)) == 1


def test_counters_that_are_over_are_removed(client: FlaskClient, database_url: str) -> None:
    for number in range(5):
        guess(client, f"{number}@example.com", times=1)
    age_guesses(database_url, DAY + 3601)
    guess(client, "somebody@example.com", times=2)
    assert count(database_url, "guesses") == 3


@pytest.mark.proves("AUTH-18")
def test_an_e_mail_without_an_account_is_held_up_the_same_way(
    alice: Caller,
) -> None:
    answers = {}
    for email in (alice.email, "nobody@example.com"):
        guess(alice.client, email)
        held_up = log_in(alice.client, email)
        body = {**held_up.get_json(), "error": {**held_up.get_json()["error"], "request_id": ""}}
        answers[email] = (held_up.status_code, held_up.headers["Retry-After"], json.dumps(body))
    assert len(set(answers.values())) == 1


def test_another_spelling_of_the_e_mail_does_not_give_more_guesses(alice: Caller) -> None:
    guess(alice.client, "ALICE@example.com", times=2)
    guess(alice.client, "a\u200blice@example.com", times=2)
    guess(alice.client, " alice@EXAMPLE.com ", times=1)
    assert wait(log_in(alice.client, alice.email)) == 1


@pytest.mark.proves("AUTH-17")
def test_where_somebody_logged_in_before_a_stranger_holds_nobody_up(
    client: FlaskClient,
) -> None:
    victim = register(client, "victim@example.com")
    for number in range(25):
        guess(client, victim.email, times=4, address=f"198.51.100.{number}")
    assert wait(log_in(client, victim.email, PASSWORD, address=ELSEWHERE)) == 1
    assert log_in(client, victim.email, PASSWORD, address=HOME).status_code == 200


@pytest.mark.proves("AUTH-19")
def test_an_open_session_goes_on_while_its_account_is_guessed_at(alice: Caller) -> None:
    guess(alice.client, alice.email, address=HOME)
    assert wait(log_in(alice.client, alice.email, PASSWORD, address=HOME)) == 1
    assert alice.get().status_code == 200
    token = {"refresh_token": alice.refresh_token}
    assert alice.client.post("/api/auth/refresh", json=token).status_code == 200


@pytest.mark.proves("AUTH-15")
def test_one_address_has_fifty_free_guesses_at_all_accounts_together(
    client: FlaskClient, alice: Caller
) -> None:
    for number in range(10):
        guess(client, f"{number}@example.com", address=ELSEWHERE)
    assert wait(log_in(client, "another@example.com", address=ELSEWHERE)) == 1
    assert wait(log_in(client, alice.email, PASSWORD, address=ELSEWHERE)) == 1
    guess(client, "another@example.com", address="203.0.113.8")


@pytest.mark.proves("AUTH-16")
def test_right_log_ins_do_not_give_an_address_more_guesses(
    client: FlaskClient,
) -> None:
    own = register(client, "attacker@example.com")
    for number in range(10):
        guess(client, f"{number}@example.com")
        if number < 9:
            assert log_in(client, own.email, PASSWORD).status_code == 200
    assert wait(log_in(client, "another@example.com")) == 1


@pytest.mark.proves("AUTH-18")
def test_the_addresses_of_one_ipv6_network_are_one(client: FlaskClient) -> None:
    for number in range(FREE):
        guess(client, "nobody@example.com", times=1, address=f"2001:db8::{number}")
    assert wait(log_in(client, "nobody@example.com", address="2001:db8::ffff:1")) == 1
    guess(client, "nobody@example.com", times=1, address="2001:db8:0:1::1")


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
def test_what_an_address_stands_for(address: str | None, expected: str) -> None:
    assert network(address) == expected


def test_a_restart_forgets_no_guess(alice: Caller, config: Config) -> None:
    guess(alice.client, alice.email)
    restarted = create_app(config).test_client()
    db.open_pool()
    assert wait(log_in(restarted, alice.email)) == 1


@pytest.mark.proves("AUTH-20")
def test_a_new_signing_key_forgets_no_guess_and_no_address(alice: Caller, config: Config) -> None:
    guess(alice.client, alice.email)
    rotated = create_app(
        replace(config, jwt_secrets={"new": NEW_KEY, "test": OLD_KEY})
    ).test_client()
    db.open_pool()
    assert wait(log_in(rotated, alice.email)) == 1
    assert log_in(rotated, alice.email, PASSWORD, address=HOME).status_code == 200
    retired = create_app(replace(config, jwt_secrets={"new": NEW_KEY})).test_client()
    db.open_pool()
    for number in range(25):
        guess(retired, alice.email, times=4, address=f"198.51.100.{number}")
    assert log_in(retired, alice.email, PASSWORD, address=HOME).status_code == 200


@pytest.mark.proves("AUTH-20")
def test_the_tables_name_neither_e_mails_nor_addresses(alice: Caller, database_url: str) -> None:
    guess(alice.client, "nobody@example.com", address=ELSEWHERE)
    rows = dump(database_url)
    for secret in ("nobody", ELSEWHERE, HOME, ELSEWHERE.encode().hex(), b"nobody@".hex()):
        assert secret not in rows


@pytest.mark.proves("AUTH-19")
def test_a_wrong_current_password_is_a_guess(alice: Caller) -> None:
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
    assert wait(alice.call("PUT", "/api/auth/password", json=right)) == 1
    assert wait(alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD})) == 1
    assert wait(log_in(alice.client, alice.email, PASSWORD, address=HOME)) == 1


def test_the_right_password_with_a_new_one_that_is_refused_is_no_guess(
    alice: Caller, database_url: str
) -> None:
    for _ in range(FREE + 1):
        body = {"current_password": "wrong", "new_password": "password"}
        answer = alice.call("PUT", "/api/auth/password", json=body)
        assert broken_fields(answer) == ["new_password"]
    assert run(database_url, "SELECT max(failures) FROM guesses") == [(0,)]


@pytest.mark.proves("AUTH-14")
def test_a_try_that_could_not_be_made_is_no_guess(
    alice: Caller, config: Config, database_url: str
) -> None:
    app = create_app(replace(config, web_threads=4))  # two may be busy with passwords
    db.open_pool()
    with app.extensions["passwords"].turn():
        answer = log_in(app.test_client(), alice.email, PASSWORD)
        assert error(answer) == (503, "UNAVAILABLE")
        assert 1 <= int(answer.headers["Retry-After"]) <= 3
    assert run(database_url, "SELECT max(failures) FROM guesses") == [(0,)]
    assert log_in(app.test_client(), alice.email, PASSWORD).status_code == 200


@pytest.mark.proves("AUTH-21")
def test_while_all_places_are_taken_a_log_in_is_refused_before_any_other_work(
    alice: Caller, config: Config, database_url: str
) -> None:
    app = create_app(replace(config, web_threads=2))  # one may be busy with passwords
    db.open_pool()
    before = count(database_url, "guesses")
    with app.extensions["passwords"].turn():
        answer = log_in(app.test_client(), alice.email, PASSWORD)
    assert error(answer) == (503, "UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3
    assert count(database_url, "guesses") == before


@pytest.mark.proves("AUTH-14")
def test_of_twenty_tries_in_the_same_moment_exactly_five_are_counted(
    config: Config, database_url: str
) -> None:
    """A trigger makes the moment long enough for each try to meet the others."""
    run(
        database_url,
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$",
    )
    run(
        database_url,
        "CREATE TRIGGER lingering BEFORE UPDATE ON guesses FOR EACH ROW EXECUTE FUNCTION linger()",
    )
    create_app(replace(config, db_pool_size=20))
    db.open_pool()
    fingerprints = Fingerprints([OLD_KEY])
    start = Barrier(20)

    def count_one(email: str) -> bool:
        counters = fingerprints.counters(email, ELSEWHERE, is_known=False)
        start.wait()
        return repository.count_guess(counters) == 0

    with ThreadPoolExecutor(20) as threads:
        counted = list(threads.map(count_one, ["victim@example.com"] * 20))
    db.close_pool()
    assert sum(counted) == FREE


@pytest.mark.proves("AUTH-14")
@pytest.mark.parametrize("account", ["known", "unknown"])
def test_of_twenty_guesses_at_once_exactly_five_are_tried(
    account: str, database_url: str, tmp_path: Path
) -> None:
    email = f"{uuid4().hex}@example.com"
    with serving(database_url, tmp_path) as server:
        if account == "known":
            body = {"email": email, "password": PASSWORD}
            assert server.request("POST", "/api/auth/register", body).status == 201

        def try_it(number: int) -> int:
            """Again while there is no room for it, which is counted as no guess."""
            body = {"email": email, "password": f"wrong {number}"}
            tries = (server.request("POST", "/api/auth/login", body).status for _ in range(1000))
            return next(status for status in tries if status != 503)

        with ThreadPoolExecutor(20) as threads:
            answers = Counter(threads.map(try_it, range(20)))
    assert answers == {401: FREE, 429: 20 - FREE}
