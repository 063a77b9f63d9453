"""Labels of tasks: by id or by name, each once, and only those that exist."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.api_user import ApiUser, broken_fields, data
from tests.support.planning import (
    act,
    change,
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


def labels(user: ApiUser) -> dict[str, str]:
    """The ids of the user's labels by their names."""
    found = data(user.call("GET", "/api/me/labels?limit=200"))
    return {label["name"]: label["id"] for label in found}


@pytest.fixture
def three(alice: ApiUser) -> list[str]:
    """Ids of three labels, in the order in which a task shows them."""
    return sorted(make(alice, "labels", name=name)["id"] for name in ("c", "a", "b"))


@pytest.mark.proves("TASK-125")
def test_a_task_has_its_labels_sorted_and_each_once(alice: ApiUser, three: list[str]) -> None:
    task = make_task(alice, label_ids=[*reversed(three), *three])
    assert task["label_ids"] == three
    assert read(alice, task) == task
    assert change(alice, task, label_ids=[three[1]])["label_ids"] == [three[1]]
    assert change(alice, task, label_ids=[])["label_ids"] == []


def test_a_task_without_labels_has_an_empty_array(alice: ApiUser) -> None:
    assert make_task(alice)["label_ids"] == []


def test_the_same_labels_in_another_order_take_no_version(alice: ApiUser, three: list[str]) -> None:
    task = make_task(alice, label_ids=three)
    assert change(alice, task, label_ids=[*reversed(three)]) == task
    assert change(alice, task, labels=["B", "a", "C"]) == task
    assert newest_version(alice) == task["version"]


def test_what_a_write_leaves_out_keeps_the_labels(alice: ApiUser, three: list[str]) -> None:
    task = make_task(alice, label_ids=three)
    assert change(alice, task, title="b", priority=2)["label_ids"] == three


@pytest.mark.proves("TASK-126")
def test_labels_by_name_are_made_where_they_are_missing(alice: ApiUser) -> None:  # B5
    known = make(alice, "labels", name="Work")
    version = newest_version(alice)
    task = make_task(alice, labels=["a,b", "work", " home ", "WORK", "Home"])
    found = labels(alice)
    assert found.keys() == {"Work", "a,b", "home"}
    assert task["label_ids"] == sorted(found.values())
    assert found["Work"] == known["id"]
    assert newest_version(alice) == version + 3  # two labels and the task
    changed = entries_since(alice, version)
    assert [(each["kind"], each["action"]) for each in changed] == [
        ("label", "create"),
        ("label", "create"),
        ("task", "create"),
    ]


