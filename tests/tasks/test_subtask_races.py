"""Two clients of the real server that change one tree at the same time.

A connection of the test holds the owner's ledger until both requests wait for it, so that they
meet each time; a barrier makes others meet where they will.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.processes import until
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.server import Reply, serving
from tests.support.services import FlaskCommand
from tests.support.task_rows import act_for

ROUNDS = 200
LOCK_WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"
CYCLES = """
    WITH RECURSIVE above AS (
        SELECT id, parent_id, 1 AS level FROM tasks
        UNION ALL
        SELECT above.id, tasks.parent_id, level + 1
        FROM above JOIN tasks ON tasks.id = above.parent_id
        WHERE level < 10
    )
    SELECT count(*) FROM above WHERE level > 5
"""
OPEN_BELOW_COMPLETED = """
    SELECT count(*) FROM tasks AS child JOIN tasks AS parent ON parent.id = child.parent_id
    WHERE child.deleted_at IS NULL AND child.completed_at IS NULL
    AND parent.completed_at IS NOT NULL
"""
WRONG_ROOTS = """
    SELECT count(*) FROM tasks AS child JOIN tasks AS parent ON parent.id = child.parent_id
    WHERE child.root_id IS DISTINCT FROM coalesce(parent.root_id, parent.id)
    OR (child.deleted_at IS NULL AND child.list_id IS DISTINCT FROM parent.list_id)
"""
ADD_CHILD = """
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, parent_id, root_id, position,
        created_at, updated_at, version, last_action, request_id
    )
    SELECT
        owner_id, uuidv7_at(at), 'child', 'child', '', %(parent_id)s, %(parent_id)s,
        first_position(version + 1), at, at, version + 1, 'create', 'race'
    FROM (
        SELECT owner_id, version, next_change_at(changed_at) AS at FROM ledgers
        WHERE owner_id = %(owner_id)s
    ) AS ledger
"""

DELETE_LIST = """
    UPDATE lists
    SET
        deleted_at = at, updated_at = at, version = ledger.version + 1, last_action = 'delete',
        request_id = 'race'
    FROM (
        SELECT version, next_change_at(changed_at) AS at FROM ledgers
        WHERE owner_id = %(owner_id)s
    ) AS ledger
    WHERE lists.owner_id = %(owner_id)s
"""


@pytest.fixture
def owner(database_url: str, tmp_path: Path) -> Iterator[RemoteUser]:
    """A user of a server with two workers, on this test's database."""
    with serving(database_url, tmp_path, LOG_LEVEL="error", WEB_CONCURRENCY="2") as server:
        yield sign_up(server)


@contextmanager
def held_ledger(
    connection: psycopg.Connection, owner_id: str, waiters: int
) -> Iterator[psycopg.Connection]:
    """Runs the block, waits until that many statements wait for the ledger, and lets go of it."""
    with connection.transaction():
        act_for(connection, owner_id)
        connection.execute("SELECT FROM ledgers WHERE owner_id = %s FOR UPDATE", [owner_id])
        yield connection
        until(lambda: number(connection, LOCK_WAITS) >= waiters)


def number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def make_tasks(owner: RemoteUser, count: int, **fields: Any) -> list[str]:
    ids: list[str] = []
    while len(ids) < count:
        create = {"op": "create", "title": "task", **fields}
        operations = [create] * min(100, count - len(ids))
        results = owner.call("POST", "/batch", {"operations": operations}).json["data"]["results"]
        ids += [task["id"] for task in results]
    return ids


def put_below(owner: RemoteUser, task_id: str, parent_id: str, *, by_move: bool) -> Reply:
    if by_move:
        body = {"after": None, "parent_id": parent_id}
        return owner.call("POST", f"/tasks/{task_id}/move", body)
    return owner.call("PATCH", f"/tasks/{task_id}", {"parent_id": parent_id})


