"""The trash and the history of a task, from which deleted and earlier states can be read."""

from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields, data, error


def history(user: ApiUser, task: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    return list(data(user.get(f"/{task['id']}/history{query}")))


@pytest.fixture
def trash(alice: ApiUser) -> list[dict[str, Any]]:
    """Five deleted tasks of Alice in the order of their deletion; a sixth is not deleted."""
    tasks = [alice.create(f"task {number}", "described") for number in range(6)]
    deleted = [tasks[number] for number in (3, 1, 4, 0, 5)]
    for task in deleted:
        alice.delete(f"/{task['id']}")
    return deleted


@pytest.mark.proves("TASK-6")
def test_the_trash_lists_the_latest_deletion_first(
    alice: ApiUser, trash: list[dict[str, Any]]
) -> None:
    found = data(alice.get("/trash"))
    assert [task["id"] for task in found] == [task["id"] for task in reversed(trash)]
    newest, deleted = found[0], trash[-1]
    assert newest.keys() == {*deleted, "deleted_at"}
    assert newest["deleted_at"] == newest["updated_at"] > deleted["updated_at"]
    assert (newest["title"], newest["description"]) == (deleted["title"], "described")


def test_the_trash_is_paginated(alice: ApiUser, trash: list[dict[str, Any]]) -> None:
    seen: list[str] = []
    path = "/trash?limit=2"
    while path:
        answer = alice.get(path)
        seen += [task["id"] for task in data(answer)]
        cursor = answer.get_json()["meta"]["next_cursor"]
        path = f"/trash?limit=2&cursor={cursor}" if cursor else ""
        assert ("Link" in answer.headers) is bool(cursor)
    assert seen == [task["id"] for task in reversed(trash)]


@pytest.mark.proves("TASK-12")
def test_a_cursor_of_another_list_is_refused(alice: ApiUser, trash: list[dict[str, Any]]) -> None:
    cursor = alice.get("/trash?limit=1").get_json()["meta"]["next_cursor"]
    for path in ("", f"/{trash[0]['id']}/history"):
        assert error(alice.get(f"{path}?limit=1&cursor={cursor}")) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-6")
def test_restore_keeps_every_field_but_version_and_updated_at(
    alice: ApiUser, trash: list[dict[str, Any]]
) -> None:
    task = trash[2]
    restored = data(alice.post(f"/{task['id']}/restore"))
    changed = {"version", "updated_at"}
    assert {k: restored[k] for k in task.keys() - changed} == {
        k: task[k] for k in task.keys() - changed
    }
    assert restored["version"] == 12
    assert data(alice.get(f"/{task['id']}")) == restored
    assert task["id"] not in [each["id"] for each in data(alice.get("/trash"))]
    assert [entry["action"] for entry in history(alice, task)] == ["restore", "delete", "create"]


@pytest.mark.proves("TASK-6")
def test_only_deleted_tasks_can_be_restored(alice: ApiUser, bob: ApiUser) -> None:
    task = alice.create()
    assert error(alice.post(f"/{task['id']}/restore")) == (404, "NOT_FOUND")
    alice.delete(f"/{task['id']}")
    assert error(bob.post(f"/{task['id']}/restore")) == (404, "NOT_FOUND")
    assert alice.post(f"/{task['id']}/restore").status_code == 200
    assert error(alice.post(f"/{task['id']}/restore")) == (404, "NOT_FOUND")


@pytest.mark.proves("TASK-22")
def test_a_restore_respects_if_match(alice: ApiUser) -> None:
    task = alice.create()
    tag = alice.delete(f"/{task['id']}").headers["ETag"]
    stale = alice.post(f"/{task['id']}/restore", headers={"If-Match": '"1"'})
    assert error(stale) == (412, "PRECONDITION_FAILED")
    assert alice.post(f"/{task['id']}/restore", headers={"If-Match": tag}).status_code == 200


@pytest.mark.proves("TASK-22")
def test_a_delete_respects_if_match(alice: ApiUser) -> None:
    task = alice.create()
    alice.patch(f"/{task['id']}", json={"title": "newer"})
    stale = alice.delete(f"/{task['id']}", headers={"If-Match": '"1"'})
    assert error(stale) == (412, "PRECONDITION_FAILED")
    assert alice.get().get_json()["meta"]["version"] == 2
    deleted = alice.delete(f"/{task['id']}", headers={"If-Match": '"2"'})
    assert data(deleted) == {"id": task["id"], "version": 3}


@pytest.mark.proves("TASK-6")
def test_a_task_in_the_trash_is_not_found_elsewhere(alice: ApiUser) -> None:
    task = alice.create()
    alice.delete(f"/{task['id']}")
    path = f"/{task['id']}"
    for answer in (
        alice.get(path),
        alice.patch(path, json={"title": "x"}),
        alice.patch(f"{path}/complete"),
        alice.delete(path),
    ):
        assert error(answer) == (404, "NOT_FOUND")
    assert data(alice.get()) == []


@pytest.mark.proves("TASK-23")
def test_an_unchanged_trash_is_a_304(alice: ApiUser, trash: list[dict[str, Any]]) -> None:
    tag = alice.get("/trash").headers["ETag"]
    again = alice.get("/trash", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert broken_fields(alice.get("/trash?limit=0", headers={"If-None-Match": tag})) == ["limit"]
    alice.post(f"/{trash[0]['id']}/restore")
    assert alice.get("/trash", headers={"If-None-Match": tag}).status_code == 200


# --- history ------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-24")
def test_the_history_has_every_state_of_a_task(alice: ApiUser) -> None:
    states = [alice.create("first")]
    path = f"/{states[0]['id']}"
    alice.create("another task")
    states.append(data(alice.patch(path, json={"title": "second"})))
    states.append(data(alice.patch(f"{path}/complete")))
    states.append(data(alice.patch(f"{path}/complete")))
    alice.delete(path)
    entries = history(alice, states[0])
    actions = ["delete", "reopen", "complete", "update", "create"]
    assert [entry["action"] for entry in entries] == actions
    assert [entry["version"] for entry in entries] == [6, 5, 4, 3, 1]
    assert [entry["deleted"] for entry in entries] == [True, False, False, False, False]
    assert [entry["item"] for entry in entries] == [None, *reversed(states)]
    assert {(entry["kind"], entry["id"]) for entry in entries} == {("task", states[0]["id"])}


@pytest.mark.proves("TASK-24")
def test_a_history_is_paginated(alice: ApiUser) -> None:
    task = alice.create()
    for _ in range(4):
        alice.patch(f"/{task['id']}/complete")
    first = alice.get(f"/{task['id']}/history?limit=3").get_json()
    cursor = first["meta"]["next_cursor"]
    second = alice.get(f"/{task['id']}/history?limit=3&cursor={cursor}").get_json()
    versions = [entry["version"] for page in (first, second) for entry in page["data"]]
    assert versions == [5, 4, 3, 2, 1]
    assert second["meta"]["next_cursor"] is None
    other = alice.create()
    foreign = alice.get(f"/{other['id']}/history?limit=3&cursor={cursor}")
    assert error(foreign) == (400, "BAD_REQUEST")


def test_a_history_is_visible_to_its_owner_only(alice: ApiUser, bob: ApiUser) -> None:
    task = alice.create()
    assert error(bob.get(f"/{task['id']}/history")) == (404, "NOT_FOUND")
    assert error(alice.get("/not-an-id/history")) == (404, "NOT_FOUND")


@pytest.mark.proves("TASK-23")
def test_an_unchanged_history_is_a_304(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}/history"
    tag = alice.get(path).headers["ETag"]
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 304
    alice.create()
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 200
