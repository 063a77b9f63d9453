"""`flask db`: migrations and row security, for an operator with the owner's rights."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg
from flask.cli import AppGroup

from app.cli.connection import migration_url
from app.db import distribution, migrations, schema
from app.db.errors import cause

database = AppGroup("db", help="Apply, take back and write migrations.")


@contextmanager
def _migratable() -> Iterator[str]:
    """The database's URL for migrations; its errors become a ClickException."""
    try:
        yield migration_url()
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
def distribute() -> None:
    """Shard the tables by their owners over the nodes of Citus, with the rows that they have.

    Stop the service first. It says what it does; where all is done already it does nothing. Run it
    again after a migration that adds a table, and after adding a node. Needs a superuser in
    MIGRATION_DATABASE_URL, on the coordinator.
    """
    done = 0
    with _migratable() as url:
        missing = [name for name, is_applied in migrations.status(url).items() if not is_applied]
        if missing:
            raise click.ClickException(
                f"Nothing was done: {', '.join(missing)} are missing; run: flask db upgrade"
            )
        try:
            for sentence in distribution.distribute(url):
                click.echo(sentence)
                done += 1
        except distribution.RefusedError as error:
            raise click.ClickException(f"Not distributed: {error}") from error
    if not done:
        click.echo("nothing to distribute")


@database.command()
@click.argument("name")
def new(name: str) -> None:
    """Write the files of a new migration."""
    try:
        for file in migrations.new(name):
            click.echo(file.relative_to(schema.DIRECTORY.parent))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
