"""Subtasks: trees within bounds, completed, moved, deleted and restored as one, without cycles."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.planning import (
    act,
    change,
    complete,
    delete,
    entries_since,
    ids,
    make,
    make_chain,
    make_children,
    make_task,
    newest_version,
    read,
    read_all,
    titles,
)
from tests.support.services import FlaskCommand


def trash(user: ApiUser) -> list[str]:
    return sorted(titles(data(user.get("/trash?limit=200"))))


def assert_no_open_task_below_a_completed_one(user: ApiUser) -> None:
    tasks = {task["id"]: task for task in data(user.get("?limit=200"))}
    for task in tasks.values():
        parent = tasks.get(task["parent_id"])
        assert parent is None or task["is_completed"] or not parent["is_completed"], task


# --- the shape of trees -------------------------------------------------------------------------


@pytest.mark.proves("TASK-159")
def test_a_subtask_names_its_parent_and_is_found_by_it(alice: ApiUser) -> None:
    parent, child, grandchild = make_chain(alice, "parent", "child", "grandchild")
    assert (parent["parent_id"], child["parent_id"]) == (None, parent["id"])
    assert ids(data(alice.get(f"?parent_id={parent['id']}"))) == [child["id"]]
    assert ids(data(alice.get(f"?parent_id={child['id']}"))) == [grandchild["id"]]
    assert ids(data(alice.get("?parent_id=none"))) == [parent["id"]]


def test_a_new_subtask_changes_its_open_parent_in_nothing(alice: ApiUser) -> None:
    parent, _ = make_chain(alice, "parent", "child")
    assert read(alice, parent) == parent


@pytest.mark.proves("TASK-151", "TASK-104")
def test_the_sixth_level_is_refused(alice: ApiUser) -> None:  # S1
    chain = make_chain(alice, *"12345")
    version = newest_version(alice)
    answer = alice.post(json={"title": "6", "parent_id": chain[-1]["id"]})
    assert broken_fields(answer) == ["parent_id"]
    assert newest_version(alice) == version


@pytest.mark.proves("TASK-151")
@pytest.mark.parametrize("by", ["PATCH", "move"])
def test_a_tree_that_would_become_six_levels_deep_is_not_moved(alice: ApiUser, by: str) -> None:
    upper, lower = make_chain(alice, *"123"), make_chain(alice, *"abc")
    body: dict[str, Any] = {"parent_id": upper[2]["id"]}
    path = f"/{lower[0]['id']}"
    refused = (
        alice.patch(path, json=body)
        if by == "PATCH"
        else alice.post(f"{path}/move", json={**body, "after": None})
    )
    assert broken_fields(refused) == ["parent_id"]
    assert read_all(alice, lower) == lower
    fits = change(alice, lower[0], parent_id=upper[1]["id"])
    assert fits["parent_id"] == upper[1]["id"]


@pytest.mark.proves("TASK-156")
def test_levels_in_the_trash_do_not_count(alice: ApiUser) -> None:
    upper, lower = make_chain(alice, *"1234"), make_chain(alice, "a", "b")
    delete(alice, lower[1])
    change(alice, lower[0], parent_id=upper[3]["id"])
    restored = act(alice, lower[1], "restore")
    assert restored["parent_id"] is None  # there is no sixth level to come back to


@pytest.mark.proves("TASK-156")
def test_a_task_is_restored_with_its_subtasks_to_a_level_that_has_room_for_all(
    alice: ApiUser,
) -> None:
    parent, child, *below = make_chain(alice, "parent", "child", "grandchild", "leaf")
    upper = make_chain(alice, "1", "2")
    delete(alice, child)
    change(alice, parent, parent_id=upper[1]["id"])
    restored = act(alice, child, "restore")  # below parent they would be the levels 4, 5 and 6
    assert restored["parent_id"] is None
    assert titles(read_all(alice, below)) == ["grandchild", "leaf"]


@pytest.mark.proves("TASK-151", "TASK-156")
def test_a_task_has_500_subtasks_at_most(alice: ApiUser) -> None:
    parent = make_task(alice, "parent")
    children = make_children(alice, parent["id"], 500)
    other = make_task(alice, "other")
    version = newest_version(alice)
    more = {"parent_id": parent["id"]}
    assert broken_fields(alice.post(json={"title": "501", **more})) == ["parent_id"]
    assert broken_fields(alice.patch(f"/{other['id']}", json=more)) == ["parent_id"]
    moved = alice.post(f"/{other['id']}/move", json={"after": None, **more})
    assert broken_fields(moved) == ["parent_id"]
    batch = alice.batch({"op": "create", "title": "501", **more})
    assert broken_fields(batch) == ["operations[0].parent_id"]
    assert newest_version(alice) == version
    # Among the 500 all goes on, and one in the trash makes room, until it comes back.
    act(alice, children[499], "move", after=None, **more)
    change(alice, children[0], parent_id=parent["id"])
    delete(alice, children[0])
    change(alice, other, **more)
    assert act(alice, children[0], "restore")["parent_id"] is None
    assert make_task(alice, "below", parent_id=children[1]["id"])["parent_id"] == children[1]["id"]


@pytest.mark.proves("TASK-152", "TASK-104")
@pytest.mark.parametrize("by", ["PATCH", "PUT", "move", "batch"])
@pytest.mark.parametrize("target", ["itself", "child", "grandchild"])
def test_a_task_is_not_moved_below_itself(alice: ApiUser, by: str, target: str) -> None:  # S2
    chain = make_chain(alice, "itself", "child", "grandchild")
    below = chain[["itself", "child", "grandchild"].index(target)]["id"]
    path, field = f"/{chain[0]['id']}", "parent_id"
    version = newest_version(alice)
    if by == "batch":
        answer = alice.batch({"op": "update", "id": chain[0]["id"], "parent_id": below})
        field = "operations[0].parent_id"
    elif by == "move":
        answer = alice.post(f"{path}/move", json={"after": None, "parent_id": below})
    else:
        answer = alice.call(by, f"/api/me/tasks{path}", json={"parent_id": below})
    assert broken_fields(answer) == [field]
    assert newest_version(alice) == version
    assert read_all(alice, chain) == chain


def test_a_batch_can_turn_a_parent_and_its_child_around(alice: ApiUser) -> None:
    parent, child = make_chain(alice, "parent", "child")
    answer = alice.batch(
        {"op": "update", "id": child["id"], "parent_id": None},
        {"op": "update", "id": parent["id"], "parent_id": child["id"]},
    )
    assert answer.status_code == 200
    assert [each["parent_id"] for each in read_all(alice, (parent, child))] == [child["id"], None]


@pytest.mark.proves("TASK-152", "TASK-104")
def test_a_batch_that_closes_a_circle_changes_nothing(alice: ApiUser) -> None:
    tasks = [make_task(alice, name) for name in "abc"]
    links = [
        {"op": "update", "id": lower["id"], "parent_id": upper["id"]}
        for upper, lower in pairwise([*tasks, tasks[0]])
    ]
    assert broken_fields(alice.batch(*links)) == ["operations[2].parent_id"]
    assert read_all(alice, tasks) == tasks


@pytest.mark.proves("TASK-151")
def test_a_tree_of_five_levels_is_made_in_one_batch(alice: ApiUser) -> None:
    levels: list[dict[str, Any]] = [{"op": "create", "title": "1", "ref": "r1"}]
    levels += [
        {"op": "create", "title": str(n), "ref": f"r{n}", "parent_id": f"#r{n - 1}"}
        for n in range(2, 6)
    ]
    made = data(alice.batch(*levels))["results"]
    assert [task["parent_id"] for task in made] == [None, *ids(made[:-1])]
    sixth = {"op": "create", "title": "6", "parent_id": "#r5"}
    assert broken_fields(alice.batch(*levels, sixth)) == ["operations[5].parent_id"]


@pytest.mark.proves("TASK-103", "TASK-104")
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_parent_that_is_gone_or_another_user_s_is_one_answer(
    alice: ApiUser, bob: ApiUser, is_gone: bool
) -> None:
    parent = make_task(alice if is_gone else bob)
    if is_gone:
        delete(alice, parent)
    own = make_task(alice)
    version = newest_version(alice)
    for answer in (
        alice.post(json={"title": "child", "parent_id": parent["id"]}),
        alice.patch(f"/{own['id']}", json={"parent_id": parent["id"]}),
        alice.post(f"/{own['id']}/move", json={"after": None, "parent_id": parent["id"]}),
    ):
        assert broken_fields(answer) == ["parent_id"]
        assert answer.get_json()["error"]["details"][0]["message"] == "There is no such item."
    assert newest_version(alice) == version


@pytest.mark.proves("TASK-103")
def test_a_parent_in_a_deleted_list_does_not_exist(alice: ApiUser) -> None:
    folder = make(alice, "lists", title="folder")
    parent, other = make_task(alice, list_id=folder["id"]), make_task(alice)
    delete(alice, folder, "lists")
    answer = alice.patch(f"/{other['id']}", json={"parent_id": parent["id"]})
    assert broken_fields(answer) == ["parent_id"]


# --- lists --------------------------------------------------------------------------------------


@pytest.fixture
def work(alice: ApiUser) -> dict[str, Any]:
    return make(alice, "lists", title="Work")


@pytest.fixture
def home(alice: ApiUser) -> dict[str, Any]:
    return make(alice, "lists", title="Home")


@pytest.mark.proves("TASK-150")
def test_a_subtask_is_made_in_the_list_of_its_parent(
    alice: ApiUser, work: dict[str, Any], home: dict[str, Any]
) -> None:
    parent = make_task(alice, list_id=work["id"])
    child = {"title": "child", "parent_id": parent["id"]}
    assert data(alice.post(json=child))["list_id"] == work["id"]
    assert data(alice.post(json={**child, "list_id": work["id"]}))["list_id"] == work["id"]
    for other in (home["id"], None):  # null is the inbox
        assert broken_fields(alice.post(json={**child, "list_id": other})) == ["list_id"]
    in_inbox = make_task(alice)
    answer = alice.post(json={"title": "child", "parent_id": in_inbox["id"], "list_id": work["id"]})
    assert broken_fields(answer) == ["list_id"]


@pytest.mark.proves("TASK-157")
def test_a_task_that_gets_a_parent_in_another_list_goes_to_that_list(
    alice: ApiUser, work: dict[str, Any], home: dict[str, Any]
) -> None:
    parent = make_task(alice, list_id=work["id"])
    task, child = make_chain(alice, "task", "child", list_id=home["id"])
    both = {"parent_id": parent["id"], "list_id": home["id"]}
    assert broken_fields(alice.patch(f"/{task['id']}", json=both)) == ["list_id"]
    change(alice, task, parent_id=parent["id"])
    assert [each["list_id"] for each in read_all(alice, (task, child))] == [work["id"]] * 2


@pytest.mark.proves("TASK-157")
@pytest.mark.parametrize("by", ["PATCH", "move"])
def test_a_subtask_that_is_moved_alone_to_another_list_is_a_root_there(
    alice: ApiUser, work: dict[str, Any], by: str
) -> None:
    parent, child, grandchild = make_chain(alice, "parent", "child", "grandchild")
    if by == "PATCH":
        change(alice, child, list_id=work["id"])
    else:
        act(alice, child, "move", after=None, list_id=work["id"])
    parent_after, child_after, below = read_all(alice, (parent, child, grandchild))
    assert parent_after == parent
    assert (child_after["parent_id"], child_after["list_id"]) == (None, work["id"])
    assert (below["parent_id"], below["list_id"]) == (child["id"], work["id"])
    # It is out of the old tree: what happens there no longer concerns it.
    complete(alice, parent)
    assert [each["is_completed"] for each in read_all(alice, (child, grandchild))] == [False] * 2


def test_a_write_of_the_list_that_a_subtask_is_in_leaves_it_below_its_parent(
    alice: ApiUser, work: dict[str, Any]
) -> None:
    _, child = make_chain(alice, "parent", "child", list_id=work["id"])
    assert change(alice, child, list_id=work["id"]) == child


@pytest.mark.proves("TASK-157", "TASK-158")
def test_a_parent_takes_open_and_completed_subtasks_to_another_list(
    alice: ApiUser, work: dict[str, Any], home: dict[str, Any]
) -> None:
    parent, child, grandchild = make_chain(alice, "p", "c", "g", list_id=work["id"])
    done = make_task(alice, "done", parent_id=parent["id"])
    complete(alice, done)
    gone = make_task(alice, "gone", parent_id=parent["id"])
    delete(alice, gone)
    version = newest_version(alice)
    act(alice, parent, "move", after=None, list_id=home["id"])
    moved = read_all(alice, (parent, child, grandchild, done))
    assert {task["list_id"] for task in moved} == {home["id"]}
    assert [task["is_completed"] for task in moved] == [False, False, False, True]
    assert [task["parent_id"] for task in moved] == [None, parent["id"], child["id"], parent["id"]]
    assert sorted(task["version"] for task in moved) == list(range(version + 1, version + 5))
    assert data(alice.get(f"?list_id={work['id']}")) == []
    assert act(alice, gone, "restore")["list_id"] == home["id"]


@pytest.mark.proves("TASK-157", "TASK-158")
def test_a_parent_moves_with_500_subtasks_in_one_version_each(
    alice: ApiUser, work: dict[str, Any]
) -> None:
    parent = make_task(alice)
    make_children(alice, parent["id"], 500)
    version = newest_version(alice)
    change(alice, parent, list_id=work["id"])
    assert newest_version(alice) == version + 501
    changed = entries_since(alice, version)
    assert len({entry["id"] for entry in changed}) == 501
    assert {entry["item"]["list_id"] for entry in changed} == {work["id"]}


# --- completion ---------------------------------------------------------------------------------


@pytest.mark.proves("TASK-153", "TASK-158")
def test_completing_a_parent_with_200_subtasks_takes_201_versions(
    alice: ApiUser, flask: FlaskCommand
) -> None:  # S6
    parent = make_task(alice)
    children = make_children(alice, parent["id"], 200)
    version = newest_version(alice)
    answer = complete(alice, parent)
    assert answer["is_completed"]
    assert newest_version(alice) == version + 201
    changed = entries_since(alice, version)
    assert sorted(entry["id"] for entry in changed) == sorted(ids([parent, *children]))
    assert {entry["action"] for entry in changed} == {"complete"}
    assert all(entry["item"]["is_completed"] for entry in changed)
    assert flask("ledger", "verify").exit_code == 0


@pytest.mark.proves("TASK-153")
def test_completing_a_parent_leaves_what_was_completed_before(alice: ApiUser) -> None:
    parent, child, grandchild = make_chain(alice, "parent", "child", "grandchild")
    before = complete(alice, grandchild)
    complete(alice, parent)
    assert read(alice, grandchild) == before
    assert read(alice, child)["is_completed"]


@pytest.mark.proves("TASK-153")
def test_reopening_a_parent_leaves_its_subtasks_completed(alice: ApiUser) -> None:
    parent, child = make_chain(alice, "parent", "child")
    complete(alice, parent)
    complete(alice, parent, done=False)
    assert [each["is_completed"] for each in read_all(alice, (parent, child))] == [False, True]


@pytest.mark.proves("TASK-153")
def test_reopening_a_subtask_reopens_its_ancestors(alice: ApiUser) -> None:  # S8
    chain = make_chain(alice, *"12345")
    sibling = make_task(alice, "sibling", parent_id=chain[0]["id"])
    complete(alice, chain[0])
    version = newest_version(alice)
    complete(alice, chain[3], done=False)
    now = read_all(alice, [*chain, sibling])
    assert [task["is_completed"] for task in now] == [False] * 4 + [True, True]
    assert [task["completed_at"] is None for task in now] == [True] * 4 + [False, False]
    assert newest_version(alice) == version + 4


def test_completing_all_subtasks_leaves_the_parent_open(alice: ApiUser) -> None:
    parent, child = make_chain(alice, "parent", "child")
    complete(alice, child)
    assert read(alice, parent) == parent


@pytest.mark.proves("TASK-153")
@pytest.mark.parametrize("done", [True, False])
def test_setting_what_is_set_already_takes_no_version(alice: ApiUser, done: bool) -> None:
    parent, child = make_chain(alice, "parent", "child")
    if done:
        complete(alice, parent)
    version = newest_version(alice)
    for task in (parent, child):
        complete(alice, task, done=done)
        change(alice, task, is_completed=done)
    assert newest_version(alice) == version


@pytest.mark.proves("TASK-153")
def test_a_toggle_of_a_parent_completes_its_tree(alice: ApiUser) -> None:
    chain = make_chain(alice, "parent", "child")
    assert data(alice.patch(f"/{chain[0]['id']}/complete"))["is_completed"]
    assert [each["is_completed"] for each in read_all(alice, chain)] == [True, True]


@pytest.mark.proves("TASK-153")
def test_is_completed_by_patch_has_the_same_effect(alice: ApiUser) -> None:
    chain = make_chain(alice, "parent", "child")
    change(alice, chain[0], is_completed=True)
    assert [each["is_completed"] for each in read_all(alice, chain)] == [True, True]
    change(alice, chain[1], is_completed=False)
    assert [each["is_completed"] for each in read_all(alice, chain)] == [False, False]


@pytest.mark.proves("TASK-153")
def test_subtasks_in_the_trash_are_not_completed_with_their_parent(alice: ApiUser) -> None:
    parent, child = make_chain(alice, "parent", "child")
    delete(alice, child)
    version = newest_version(alice)
    complete(alice, parent)
    assert newest_version(alice) == version + 1
    assert not act(alice, child, "restore")["is_completed"]


def _create_below(user: ApiUser, parent: dict[str, Any]) -> None:
    make_task(user, "new", parent_id=parent["id"])


def _patch_below(user: ApiUser, parent: dict[str, Any]) -> None:
    change(user, make_chain(user, "open", "lower")[0], parent_id=parent["id"])


def _move_below(user: ApiUser, parent: dict[str, Any]) -> None:
    act(user, make_task(user, "open"), "move", after=None, parent_id=parent["id"])


def _restore_below(user: ApiUser, parent: dict[str, Any]) -> None:
    complete(user, parent, done=False)
    child = make_task(user, "child", parent_id=parent["id"])
    delete(user, child)
    complete(user, parent)
    act(user, child, "restore")


def _restore_tree_below(user: ApiUser, parent: dict[str, Any]) -> None:
    complete(user, parent, done=False)
    child = make_task(user, "child", parent_id=parent["id"])
    make_task(user, "lower", parent_id=child["id"])
    delete(user, child)
    complete(user, parent)
    act(user, child, "restore")


def _complete_and_move_below(user: ApiUser, parent: dict[str, Any]) -> None:
    task, lower = make_chain(user, "task", "lower")
    change(user, task, parent_id=parent["id"], is_completed=True)
    assert read(user, lower)["is_completed"]
    complete(user, lower, done=False)


def _batch_below(user: ApiUser, parent: dict[str, Any]) -> None:
    data(
        user.batch(
            {"op": "create", "title": "a", "ref": "a", "parent_id": parent["id"]},
            {"op": "complete", "id": "#a"},
            {"op": "create", "title": "b", "parent_id": "#a"},
        )
    )


@pytest.mark.proves("TASK-154")
@pytest.mark.parametrize(
    "add",
    [
        _create_below,
        _patch_below,
        _move_below,
        _restore_below,
        _restore_tree_below,
        _complete_and_move_below,
        _batch_below,
    ],
)
def test_an_open_task_that_comes_below_a_completed_one_reopens_it(
    alice: ApiUser, add: Callable[[ApiUser, dict[str, Any]], None]
) -> None:
    top, parent = make_chain(alice, "top", "parent")
    complete(alice, top)
    add(alice, parent)
    assert [each["is_completed"] for each in read_all(alice, (top, parent))] == [False, False]
    assert_no_open_task_below_a_completed_one(alice)


@pytest.mark.proves("TASK-154")
def test_a_completed_task_that_comes_below_a_completed_one_leaves_it(alice: ApiUser) -> None:
    parent, task = make_task(alice, "parent"), make_task(alice, "task")
    done = complete(alice, parent)
    complete(alice, task)
    change(alice, task, parent_id=parent["id"])
    assert read(alice, parent) == done


# --- trash --------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-155")
def test_a_tree_is_deleted_and_restored_as_it_was(alice: ApiUser) -> None:  # S7
    parent, child, grandchild = make_chain(alice, "parent", "child", "grandchild")
    earlier = make_task(alice, "earlier", parent_id=parent["id"])
    delete(alice, earlier)
    complete(alice, child)
    before = read_all(alice, (parent, child, grandchild))
    version = newest_version(alice)
    deleted = delete(alice, parent)
    assert deleted["version"] == newest_version(alice) == version + 3
    assert trash(alice) == ["child", "earlier", "grandchild", "parent"]
    for task in before:
        assert error(alice.get(f"/{task['id']}")) == (404, "NOT_FOUND")
    act(alice, parent, "restore")
    after = read_all(alice, (parent, child, grandchild))
    changed = {"version", "updated_at"}
    assert [{name: task[name] for name in task if name not in changed} for task in after] == [
        {name: task[name] for name in task if name not in changed} for task in before
    ]
    assert newest_version(alice) == version + 6
    assert trash(alice) == ["earlier"]
    assert act(alice, earlier, "restore")["parent_id"] == parent["id"]


@pytest.mark.proves("TASK-155")
def test_a_tree_deleted_in_two_steps_comes_back_in_two_steps(alice: ApiUser) -> None:
    chain = make_chain(alice, "1", "2", "3", "4")
    delete(alice, chain[2])
    delete(alice, chain[0])
    act(alice, chain[0], "restore")
    assert trash(alice) == ["3", "4"]
    act(alice, chain[2], "restore")
    assert [each["parent_id"] for each in read_all(alice, chain)] == [None, *ids(chain[:3])]


@pytest.mark.proves("TASK-155")
def test_a_tree_that_is_deleted_and_restored_twice_comes_back_each_time(alice: ApiUser) -> None:
    chain = make_chain(alice, "1", "2", "3")
    for _ in range(2):
        delete(alice, chain[1])
        act(alice, chain[1], "restore")
        delete(alice, chain[0])
        act(alice, chain[0], "restore")
    assert [each["parent_id"] for each in read_all(alice, chain)] == [None, *ids(chain[:2])]


@pytest.mark.proves("TASK-156")
def test_a_subtask_whose_parent_is_in_the_trash_is_restored_as_a_root(alice: ApiUser) -> None:
    folder = make(alice, "lists", title="folder")
    parent, child = make_chain(alice, "parent", "child", list_id=folder["id"])
    delete(alice, parent)
    restored = act(alice, child, "restore")
    assert (restored["parent_id"], restored["list_id"]) == (None, folder["id"])
    act(alice, parent, "restore")
    assert read(alice, child) == restored


@pytest.mark.proves("TASK-155", "TASK-156")
def test_a_subtask_is_restored_from_a_deleted_tree_with_what_is_below_it(alice: ApiUser) -> None:
    _, child, grandchild, leaf = make_chain(alice, "parent", "child", "grandchild", "leaf")
    parent = {"id": child["parent_id"]}
    delete(alice, parent)
    act(alice, child, "restore")
    assert trash(alice) == ["parent"]
    now = read_all(alice, (child, grandchild, leaf))
    assert [each["parent_id"] for each in now] == [None, child["id"], grandchild["id"]]
    complete(alice, child)
    assert [each["is_completed"] for each in read_all(alice, (grandchild, leaf))] == [True, True]


@pytest.mark.proves("TASK-155", "TASK-157")
def test_a_subtask_is_restored_below_a_parent_that_went_to_another_list(alice: ApiUser) -> None:
    folder, other = (make(alice, "lists", title=name) for name in ("folder", "other"))
    parent, child, grandchild = make_chain(alice, "p", "c", "g", list_id=folder["id"])
    delete(alice, child)
    change(alice, parent, list_id=other["id"])
    act(alice, child, "restore")
    now = read_all(alice, (child, grandchild))
    assert [each["list_id"] for each in now] == [other["id"]] * 2
    assert [each["parent_id"] for each in now] == [parent["id"], child["id"]]
    complete(alice, parent)
    assert read(alice, grandchild)["is_completed"]


@pytest.mark.proves("TASK-155")
def test_a_subtask_is_restored_below_a_parent_that_went_below_another_task(alice: ApiUser) -> None:
    parent, child, grandchild = make_chain(alice, "parent", "child", "grandchild")
    top = make_task(alice, "top")
    delete(alice, child)
    change(alice, parent, parent_id=top["id"])
    act(alice, child, "restore")
    complete(alice, top)
    assert [each["is_completed"] for each in read_all(alice, (child, grandchild))] == [True, True]


def test_a_task_in_the_trash_can_not_be_written(alice: ApiUser) -> None:
    parent, child = make_chain(alice, "parent", "child")
    delete(alice, parent)
    for task in (parent, child):
        path = f"/{task['id']}"
        for answer in (
            alice.patch(path, json={"priority": 1}),
            alice.patch(path, json={"parent_id": None}),
            alice.patch(f"{path}/complete"),
            alice.post(f"{path}/move", json={"after": None}),
            alice.delete(path),
        ):
            assert error(answer) == (404, "NOT_FOUND")


def test_if_match_is_of_the_task_and_not_of_what_it_takes_along(alice: ApiUser) -> None:
    parent, child = make_chain(alice, "parent", "child")
    change(alice, child, priority=1)
    tag = {"If-Match": f'"{parent["version"]}"'}
    version = newest_version(alice)
    stale = {"If-Match": f'"{version}"'}
    assert error(alice.delete(f"/{parent['id']}", headers=stale))[0] == 412
    assert newest_version(alice) == version
    assert alice.delete(f"/{parent['id']}", headers=tag).status_code == 200
    gone = newest_version(alice)
    again = alice.post(f"/{parent['id']}/restore", headers={"If-Match": f'"{gone}"'})
    assert again.status_code == 200


@pytest.mark.proves("TASK-33", "TASK-205")
@pytest.mark.parametrize("end", ["task", "list"])
def test_a_purge_removes_trees_and_deleted_lists_with_their_tasks(
    alice: ApiUser, flask: FlaskCommand, end: str
) -> None:
    folder, other = (make(alice, "lists", title=name) for name in ("folder", "other"))
    parent, child, _ = make_chain(alice, "parent", "child", "grandchild", list_id=folder["id"])
    delete(alice, child)  # stays behind in the first list
    make_task(alice, "sibling", parent_id=parent["id"])
    kept = make_task(alice, "kept", list_id=other["id"])
    change(alice, parent, list_id=other["id"] if end == "task" else folder["id"])
    if end == "task":
        delete(alice, parent)
    else:
        delete(alice, folder, "lists")
    result = flask("ledger", "purge", "--older-than", "0s")
    assert result.exit_code == 0, result.output
    assert trash(alice) == []
    assert ids(data(alice.get())) == [kept["id"]]
    assert flask("ledger", "verify").exit_code == 0
    for item in (parent, child):
        assert error(alice.post(f"/{item['id']}/restore")) == (404, "NOT_FOUND")
        assert error(alice.get(f"/{item['id']}/history")) == (404, "NOT_FOUND")
    assert make_task(alice, "goes on", list_id=other["id"])["list_id"] == other["id"]
    assert flask("ledger", "verify").exit_code == 0
