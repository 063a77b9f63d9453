"""Batches of all kinds, whose operations name what earlier ones have made."""

import itertools
from functools import partial
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, data, error
from tests.support.items import KINDS, Items, at_once, clone, feed, version

NO_ITEM = "01890a5d-ac96-774b-bcce-b302099a8057"
NEW = {
    "task": {"kind": "task", "op": "create", "title": "a task"},
    "list": {"kind": "list", "op": "create", "title": "a list"},
    "label": {"kind": "label", "op": "create", "name": "a label"},
    "filter": {"kind": "filter", "op": "create", "title": "a filter", "query": "overdue"},
}


def results(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(data(answer)["results"])


def broken(answer: TestResponse) -> list[str]:
    return [detail["field"] for detail in answer.get_json()["error"]["details"]]


def listed(user: ApiUser) -> dict[str, list[dict[str, Any]]]:
    return {kind: Items(user, kind).listed() for kind in KINDS}


@pytest.mark.proves("TASK-201")
def test_a_batch_makes_items_of_every_kind_that_refer_to_each_other(alice: ApiUser) -> None:
    home, urgent, parent, child, last, saved = results(
        alice.batch(
            {**NEW["list"], "ref": "home"},
            {**NEW["label"], "ref": "urgent", "name": "Urgent"},
            {**NEW["task"], "ref": "a", "list_id": "#home", "label_ids": ["#urgent"]},
            {**NEW["task"], "ref": "b", "parent_id": "#a", "labels": ["urgent", "new"]},
            {**NEW["task"], "list_id": "#home"},
            {**NEW["filter"], "query": 'has label "Urgent"'},
        )
    )
    assert (parent["list_id"], parent["label_ids"]) == (home["id"], [urgent["id"]])
    assert (child["parent_id"], child["list_id"]) == (parent["id"], home["id"])
    assert urgent["id"] in child["label_ids"]
    assert len(child["label_ids"]) == 2
    assert last["list_id"] == home["id"]
    assert [each["version"] for each in (home, urgent, parent, child, last, saved)] == [
        1, 2, 3, 5, 6, 7,
    ]  # fmt: skip
    for kind, item in (("list", home), ("label", urgent), ("task", child), ("filter", saved)):
        assert Items(alice, kind).read(item["id"]) == item


@pytest.mark.proves("TASK-50", "TASK-100")
def test_every_operation_of_every_kind_does_what_its_endpoint_does(alice: ApiUser) -> None:
    for kind in KINDS:
        items = Items(alice, kind)
        first, item, gone = items.create(), items.create(), items.create()
        items.delete(gone["id"])
        before = version(alice)
        target = {"kind": kind, "id": item["id"]}
        found = results(
            alice.batch(
                {"op": "update", **target, items.name: f"changed {kind}"},
                {"op": "move", **target, "before": first["id"]},
                {"op": "move", **target, "after": None},
                {"op": "restore", "kind": kind, "id": gone["id"]},
                {"op": "delete", "kind": kind, "id": first["id"]},
            )
        )
        versions = [before + number for number in (1, 2, 2, 3, 4)]
        assert [each["version"] for each in found] == versions, kind
        assert found[1] == found[2] == items.read(item["id"])
        assert found[4] == {"id": first["id"], "version": before + 4}
        assert items.ordered() == [f"changed {kind}", gone[items.name]]
    home = Items(alice, "list").create()["id"]
    archived, shown = results(
        alice.batch(
            {"kind": "list", "op": "archive", "id": home},
            {"kind": "list", "op": "unarchive", "id": home},
        )
    )
    assert archived["archived_at"] is not None
    assert shown["archived_at"] is None


@pytest.mark.proves("TASK-202")
@pytest.mark.parametrize(
    ("kind", "op"),
    [
        *((kind, "archive") for kind in KINDS if kind != "list"),
        *((kind, "unarchive") for kind in KINDS if kind != "list"),
        *((kind, "complete") for kind in KINDS if kind != "task"),
        *((kind, "purge") for kind in KINDS),
    ],
)
def test_an_operation_that_a_kind_has_not_is_refused(alice: ApiUser, kind: str, op: str) -> None:
    item = Items(alice, kind).create()
    answer = alice.batch({"kind": kind, "op": op, "id": item["id"]})
    assert error(answer) == (422, "VALIDATION_FAILED")
    assert broken(answer) == ["operations[0].op"]


@pytest.mark.parametrize("kind", ["", "tasks", "Task", "user", None, 7, ["task"]])
def test_a_kind_is_one_of_four(alice: ApiUser, kind: object) -> None:
    answer = alice.batch(NEW["list"], {**NEW["task"], "kind": kind})
    assert broken(answer) == ["operations[1].kind"]
    assert version(alice) == 0


# --- references -----------------------------------------------------------------------------------


def refused(alice: ApiUser, *operations: object, field: str) -> None:
    """Requires that the batch fails because of that field, and that nothing was changed."""
    before, had = version(alice), listed(alice)
    answer = alice.batch(*operations)
    assert error(answer) == (422, "VALIDATION_FAILED")
    assert broken(answer) == [field]
    assert (version(alice), listed(alice)) == (before, had)


@pytest.mark.proves("TASK-201")
@pytest.mark.parametrize("reference", ["#b", "#", "#A", "# a", "#a ", "##a", "#" + "a" * 300])
def test_an_unknown_reference_is_refused(alice: ApiUser, reference: str) -> None:
    home = {**NEW["list"], "ref": "a"}
    refused(alice, home, {**NEW["task"], "list_id": reference}, field="operations[1].list_id")
    refused(
        alice, home, {"op": "delete", "kind": "list", "id": reference}, field="operations[1].id"
    )
    labelled = {**NEW["task"], "label_ids": [NO_ITEM, reference]}
    refused(alice, home, labelled, field="operations[1].label_ids")


@pytest.mark.proves("TASK-201")
def test_a_reference_comes_after_what_it_names(alice: ApiUser) -> None:
    home = {**NEW["list"], "ref": "a"}
    refused(alice, {**NEW["task"], "list_id": "#a"}, home, field="operations[0].list_id")
    refused(alice, {**NEW["task"], "ref": "a", "parent_id": "#a"}, field="operations[0].parent_id")


@pytest.mark.proves("TASK-201")
def test_a_name_stands_for_one_item(alice: ApiUser) -> None:
    refused(
        alice,
        {**NEW["list"], "ref": "a"},
        NEW["filter"],
        {**NEW["task"], "ref": "a"},
        field="operations[2].ref",
    )


def test_a_reference_to_another_kind_is_refused(alice: ApiUser) -> None:
    label = {**NEW["label"], "ref": "a"}
    refused(alice, label, {**NEW["task"], "list_id": "#a"}, field="operations[1].list_id")
    refused(alice, label, {**NEW["task"], "parent_id": "#a"}, field="operations[1].parent_id")
    home = {**NEW["list"], "ref": "a"}
    refused(alice, home, {**NEW["task"], "label_ids": ["#a"]}, field="operations[1].label_ids")
    task = {**NEW["task"], "ref": "a"}
    refused(
        alice,
        task,
        {**NEW["task"], "ref": "b"},
        {"op": "move", "id": "#b", "after": "#b"},
        field="operations[2].after",
    )
    answer = alice.batch(label, {"op": "delete", "kind": "list", "id": "#a"})
    assert error(answer) == (404, "NOT_FOUND")
    assert broken(answer) == ["operations[1].id"]


@pytest.mark.parametrize("ref", ["", "#a", "a b", "é", "a" * 65, 7, True, ["a"], {}])
def test_a_name_is_short_and_plain(alice: ApiUser, ref: object) -> None:
    refused(alice, {**NEW["task"], "ref": ref}, field="operations[0].ref")


@pytest.mark.parametrize("ref", ["a", "A-1_", "a" * 64, "0"])
def test_a_name_may_be_any_of_these(alice: ApiUser, ref: str) -> None:
    first, second = results(
        alice.batch({**NEW["task"], "ref": ref}, {**NEW["task"], "parent_id": f"#{ref}"})
    )
    assert second["parent_id"] == first["id"]


def test_only_what_is_made_gets_a_name(alice: ApiUser) -> None:
    task = alice.create()["id"]
    for op in ("update", "complete", "delete"):
        fields = {"title": "x"} if op == "update" else {}
        refused(alice, {"op": op, "id": task, "ref": "a", **fields}, field="operations[0].ref")


def test_text_that_looks_like_a_reference_is_text(alice: ApiUser) -> None:
    home, task, label = results(
        alice.batch(
            {**NEW["list"], "ref": "a", "title": "#a", "description": "#a"},
            {**NEW["task"], "title": "#a", "description": "#b", "labels": ["#a"]},
            {**NEW["label"], "name": "#b"},
        )
    )
    assert (home["title"], home["description"]) == ("#a", "#a")
    assert (task["title"], task["description"], label["name"]) == ("#a", "#b", "#b")
    names = {each["id"]: each["name"] for each in Items(alice, "label").listed()}
    assert [names[each] for each in task["label_ids"]] == ["#a"]


def test_what_was_made_can_be_changed_moved_deleted_and_restored(alice: ApiUser) -> None:
    made, *rest = results(
        alice.batch(
            {**NEW["task"], "ref": "a"},
            {**NEW["task"], "ref": "b"},
            {"op": "move", "id": "#a", "after": "#b"},
            {"op": "update", "id": "#a", "title": "changed", "if_version": 3},
            {"op": "complete", "id": "#a"},
            {"op": "delete", "id": "#a"},
            {"op": "restore", "id": "#a"},
        )
    )
    assert rest[-1]["id"] == made["id"]
    assert (rest[-1]["title"], rest[-1]["is_completed"]) == ("changed", True)
    assert Items(alice, "task").ordered() == ["a task", "changed"]


def test_a_reference_is_unknown_outside_its_batch(alice: ApiUser) -> None:
    results(alice.batch({**NEW["list"], "ref": "a"}))
    refused(alice, {**NEW["task"], "list_id": "#a"}, field="operations[0].list_id")
    answer = alice.post(json={"title": "t", "list_id": "#a"})
    assert broken(answer) == ["list_id"]


# --- all or nothing -------------------------------------------------------------------------------


def failures(alice: ApiUser) -> dict[str, tuple[dict[str, Any], int, str]]:
    """Operations that fail when they are run, with the status and the field that they name."""
    label = Items(alice, "label").create("Taken")
    task = Items(alice, "task").create()["id"]
    home = Items(alice, "list").create()["id"]
    Items(alice, "list").delete(home)
    stale = {"kind": "label", "op": "delete", "id": label["id"], "if_version": 9}
    return {
        "missing": ({"kind": "filter", "op": "delete", "id": NO_ITEM}, 404, "id"),
        "no uuid": ({"kind": "filter", "op": "restore", "id": "x"}, 404, "id"),
        "other kind": ({"kind": "list", "op": "delete", "id": task}, 404, "id"),
        "stale": (stale, 412, "if_version"),
        "taken": ({**NEW["label"], "name": "TAKEN"}, 409, "name"),
        "taken within": ({**NEW["label"], "name": "FIRST"}, 409, "name"),
        "no list": ({**NEW["task"], "list_id": home}, 422, "list_id"),
        "no label": ({**NEW["task"], "label_ids": [NO_ITEM]}, 422, "label_ids"),
        "no parent": ({**NEW["task"], "parent_id": NO_ITEM}, 422, "parent_id"),
        "own parent": ({"op": "update", "id": task, "parent_id": task}, 422, "parent_id"),
        "no neighbour": ({"op": "move", "id": task, "after": NO_ITEM}, 422, "after"),
        "dates": (
            {"op": "update", "id": task, "start": "2026-01-02", "due": "2026-01-01"}, 422, "start",
        ),
    }  # fmt: skip


CASES = (
    "missing", "no uuid", "other kind", "stale", "taken", "taken within", "no list", "no label",
    "no parent", "own parent", "no neighbour", "dates",
)  # fmt: skip


@pytest.mark.proves("TASK-51", "TASK-104")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("with_reference", [False, True])
def test_one_failure_undoes_all_and_names_its_operation(
    alice: ApiUser, case: str, *, with_reference: bool
) -> None:
    operation, status, field = failures(alice)[case]
    before, had = version(alice), listed(alice)
    first = {**NEW["label"], "name": "first", "ref": "a"}
    tagged = {**NEW["task"], **({"label_ids": ["#a"]} if with_reference else {})}
    answer = alice.batch(first, NEW["list"], tagged, NEW["filter"], operation, NEW["task"])
    assert error(answer)[0] == status, answer.text
    assert broken(answer) == [f"operations[4].{field}"]
    assert (version(alice), listed(alice)) == (before, had)


def test_every_operation_that_is_not_valid_is_named(alice: ApiUser) -> None:
    answer = alice.batch(
        {**NEW["list"], "color": "red", "title": ""},
        NEW["task"],
        {**NEW["filter"], "query": "("},
        {**NEW["label"], "name": "x" * 101},
        {"kind": "list", "op": "archive"},
        {"kind": "list", "op": "archive", "id": NO_ITEM, "title": "x"},
        "no object",
    )
    assert error(answer) == (422, "VALIDATION_FAILED")
    assert sorted(each for each in broken(answer) if "[6]" not in each) == [
        "operations[0].color",
        "operations[0].title",
        "operations[2].query",
        "operations[3].name",
        "operations[4].id",
        "operations[5].title",
    ]
    assert any(each.startswith("operations[6]") for each in broken(answer))


def test_what_another_owner_has_is_missing(alice: ApiUser, bob: ApiUser) -> None:
    theirs = {kind: Items(bob, kind).create()["id"] for kind in KINDS}
    had = listed(bob)
    for kind, op in itertools.product(KINDS, ("delete", "restore")):
        answer = alice.batch({"kind": kind, "op": op, "id": theirs[kind]})
        assert (error(answer)[0], broken(answer)) == (404, ["operations[0].id"])
    for field, value in (
        ("list_id", theirs["list"]),
        ("parent_id", theirs["task"]),
        ("label_ids", [theirs["label"]]),
    ):
        refused(alice, {**NEW["task"], field: value}, field=f"operations[0].{field}")
    assert listed(bob) == had


def test_a_hundred_operations_take_a_hundred_versions(alice: ApiUser) -> None:
    made = [
        {**NEW[kind], **({"name": f"label {number}"} if kind == "label" else {})}
        for number, kind in zip(range(100), itertools.cycle(KINDS), strict=False)
    ]
    answers = results(alice.batch(*made))
    assert [each["version"] for each in answers] == list(range(1, 101))
    assert feed(alice) == [(number + 1, each["kind"], "create") for number, each in enumerate(made)]
    assert error(alice.batch(*made, NEW["list"])) == (422, "VALIDATION_FAILED")


def test_a_repeated_batch_with_one_key_happens_once(alice: ApiUser) -> None:
    operations = [{**NEW["list"], "ref": "a"}, {**NEW["task"], "list_id": "#a"}]
    key = {"Idempotency-Key": "k"}
    first, again = (alice.batch(*operations, headers=key) for _ in range(2))
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert version(alice) == 2


def persist(user: ApiUser, operations: list[dict[str, Any]]) -> TestResponse:
    """Sends a batch until it is not refused for a lock that took too long, on a busy machine."""
    answer = user.batch(*operations)
    while answer.status_code == 503:
        answer = user.batch(*operations)
    return answer


@pytest.mark.slow
def test_two_batches_that_make_one_label_at_once_make_it_once(app: Flask, alice: ApiUser) -> None:
    clients = [clone(app, alice) for _ in range(2)]
    done = 0
    for number in range(200):
        operations = [{**NEW["label"], "name": f"Work {number}"}, NEW["list"]]
        answers = at_once(*(partial(persist, client, operations) for client in clients))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (refused_answer,) = (answer for answer in answers if answer.status_code == 409)
        assert broken(refused_answer) == ["operations[0].name"]
        done += 2
    assert version(alice) == done
