"""`flask users`: accounts, for an operator."""

import sys
from typing import cast

import click
from flask.cli import AppGroup
from marshmallow import ValidationError

from app.auth import repository
from app.auth.repository import FoundCredential
from app.auth.schemas import REGISTRATION, email_key
from app.cli.connection import connected, messages, password_hash, require_change
from app.mail.repository import enqueue
from app.values import new_uuid

users = AppGroup("users", help="Create, list, close and open accounts, and end their sessions.")

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password's line from standard input."
)


def _password(*, from_stdin: bool) -> str:
    """The password, typed twice and not shown, or the first line of standard input.

    A byte order mark, which some editors and shells put before a text, is no part of it.
    """
    if from_stdin:
        return sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at; use --password-stdin.")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _valid(email: str, password: str) -> dict[str, str]:
    """Both as the API takes them; raises with every rule that they break."""
    try:
        return cast("dict[str, str]", REGISTRATION.load({"email": email, "password": password}))
    except ValidationError as error:
        broken = cast("dict[str, list[str]]", error.messages)
        lines = [f"{field}: {' '.join(messages)}" for field, messages in broken.items()]
        raise click.ClickException("\n".join(lines)) from error


def _find(email: str) -> FoundCredential:
    user = repository.find_credential(email_key(email))
    if user is None:
        raise click.ClickException("There is no account with this e-mail.")
    return user


@users.command()
@click.argument("email")
@password_option
def create(email: str, password_stdin: bool) -> None:
    """Create an account; prints its id."""
    valid = _valid(email, _password(from_stdin=password_stdin))
    with connected():
        user = repository.register(
            new_uuid(), valid["email"], email_key(valid["email"]), password_hash(valid["password"])
        )
    click.echo(user.id)


@users.command("list")
def list_users() -> None:
    """List all accounts: id, creation, state and e-mail."""
    with connected(writes=False):
        for user in repository.list_users():
            state = "disabled" if user.disabled_at else "enabled"
            click.echo(f"{user.id}  {user.created_at}  {state:8}  {user.email}")


@users.command()
@click.argument("email")
def disable(email: str) -> None:
    """Close an account: nobody can log in to it, and its sessions end."""
    with connected():
        ended = require_change(repository.disable_user(_find(email).id))
    click.echo(f"disabled; {ended} sessions ended")


@users.command()
@click.argument("email")
def enable(email: str) -> None:
    """Open an account again."""
    with connected():
        require_change(repository.enable_user(_find(email).id) or None)
    click.echo("enabled")


@users.command()
@click.argument("email")
def verify(email: str) -> None:
    """Mark an account's address as verified, without a mail to it."""
    with connected():
        require_change(repository.mark_verified(_find(email).id) or None)
    click.echo("verified")


@users.command()
@click.argument("email")
def end_sessions(email: str) -> None:
    """Log an account out everywhere."""
    with connected():
        ended = repository.end_sessions(_find(email).id)
    click.echo(f"{ended} sessions ended")


@users.command()
@click.argument("email")
@password_option
def set_password(email: str, password_stdin: bool) -> None:
    """Give an account a new password; its sessions end."""
    valid = _valid(email, _password(from_stdin=password_stdin))
    with connected():
        ended = require_change(
            repository.set_password(_find(email).id, password_hash(valid["password"]))
        )
    click.echo(f"password set; {ended} sessions ended")


@users.command()
@click.argument("email")
def reset_second_factor(email: str) -> None:
    """Remove an account's second factor: the password alone logs in; make sure who asks for it."""
    with connected():
        is_removed = repository.remove_second_factor(_find(email).id)
    click.echo("second factor removed" if is_removed else "there was no second factor")


@users.command()
@click.argument("email")
def send_test_mail(email: str) -> None:
    """Put a mail to an account into the outbox, for the worker to send."""
    with connected():
        user = _find(email)
        enqueue(user.id, messages().render("test", user.email))
    click.echo("put into the outbox; the log of flask worker tells if it can't be sent")
