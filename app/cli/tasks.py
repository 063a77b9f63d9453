"""`flask tasks`: purging, for an operator."""

import re
from datetime import timedelta
from typing import Any

import click
from flask.cli import AppGroup

from app.cli.connection import connected
from app.ledger import maintenance

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

tasks = AppGroup("tasks", help="Remove what has been in the trash for long.")


class Age(click.ParamType[timedelta]):
    """A number of days, hours, minutes or seconds: 30d, 12h, 90m, 45s."""

    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        """The age as a timedelta; fails for any other text."""
        match = re.fullmatch(r"([0-9]{1,5})([dhms])", value)
        if match is None:
            self.fail(f"{value} is not an age such as 30d, 12h, 90m or 45s", param, ctx)
        return timedelta(**{UNITS[match[2]]: int(match[1])})


@tasks.command()
@click.option("--older-than", type=Age(), required=True, help="30d, 12h, 90m or 45s.")
def purge(older_than: timedelta) -> None:
    """Empty the trash and prune the ledgers of what is older; the service may go on meanwhile.

    Clients whose last synchronisation is older get 410 from the feed, and start over.
    """
    with connected():
        purged = maintenance.purge(older_than)
    click.echo(
        f"purged {purged.tasks} tasks and {purged.entries} ledger entries of {purged.owners} "
        f"users, and {purged.keys} idempotency keys"
    )
