"""Tasks of an archived or deleted list: hidden, never changed, and back with their list."""

from typing import Any

import orjson
import pytest

from app.search.repository import SORTS
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.planning import (
    act,
    complete,
    delete,
    entries_since,
    ids,
    make,
    make_chain,
    make_task,
    newest_version,
    read,
    read_all,
    titles,
)

FIELDS: dict[str, Any] = {"due": "2020-01-01", "priority": 1, "labels": ["home"]}


@pytest.fixture
def folder(alice: ApiUser) -> dict[str, Any]:
    """A list with a task and its subtask; another list and the inbox have a task each."""
    made = make(alice, "lists", title="Work")
    make_chain(alice, "hidden", "hidden child", list_id=made["id"], **FIELDS)
    make_task(alice, "elsewhere", list_id=make(alice, "lists", title="Home")["id"], **FIELDS)
    make_task(alice, "inbox", **FIELDS)
    return made


def hide(user: ApiUser, folder: dict[str, Any], how: str) -> None:
    if how == "archived":
        act(user, folder, "archive", "lists")
    else:
        delete(user, folder, "lists")


def show(user: ApiUser, folder: dict[str, Any], how: str) -> None:
    act(user, folder, "unarchive" if how == "archived" else "restore", "lists")


def shown(user: ApiUser, **query: str) -> list[str]:
    return sorted(titles(data(user.get(query_string={"limit": "200", **query}))))


SHOWN = ["elsewhere", "inbox"]
HOW = pytest.mark.parametrize("how", ["archived", "deleted"])


@pytest.mark.proves("TASK-111", "TASK-112", "TASK-113")
@HOW
@pytest.mark.parametrize("sort", SORTS)
def test_no_order_shows_hidden_tasks(
    alice: ApiUser, folder: dict[str, Any], how: str, sort: str
) -> None:
    before = shown(alice, sort=sort)
    hide(alice, folder, how)
    assert shown(alice, sort=sort) == SHOWN
    for limit in ("1", "2"):
        first = alice.get(query_string={"sort": sort, "limit": limit}).get_json()
        assert not {"hidden", "hidden child"} & set(titles(first["data"]))
    show(alice, folder, how)
    assert shown(alice, sort=sort) == before == ["elsewhere", "hidden", "hidden child", "inbox"]


@pytest.mark.proves("TASK-111", "TASK-112")
@HOW
def test_no_search_and_no_filter_shows_hidden_tasks(
    alice: ApiUser, folder: dict[str, Any], how: str
) -> None:
    label = read(alice, data(alice.get("?q=inbox"))[0])["label_ids"][0]
    parent = next(task for task in data(alice.get()) if task["title"] == "hidden")
    hide(alice, folder, how)
    assert shown(alice, q="hidden") == []
    assert shown(alice, q="child") == []
    assert shown(alice, label=label) == SHOWN
    assert shown(alice, priority_max="9") == SHOWN
    assert shown(alice, overdue="true") == SHOWN
    assert shown(alice, due_to="2020-01-01") == SHOWN
    assert shown(alice, parent_id=parent["id"]) == []
    assert shown(alice, filter='title >= "a"') == SHOWN
    assert shown(alice, filter='overdue or has label "home"') == SHOWN
    assert shown(alice, list_id="none") == ["inbox"]
    for text in ('list = "Work"', 'list != "Home"'):
        if how == "archived":
            assert "hidden" not in shown(alice, filter=text)


@pytest.mark.proves("TASK-27")
@HOW
def test_a_cached_page_does_not_show_them_either(
    alice: ApiUser, folder: dict[str, Any], how: str
) -> None:
    before = alice.get()
    assert alice.get().data == before.data
    hide(alice, folder, how)
    answer = alice.get(headers={"If-None-Match": before.headers["ETag"]})
    assert sorted(titles(data(answer))) == SHOWN


@pytest.mark.proves("TASK-110", "TASK-113")
@HOW
def test_hiding_takes_one_version_and_leaves_the_tasks_as_they_are(
    alice: ApiUser, folder: dict[str, Any], how: str
) -> None:
    before = data(alice.get("?sort=title"))
    version = newest_version(alice)
    hide(alice, folder, how)
    assert newest_version(alice) == version + 1
    (entry,) = entries_since(alice, version)
    assert (entry["kind"], entry["id"]) == ("list", folder["id"])
    show(alice, folder, how)
    assert newest_version(alice) == version + 2
    assert data(alice.get("?sort=title")) == before


@pytest.mark.proves("TASK-111", "TASK-115")
def test_tasks_of_an_archived_list_are_read_and_written_as_ever(
    alice: ApiUser, folder: dict[str, Any]
) -> None:
    hide(alice, folder, "archived")
    query = {"list_id": folder["id"]}
    assert shown(alice, **query) == ["hidden", "hidden child"]
    assert shown(alice, **query, q="child") == ["hidden child"]
    assert shown(alice, **query, filter="not completed") == ["hidden", "hidden child"]
    parent, child = data(alice.get(query_string={"sort": "title", **query}))
    assert read(alice, parent) == parent
    assert len(data(alice.get(f"/{parent['id']}/history"))) == 1
    complete(alice, parent)
    assert read(alice, child)["is_completed"]
    act(alice, child, "move", after=None)
    delete(alice, parent)
    act(alice, parent, "restore")
    added = make_task(alice, "new", list_id=folder["id"])
    below = make_task(alice, "below", parent_id=parent["id"])
    assert added["list_id"] == below["list_id"] == folder["id"]
    assert shown(alice) == SHOWN


