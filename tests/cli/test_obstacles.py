"""Commands that could see no row say so and do nothing, instead of reporting a success."""

from collections.abc import Iterator

import click
import pytest

from app.cli import COMMANDS, Commands
from app.db import migrations
from tests.support import services
from tests.support.api_user import PASSWORD
from tests.support.roles import as_role, needs_logins

NOBODY = "00000000-0000-4000-8000-000000000000"
# Every command that works on rows, with arguments.
ON_ROWS = {
    "import": [
        "README.md",
        "--user",
        "alice@example.com",
        "--source",
        "csv",
        "--column",
        "title:# Ownrow",
    ],
    "ledger purge": ["--older-than", "1d"],
    "ledger verify": [],
    "seed": ["--users", "1", "--tasks", "1"],
    "users create": ["new@example.com", "--password-stdin"],
    "users disable": ["alice@example.com"],
    "users enable": ["alice@example.com"],
    "users end-sessions": ["alice@example.com"],
    "users verify": ["alice@example.com"],
    "users list": [],
    "users send-test-mail": ["alice@example.com"],
    "users reset-second-factor": ["alice@example.com"],
    "webhooks list": [],
    "webhooks disable": [NOBODY, NOBODY],
    "webhooks enable": [NOBODY, NOBODY],
    "users set-password": ["alice@example.com", "--password-stdin"],
}
READING = {"users list", "webhooks list", "ledger verify"}
# The others, with the reason.
WITHOUT_ROWS = {
    "audit": "reads sql/ and statistics",
    "db distribute": "moves all rows, as a superuser",
    "db new": "writes files",
    "db rollback": "changes the schema",
    "db row-security": "is the remedy",
    "db status": "reads the list of migrations, which has no owners",
    "db upgrade": "changes the schema; is the remedy",
    "doctor": "reports the same",
    "events": "is a part of the service: it answers requests as the API does",
    "worker": "is a part of the service: it waits until it can work, and logs why it can't",
}


def commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    """The name of each command below the group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        elif name in COMMANDS or prefix:  # the others are Flask's own
            yield prefix + name


def run(name: str, url: str, **settings: str) -> tuple[int, str]:
    """The exit status and output of the command with the rights of `url`."""
    environ = {"APP_ENV": "test", "DATABASE_URL": url, "DATA_DIR": "/nowhere",
               "JWT_SECRETS": "test:7d0e9b0c5a3f4e6182d4b6c8fa1e3957", **settings}  # fmt: skip
    given = f"{PASSWORD} new\n"
    return services.flask(environ, *name.split(), *ON_ROWS[name], given=given)


@pytest.mark.proves("OPS-85")
def test_every_command_is_known() -> None:
    assert set(commands(Commands())) == {*ON_ROWS, *WITHOUT_ROWS}


@pytest.mark.proves("OPS-85")
@needs_logins
@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("name", ON_ROWS)
def test_a_command_that_row_security_would_blind_does_nothing(database_url: str, name: str) -> None:
    migrations.switch_row_security(database_url, on=True)
    status, output = run(name, as_role(database_url), DB_ROW_SECURITY="off")
    assert status == 1, output
    assert "Nothing was done.\nrow security: is in force, but DB_ROW_SECURITY is off" in output
    assert "set DB_ROW_SECURITY=on, or run: flask db row-security off" in output


@pytest.mark.proves("OPS-85")
@pytest.mark.parametrize("name", ON_ROWS)
def test_a_command_without_the_schema_does_nothing(empty_database_url: str, name: str) -> None:
    status, output = run(name, empty_database_url)
    assert status == 1, output
    assert "Nothing was done.\nschema: no migration can be seen; run: flask db upgrade" in output


@pytest.mark.proves("OPS-85")
@needs_logins
@pytest.mark.parametrize("name", sorted(ON_ROWS.keys() - READING))
def test_a_command_with_the_wrong_role_does_nothing(database_url: str, name: str) -> None:
    status, output = run(name, as_role(database_url, "ownrow_auditor"))
    assert status == 1, output
    assert "\nrights: ownrow_auditor may not change items; connect as" in output


@pytest.mark.proves("OPS-85")
@pytest.mark.usefixtures("alice")
@needs_logins
def test_a_command_with_rights_and_setting_does_its_work(database_url: str) -> None:
    migrations.switch_row_security(database_url, on=True)
    url = as_role(database_url)
    status, output = run("users disable", url, DB_ROW_SECURITY="on")
    assert (status, output) == (0, "disabled; 1 sessions ended\n")
    status, output = run("ledger verify", url, DB_ROW_SECURITY="on")
    assert (status, "set MIGRATION_DATABASE_URL to the schema's owner" in output) == (1, True)
    status, output = run("ledger verify", database_url, DB_ROW_SECURITY="on")
    assert (status, "entries hold" in output) == (0, True)
