"""Writers that wait for a lock act on the state after the wait; 304s and look-ups use indexes."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from werkzeug.test import TestResponse

from app import db
from app.config import Config
from app.db.repository import SET_OWNER
from app.ledger import repository as ledger
from app.ledger.repository import Terms
from app.search import repository as search
from app.tasks import repository, unit_of_work
from app.values import Origin, Uuid
from tests.support.api_user import ApiUser, data, error
from tests.support.processes import until
from tests.support.services import LOCK_WAITS, FlaskCommand

ORIGIN = Origin("test", None)
Request = Callable[[], TestResponse]
Write = Callable[[Uuid, Uuid], object]


@pytest.fixture
def task(alice: ApiUser) -> dict[str, Any]:
    return alice.create("original")


@pytest.fixture
def overtake(
    alice: ApiUser, task: dict[str, Any], superuser: psycopg.Connection
) -> Iterator[Callable[[Write, Request], TestResponse]]:
    """Runs a write that a request has to wait for; returns the request's response."""

    def is_waiting() -> bool:
        return superuser.execute(LOCK_WAITS).fetchone() == (1,)

    with ThreadPoolExecutor() as threads:

        def run(write: Write, request: Request) -> TestResponse:
            with db.transaction():
                write(Uuid(alice.id), Uuid(task["id"]))
                answer: Future[TestResponse] = threads.submit(request)
                until(lambda: is_waiting() or answer.done())
            return answer.result()

        yield run


def rename(owner_id: Uuid, task_id: Uuid) -> object:
    fields = {"id": task_id, "title": "newer"}
    return ledger.change(repository.UPDATE.prepare(fields), Terms(owner_id, None, ORIGIN))


def toggle(owner_id: Uuid, task_id: Uuid) -> object:
    return ledger.change(
        repository.COMPLETE.prepare({"id": task_id}), Terms(owner_id, None, ORIGIN)
    )


def delete(owner_id: Uuid, task_id: Uuid) -> object:
    return ledger.change(repository.DELETE.prepare({"id": task_id}), Terms(owner_id, None, ORIGIN))


def restore(owner_id: Uuid, task_id: Uuid) -> object:
    return ledger.change(repository.RESTORE.prepare({"id": task_id}), Terms(owner_id, None, ORIGIN))


def actions(user: ApiUser, task: dict[str, Any]) -> list[str]:
    entries = data(user.get(f"/{task['id']}/history"))
    return [entry["action"] for entry in reversed(entries)]


def version(user: ApiUser) -> int:
    return int(user.get("?limit=1").get_json()["meta"]["version"])


Overtake = Callable[[Write, Request], TestResponse]


@pytest.mark.proves("TASK-21")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"title": "stale"}),
        ("PATCH", "/complete", None),
        ("DELETE", "", None),
    ],
)
def test_an_if_match_that_goes_stale_while_its_writer_waits_takes_no_version(
    alice: ApiUser,
    task: dict[str, Any],
    overtake: Overtake,
    flask: FlaskCommand,
    method: str,
    path: str,
    body: object,
) -> None:
    target = f"/api/me/tasks/{task['id']}{path}"
    stale = {"If-Match": '"1"'}
    answer = overtake(rename, lambda: alice.call(method, target, json=body, headers=stale))
    assert error(answer) == (412, "PRECONDITION_FAILED")
    assert actions(alice, task) == ["create", "update"]
    assert version(alice) == 2
    assert alice.create()["version"] == 3
    assert flask("ledger", "verify").exit_code == 0


@pytest.mark.proves("LEDGER-1")
def test_a_batch_sees_the_write_that_it_waited_for(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake, flask: FlaskCommand
) -> None:
    change = {"op": "update", "id": task["id"], "description": "batched"}
    operations = [{"op": "create", "title": "t"}, {**change, "if_version": 2}]
    answer = overtake(rename, lambda: alice.batch(*operations))
    assert data(answer)["results"][1]["title"] == "newer"
    assert data(answer)["results"][1]["version"] == 4
    assert flask("ledger", "verify").exit_code == 0


def test_an_if_version_that_goes_stale_while_its_batch_waits_rolls_it_back(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake
) -> None:
    change = {"op": "update", "id": task["id"], "title": "lost", "if_version": 1}
    operations = [{"op": "create", "title": "t"}, change]
    answer = overtake(rename, lambda: alice.batch(*operations))
    assert error(answer) == (412, "PRECONDITION_FAILED")
    assert version(alice) == 2


