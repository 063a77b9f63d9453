"""`flask import`: imports a file for an account, as a worker would."""

import time
from pathlib import Path

import click
from flask.cli import with_appcontext

from app.auth.repository import find_credential
from app.auth.schemas import email_key
from app.cli.connection import connected
from app.errors import AppError
from app.http.request import new_request_id
from app.imports import repository
from app.imports.job import Importing
from app.imports.reading import FILE_LIMIT
from app.imports.repository import DueImport, Import
from app.imports.schemas import DATE_ORDERS
from app.imports.sources import SOURCES, check
from app.imports.sources.spreadsheet import FIELDS
from app.values import Origin, Uuid, new_uuid
from app.zones import NAMES

PAUSE = 0.2  # seconds until it looks again how far a worker is
# What files of these names are taken for.
GUESSES = {".ics": "ics", ".csv": "csv"}


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--user", "email", required=True, help="E-mail of the account.")
@click.option("--source", type=click.Choice(list(SOURCES)), help="Where the file is from.")
@click.option("--dry-run", is_flag=True, help="Make the report only.")
@click.option("--time-zone", help="Zone of times without one; that of the account by default.")
@click.option("--date-order", type=click.Choice(DATE_ORDERS), help="Of dates like 10/06/2025.")
@click.option("--list-title", help="List of tasks without one; the inbox by default.")
@click.option("--column", "columns", multiple=True, help="A field and its column: title:Task.")
@with_appcontext
def import_file(
    file: Path,
    email: str,
    source: str | None,
    *,
    dry_run: bool,
    time_zone: str | None,
    date_order: str | None,
    list_title: str | None,
    columns: tuple[str, ...],
) -> None:
    """Import FILE into an account; prints what could not be kept.

    The source of .ics and .csv need not be named. After a kill, a worker goes on with the import.
    """
    if file.stat().st_size > FILE_LIMIT:
        raise click.ClickException(f"The file is over {FILE_LIMIT >> 20} MiB: split it.")
    if time_zone is not None and time_zone not in NAMES:
        raise click.UsageError("The zone is none such as Europe/Madrid, in that spelling.")
    known_source = source or GUESSES.get(file.suffix.lower())
    if known_source is None:
        raise click.UsageError("Name where the file is from by --source.")
    options = {
        "time_zone": time_zone,
        "date_order": date_order,
        "list_title": list_title,
        "columns": _columns(columns),
    }
    body = file.read_bytes()
    try:
        check(known_source, body, options)
    except AppError as error:
        details = [f"{each['field']}: {each['message']}" for each in error.details]
        raise click.ClickException("\n".join(details) or error.message) from error
    with connected():
        user = find_credential(email_key(email))
        if user is None:
            raise click.ClickException("There is no account with this e-mail.")
        made = repository.create(
            user.id, new_uuid(), Origin(new_request_id(), None), source=known_source,
            is_dry_run=dry_run, options=options, file=body,
        )  # fmt: skip
        _report(user.id, _run(user.id, made))


def _columns(given: tuple[str, ...]) -> list[list[str]]:
    pairs = [each.partition(":")[::2] for each in given]
    if any(field not in FIELDS or not column for field, column in pairs):
        raise click.UsageError(f"--column is FIELD:NAME; fields are {', '.join(FIELDS)}.")
    return [list(pair) for pair in pairs]


def _run(owner_id: Uuid, made: Import) -> Import:
    """Goes on with the import, beside workers, until it has ended."""
    job, due = Importing(), DueImport(owner_id, made.id, repository.NOW)
    with click.progressbar(length=100, label="Importing") as progress:

        def tell(percent: int) -> None:
            progress.update(percent - progress.pos)

        while True:
            job.take_turn(due, tell)
            found = repository.get(owner_id, made.id)
            if found.finished_at is not None:
                tell(100)
                return found
            tell(found.percent)
            time.sleep(PAUSE)


def _report(owner_id: Uuid, found: Import) -> None:
    """Prints notes and counts; a failure is the command's."""
    for row in repository.list_noted(owner_id, found.id):
        place = " ".join(part for part in (row.file, row.line and f"line {row.line}") if part)
        for note in row.told:
            kind = "error" if note["error"] else "warning"
            click.echo(f"{kind}: {place + ': ' if place else ''}{note['field']}: {note['message']}")
    what = "would be created" if found.is_dry_run else "created"
    click.echo(
        f"{found.created} {what}, {found.skipped} skipped, {found.failed} failed; "
        f"{found.lists} lists, {found.labels} labels, {found.filters} filters"
    )
    if found.failure is not None:
        raise click.ClickException(found.failure)