@pytest.mark.proves("TASK-152", "LEDGER-8")
@pytest.mark.slow
def test_of_two_clients_that_put_each_task_below_the_other_exactly_one_succeeds(
    owner: RemoteUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:  # S3
    ids = make_tasks(owner, 2 * ROUNDS)
    with ThreadPoolExecutor(2) as threads:
        for turn, (a, b) in enumerate(zip(ids[::2], ids[1::2], strict=True)):
            with held_ledger(superuser, owner.id, 2):
                calls = [
                    threads.submit(put_below, owner, a, b, by_move=turn % 2 == 0),
                    threads.submit(put_below, owner, b, a, by_move=turn % 3 == 0),
                ]
            answers = [call.result() for call in calls]
            assert sorted(answer.status for answer in answers) == [200, 422]
            (refused,) = (answer for answer in answers if answer.status == 422)
            (detail,) = refused.json["error"]["details"]
            assert detail["field"] == "parent_id"
            tasks = [owner.get(f"/tasks/{each}").json["data"] for each in (a, b)]
            assert [task["parent_id"] for task in tasks].count(None) == 1
    assert number(superuser, CYCLES) == number(superuser, WRONG_ROOTS) == 0
    assert flask("ledger", "verify").exit_code == 0


@pytest.mark.proves("TASK-152")
@pytest.mark.slow
def test_three_clients_that_close_a_circle_of_three_never_all_succeed(
    owner: RemoteUser, superuser: psycopg.Connection
) -> None:
    barrier = threading.Barrier(3)
    ids = make_tasks(owner, 3 * 40)

    def link(place: int) -> list[int]:
        statuses = []
        for first in range(0, len(ids), 3):
            ring = ids[first : first + 3]
            barrier.wait(60)
            answer = put_below(owner, ring[place], ring[(place + 1) % 3], by_move=False)
            statuses.append(answer.status)
        return statuses

    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(link, range(3)))
    for statuses in zip(*answers, strict=True):
        assert sorted(statuses) == [200, 200, 422]
    assert number(superuser, CYCLES) == number(superuser, WRONG_ROOTS) == 0


@pytest.mark.proves("TASK-232", "LEDGER-8")
@pytest.mark.slow
def test_two_devices_that_complete_one_occurrence_complete_it_once(
    owner: RemoteUser, superuser: psycopg.Connection
) -> None:  # C1
    fields = {"title": "daily", "due": "2037-01-01", "recurrence": "FREQ=DAILY"}
    task = owner.call("POST", "/tasks", fields).json["data"]
    path = f"/tasks/{task['id']}/complete"
    with ThreadPoolExecutor(2) as threads:
        for _ in range(ROUNDS):
            body = {"is_completed": True, "occurrence": task["due"]}
            with held_ledger(superuser, owner.id, 2):
                calls = [threads.submit(owner.call, "PATCH", path, body) for _ in range(2)]
            first, second = (call.result().json["data"] for call in calls)
            assert first == second
            assert first["version"] == task["version"] + 1
            task = first
    assert number(superuser, "SELECT count(*) FROM completions") == ROUNDS


@pytest.mark.proves("TASK-154")
def test_a_parent_completed_while_a_child_is_being_added_has_no_open_child(
    owner: RemoteUser, superuser: psycopg.Connection
) -> None:
    (parent,) = make_tasks(owner, 1)
    with ThreadPoolExecutor(1) as threads:
        with held_ledger(superuser, owner.id, 1) as connection:
            # The statement has begun, and sees no child in the state of its start.
            complete = threads.submit(owner.call, "PATCH", f"/tasks/{parent}/complete")
            until(lambda: number(connection, LOCK_WAITS) >= 1)
            connection.execute(ADD_CHILD, {"owner_id": owner.id, "parent_id": parent})
            connection.execute("UPDATE tasks SET is_parent = TRUE WHERE id = %s", [parent])
        assert complete.result().status == 200
    tasks = owner.get("/tasks").json["data"]
    assert [(task["title"], task["is_completed"]) for task in tasks] == [
        ("child", True),
        ("task", True),
    ]
    assert number(superuser, OPEN_BELOW_COMPLETED) == 0


