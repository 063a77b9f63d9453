"""What threads ask of the database at the same time: it goes together, and stays apart."""

from collections.abc import Callable
from functools import partial
from time import monotonic
from unittest.mock import patch

import psycopg
import pytest
from flask import Flask

from app import db, lanes
from app.connection import Connection, Patience
from app.fields import Uuid
from app.lanes import Group, Job, Lane
from app.tasks import repository
from tests.callers import Caller, data, error, register
from tests.groups import ANYTHING, PATIENCE, READS, WRITES, held, together

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def users(app: Flask) -> list[Caller]:
    """Four, the last of their ids first."""
    made = [register(app.test_client()) for _ in range(4)]
    return sorted(made, key=lambda user: user.id, reverse=True)


def creating(user: Caller) -> Callable[[], dict[str, object]]:
    return lambda: user.create(f"of {user.email}")


@pytest.mark.proves("RUN-25")
def test_writes_that_come_together_commit_together_and_each_has_its_owner(
    users: list[Caller], database_url: str
) -> None:
    made = [each.result() for each in together(WRITES, *map(creating, users))]
    assert [task["owner_id"] for task in made] == [user.id for user in users]
    for user, task in zip(users, made, strict=True):
        assert data(user.get()) == [task]
        assert task["title"] == f"of {user.email}"
    with psycopg.connect(database_url) as connection:
        query = "SELECT owner_id::text, xmin::text FROM tasks ORDER BY created_at"
        rows = connection.execute(query).fetchall()
    assert len({transaction for _, transaction in rows}) == 1
    owners = [owner for owner, _ in rows]
    assert owners == sorted(owners), "two groups could wait for each other"


@pytest.mark.proves("RUN-25")
def test_reads_that_come_together_each_get_their_own(users: list[Caller]) -> None:
    paths = [f"/{user.create(user.email)['id']}" for user in users]
    calls = [lambda user=user, path=path: user.get(path) for user in users for path in (*paths, "")]
    answers = [each.result() for each in together(READS, *calls)]
    for user in users:
        mine, answers = answers[:5], answers[5:]
        found = [answer for answer in mine if answer.status_code == 200]
        assert len(found) == 2
        assert data(found[1]) == [data(found[0])]
        assert data(found[0])["title"] == user.email


def test_changes_of_one_owner_in_a_group_follow_each_other(alice: Caller) -> None:
    path = f"/{alice.create()['id']}/complete"
    answers = together(WRITES, *[lambda: data(alice.patch(path)) for _ in range(3)])
    tasks = [each.result() for each in answers]
    assert [(task["version"], task["is_completed"]) for task in tasks] == [
        (2, True),
        (3, False),
        (4, True),
    ]


@pytest.mark.proves("RUN-25")
def test_who_can_not_write_now_keeps_nobody_from_it(users: list[Caller], database_url: str) -> None:
    busy = users[1]
    ends = {}

    def write(user: Caller) -> int:
        status = user.post(json={"title": "once"}).status_code
        ends[user.id] = monotonic()
        return status

    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM ledgers WHERE owner_id = %s FOR UPDATE", [busy.id])
        calls = [lambda user=user: write(user) for user in users]
        statuses = [each.result() for each in together(WRITES, *calls)]
    assert statuses == [503 if user is busy else 201 for user in users]
    last = ends.pop(busy.id)
    assert max(ends.values()) < last - 0.25
    for user in users:
        assert [task["version"] for task in data(user.get())] == ([] if user is busy else [1])


@pytest.mark.proves("RUN-25")
def test_a_request_with_little_time_left_waits_for_nobody(alice: Caller) -> None:
    task = alice.create()
    with held(READS), patch.object(lanes, "LONGEST_WAIT", PATIENCE):
        db.begin_request(Patience.usual / 2)
        found = repository.get(Uuid(alice.id), Uuid(task["id"]))
        db.end_request()
    assert found.version == 1


@pytest.mark.proves("RUN-25")
def test_a_statement_that_takes_long_holds_the_others_up_for_a_moment(alice: Caller) -> None:
    task = {"owner_id": alice.id, "id": alice.create()["id"]}
    slow = db.Statement("slow", "SELECT pg_sleep(%(seconds)s) AS version", reads_only=True)
    ends = []

    def run(statement: db.Statement, params: dict[str, str]) -> None:
        assert db.fetch_one(statement, params, pipelined=True) is not None
        ends.append((monotonic(), statement.name))

    calls = [(ANYTHING, task), (slow, {"seconds": "1"}), (ANYTHING, task)]
    for each in together(READS, *(partial(run, *call) for call in calls)):
        each.result()
    assert [name for _, name in ends] == [ANYTHING.name, ANYTHING.name, "slow"]
    assert ends[1][0] < ends[2][0] - 0.7


@pytest.mark.proves("RUN-25")
def test_nobody_waits_long_for_a_group_that_does_not_come_back(alice: Caller) -> None:
    with held(WRITES), held(READS):
        began = monotonic()
        task = alice.create()
        assert data(alice.get()) == [task]
        assert monotonic() - began < 1


def test_an_error_of_all_is_raised_in_each_thread() -> None:
    lane = Lane()

    def fail(group: Group) -> None:
        raise psycopg.OperationalError(f"of {len(group)}")

    def run() -> object:
        job = Job(ANYTHING, {}, Connection.rows)
        lane.run(job, fail)
        return job.outcome()

    failures = [each.exception(PATIENCE) for each in together(lane, run, run, run)]
    assert [str(each) for each in failures] == ["of 3"] * 3
    assert len({id(each) for each in failures}) == 3


def test_what_can_not_be_sent_fails_alone(alice: Caller) -> None:
    """No request gets this far: what it brings has been looked at before."""
    task = alice.create()
    broken = {"owner_id": alice.id, "id": "\ud800"}
    sound = {"owner_id": alice.id, "id": task["id"]}

    def read(params: dict[str, str]) -> int:
        row = db.fetch_one(ANYTHING, params, pipelined=True)
        assert row is not None
        return int(row.version)

    calls = [partial(read, params) for params in (sound, broken, sound)]
    first, second, third = together(READS, *calls)
    assert isinstance(second.exception(), psycopg.DataError)
    assert first.result() == third.result() == 1


def test_who_is_refused_is_told_why(alice: Caller) -> None:
    path, first = f"/{alice.create()['id']}", {"If-Match": '"1"'}
    calls = [lambda: alice.patch(path, json={"title": "new"}, headers=first)] * 2
    done, late = (each.result() for each in together(WRITES, *calls))
    assert done.status_code == 200
    assert error(late) == (412, "PRECONDITION_FAILED")
