"""What commands share: the settings, the database connection, errors as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar, cast

import click
import psycopg
from flask import current_app

from app import db
from app.auth.passwords import Passwords
from app.config import Config
from app.db.errors import cause, error_for
from app.errors import AppError
from app.mail.messages import Messages
from app.system.doctor import obstacles

T = TypeVar("T")

STATEMENT_TIMEOUT_MS = 120_000  # an operator can wait, and has Ctrl-C


def settings() -> Config:
    """The settings of the environment."""
    return cast("Config", current_app.extensions["settings"])


def migration_url() -> str:
    """The database's URL with the owner's rights; raises ClickException where it is unset."""
    url = settings().migration_database_url
    if url is None:
        raise click.ClickException(
            "Set DATABASE_URL (or MIGRATION_DATABASE_URL) to the service's database."
        )
    return url


@contextmanager
def connected(*, writes: bool = True) -> Iterator[None]:
    """Configures app.db for a command, with the rights of MIGRATION_DATABASE_URL.

    An error of the service or the database becomes a ClickException without its data, and so does
    what would let the command find no row.
    """
    config = replace(
        settings(), database_url=migration_url(), db_statement_timeout_ms=STATEMENT_TIMEOUT_MS
    )
    _require_usable(config, migration_url(), writes=writes)
    db.configure(config, application_name="ownrow command")
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise click.ClickException(
            "The role may not do this: set MIGRATION_DATABASE_URL to the schema's owner."
        ) from error
    except psycopg.Error as error:
        raise click.ClickException(error_for(error).message) from error
    except AppError as error:
        raise click.ClickException(error.message) from error
    finally:
        db.close_pool()


def _require_usable(config: Config, url: str, *, writes: bool) -> None:
    try:
        found = obstacles(config, url, writes=writes)
    except psycopg.Error as error:
        raise click.ClickException(f"The database can't be used: {cause(error)}") from error
    if found:
        raise click.ClickException(
            "Nothing was done.\n"
            + "\n".join(f"{each.part}: {each.text}; {each.remedy}" for each in found)
        )


def require_change(done: T | None) -> T:
    """What a command did; raises ClickException where that is None, as no row was found."""
    if done is None:
        raise click.ClickException(
            "Nothing was changed: the account is gone. Run flask users list, then try again."
        )
    return done


def password_hash(password: str) -> str:
    """The hash to store for a password."""
    passwords = cast("Passwords", current_app.extensions["passwords"])
    with passwords.turn():
        return passwords.hash(password)


def messages() -> Messages:
    """The templates of mail, with the links of PUBLIC_URL."""
    return cast("Messages", current_app.extensions["messages"])
