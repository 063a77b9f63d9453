"""`flask seed`: accounts with items and a past, for demonstrations and load tests."""

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import click
from flask.cli import with_appcontext

from app.cli.connection import connected, password_hash, settings
from app.seed import generator, planner


@click.command()
@click.option("--users", default=100, type=click.IntRange(1, 100_000), help="Accounts to make.")
@click.option("--tasks", default=10_000, type=click.IntRange(0), help="Tasks of all of them.")
@click.option("--realistic", is_flag=True, help="With lists, labels, dates and subtasks.")
@with_appcontext
def seed(users: int, tasks: int, *, realistic: bool) -> None:
    """Make accounts with tasks and their past; prints how to log in to one of them."""
    config = settings()
    if config.app_env == "production":
        raise click.ClickException("Accounts whose password is known are nothing for production.")
    stored_hash = password_hash(generator.PASSWORD)
    with connected(), click.progressbar(length=users + tasks, label="Seeding") as progress:
        lock = Lock()

        def make(number: int) -> str:
            share = tasks * (number + 1) // users - tasks * number // users
            made: Iterator[int]
            if realistic:
                owner_id, email, zone = planner.account(stored_hash)
                made = planner.everything(owner_id, zone, share)
            else:
                owner_id, email = generator.account(stored_hash)
                made = generator.tasks(owner_id, share)
            for done in itertools.chain([1], made):
                with lock:
                    progress.update(done)
            return email

        # PostgreSQL does most of the work: one connection per CPU.
        with ThreadPoolExecutor(min(config.db_pool_size, os.cpu_count() or 1)) as threads:
            emails = list(threads.map(make, range(users)))
    click.echo(f"{users} users with {tasks} tasks; one of them: {emails[0]}, {generator.PASSWORD}")
