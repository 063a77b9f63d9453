"""Group commit: statements of several threads share a transaction, and stay independent."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any, NamedTuple
from unittest.mock import patch

import psycopg
import pytest
from flask import Flask

from app import db
from app.config import Config
from app.db import LARGE_ROW, group_commit
from app.db.connection import Connection
from app.db.deadline import Deadline
from app.db.group_commit import Group, GroupCommitQueue, Job
from app.tasks import repository
from app.values import Uuid
from tests.support.api_user import ApiUser, data, error, register
from tests.support.group_commit import ANY_STATEMENT, READS, TIMEOUT, WRITES, blocked, run_as_group
from tests.support.statements import statement


class Slept(NamedTuple):
    """The result of pg_sleep, an empty text."""

    slept: str


pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def users(app: Flask) -> list[ApiUser]:
    """Four users in the descending order of their ids."""
    made = [register(app.test_client()) for _ in range(4)]
    return sorted(made, key=lambda user: user.id, reverse=True)


def creating(user: ApiUser) -> Callable[[], dict[str, object]]:
    return lambda: user.create(f"of {user.email}")


@pytest.mark.proves("RUN-25")
def test_concurrent_writes_share_a_transaction_in_the_order_of_their_owners(
    users: list[ApiUser], database_url: str
) -> None:
    made = [each.result() for each in run_as_group(WRITES, *map(creating, users))]
    assert [task["owner_id"] for task in made] == [user.id for user in users]
    for user, task in zip(users, made, strict=True):
        assert data(user.get()) == [task]
        assert task["title"] == f"of {user.email}"
    with psycopg.connect(database_url) as connection:
        query = "SELECT owner_id::text, xmin::text FROM tasks ORDER BY created_at"
        rows = connection.execute(query).fetchall()
    assert len({transaction for _, transaction in rows}) == 1
    owners = [owner for owner, _ in rows]
    assert owners == sorted(owners), "two groups could deadlock"


@pytest.mark.proves("RUN-25")
def test_each_read_of_a_group_gets_the_rows_of_its_owner(users: list[ApiUser]) -> None:
    paths = [f"/{user.create(user.email)['id']}" for user in users]
    calls = [lambda user=user, path=path: user.get(path) for user in users for path in (*paths, "")]
    answers = [each.result() for each in run_as_group(READS, *calls)]
    for user in users:
        own, answers = answers[:5], answers[5:]
        found = [answer for answer in own if answer.status_code == 200]
        assert len(found) == 2
        assert data(found[1]) == [data(found[0])]
        assert data(found[0])["title"] == user.email


def test_changes_of_one_owner_in_a_group_run_in_order(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}/complete"
    answers = run_as_group(WRITES, *[lambda: data(alice.patch(path)) for _ in range(3)])
    tasks = [each.result() for each in answers]
    assert [(task["version"], task["is_completed"]) for task in tasks] == [
        (2, True),
        (3, False),
        (4, True),
    ]


@pytest.mark.proves("RUN-25")
def test_a_locked_ledger_does_not_delay_the_other_writers_of_a_group(
    users: list[ApiUser], database_url: str
) -> None:
    locked = users[1]
    ends = {}

    def write(user: ApiUser) -> int:
        status = user.post(json={"title": "once"}).status_code
        ends[user.id] = monotonic()
        return status

    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM ledgers WHERE owner_id = %s FOR UPDATE", [locked.id])
        calls = [lambda user=user: write(user) for user in users]
        statuses = [each.result() for each in run_as_group(WRITES, *calls)]
    assert statuses == [503 if user is locked else 201 for user in users]
    last = ends.pop(locked.id)
    assert max(ends.values()) < last - 0.25
    for user in users:
        assert [task["version"] for task in data(user.get())] == ([] if user is locked else [1])


@pytest.mark.proves("RUN-25")
def test_a_request_close_to_its_deadline_runs_alone(alice: ApiUser) -> None:
    task = alice.create()
    with blocked(READS), patch.object(group_commit, "LONGEST_WAIT", TIMEOUT):
        db.begin_request(Deadline.default_timeout / 2)
        found = repository.get(Uuid(alice.id), Uuid(task["id"]))
        db.end_request()
    assert found.version == 1


@pytest.mark.proves("RUN-81")
def test_an_owner_of_large_pages_does_not_delay_the_reads_of_a_group(
    alice: ApiUser, bob: ApiUser
) -> None:
    description = "\U0001f600" * 5000
    for _ in range(4):
        alice.create("large", description)
    assert len(alice.get().data) > LARGE_ROW
    with blocked(READS), patch.object(group_commit, "LONGEST_WAIT", TIMEOUT):
        began = monotonic()
        for path in ("", "?limit=1", "/trash"):
            assert alice.get(path).status_code == 200
        assert monotonic() - began < TIMEOUT / 2, "it waited in the queue of the group"
    small = bob.create()
    (read,) = run_as_group(READS, lambda: data(bob.get()))
    assert read.result() == [small]


@pytest.mark.proves("RUN-25")
def test_a_slow_statement_delays_its_group_by_the_group_s_timeout_only(alice: ApiUser) -> None:
    task = {"owner_id": alice.id, "id": alice.create()["id"]}
    slow = statement(
        "slow", "SELECT pg_sleep(%(seconds)s)::text AS slept", Slept, returns="slept text"
    )
    ends = []

    def run(statement: db.Statement[Any], params: dict[str, str]) -> None:
        assert db.fetch_one(statement, params, grouped=True) is not None
        ends.append((monotonic(), statement.name))

    calls: list[tuple[db.Statement[Any], dict[str, str]]] = [
        (ANY_STATEMENT, task),
        (slow, {"seconds": "1"}),
        (ANY_STATEMENT, task),
    ]
    for each in run_as_group(READS, *(partial(run, *call) for call in calls)):
        each.result()
    assert [name for _, name in ends] == [ANY_STATEMENT.name, ANY_STATEMENT.name, "slow"]
    assert ends[1][0] < ends[2][0] - 0.7


@pytest.mark.proves("RUN-26")
def test_without_group_commit_each_write_is_a_transaction_of_its_own(
    users: list[ApiUser], config: Config, database_url: str
) -> None:
    db.configure(replace(config, db_group_commit=False))
    with (
        blocked(WRITES),
        blocked(READS),
        patch.object(group_commit, "LONGEST_WAIT", TIMEOUT),
        ThreadPoolExecutor(len(users)) as threads,
    ):
        began = monotonic()
        made = list(threads.map(lambda user: user.create(), users))
        found = list(threads.map(lambda user: data(user.get()), users))
        assert monotonic() - began < TIMEOUT / 2, "a statement waited in a queue"
    assert found == [[task] for task in made]
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT DISTINCT xmin::text FROM tasks").fetchall()
    assert len(rows) == len(users)


@pytest.mark.proves("RUN-25")
def test_no_job_waits_long_for_a_group_that_hangs(alice: ApiUser) -> None:
    with blocked(WRITES), blocked(READS):
        began = monotonic()
        task = alice.create()
        assert data(alice.get()) == [task]
        assert monotonic() - began < 1


def test_an_error_of_the_group_is_raised_in_each_thread() -> None:
    queue = GroupCommitQueue()

    def fail(group: Group) -> None:
        raise psycopg.OperationalError(f"of {len(group)}")

    def run() -> object:
        job = Job(ANY_STATEMENT, {}, Connection.rows)
        queue.run(job, fail)
        return job.outcome()

    failures = [each.exception(TIMEOUT) for each in run_as_group(queue, run, run, run)]
    assert [str(each) for each in failures] == ["of 3"] * 3
    assert len({id(each) for each in failures}) == 3


def test_a_parameter_that_cannot_be_encoded_fails_only_its_own_job(alice: ApiUser) -> None:
    """Validation keeps such parameters away from the database."""
    task = alice.create()
    broken = {"owner_id": alice.id, "id": "\ud800"}
    sound = {"owner_id": alice.id, "id": task["id"]}

    def read(params: dict[str, str]) -> int:
        row = db.fetch_one(ANY_STATEMENT, params, grouped=True)
        assert row is not None
        return int(row.version)

    calls = [partial(read, params) for params in (sound, broken, sound)]
    first, second, third = run_as_group(READS, *calls)
    assert isinstance(second.exception(), psycopg.DataError)
    assert first.result() == third.result() == 1


def test_a_failed_precondition_in_a_group_is_a_412(alice: ApiUser) -> None:
    path, headers = f"/{alice.create()['id']}", {"If-Match": '"1"'}
    calls = [lambda: alice.patch(path, json={"title": "new"}, headers=headers)] * 2
    done, late = (each.result() for each in run_as_group(WRITES, *calls))
    assert done.status_code == 200
    assert error(late) == (412, "PRECONDITION_FAILED")