@pytest.mark.proves("LEDGER-1")
def test_a_change_is_compared_with_the_state_after_the_wait(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake
) -> None:
    """The task is completed, a toggle opens it, and a request to complete it waits for that."""
    path = f"/{task['id']}/complete"
    alice.patch(path)
    answer = overtake(toggle, lambda: alice.patch(path, json={"is_completed": True}))
    assert data(answer)["is_completed"] is True
    assert actions(alice, task) == ["create", "complete", "reopen", "complete"]


@pytest.mark.proves("TASK-21", "LEDGER-1")
def test_a_change_that_another_writer_has_made_takes_no_version(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake
) -> None:
    path = f"/{task['id']}"
    answer = overtake(rename, lambda: alice.patch(path, json={"title": "newer"}))
    assert (data(answer)["title"], data(answer)["version"]) == ("newer", 2)
    assert actions(alice, task) == ["create", "update"]


@pytest.mark.proves("LEDGER-1")
def test_a_toggle_that_waited_for_a_toggle_reverts_it(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake
) -> None:
    answer = overtake(toggle, lambda: alice.patch(f"/{task['id']}/complete"))
    assert data(answer)["is_completed"] is False
    assert actions(alice, task) == ["create", "complete", "reopen"]


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"title": "late"}), ("DELETE", None)])
def test_a_task_deleted_while_its_writer_waits_is_not_found(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake, method: str, body: object
) -> None:
    path = f"/api/me/tasks/{task['id']}"
    answer = overtake(delete, lambda: alice.call(method, path, json=body))
    assert error(answer) == (404, "NOT_FOUND")
    assert version(alice) == 2


def test_a_task_restored_while_a_restore_waits_is_not_found(
    alice: ApiUser, task: dict[str, Any], overtake: Overtake
) -> None:
    alice.delete(f"/{task['id']}")
    answer = overtake(restore, lambda: alice.post(f"/{task['id']}/restore"))
    assert error(answer) == (404, "NOT_FOUND")
    assert version(alice) == 3


@pytest.mark.proves("LEDGER-4")
def test_a_list_version_that_goes_stale_while_a_create_waits_is_a_412(
    alice: ApiUser, overtake: Overtake
) -> None:
    headers = {"If-Match": '"1"'}
    answer = overtake(rename, lambda: alice.post(json={"title": "t"}, headers=headers))
    assert error(answer) == (412, "PRECONDITION_FAILED")
    assert version(alice) == 2


