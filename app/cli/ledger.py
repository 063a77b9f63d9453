"""`flask ledger`: verification and purging, for an operator."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup

from app.cli.connection import connected
from app.errors import NotFound
from app.feeds.repository import delete_without_list
from app.kinds import KINDS
from app.ledger import maintenance, triggers
from app.values import Uuid

PROBLEMS = {
    "missing": "there is no entry of that version",
    "altered": "its hash does not follow from its content and the entry before",
    "beyond": "it is beyond the newest version that the ledger has given",
    "head": "the ledger's head has another hash than its newest entry",
    "item": "the item is not as its newest entry says",
    "unknown": "the ledger has no entry of the item that has this version",
}

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


ledger = AppGroup("ledger", help="Prove that the ledgers are as they were written; purge them.")


class Age(click.ParamType[timedelta]):
    """A number of days, hours, minutes or seconds: 30d, 12h, 90m, 45s."""

    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        """The age as a timedelta; fails for any other text."""
        match = re.fullmatch(r"([0-9]{1,5})([dhms])", value)
        if match is None:
            self.fail(f"{value} is not an age such as 30d, 12h, 90m or 45s", param, ctx)
        return timedelta(**{UNITS[match[2]]: int(match[1])})


@ledger.command()
@click.option("--owner", type=click.UUID, help="One user's ledger instead of all.")
def verify(owner: UUID | None) -> None:
    """Recompute the hash chains, and compare the triggers with the migrations.

    Exit status 1 names the first entry of a ledger that does not hold, and each trigger or function
    that differs.
    """
    with connected(writes=False):
        problems = list(triggers.problems())
        verdicts = [_report(owner_id) for owner_id in _owners(owner)]
    for problem in problems:
        click.echo(problem)
    if not verdicts:
        click.echo("there is no ledger yet")
    if problems or not all(verdicts):
        raise SystemExit(1)


def _owners(owner: UUID | None) -> Iterator[Uuid]:
    return maintenance.owners() if owner is None else iter([Uuid(str(owner))])


def _report(owner_id: Uuid) -> bool:
    """Prints the verdict on one ledger; whether it holds."""
    try:
        verdict = maintenance.verify(owner_id)
    except NotFound:
        click.echo(f"{owner_id}: there is no such ledger")
        return False
    if verdict.problem is None:
        click.echo(f"{owner_id}: {verdict.entries} entries hold, up to hash {verdict.hash.hex()}")
        return True
    click.echo(f"{owner_id}: version {verdict.version}: {PROBLEMS[verdict.problem]}")
    return False


@ledger.command()
@click.option("--older-than", type=Age(), required=True, help="30d, 12h, 90m or 45s.")
def purge(older_than: timedelta) -> None:
    """Empty the trash and prune the ledgers of what is older; the service may go on meanwhile.

    Clients whose last synchronisation is older get 410 from the feed, and start over.
    """
    with connected():
        purged = maintenance.purge(older_than, KINDS.values(), delete_without_list)
    click.echo(
        f"purged {purged.items} items and {purged.entries} ledger entries of {purged.owners} "
        f"users, and {purged.keys} idempotency keys"
    )
