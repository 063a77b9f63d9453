"""TRASH_DAYS: a worker purges what has been in the trash for so long."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.config import Config
from tests.support.api_user import ApiUser
from tests.support.processes import until
from tests.support.roles import as_role
from tests.support.worker import Worker, start, working

AGE = "UPDATE ledger_entries SET at = at - interval '31 days' WHERE owner_id = %s AND version <= %s"
BOTH = {"old", "new"}


@pytest.fixture
def trash(alice: ApiUser, superuser: psycopg.Connection) -> ApiUser:
    """A user with two tasks in the trash, of which `old` has been there for 31 days."""
    version = delete(alice, "old")
    delete(alice, "new")
    superuser.execute("SET session_replication_role = replica")  # a trigger keeps entries
    superuser.execute(AGE, [alice.id, version])
    superuser.execute("SET session_replication_role = origin")
    return alice


def data(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json["data"]


def delete(user: ApiUser, title: str) -> int:
    """Adds a task and moves it to the trash; returns the version of that."""
    return int(data(user.delete(f"/{user.create(title=title)['id']}"))["version"])


def titles(user: ApiUser) -> set[str]:
    return {each["title"] for each in data(user.call("GET", "/api/me/tasks/trash"))}


def run(directory: Path, config: Config, database_url: str, **settings: str) -> Worker:
    """Runs a worker as the service's role, with the owner's in MIGRATION_DATABASE_URL."""
    urls = {"DATABASE_URL": as_role(database_url), "MIGRATION_DATABASE_URL": database_url}
    worker = start(directory, config, "--once", **{**urls, **settings})
    assert worker.process.wait(30) == 0, worker.output()
    return worker


@pytest.mark.proves("WORKER-8")
@pytest.mark.parametrize(("days", "kept"), [("30", {"new"}), ("32", BOTH), ("", BOTH)])
def test_a_worker_purges_what_is_older_than_trash_days(
    trash: ApiUser, config: Config, database_url: str, tmp_path: Path, days: str, kept: set[str]
) -> None:
    run(tmp_path, config, database_url, TRASH_DAYS=days)
    assert titles(trash) == kept


@pytest.mark.proves("WORKER-8")
def test_two_workers_that_purge_at_once_leave_a_valid_ledger(
    trash: ApiUser, config: Config, database_url: str, tmp_path: Path
) -> None:
    settings = {"TRASH_DAYS": "30", "MIGRATION_DATABASE_URL": database_url}
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    with (
        working(first, config, **settings) as one,
        working(second, config, **settings) as other,
    ):
        until(lambda: all("purge: purged" in each.output() for each in (one, other)), 30)
        removed = [
            each.output().count("purged 1 items and 2 ledger entries") for each in (one, other)
        ]
    assert sum(removed) == 1
    assert titles(trash) == {"new"}


@pytest.mark.proves("WORKER-8")
def test_a_worker_without_the_rights_says_so_and_goes_on(
    trash: ApiUser, config: Config, database_url: str, tmp_path: Path
) -> None:
    url = as_role(database_url)
    worker = run(tmp_path, config, database_url, TRASH_DAYS="30", MIGRATION_DATABASE_URL=url)
    assert "purge: failed; trying again" in worker.output()
    assert "set MIGRATION_DATABASE_URL to the schema's owner" in worker.output()
    assert titles(trash) == BOTH
