"""What tests of tasks reach behind the API with: the database itself, and the command line."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from click.testing import Result
from flask import Flask

from app import db
from app.config import Config
from tests.databases import Copy

Command = Callable[..., Result]

# Whether somebody waits for a lock of somebody else.
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def superuser(copy: Copy) -> Iterator[psycopg.Connection]:
    """A connection to the test's database that may do anything."""
    with psycopg.connect(copy.superuser_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def flask(app: Flask, config: Config) -> Command:
    """Runs a command of `flask` on the test's database."""

    def run(*arguments: str) -> Result:
        result = app.test_cli_runner().invoke(args=arguments)
        db.configure(config)
        db.open_pool()
        return result

    return run
