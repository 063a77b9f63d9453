"""What commands share: the settings, the database connection, errors as one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import click
import psycopg
from flask import current_app

from app import db
from app.auth.passwords import Passwords
from app.config import Config
from app.db.errors import error_for
from app.errors import AppError

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
def connected() -> Iterator[None]:
    """Configures app.db for a command, with the rights of MIGRATION_DATABASE_URL.

    An error of the service or the database becomes a ClickException without its data.
    """
    config = replace(
        settings(), database_url=migration_url(), db_statement_timeout_ms=STATEMENT_TIMEOUT_MS
    )
    db.configure(config, application_name="ownrow command")
    try:
        yield
    except psycopg.Error as error:
        raise click.ClickException(error_for(error).message) from error
    except AppError as error:
        raise click.ClickException(error.message) from error
    finally:
        db.close_pool()


def password_hash(password: str) -> str:
    """The hash to store for a password."""
    passwords = cast("Passwords", current_app.extensions["passwords"])
    with passwords.turn():
        return passwords.hash(password)
