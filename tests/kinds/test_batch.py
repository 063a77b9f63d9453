"""Batches: 1 to 100 operations in one transaction, each with a version of its own."""

from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, broken_fields, data, error

CREATE = {"op": "create", "title": "a task"}


def results(answer: TestResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(data(answer)["results"])


def feed(user: ApiUser) -> list[dict[str, Any]]:
    return list(data(user.changes(query="limit=200")))


def version(user: ApiUser) -> int:
    return int(user.get("?limit=1").get_json()["meta"]["version"])


def broken(answer: TestResponse) -> list[tuple[str, str]]:
    details = answer.get_json()["error"]["details"]
    return [(detail["field"], detail["message"]) for detail in details]


@pytest.mark.proves("TASK-50")
def test_every_operation_does_what_its_endpoint_does(alice: ApiUser) -> None:
    renamed, done, gone, back = (alice.create(f"task {number}") for number in range(4))
    alice.delete(f"/{back['id']}")
    made, updated, completed, deleted, restored = results(
        alice.batch(
            {"op": "create", "title": "  new ", "description": "described"},
            {"op": "update", "id": renamed["id"], "title": "other", "is_completed": True},
            {"op": "complete", "id": done["id"]},
            {"op": "delete", "id": gone["id"]},
            {"op": "restore", "id": back["id"]},
        )
    )
    assert (made["title"], made["description"]) == ("new", "described")
    assert (updated["title"], updated["is_completed"]) == ("other", True)
    assert completed["is_completed"] is True
    assert deleted == {"id": gone["id"], "version": 9}
    assert restored["title"] == back["title"]
    for task in (made, updated, completed, restored):
        assert data(alice.get(f"/{task['id']}")) == task
    assert error(alice.get(f"/{gone['id']}")) == (404, "NOT_FOUND")


@pytest.mark.proves("TASK-50", "LEDGER-5")
def test_versions_and_times_follow_the_order_of_the_operations(alice: ApiUser) -> None:
    task = alice.create()
    answers = results(
        alice.batch(CREATE, {"op": "delete", "id": task["id"]}, CREATE, *[CREATE] * 97)
    )
    assert [answer["version"] for answer in answers] == list(range(2, 102))
    made = [answer for answer in answers if "title" in answer]
    assert [task["id"] for task in made] == sorted(task["id"] for task in made)
    entries = feed(alice)
    times = [entry["at"] for entry in entries]
    assert times == sorted(set(times))
    assert [entry["version"] for entry in entries] == list(range(2, 102))
    assert [entry["action"] for entry in entries][:3] == ["create", "delete", "create"]


@pytest.mark.proves("TASK-50", "LEDGER-5")
def test_operations_on_the_same_item_see_each_other(alice: ApiUser) -> None:
    task = alice.create()
    target = {"id": task["id"]}
    answers = results(
        alice.batch(
            {"op": "update", **target, "title": "one", "if_version": 1},
            {"op": "complete", **target, "if_version": 2},
            {"op": "complete", **target},
            {"op": "delete", **target},
            {"op": "restore", **target, "if_version": 5},
        )
    )
    assert [answer["version"] for answer in answers] == [2, 3, 4, 5, 6]
    history = data(alice.get(f"/{task['id']}/history"))
    actions = [entry["action"] for entry in history]
    assert actions == ["restore", "delete", "reopen", "complete", "update", "create"]


@pytest.mark.proves("TASK-21")
def test_an_operation_without_a_change_takes_no_version(alice: ApiUser) -> None:
    task = alice.create("same")
    target = {"id": task["id"]}
    answers = results(
        alice.batch(
            {"op": "update", **target, "title": "same"},
            {"op": "complete", **target, "is_completed": False},
            CREATE,
        )
    )
    assert answers[:2] == [task, task]
    assert answers[2]["version"] == version(alice) == 2


def test_null_clears_a_description_and_an_absent_one_is_kept(alice: ApiUser) -> None:
    kept, cleared = alice.create("a", "text"), alice.create("b", "text")
    answers = results(
        alice.batch(
            {"op": "update", "id": kept["id"], "title": "c"},
            {"op": "update", "id": cleared["id"], "description": None},
        )
    )
    assert [answer["description"] for answer in answers] == ["text", None]


@pytest.mark.parametrize("op", ["update", "complete", "delete", "restore"])
def test_a_batch_of_one_answers_like_the_single_request(alice: ApiUser, op: str) -> None:
    single, batched = alice.create("task"), alice.create("task")
    if op == "restore":
        alice.delete(f"/{single['id']}")
        alice.delete(f"/{batched['id']}")
    fields = {"title": "changed"} if op == "update" else {}
    path = f"/{single['id']}"
    if op == "update":
        first = data(alice.patch(path, json=fields))
    elif op == "complete":
        first = data(alice.patch(f"{path}/complete"))
    elif op == "delete":
        first = data(alice.delete(path))
    else:
        first = data(alice.post(f"{path}/restore"))
    (second,) = results(alice.batch({"op": op, "id": batched["id"], **fields}))
    own = {"id", "version", "position", "created_at", "updated_at", "completed_at"}
    assert first.keys() == second.keys()
    assert {k: first[k] for k in first.keys() - own} == {k: second[k] for k in second.keys() - own}
    entries = [data(alice.get(f"/{task['id']}/history"))[0] for task in (single, batched)]
    assert entries[0]["action"] == entries[1]["action"]


@pytest.mark.proves("TASK-51", "LEDGER-6")
def test_a_missing_item_rolls_the_batch_back_and_is_named(alice: ApiUser) -> None:
    task = alice.create("kept")
    answer = alice.batch(
        CREATE,
        {"op": "delete", "id": task["id"]},
        {"op": "delete", "id": task["id"]},
        CREATE,
    )
    assert error(answer) == (404, "NOT_FOUND")
    assert broken(answer) == [("operations[2].id", "There is no such item.")]
    assert version(alice) == 1
    assert data(alice.get()) == [task]


@pytest.mark.proves("TASK-51", "LEDGER-6")
def test_a_stale_version_rolls_the_batch_back_and_is_named(alice: ApiUser) -> None:
    task = alice.create("kept")
    answer = alice.batch(
        CREATE, {"op": "update", "id": task["id"], "title": "lost", "if_version": 7}
    )
    assert error(answer) == (412, "PRECONDITION_FAILED")
    assert broken(answer) == [("operations[1].if_version", "The item has another version.")]
    assert data(alice.get()) == [task]


@pytest.mark.proves("OWN-2", "LEDGER-6")
@pytest.mark.parametrize("op", ["update", "complete", "delete", "restore"])
def test_an_item_of_another_user_is_a_missing_item(alice: ApiUser, bob: ApiUser, op: str) -> None:
    task = alice.create()
    if op == "restore":
        alice.delete(f"/{task['id']}")
    before = feed(alice)
    fields = {"title": "mine"} if op == "update" else {}
    foreign = bob.batch({"op": op, "id": task["id"], **fields})
    missing = bob.batch({"op": op, "id": str(uuid4()), **fields})
    spelled = bob.batch({"op": op, "id": task["id"].upper(), **fields})
    answers = [answer.get_json()["error"] for answer in (foreign, missing, spelled)]
    assert {answer.pop("request_id") for answer in answers}
    assert answers[0] == answers[1] == answers[2]
    assert error(foreign) == (404, "NOT_FOUND")
    assert feed(alice) == before


@pytest.mark.proves("TASK-51")
def test_every_broken_field_of_every_operation_is_named(alice: ApiUser) -> None:
    answer = alice.batch(
        CREATE,
        {"op": "create", "title": " ", "id": str(uuid4())},
        {"op": "update", "id": str(uuid4())},
        {"op": "complete", "id": 7, "is_completed": 1, "if_version": "1"},
        {"op": "delete", "id": str(uuid4()), "title": "no"},
        {"op": "restore", "if_version": -1},
        {"op": "rename"},
        {"title": "no op"},
        "create",
        {"op": ["create"], "title": "x"},
    )
    assert sorted(broken_fields(answer)) == [
        "operations[1].id",
        "operations[1].title",
        "operations[2]",
        "operations[3].id",
        "operations[3].if_version",
        "operations[3].is_completed",
        "operations[4].title",
        "operations[5].id",
        "operations[5].if_version",
        "operations[6].op",
        "operations[7].op",
        "operations[8]",
        "operations[9].op",
    ]
    assert data(alice.get()) == []


@pytest.mark.proves("TASK-50")
@pytest.mark.parametrize("op", ["create", "update", "complete", "delete", "restore"])
def test_an_operation_without_a_kind_is_one_of_tasks(alice: ApiUser, op: str) -> None:
    tasks = [alice.create(), alice.create()]
    if op == "restore":
        for task in tasks:
            alice.delete(f"/{task['id']}")
    fields = {"title": "changed"} if op in ("create", "update") else {}
    targets = [{} if op == "create" else {"id": task["id"]} for task in tasks]
    unnamed, named = results(
        alice.batch(
            {"op": op, **targets[0], **fields}, {"kind": "task", "op": op, **targets[1], **fields}
        )
    )
    assert unnamed.keys() == named.keys()
    entries = feed(alice)[-2:]
    assert {(entry["kind"], entry["action"]) for entry in entries} == {("task", op)}
    assert [entry["id"] for entry in entries] == [unnamed["id"], named["id"]]


@pytest.mark.proves("TASK-51")
@pytest.mark.parametrize("kind", ["chore", "tasks", "Task", "", None, 1, True, ["task"], {}])
def test_an_unknown_kind_is_named(alice: ApiUser, kind: object) -> None:
    wrong = {**CREATE, "kind": kind}
    answer = alice.batch(CREATE, wrong, {**CREATE, "kind": "task"}, wrong)
    assert broken_fields(answer) == ["operations[1].kind", "operations[3].kind"]
    assert version(alice) == 0


def test_an_unknown_kind_and_an_unknown_operation_are_both_named(alice: ApiUser) -> None:
    answer = alice.batch({"kind": "chore", "op": "rename"}, {"kind": "chore"})
    assert sorted(broken_fields(answer)) == [
        "operations[0].kind",
        "operations[0].op",
        "operations[1].kind",
        "operations[1].op",
    ]


@pytest.mark.proves("TASK-50")
@pytest.mark.parametrize("operations", [[], [CREATE] * 101, {}, None, "create"])
def test_a_batch_has_one_to_a_hundred_operations(alice: ApiUser, operations: object) -> None:
    answer = alice.call("POST", "/api/me/batch", json={"operations": operations})
    assert broken_fields(answer) == ["operations"]


def test_unknown_fields_beside_the_operations_are_refused(alice: ApiUser) -> None:
    answer = alice.call("POST", "/api/me/batch", json={"operations": [CREATE], "dry_run": True})
    assert broken_fields(answer) == ["dry_run"]


@pytest.mark.proves("API-12")
def test_a_batch_may_be_a_mebibyte_long_and_no_longer(alice: ApiUser) -> None:
    operation = {"op": "create", "title": "t", "description": "x" * 5000}
    assert len(results(alice.batch(*[operation] * 100))) == 100
    padded = b'{"operations": [{"op": "create", "title": "t"}]' + b" " * (1024 * 1024 - 48) + b"}"
    assert len(padded) == 1024 * 1024
    json: dict[str, Any] = {"content_type": "application/json"}
    assert alice.call("POST", "/api/me/batch", data=padded, **json).status_code == 200
    answer = alice.call("POST", "/api/me/batch", data=b" " + padded, **json)
    assert error(answer) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.proves("TASK-22", "LEDGER-4")
def test_if_match_is_compared_with_the_version_of_the_list(alice: ApiUser) -> None:
    tag = alice.get().headers["ETag"]
    assert alice.batch(CREATE, headers={"If-Match": tag}).status_code == 200
    stale = alice.batch(CREATE, headers={"If-Match": tag})
    assert error(stale) == (412, "PRECONDITION_FAILED")
    assert error(alice.post(json={"title": "t"}, headers={"If-Match": tag}))[0] == 412
    tag = alice.get().headers["ETag"]
    assert alice.post(json={"title": "t"}, headers={"If-Match": tag}).status_code == 201
    assert version(alice) == 2


@pytest.mark.proves("API-3")
@pytest.mark.parametrize("item_id", ["01890a5d-ac96-774b-bcce-b302099a8057", "", "no-uuid"])
def test_a_missing_item_is_reported_before_a_stale_list(alice: ApiUser, item_id: str) -> None:
    operation = {"op": "restore", "id": item_id}
    answer = alice.batch(CREATE, operation, headers={"If-Match": '"7"'})
    assert error(answer) == (404, "NOT_FOUND")
    assert version(alice) == 0


def test_a_batch_on_a_stale_list_writes_nothing(alice: ApiUser) -> None:
    assert error(alice.batch(CREATE, headers={"If-Match": '"7"'}))[0] == 412
    assert (version(alice), data(alice.get())) == (0, [])


def test_a_repeated_idempotency_key_returns_the_first_response(alice: ApiUser) -> None:
    key = {"Idempotency-Key": "once"}
    first = alice.batch(CREATE, CREATE, headers=key)
    again = alice.batch(CREATE, CREATE, headers=key)
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert version(alice) == 2
    other = alice.batch(CREATE, headers=key)
    assert error(other) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_failed_batch_stores_no_idempotency_key(alice: ApiUser) -> None:
    key = {"Idempotency-Key": "once"}
    wrong = alice.batch(CREATE, {"op": "delete", "id": str(uuid4())}, headers=key)
    assert error(wrong) == (404, "NOT_FOUND")
    assert results(alice.batch(CREATE, headers=key))[0]["version"] == 1


def test_a_batch_requires_a_token_of_the_path_s_user(client: FlaskClient, alice: ApiUser) -> None:
    answer = client.post("/api/me/batch", json={"operations": [CREATE]})
    assert error(answer) == (401, "UNAUTHENTICATED")
    path = f"/api/{uuid4()}/batch"
    assert error(alice.call("POST", path, json={"operations": [CREATE]})) == (403, "FORBIDDEN")
