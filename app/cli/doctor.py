"""`flask doctor`: the state of everything that the service depends on."""

import sys

import click
from flask.cli import with_appcontext

from app.cli.connection import settings
from app.system.doctor import BAD, GOOD, NOTE, examine

MARKS = {GOOD: "ok", NOTE: "note", BAD: "BAD"}


@click.command()
@with_appcontext
def doctor() -> None:
    """Look at all that the service depends on; exit status 1 where something must be mended."""
    is_bad = False
    for finding in examine(settings()):
        is_bad |= finding.state == BAD
        click.echo(f"{MARKS[finding.state]:4}  {finding.part}: {finding.text}")
        if finding.remedy:
            click.echo(f"      {finding.remedy}")
    sys.exit(1 if is_bad else 0)