@pytest.mark.proves("TASK-126")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Work", "WORK"),
        ("straße", "STRASSE"),
        ("Caf\u00e9", "cafe\u0301"),
        ("ﬁt", "FIT"),
        ("Ｗork", "work"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_names_that_differ_in_case_and_normal_form_alone_are_one_label(
    alice: ApiUser, first: str, second: str
) -> None:
    one, other = make_task(alice, labels=[first]), make_task(alice, labels=[second, first])
    assert one["label_ids"] == other["label_ids"]
    assert list(labels(alice)) == [first]


@pytest.mark.proves("TASK-126")
def test_an_update_makes_labels_too(alice: ApiUser) -> None:
    task = make_task(alice, labels=["old"])
    changed = change(alice, task, labels=["new"])
    assert changed["label_ids"] == [labels(alice)["new"]]
    assert change(alice, task, labels=[])["label_ids"] == []
    assert labels(alice).keys() == {"old", "new"}


def test_a_name_in_the_trash_is_made_anew(alice: ApiUser) -> None:
    old = make(alice, "labels", name="Work")
    delete(alice, old, "labels")
    task = make_task(alice, labels=["Work"])
    assert task["label_ids"] != [old["id"]]


@pytest.mark.proves("TASK-126")
def test_a_batch_makes_a_missing_label_once(alice: ApiUser) -> None:
    results = data(
        alice.batch(*({"op": "create", "title": str(n), "labels": ["new"]} for n in range(20)))
    )["results"]
    assert {tuple(task["label_ids"]) for task in results} == {(labels(alice)["new"],)}


def test_a_batch_labels_by_reference(alice: ApiUser) -> None:
    answer = alice.batch(
        {"kind": "label", "op": "create", "name": "one", "ref": "one"},
        {"kind": "label", "op": "create", "name": "two", "ref": "two"},
        {"op": "create", "title": "task", "label_ids": ["#two", "#one", "#two"]},
    )
    one, two, task = data(answer)["results"]
    assert task["label_ids"] == sorted([one["id"], two["id"]])


@pytest.mark.proves("TASK-125", "TASK-126")
def test_50_labels_are_the_most(alice: ApiUser) -> None:
    names = [f"label {number}" for number in range(51)]
    task = make_task(alice, labels=names[:50])
    assert len(task["label_ids"]) == 50
    version = newest_version(alice)
    assert broken_fields(alice.post(json={"title": "a", "labels": names})) == ["labels"]
    assert "label 50" not in labels(alice)
    more = [*task["label_ids"], str(uuid4())]
    assert broken_fields(alice.patch(f"/{task['id']}", json={"label_ids": more})) == ["label_ids"]
    assert newest_version(alice) == version
    assert make_task(alice, label_ids=task["label_ids"])["label_ids"] == task["label_ids"]


@pytest.mark.proves("TASK-103", "TASK-104")
@pytest.mark.parametrize("state", ["foreign", "deleted", "unknown", "a task"])
def test_a_label_that_is_not_the_owner_s_is_refused(
    alice: ApiUser, bob: ApiUser, three: list[str], state: str
) -> None:  # B3
    match state:
        case "foreign":
            label_id = make(bob, "labels", name="his")["id"]
        case "deleted":
            label_id = make(alice, "labels", name="gone")["id"]
            delete(alice, {"id": label_id}, "labels")
        case "unknown":
            label_id = str(uuid4())
        case _:
            label_id = make_task(alice)["id"]
    task = make_task(alice, label_ids=three[:1])
    version = newest_version(alice)
    broken = {"label_ids": [*three, label_id]}
    assert broken_fields(alice.post(json={"title": "a", **broken})) == ["label_ids"]
    assert broken_fields(alice.patch(f"/{task['id']}", json=broken)) == ["label_ids"]
    batch = alice.batch({"op": "create", "title": "a"}, {"op": "create", "title": "b", **broken})
    assert broken_fields(batch) == ["operations[1].label_ids"]
    assert read(alice, task) == task
    assert newest_version(alice) == version


@pytest.mark.proves("TASK-127")
def test_labels_by_id_and_by_name_at_once_are_refused(alice: ApiUser, three: list[str]) -> None:
    both = {"label_ids": three, "labels": ["new"]}
    assert broken_fields(alice.post(json={"title": "a", **both})) == ["labels"]
    assert labels(alice).keys() == {"a", "b", "c"}


@pytest.mark.proves("TASK-104")
def test_a_task_that_is_refused_makes_no_label(alice: ApiUser) -> None:
    task = make_task(alice, due="2026-10-07")
    version = newest_version(alice)
    for fields, broken in (
        ({"start": "2026-10-08"}, "start"),
        ({"time_zone": "Europe/Madrid"}, "time_zone"),
        ({"parent_id": task["id"]}, "parent_id"),
        ({"list_id": str(uuid4())}, "list_id"),
    ):
        answer = alice.patch(f"/{task['id']}", json={"labels": ["new"], **fields})
        assert broken_fields(answer) == [broken]
    gone = alice.patch(f"/{uuid4()}", json={"labels": ["new"]})
    assert gone.status_code == 404
    stale = alice.patch(
        f"/{task['id']}", json={"labels": ["new"]}, headers={"If-Match": f'"{version + 1}"'}
    )
    assert stale.status_code == 412
    assert labels(alice) == {}
    assert newest_version(alice) == version


# --- while a task is in the trash ---------------------------------------------------------------


def test_a_task_is_restored_without_a_label_that_was_deleted_meanwhile(
    alice: ApiUser, three: list[str]
) -> None:
    task = make_task(alice, label_ids=three)
    delete(alice, task)
    delete(alice, {"id": three[1]}, "labels")
    restored = act(alice, task, "restore")
    assert restored["label_ids"] == [three[0], three[2]]
    assert titles(data(alice.get(f"?label={three[0]}"))) == ["a task"]


def test_a_tree_is_restored_without_a_label_that_was_deleted_meanwhile(
    alice: ApiUser, three: list[str]
) -> None:
    chain = make_chain(alice, "parent", "child", label_ids=three)
    change(alice, chain[1], label_ids=three[:2])
    delete(alice, chain[0])
    delete(alice, {"id": three[0]}, "labels")
    act(alice, chain[0], "restore")
    now = read_all(alice, chain)
    assert [each["label_ids"] for each in now] == [three[1:], three[1:2]]


def test_a_label_that_came_back_is_on_the_task_that_comes_back(
    alice: ApiUser, three: list[str]
) -> None:
    task = make_task(alice, label_ids=three)
    delete(alice, task)
    delete(alice, {"id": three[0]}, "labels")
    act(alice, {"id": three[0]}, "restore", "labels")
    assert act(alice, task, "restore")["label_ids"] == three


def test_a_task_deleted_after_its_label_gets_it_back_neither_in_the_trash_nor_later(
    alice: ApiUser, three: list[str]
) -> None:
    task = make_task(alice, label_ids=three)
    delete(alice, {"id": three[0]}, "labels")
    delete(alice, task)
    act(alice, {"id": three[0]}, "restore", "labels")  # the task was changed since
    assert act(alice, task, "restore")["label_ids"] == three[1:]


# --- lists of tasks by label --------------------------------------------------------------------


@pytest.mark.proves("TASK-171")
def test_label_is_repeatable_and_means_all_of_them(alice: ApiUser, three: list[str]) -> None:
    for chosen in ([], three[:1], three[:2], three, three[2:]):
        make_task(alice, str(len(chosen)), label_ids=chosen)

    def found(*chosen: str) -> list[Any]:
        query = "&".join(f"label={each}" for each in chosen)
        return sorted(titles(data(alice.get(f"?{query}"))))

    assert found(three[0]) == ["1", "2", "3"]
    assert found(three[0], three[1]) == ["2", "3"]
    assert found(*three) == ["3"]
    assert found(three[0], three[0]) == ["1", "2", "3"]
    assert found(three[2]) == ["1", "3"]
    assert found(str(uuid4())) == []


@pytest.mark.proves("TASK-122")
def test_a_renamed_label_leaves_its_tasks_as_they_are(alice: ApiUser, three: list[str]) -> None:
    task = make_task(alice, label_ids=three)
    change(alice, {"id": three[0]}, "labels", name="renamed")
    assert read(alice, task) == task
    assert newest_version(alice) == task["version"] + 1
    assert ids(data(alice.get('?filter=has label "renamed"'))) == [task["id"]]
