"""The command line: `flask doctor` and `flask seed`."""

import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import cast

import click
from flask import current_app
from flask.cli import with_appcontext

from app.auth.passwords import Passwords
from app.cli import connected
from app.config import Config
from app.operations import doctor as examination
from app.operations import seed as seeding

MARKS = {examination.GOOD: "ok", examination.NOTE: "note", examination.BAD: "BAD"}


@click.command()
@with_appcontext
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


@click.command()
@click.option("--users", default=100, type=click.IntRange(1, 100_000), help="Accounts to make.")
@click.option("--tasks", default=10_000, type=click.IntRange(0), help="Tasks of all of them.")
@with_appcontext
def seed(users: int, tasks: int) -> None:
    """Make accounts with tasks and their past; prints how to log in to one of them."""
    config = cast("Config", current_app.extensions["settings"])
    if config.app_env == "production":
        raise click.ClickException("Accounts whose password is known are nothing for production.")
    password_hash = _hash(seeding.PASSWORD)
    with connected(), click.progressbar(length=users + tasks, label="Seeding") as progress:
        lock = Lock()

        def make(number: int) -> str:
            owner_id, email = seeding.account(password_hash)
            share = tasks * (number + 1) // users - tasks * number // users
            for done in itertools.chain([1], seeding.tasks(owner_id, share)):
                with lock:
                    progress.update(done)
            return email

        # PostgreSQL does most of the work, a connection on a processor each.
        with ThreadPoolExecutor(min(config.db_pool_size, os.cpu_count() or 1)) as threads:
            emails = list(threads.map(make, range(users)))
    click.echo(f"{users} users with {tasks} tasks; one of them: {emails[0]}, {seeding.PASSWORD}")


def _hash(password: str) -> str:
    passwords = cast("Passwords", current_app.extensions["passwords"])
    with passwords.turn():
        return passwords.hash(password)
