"""`flask ledger`: verification, for an operator."""

from collections.abc import Iterator
from uuid import UUID

import click
from flask.cli import AppGroup

from app.cli.connection import connected
from app.errors import NotFound
from app.ledger import maintenance
from app.values import Uuid

PROBLEMS = {
    "missing": "there is no entry of that version",
    "altered": "its hash does not follow from its content and the entry before",
    "beyond": "it is beyond the newest version that the ledger has given",
    "head": "the ledger's head has another hash than its newest entry",
    "task": "the task is not as its newest entry says",
    "unknown": "the ledger has no entry of the task that has this version",
}

ledger = AppGroup("ledger", help="Prove that the ledger is as it was written.")


@ledger.command()
@click.option("--owner", type=click.UUID, help="One user's ledger instead of all.")
def verify(owner: UUID | None) -> None:
    """Recompute the hash chains; exit status 1 names the first entry that does not hold."""
    with connected():
        verdicts = [_report(owner_id) for owner_id in _owners(owner)]
    if not all(verdicts):
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