@pytest.mark.proves("TASK-112")
def test_tasks_of_a_deleted_list_do_not_exist_but_for_their_history(
    alice: ApiUser, folder: dict[str, Any]
) -> None:
    tasks = data(alice.get("?q=hidden&sort=title"))
    hide(alice, folder, "deleted")
    version = newest_version(alice)
    for task in tasks:
        path = f"/{task['id']}"
        for answer in (
            alice.get(path),
            alice.patch(path, json={"title": "b"}),
            alice.patch(path, json={"due": None}),
            alice.put(path, json={"priority": 2}),
            alice.patch(path, json={"list_id": None}),
            alice.patch(f"{path}/complete"),
            alice.patch(f"{path}/complete", json={"is_completed": True}),
            alice.post(f"{path}/move", json={"after": None}),
            alice.post(f"{path}/move", json={"after": None, "list_id": None}),
            alice.delete(path),
            alice.post(f"{path}/restore"),
        ):
            assert error(answer) == (404, "NOT_FOUND")
        for op in ("complete", "delete", "restore"):
            batch = alice.batch({"op": "create", "title": "a"}, {"op": op, "id": task["id"]})
            assert error(batch) == (404, "NOT_FOUND")
            (detail,) = batch.get_json()["error"]["details"]
            assert detail["field"] == "operations[1].id"
        (entry,) = data(alice.get(f"{path}/history"))
        assert entry["item"] == task
    assert newest_version(alice) == version
    assert data(alice.get("/trash")) == []  # they are hidden, not in the trash themselves
    show(alice, folder, "deleted")
    assert read_all(alice, tasks) == tasks


@pytest.mark.proves("TASK-103")
def test_a_deleted_list_is_no_place_for_a_task(alice: ApiUser, folder: dict[str, Any]) -> None:
    hidden = data(alice.get("?q=hidden&sort=title"))[0]
    hide(alice, folder, "deleted")
    task = make_task(alice)
    version = newest_version(alice)
    for place, field in (
        ({"list_id": folder["id"]}, "list_id"),
        ({"parent_id": hidden["id"]}, "parent_id"),
    ):
        assert broken_fields(alice.post(json={"title": "a", **place})) == [field]
        assert broken_fields(alice.patch(f"/{task['id']}", json=place)) == [field]
        moved = alice.post(f"/{task['id']}/move", json={"after": None, **place})
        assert broken_fields(moved) == [field]
    behind = alice.post(f"/{task['id']}/move", json={"after": hidden["id"]})
    assert broken_fields(behind) == ["after"]
    assert newest_version(alice) == version
    assert error(alice.get(f"?list_id={folder['id']}")) == (404, "NOT_FOUND")


def test_a_task_in_the_trash_of_a_deleted_list_comes_back_after_it(
    alice: ApiUser, folder: dict[str, Any]
) -> None:
    task = data(alice.get("?q=hidden&sort=title"))[0]
    delete(alice, task)
    hide(alice, folder, "deleted")
    assert error(alice.post(f"/{task['id']}/restore")) == (404, "NOT_FOUND")
    show(alice, folder, "deleted")
    assert shown(alice) == SHOWN
    act(alice, task, "restore")
    assert shown(alice) == ["elsewhere", "hidden", "hidden child", "inbox"]


@pytest.mark.proves("TASK-112")
def test_the_export_has_tasks_of_archived_lists_and_none_of_deleted_ones(
    alice: ApiUser, folder: dict[str, Any]
) -> None:
    def exported() -> list[str]:
        return sorted(titles(orjson.loads(alice.export().data)["tasks"]))

    everything = exported()
    hide(alice, folder, "archived")
    assert exported() == everything
    show(alice, folder, "archived")
    hide(alice, folder, "deleted")
    assert exported() == SHOWN
    assert "hidden" not in alice.export("csv").text
    show(alice, folder, "deleted")
    assert exported() == everything


def test_a_list_that_is_archived_and_deleted_is_archived_when_it_is_restored(
    alice: ApiUser, folder: dict[str, Any]
) -> None:
    hide(alice, folder, "archived")
    hide(alice, folder, "deleted")
    assert error(alice.get(f"?list_id={folder['id']}")) == (404, "NOT_FOUND")
    show(alice, folder, "deleted")
    assert shown(alice) == SHOWN
    assert shown(alice, list_id=folder["id"]) == ["hidden", "hidden child"]


@pytest.mark.proves("TASK-111")
def test_moving_a_task_out_of_an_archived_list_shows_it(
    alice: ApiUser, folder: dict[str, Any]
) -> None:
    hide(alice, folder, "archived")
    parent = data(alice.get(f"?list_id={folder['id']}&sort=title"))[0]
    act(alice, parent, "move", after=None, list_id=None)
    assert shown(alice) == ["elsewhere", "hidden", "hidden child", "inbox"]
    assert data(alice.get(f"?list_id={folder['id']}")) == []


def test_hidden_tasks_of_another_user_stay_his(
    alice: ApiUser, bob: ApiUser, folder: dict[str, Any]
) -> None:
    hide(alice, folder, "archived")
    assert error(bob.get(f"?list_id={folder['id']}")) == (404, "NOT_FOUND")
    assert data(bob.get()) == []
    assert ids(data(alice.get(f"?list_id={folder['id']}")))