@pytest.mark.proves("LEDGER-8", "TASK-112")
def test_a_task_whose_list_is_being_deleted_is_not_changed_after_it(
    owner: RemoteUser, superuser: psycopg.Connection
) -> None:
    folder = owner.call("POST", "/lists", {"title": "folder"}).json["data"]["id"]
    (task,) = make_tasks(owner, 1, list_id=folder)
    with ThreadPoolExecutor(1) as threads:
        with held_ledger(superuser, owner.id, 1) as connection:
            update = threads.submit(owner.call, "PATCH", f"/tasks/{task}", {"title": "late"})
            until(lambda: number(connection, LOCK_WAITS) >= 1)
            connection.execute(DELETE_LIST, {"owner_id": owner.id})
        assert update.result().status == 404
    assert owner.call("POST", f"/lists/{folder}/restore").status == 200
    assert owner.get(f"/tasks/{task}").json["data"]["title"] == "task"


Request = tuple[str, str, Any]


def adding(parent: str, other: str, turn: int) -> Request:
    """One of three ways in which a task comes below a parent."""
    ways: Sequence[Request] = (
        ("POST", "/tasks", {"title": "child", "parent_id": parent}),
        ("PATCH", f"/tasks/{other}", {"parent_id": parent}),
        ("POST", f"/tasks/{other}/move", {"before": None, "parent_id": parent}),
    )
    return ways[turn % 3]


def completing(parent: str, turn: int) -> Request:
    ways: Sequence[Request] = (
        ("PATCH", f"/tasks/{parent}/complete", None),
        ("PATCH", f"/tasks/{parent}/complete", {"is_completed": True}),
        ("PATCH", f"/tasks/{parent}", {"is_completed": True}),
        ("POST", "/batch", {"operations": [{"op": "complete", "id": parent}]}),
    )
    return ways[turn % 4]


@pytest.mark.proves("TASK-153", "TASK-154")
@pytest.mark.slow
def test_of_a_completion_and_a_new_child_that_meet_one_follows_the_other(
    owner: RemoteUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    ids = make_tasks(owner, 2 * ROUNDS)
    chance = random.Random(19)
    with ThreadPoolExecutor(2) as threads:
        for turn, (parent, other) in enumerate(zip(ids[::2], ids[1::2], strict=True)):
            requests = [completing(parent, turn), adding(parent, other, turn)]
            chance.shuffle(requests)
            with held_ledger(superuser, owner.id, 2):
                calls = [threads.submit(owner.call, *request) for request in requests]
            assert {call.result().status for call in calls} <= {200, 201}
            assert number(superuser, OPEN_BELOW_COMPLETED) == 0
    assert number(superuser, WRONG_ROOTS) == 0
    assert flask("ledger", "verify").exit_code == 0


@pytest.mark.proves("TASK-152", "TASK-154")
@pytest.mark.slow
def test_trees_stay_trees_under_random_writes_of_four_clients(
    owner: RemoteUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    folder = owner.call("POST", "/lists", {"title": "folder"}).json["data"]["id"]
    ids = make_tasks(owner, 12)

    def random_request(chance: random.Random) -> Request:
        path = f"/tasks/{chance.choice(ids)}"
        parent = chance.choice([None, *ids])
        ways: Sequence[Callable[[], Request]] = (
            lambda: ("PATCH", path, {"parent_id": parent}),
            lambda: ("POST", f"{path}/move", {"after": None, "parent_id": parent}),
            lambda: ("PATCH", path, {"list_id": chance.choice([None, folder])}),
            lambda: ("PATCH", f"{path}/complete", None),
            lambda: ("PATCH", path, {"is_completed": False}),
            lambda: ("DELETE", path, None),
            lambda: ("POST", f"{path}/restore", None),
            lambda: ("POST", f"{path}/restore", None),
        )
        return chance.choice(ways)()

    def write(seed: int) -> set[int]:
        chance = random.Random(seed)
        return {owner.call(*random_request(chance)).status for _ in range(80)}

    with ThreadPoolExecutor(4) as threads:
        statuses = set().union(*threads.map(write, range(4)))
    assert statuses <= {200, 404, 422}
    for query in (CYCLES, WRONG_ROOTS, OPEN_BELOW_COMPLETED):
        assert number(superuser, query) == 0, query
    assert flask("ledger", "verify").exit_code == 0