@pytest.mark.proves("LEDGER-2")
def test_a_writer_that_waits_too_long_is_a_503_with_retry_after(
    alice: ApiUser, task: dict[str, Any]
) -> None:
    with ThreadPoolExecutor() as threads:
        with db.transaction():
            rename(Uuid(alice.id), Uuid(task["id"]))
            answer = threads.submit(alice.patch, f"/{task['id']}/complete").result()
        assert error(answer) == (503, "UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1"
    assert actions(alice, task) == ["create", "update"]


@pytest.mark.proves("TASK-20", "LEDGER-3")
def test_a_failed_write_leaves_no_version_gap(
    alice: ApiUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    superuser.execute("ALTER TABLE tasks ADD CONSTRAINT no_bombs CHECK (title <> 'bomb')")
    alice.create()
    assert error(alice.post(json={"title": "bomb"})) == (500, "INTERNAL")
    operations = [{"op": "create", "title": title} for title in ("before", "bomb", "after")]
    assert error(alice.batch(*operations)) == (500, "INTERNAL")
    assert alice.create()["version"] == 2
    assert flask("ledger", "verify").exit_code == 0


# --- rows that a statement reads ----------------------------------------------------------------


def plan(
    config: Config, statement: db.Statement[Any], params: dict[str, Any]
) -> list[dict[str, Any]]:
    """The nodes of the statement's plan, with what each of them has read."""
    with psycopg.connect(config.database_url or "", row_factory=dict_row) as connection:
        connection.execute(SET_OWNER.text, {"owner_id": str(params["owner_id"])})
        text = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.text}".encode()
        (row,) = connection.execute(text, params).fetchall()
    return list(_nodes(row["QUERY PLAN"][0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


MANY_TASKS = """
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, created_at, updated_at, version,
        last_action, request_id
    )
    SELECT
        owner_id, uuidv7_at(now() + n * interval '1 microsecond'), 'task ' || n, 'task ' || n, '',
        now(), now(), n, 'create', 'test'
    FROM ledgers CROSS JOIN generate_series(1, 10000) AS n
    WHERE owner_id = %s
"""


@pytest.fixture
def unanalyzed(alice: ApiUser, bob: ApiUser, superuser: psycopg.Connection) -> ApiUser:
    """Alice, with 10,000 tasks; by the planner's statistics each owner has one."""
    superuser.execute("ALTER TABLE tasks SET (autovacuum_enabled = FALSE)")
    bob.create()
    superuser.execute("ANALYZE tasks")
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(MANY_TASKS, [alice.id])
    superuser.execute("RESET session_replication_role")
    superuser.execute("UPDATE ledgers SET version = 10000")
    return alice


@pytest.fixture
def ten_thousand(unanalyzed: ApiUser, superuser: psycopg.Connection) -> ApiUser:
    superuser.execute("VACUUM ANALYZE tasks, ledgers")
    return unanalyzed


HEAD = "SELECT hash FROM ledgers WHERE owner_id = %s"


@pytest.mark.proves("TASK-23", "TASK-27")
@pytest.mark.parametrize("sort", list(search.SORTS))
def test_a_list_that_the_client_or_the_cache_has_reads_no_row_of_tasks(
    ten_thousand: ApiUser, config: Config, superuser: psycopg.Connection, sort: str
) -> None:
    first = ten_thousand.get(f"?sort={sort}")
    tag = first.headers["ETag"]
    assert len(data(first)) == 50
    again = ten_thousand.get(f"?sort={sort}", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")

    order = search.SORTS[sort]
    params = {
        "owner_id": ten_thousand.id,
        "limit": 50,
        "list_id": None,
        "words": None,
        "filter": None,
        "filter_values": None,
        **order.params(None),
    }
    head = superuser.execute(HEAD, [ten_thousand.id]).fetchone()
    assert head is not None
    version = json.loads(tag)
    for tags, known_tag, known_hash, is_read in (
        (["9999"], version, bytes(32), True),
        (["9999"], "9999", head[0], True),
        ([version], None, None, False),
        ([], version, head[0], False),
    ):
        known = {"known_tags": tags, "known_tag": known_tag, "known_hash": known_hash}
        nodes = plan(config, order.statement, {**params, **known})
        scans = [node for node in nodes if node.get("Relation Name") == "tasks"]
        assert scans
        assert any(node["Actual Loops"] for node in scans) is is_read
        assert any(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in scans) is (
            is_read
        )


@pytest.mark.proves("TASK-23")
@pytest.mark.parametrize(
    ("statement", "position"),
    [
        (ledger.LIST_CHANGES, {"since": 0, "kinds": ["task"]}),
        (ledger.LIST_TRASH, {"before_version": 2**62, "kind": "task"}),
    ],
)
def test_a_304_for_the_feed_and_the_trash_reads_no_row_of_tasks(
    ten_thousand: ApiUser, config: Config, statement: db.Statement[Any], position: dict[str, object]
) -> None:
    params = {"owner_id": ten_thousand.id, "limit": 50, **position}
    for known, is_read in (("9999-0.0", True), ("10000-0.0", False)):
        nodes = plan(config, statement, {**params, "known_tags": [known]})
        scans = [node for node in nodes if node.get("Relation Name") == "tasks"]
        assert scans
        assert any(node["Actual Loops"] for node in scans) is is_read


LOOK_UPS = {
    "get": repository.GET,
    "update": repository.UPDATE_TEXTS,
    "complete": repository.COMPLETE_ALONE,
    "store": unit_of_work.STORE,
}


@pytest.mark.proves("LEDGER-7")
@pytest.mark.parametrize("statement", LOOK_UPS.values(), ids=LOOK_UPS)
def test_one_task_of_10_000_is_found_by_its_id_without_statistics(
    unanalyzed: ApiUser, config: Config, statement: db.Statement[Any]
) -> None:
    task = data(unanalyzed.get("?limit=1"))[0]
    params = {
        **repository.NEW,
        "owner_id": unanalyzed.id,
        "id": task["id"],
        "if_versions": None,
        "fields": ["title"],
        "title": "changed",
        "title_folded": "changed",
        "is_completed": True,
        "position": "h",
        "is_deleted": False,
        "deleted_from": None,
        "action": "update",
        "request_id": "test",
        "session_id": None,
    }
    nodes = plan(config, statement, params)
    scans = [node for node in nodes if node.get("Relation Name") == "tasks"]
    assert scans
    assert sum(node.get("Rows Removed by Filter", 0) for node in scans) <= 1
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) <= 5
