"""The command line: `flask db`, for whoever may change the schema, and what all commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import click
import psycopg
from flask import current_app
from flask.cli import AppGroup

from app import db, migrations, schema
from app.config import Config
from app.errors import AppError, cause, from_database

COMMAND_STATEMENT_TIMEOUT_MS = 120_000  # an operator can wait, and has Ctrl-C

database = AppGroup("db", help="Apply, take back and write migrations.")


@contextmanager
def connected() -> Iterator[None]:
    """The database for the length of a command; what it refuses is told without its data.

    A command is an operator's: it has the rights of MIGRATION_DATABASE_URL, not the service's.
    """
    config = replace(
        _config(), database_url=_url(), db_statement_timeout_ms=COMMAND_STATEMENT_TIMEOUT_MS
    )
    db.configure(config, application_name="ownrow command")
    db.open_pool()
    try:
        yield
    except psycopg.Error as error:
        raise click.ClickException(from_database(error).message) from error
    except AppError as error:
        raise click.ClickException(error.message) from error
    finally:
        db.close_pool()


def _config() -> Config:
    return cast("Config", current_app.extensions["settings"])


def _url() -> str:
    config = _config()
    if config.migration_database_url is None:
        raise click.ClickException(
            "Set DATABASE_URL (or MIGRATION_DATABASE_URL) to the service's database."
        )
    return config.migration_database_url


@contextmanager
def _migratable() -> Iterator[str]:
    """The database's address for migrations; what goes wrong there is told in a sentence."""
    try:
        yield _url()
    except psycopg.Error as error:
        problem = "can't be used" if error.sqlstate is None else "refuses"
        raise click.ClickException(f"The database {problem}: {cause(error)}") from error


@database.command()
def upgrade() -> None:
    """Apply every migration that is missing."""
    with _migratable() as url:
        applied = migrations.upgrade(url)
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to apply")


@database.command()
@click.option("--count", default=1, type=click.IntRange(1), help="How many to take back.")
def rollback(count: int) -> None:
    """Take the newest migration back, with the data that only it has room for."""
    with _migratable() as url:
        undone = migrations.rollback(url, count)
    click.echo("\n".join(f"rolled back {name}" for name in undone) or "nothing to roll back")


@database.command()
def status() -> None:
    """List the migrations and whether they have been applied."""
    with _migratable() as url:
        found = migrations.status(url)
    for name, is_applied in found.items():
        click.echo(f"{'applied' if is_applied else 'missing':8} {name}")


@database.command()
@click.argument("state", type=click.Choice(["on", "off"]))
def row_security(state: str) -> None:
    """Put the row security policies in force, or out of it; set DB_ROW_SECURITY likewise.

    Turning them on: restart the service with DB_ROW_SECURITY=on first. Off: this command first.
    """
    with _migratable() as url:
        changed = migrations.switch_row_security(url, on=state == "on")
    click.echo(f"row security is {state}" if changed else f"row security was {state} already")


@database.command()
@click.argument("name")
def new(name: str) -> None:
    """Write the files of a new migration."""
    try:
        for file in migrations.new(name):
            click.echo(file.relative_to(schema.DIRECTORY.parent))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
