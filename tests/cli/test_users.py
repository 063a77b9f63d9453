"""`flask users`: accounts managed by an operator; no argument holds a password."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from app import create_app, db
from app.auth import repository
from app.config import Config
from app.values import new_uuid
from tests.support.api_user import PASSWORD, ApiUser, data, error
from tests.support.auth_rows import count, run
from tests.support.mail import delivery, mail_server
from tests.support.second_factor import log_in as log_in_with_code
from tests.support.second_factor import switch_on
from tests.support.server import ROOT

NEW_PASSWORD = "other quiet rivers"

Command = Callable[..., Result]


@pytest.fixture
def users(config: Config, owner_config: Config) -> Iterator[Command]:
    """Runs `flask users` with these arguments and that input, then configures the pool again."""
    operator = create_app(owner_config).test_cli_runner()

    def command(*arguments: str, given: str = "") -> Result:
        result = operator.invoke(args=["users", *arguments], input=given)
        db.configure(config)
        return result

    yield command
    db.close_pool()


def log_in(client: FlaskClient, email: str, password: str = PASSWORD) -> Any:
    return client.post("/api/auth/login", json={"email": email, "password": password})


def create(users: Command, email: str = "Alice@Example.com", password: str = PASSWORD) -> Result:
    return users("create", email, "--password-stdin", given=f"{password}\n")


def refused(result: Result) -> str:
    """The output of a failed command, without a traceback and without the password."""
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert PASSWORD not in result.output
    return result.output


@pytest.mark.proves("AUTH-22")
def test_an_account_is_created_with_a_password_from_standard_input(
    users: Command, client: FlaskClient
) -> None:
    result = create(users)
    assert result.exit_code == 0
    user = data(log_in(client, "alice@example.com"))["user"]
    assert user["id"] == result.output.strip()
    assert user["email"] == "alice@example.com"


@pytest.mark.proves("AUTH-22")
def test_a_byte_order_mark_is_no_part_of_a_password(users: Command, client: FlaskClient) -> None:
    assert create(users, password=f"\ufeff{PASSWORD}").exit_code == 0
    assert log_in(client, "alice@example.com").status_code == 200


@pytest.mark.proves("AUTH-22")
def test_an_account_that_is_erased_meanwhile_is_an_error(
    users: Command, alice: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = repository.find_credential(alice.email)
    assert found is not None
    gone = found._replace(id=new_uuid())
    monkeypatch.setattr(repository, "find_credential", lambda _key: gone)
    for name in ("disable", "enable"):
        assert "Nothing was changed" in refused(users(name, alice.email))
    output = refused(users("set-password", alice.email, "--password-stdin", given=NEW_PASSWORD))
    assert "Nothing was changed" in output


@pytest.mark.proves("AUTH-22")
def test_created_accounts_follow_the_registration_rules(users: Command, database_url: str) -> None:
    output = refused(create(users, "no address", "short"))
    assert "email: Must be an e-mail address." in output
    assert "password: Must be 8 to 256 characters long." in output
    assert "common" in refused(create(users, password="password"))
    assert count(database_url, "users") == 0
    create(users)
    assert "already" in refused(create(users, "ALICE@example.com"))


@pytest.mark.proves("AUTH-22")
@pytest.mark.parametrize("name", ["create", "set-password"])
def test_a_password_is_never_an_argument(users: Command, name: str) -> None:
    for arguments in (["a@example.com", PASSWORD], ["a@example.com", "--password", PASSWORD]):
        assert users(name, *arguments).exit_code == 2
    assert "--password-stdin" in refused(users(name, "a@example.com"))


@pytest.mark.proves("AUTH-6", "AUTH-22")
def test_a_disabled_account_cannot_log_in_until_it_is_enabled(
    users: Command, alice: ApiUser
) -> None:
    result = users("disable", alice.email)
    assert (result.exit_code, result.output) == (0, "disabled; 1 sessions ended\n")
    assert error(log_in(alice.client, alice.email)) == (401, "INVALID_CREDENTIALS")
    token = {"refresh_token": alice.refresh_token}
    assert error(alice.client.post("/api/auth/refresh", json=token)) == (401, "UNAUTHENTICATED")
    assert users("disable", alice.email).output == "disabled; 0 sessions ended\n"
    assert users("enable", alice.email).exit_code == 0
    assert error(alice.client.post("/api/auth/refresh", json=token)) == (401, "UNAUTHENTICATED")
    assert log_in(alice.client, alice.email).status_code == 200


@pytest.mark.proves("AUTH-22")
def test_end_sessions_leaves_the_account_enabled(
    users: Command, alice: ApiUser, bob: ApiUser
) -> None:
    log_in(alice.client, alice.email)
    assert users("end-sessions", alice.email.upper()).output == "2 sessions ended\n"
    for user, status in ((alice, 401), (bob, 200)):
        token = {"refresh_token": user.refresh_token}
        assert alice.client.post("/api/auth/refresh", json=token).status_code == status
    assert log_in(alice.client, alice.email).status_code == 200


@pytest.mark.proves("AUTH-22")
def test_a_set_password_replaces_the_old_one_and_ends_the_sessions(
    users: Command, alice: ApiUser
) -> None:
    result = users("set-password", alice.email, "--password-stdin", given=NEW_PASSWORD)
    assert (result.exit_code, result.output) == (0, "password set; 1 sessions ended\n")
    assert error(log_in(alice.client, alice.email)) == (401, "INVALID_CREDENTIALS")
    assert log_in(alice.client, alice.email, NEW_PASSWORD).status_code == 200
    output = refused(users("set-password", alice.email, "--password-stdin", given="password"))
    assert "common" in output


@pytest.mark.proves("AUTH-22", "AUTH-141")
def test_a_reset_second_factor_is_asked_for_no_more(users: Command, alice: ApiUser) -> None:
    switch_on(alice)
    assert error(log_in(alice.client, alice.email)) == (401, "SECOND_FACTOR_REQUIRED")
    result = users("reset-second-factor", alice.email.upper())
    assert (result.exit_code, result.output) == (0, "second factor removed\n")
    assert log_in(alice.client, alice.email).status_code == 200
    again = users("reset-second-factor", alice.email)
    assert (again.exit_code, again.output) == (0, "there was no second factor\n")


@pytest.mark.proves("AUTH-141")
def test_a_new_password_does_not_replace_the_second_factor(users: Command, alice: ApiUser) -> None:
    factor = switch_on(alice)
    users("set-password", alice.email, "--password-stdin", given=NEW_PASSWORD)
    answer = log_in(alice.client, alice.email, NEW_PASSWORD)
    assert error(answer) == (401, "SECOND_FACTOR_REQUIRED")
    code = factor.recovery_codes[0]
    assert log_in_with_code(alice, code, NEW_PASSWORD).status_code == 200


@pytest.mark.proves("AUTH-22")
def test_the_list_has_every_account(
    users: Command, alice: ApiUser, bob: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.auth.repository.PAGE_SIZE", 1)
    users("disable", bob.email)
    lines = [line.split() for line in users("list").output.splitlines()]
    assert [(line[0], line[2], line[3]) for line in lines] == [
        (alice.id, "enabled", alice.email),
        (bob.id, "disabled", bob.email),
    ]


@pytest.mark.proves("AUTH-22")
@pytest.mark.parametrize("name", ["disable", "enable", "end-sessions", "reset-second-factor"])
def test_an_unknown_account_is_an_error(users: Command, name: str) -> None:
    assert "There is no account with this e-mail." in refused(users(name, "nobody@example.com"))


@pytest.mark.proves("AUTH-22")
def test_without_a_database_the_command_names_database_url(config: Config) -> None:
    app: Flask = create_app(replace(config, migration_database_url=None))
    assert "DATABASE_URL" in refused(app.test_cli_runner().invoke(args=["users", "list"]))


@pytest.mark.proves("AUTH-22")
def test_an_unreachable_database_is_an_error_without_its_address(config: Config) -> None:
    away = replace(config, migration_database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    output = refused(create_app(away).test_cli_runner().invoke(args=["users", "list"]))
    assert "The database can't be used: the connection is refused" in output
    assert "127.0.0.1" not in output


@pytest.mark.proves("AUTH-22")
def test_a_terminal_is_prompted_for_the_password_without_echo(
    config: Config, database_url: str
) -> None:
    screen, terminal = pty.openpty()
    environment = {
        **os.environ,
        "APP_ENV": "test",
        "DATABASE_URL": database_url,
        "DATA_DIR": str(config.data_dir),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "users", "create", "alice@example.com"],
        cwd=ROOT,
        env=environment,
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # without a controlling terminal it prompts at its standard input
    )
    shown = b""
    for question in (b"Password: ", b"confirmation: "):
        while not shown.endswith(question):
            shown += os.read(screen, 1000)
        os.write(screen, PASSWORD.encode() + b"\n")
    assert process.wait(30) == 0
    shown += os.read(screen, 1000)
    os.close(screen)
    os.close(terminal)
    ((user_id,),) = run(database_url, "SELECT id FROM users")
    assert str(user_id).encode() in shown
    assert PASSWORD.encode() not in shown


@pytest.mark.proves("MAIL-9")
def test_an_operator_can_send_a_test_mail(
    users: Command, alice: ApiUser, database_url: str
) -> None:
    assert users("send-test-mail", alice.email).exit_code == 0
    with mail_server() as (url, inbox):
        assert delivery(url).run_once().counts == {"sent": 2}  # the other verifies the address
    (mail,) = (each for each in inbox.messages if each["Subject"] == "Test of Ownrow's mail")
    assert mail["To"] == alice.email
    assert refused(users("send-test-mail", "nobody@example.com"))
    assert count(database_url, "outgoing_mail") == 2
