"""The command line: `flask doctor` and `flask seed`."""

import sys
from typing import cast

import click
from flask import current_app

from app.config import Config
from app.operations import doctor as examination

MARKS = {examination.GOOD: "ok", examination.NOTE: "note", examination.BAD: "BAD"}


@click.command()
def doctor() -> None:
    """Look at all that the service depends on; exit status 1 where something must be mended."""
    config = cast("Config", current_app.extensions["settings"])
    is_bad = False
    for finding in examination.examine(config):
        is_bad |= finding.state == examination.BAD
        click.echo(f"{MARKS[finding.state]:4}  {finding.part}: {finding.text}")
        if finding.remedy:
            click.echo(f"      {finding.remedy}")
    sys.exit(1 if is_bad else 0)
