"""Labels: names that are one name in every spelling, and what a label's deletion does to tasks."""

import time
from functools import partial

import psycopg
import pytest
from flask import Flask

from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.items import Items, at_once, clone, feed, version
from tests.support.services import FlaskCommand
from tests.support.task_rows import act_for, add_tasks

NO_ITEM = "01890a5d-ac96-774b-bcce-b302099a8057"
# Pairs of names that are one name: Unicode's NFKC_Casefold is the same.
SAME = [
    ("Work", "work"),
    ("Work", "WORK"),
    ("Straße", "STRASSE"),
    ("Caf\u00e9", "cafe\u0301"),
    ("\ufb01ne", "fine"),
    ("\uff37ork", "work"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("Wo\u200brk", "work"),
    ("wo\u00adrk", "work"),
    ("\u200b", "\u2060"),
    ("①", "1"),
    ("\u1e9e", "ss"),
    ("한", "\u1112\u1161\u11ab"),
    ("Å", "\u212b"),
    ("  work\t", "work"),
]
DIFFERENT = [
    ("Work", "Works"),
    ("ı", "i"),
    ("café", "cafe"),
    ("Αθήνα", "Aθήνα"),
    ("a b", "ab"),
    ("home/office", "home office"),
    ("#work", "work"),
    ("1", "2"),
]


@pytest.fixture
def labels(alice: ApiUser) -> Items:
    return Items(alice, "label")


@pytest.fixture
def tasks(alice: ApiUser) -> Items:
    return Items(alice, "task")


def test_a_new_label_has_its_name_and_colour_alone(labels: Items) -> None:
    made = labels.create("Work", color="#FF0000")
    assert made.keys() == {
        "id", "owner_id", "name", "color", "position", "created_at", "updated_at", "version",
    }  # fmt: skip
    assert (made["name"], made["color"]) == ("Work", "#ff0000")
    assert labels.call("POST", f"/{made['id']}/archive").status_code == 404


@pytest.mark.proves("TASK-120")
@pytest.mark.parametrize(("first", "second"), SAME)
def test_a_name_is_taken_in_every_spelling(labels: Items, first: str, second: str) -> None:
    made, other = labels.create(first), labels.create("other")
    taken = labels.call("POST", body={"name": second})
    assert error(taken) == (409, "NAME_TAKEN")
    assert taken.get_json()["error"]["details"] == []
    assert error(labels.call("PATCH", f"/{other['id']}", {"name": second}))[0] == 409
    assert labels.change(made["id"], name=second)["name"] == second.strip()
    assert version(labels.user) == (3 if second.strip() != first.strip() else 2)
    labels.delete(made["id"])
    assert labels.create(second)["name"] == second.strip()
    assert error(labels.call("POST", f"/{made['id']}/restore")) == (409, "NAME_TAKEN")


@pytest.mark.proves("TASK-120")
@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_other_names_are_other_labels(labels: Items, first: str, second: str) -> None:
    labels.create(first)
    labels.create(second)
    assert labels.ordered() == [first, second]


@pytest.mark.proves("TASK-101", "TASK-120")
@pytest.mark.parametrize("character", ["\ufdfa", "\u0390", "ß", "㌀", "\U0001d15e", "\u1f82"])
def test_a_name_of_100_characters_may_be_longer_when_it_is_folded(
    labels: Items, tasks: Items, character: str
) -> None:
    name = character * 100
    made = labels.create(name)
    assert made["name"] == name
    assert error(labels.call("POST", body={"name": name})) == (409, "NAME_TAKEN")
    assert tasks.create(labels=[name])["label_ids"] == [made["id"]]
    assert labels.create(character * 99)["name"] == character * 99


def test_names_of_100_marks_are_compared_in_no_time(labels: Items) -> None:
    names = [base + "\u0301\u0323" * 49 + "x" for base in "ab"]
    began = time.monotonic()
    for name in names:
        labels.create(name)
    assert time.monotonic() - began < 1
    assert labels.ordered() == names


def test_a_name_is_another_owner_s_business(labels: Items, bob: ApiUser) -> None:
    labels.create("Work")
    assert Items(bob, "label").create("work")["version"] == 1


@pytest.mark.proves("TASK-122")
def test_a_renaming_changes_no_task(labels: Items, tasks: Items) -> None:
    label = labels.create("Work")["id"]
    made = [tasks.create(label_ids=[label]) for _ in range(3)]
    tags = [tasks.call("GET", f"/{each['id']}").headers["ETag"] for each in made]
    before = version(labels.user)
    labels.change(label, name="Job")
    assert feed(labels.user, before) == [(before + 1, "label", "update")]
    assert [tasks.call("GET", f"/{each['id']}").headers["ETag"] for each in made] == tags
    assert len(tasks.listed(f"label={label}")) == 3


def test_a_refused_name_takes_no_version(labels: Items, bob: ApiUser) -> None:
    labels.create("Work")
    other = labels.create("Home")
    Items(bob, "label").create()
    labels.call("POST", body={"name": "WORK"})
    labels.call("PATCH", f"/{other['id']}", {"name": "work", "color": "#000000"})
    assert (version(labels.user), labels.read(other["id"])) == (2, other)
    assert labels.create("Next")["version"] == 3


# --- labels of tasks ------------------------------------------------------------------------------


@pytest.mark.proves("TASK-125")
def test_label_ids_are_sorted_and_each_there_once(labels: Items, tasks: Items) -> None:
    made = [labels.create()["id"] for _ in range(4)]
    task = tasks.create(label_ids=[made[2], made[0], made[2], made[3]])
    assert task["label_ids"] == sorted([made[0], made[2], made[3]])
    assert tasks.change(task["id"], label_ids=made[3:] + made[:1])["label_ids"] == sorted(
        [made[0], made[3]]
    )
    same = tasks.read(task["id"])
    assert tasks.change(task["id"], label_ids=[made[0], made[3], made[0]]) == same
    assert tasks.change(task["id"], label_ids=[])["label_ids"] == []


@pytest.mark.proves("TASK-103", "TASK-125")
@pytest.mark.parametrize(
    "wrong", [None, "x", {}, 7, True, [None], [7], ["x"], [""], [NO_ITEM], [[]], [NO_ITEM.upper()]]
)
def test_label_ids_that_are_no_labels_are_refused(tasks: Items, wrong: object) -> None:
    task = tasks.create()
    assert broken_fields(tasks.call("POST", body=tasks.fields(label_ids=wrong))) == ["label_ids"]
    changed = tasks.call("PATCH", f"/{task['id']}", {"label_ids": wrong})
    assert broken_fields(changed) == ["label_ids"]
    assert version(tasks.user) == 1


@pytest.mark.proves("TASK-103")
def test_a_deleted_label_can_not_be_given(labels: Items, tasks: Items) -> None:
    kept, gone = labels.create()["id"], labels.create()["id"]
    labels.delete(gone)
    answer = tasks.call("POST", body=tasks.fields(label_ids=[kept, gone]))
    assert broken_fields(answer) == ["label_ids"]


@pytest.mark.proves("TASK-125", "TASK-126")
def test_a_task_has_up_to_50_labels(labels: Items, tasks: Items) -> None:
    made = [
        each["id"]
        for _ in range(1)
        for each in data(
            labels.user.batch(
                *({"kind": "label", "op": "create", "name": f"l{number}"} for number in range(51))
            )
        )["results"]
    ]
    task = tasks.create(label_ids=made[:50])
    assert task["label_ids"] == sorted(made[:50])
    for answer in (
        tasks.call("POST", body=tasks.fields(label_ids=made)),
        tasks.call("PATCH", f"/{task['id']}", {"label_ids": made}),
        tasks.call("PATCH", f"/{task['id']}", {"label_ids": made[:1] * 51}),
    ):
        assert broken_fields(answer) == ["label_ids"]
    names = tasks.call("POST", body=tasks.fields(labels=[f"n{number}" for number in range(51)]))
    assert broken_fields(names) == ["labels"]
    # one of 50 goes and comes back
    labels.delete(made[7])
    assert len(tasks.read(task["id"])["label_ids"]) == 49
    labels.post(made[7], "restore")
    assert tasks.read(task["id"])["label_ids"] == sorted(made[:50])
    # but not where its place has been taken
    labels.delete(made[7])
    tasks.change(task["id"], label_ids=[*made[:7], *made[8:51]])
    labels.post(made[7], "restore")
    assert made[7] not in tasks.read(task["id"])["label_ids"]


@pytest.mark.proves("TASK-126")
def test_labels_by_name_are_made_where_they_are_missing(labels: Items, tasks: Items) -> None:
    work = labels.create("Work")["id"]
    task = tasks.create(labels=["a,b", "WORK", "work ", "A,B"])
    made = {each["name"]: each["id"] for each in labels.listed()}
    assert made.keys() == {"Work", "a,b"}
    assert task["label_ids"] == sorted(made.values())
    assert made["Work"] == work
    assert feed(labels.user) == [
        (1, "label", "create"),
        (2, "label", "create"),
        (3, "task", "create"),
    ]
    assert tasks.create(labels=["a,b"])["label_ids"] == [made["a,b"]]
    assert tasks.change(task["id"], labels=[])["label_ids"] == []
    assert tasks.change(task["id"], labels=["new"])["label_ids"] == [labels.listed()[-1]["id"]]


@pytest.mark.proves("TASK-126")
@pytest.mark.parametrize("wrong", [None, "Work", {}, [""], [" "], ["x" * 101], ["\x00"], [7], [[]]])
def test_labels_by_bad_names_are_refused(labels: Items, tasks: Items, wrong: object) -> None:
    answer = tasks.call("POST", body=tasks.fields(labels=wrong))
    assert error(answer) == (422, "VALIDATION_FAILED")
    assert {field.partition(".")[0] for field in broken_fields(answer)} == {"labels"}
    assert (labels.listed(), version(labels.user)) == ([], 0)


@pytest.mark.proves("TASK-127")
def test_labels_are_named_by_id_or_by_name(labels: Items, tasks: Items) -> None:
    label = labels.create()["id"]
    answer = tasks.call("POST", body=tasks.fields(labels=["x"], label_ids=[label]))
    assert broken_fields(answer) == ["labels"]
    assert labels.listed()[1:] == []


@pytest.mark.proves("TASK-104")
def test_a_refused_task_makes_no_labels(labels: Items, tasks: Items) -> None:
    task = tasks.create()
    for answer in (
        tasks.call("POST", body=tasks.fields(labels=["x"], list_id=NO_ITEM)),
        tasks.call("POST", body=tasks.fields(labels=["x"], due="2026-01-01", start="2026-01-02")),
        tasks.call("PATCH", f"/{NO_ITEM}", {"labels": ["x"]}),
        tasks.call("PATCH", f"/{task['id']}", {"labels": ["x"], "parent_id": task["id"]}),
        tasks.call("PATCH", f"/{task['id']}", {"labels": ["x"]}, {"If-Match": '"0"'}),
        tasks.call("POST", body=tasks.fields(labels=["x"]), headers={"If-Match": '"0"'}),
    ):
        assert answer.status_code in (404, 412, 422), answer.text
    assert (labels.listed(), version(labels.user)) == ([], 1)


@pytest.mark.proves("TASK-123", "TASK-158")
def test_a_deletion_takes_the_label_from_its_tasks(labels: Items, tasks: Items) -> None:
    label, other = labels.create()["id"], labels.create()["id"]
    made = [tasks.create(label_ids=[label, other])["id"] for _ in range(3)]
    untouched = tasks.create(label_ids=[other])
    before = version(labels.user)
    deleted = labels.delete(label)
    assert deleted["version"] == before + 4
    assert feed(labels.user, before) == [
        *((before + number, "task", "update") for number in (1, 2, 3)),
        (before + 4, "label", "delete"),
    ]
    assert [tasks.read(each)["label_ids"] for each in made] == [[other]] * 3
    assert tasks.read(untouched["id"]) == untouched
    assert tasks.listed(f"label={other}&sort=created_at")[0]["id"] == made[0]


@pytest.mark.proves("TASK-124")
def test_a_restored_label_is_back_on_the_tasks_that_were_not_changed_since(
    labels: Items, tasks: Items
) -> None:
    label = labels.create()["id"]
    same, edited, trashed, trashed_before = (
        tasks.create(label_ids=[label])["id"] for _ in range(4)
    )
    tasks.delete(trashed_before)
    labels.delete(label)
    tasks.change(edited, title="edited")
    tasks.delete(trashed)
    before = version(labels.user)
    labels.post(label, "restore")
    assert feed(labels.user, before) == [
        (before + 1, "task", "update"),
        (before + 2, "label", "restore"),
    ]
    assert tasks.read(same)["label_ids"] == [label]
    assert tasks.read(edited)["label_ids"] == []
    assert tasks.post(trashed, "restore")["label_ids"] == []
    assert tasks.post(trashed_before, "restore")["label_ids"] == [label]


def test_a_task_from_the_trash_has_no_label_that_is_there(labels: Items, tasks: Items) -> None:
    label, other = labels.create()["id"], labels.create()["id"]
    task = tasks.create(label_ids=[label, other])["id"]
    tasks.delete(task)
    labels.delete(label)
    assert tasks.post(task, "restore")["label_ids"] == [other]


def test_a_label_that_is_deleted_twice_comes_back_to_the_tasks_of_the_last_time(
    labels: Items, tasks: Items
) -> None:
    label = labels.create()["id"]
    first, second = (tasks.create(label_ids=[label])["id"] for _ in range(2))
    labels.delete(label)
    tasks.change(first, title="edited")
    labels.post(label, "restore")
    labels.delete(label)
    labels.post(label, "restore")
    assert tasks.read(first)["label_ids"] == []
    assert tasks.read(second)["label_ids"] == [label]


def test_a_stale_deletion_takes_the_label_from_no_task(labels: Items, tasks: Items) -> None:
    label = labels.create()
    task = tasks.create(label_ids=[label["id"]])
    stale = labels.call("DELETE", f"/{label['id']}", headers={"If-Match": '"9"'})
    assert error(stale) == (412, "PRECONDITION_FAILED")
    assert tasks.read(task["id"]) == task


def test_a_task_in_an_archived_or_deleted_list_loses_a_deleted_label(
    labels: Items, tasks: Items
) -> None:
    lists = Items(labels.user, "list")
    label = labels.create()["id"]
    archived, deleted = lists.create()["id"], lists.create()["id"]
    made = [tasks.create(label_ids=[label], list_id=each)["id"] for each in (archived, deleted)]
    lists.post(archived, "archive")
    lists.delete(deleted)
    labels.delete(label)
    lists.post(deleted, "restore")
    assert [tasks.read(each)["label_ids"] for each in made] == [[], []]


def test_a_purged_label_is_gone_from_everything(
    labels: Items, tasks: Items, flask: FlaskCommand
) -> None:
    label = labels.create("Work")["id"]
    task = tasks.create(label_ids=[label])["id"]
    trashed = tasks.create(label_ids=[label])["id"]
    tasks.delete(trashed)
    labels.delete(label)
    result = flask("ledger", "purge", "--older-than", "0s")
    assert "purged 2 items" in result.output, result.output
    assert error(labels.call("GET", f"/{label}/history")) == (404, "NOT_FOUND")
    assert tasks.read(task)["label_ids"] == []
    assert labels.create("Work")["id"] != label
    assert flask("ledger", "verify").exit_code == 0


def labelled_tasks(connection: psycopg.Connection, owner_id: str, label: str, count: int) -> None:
    """Adds tasks that have the label."""
    for _ in range(count // 250):
        add_tasks(connection, owner_id, 250)
    with connection.transaction():
        act_for(connection, owner_id)
        connection.execute("ALTER TABLE tasks DISABLE TRIGGER tasks_recorded")
        connection.execute(
            "UPDATE tasks SET label_ids = ARRAY[%s::uuid] WHERE owner_id = %s", [label, owner_id]
        )
        connection.execute("ALTER TABLE tasks ENABLE TRIGGER tasks_recorded")


@pytest.mark.slow
def test_a_label_on_2000_tasks_is_deleted_and_restored(
    labels: Items, tasks: Items, superuser: psycopg.Connection
) -> None:
    label = labels.create("Work")["id"]
    labelled_tasks(superuser, labels.user.id, label, 2000)
    began = time.monotonic()
    deleted = labels.call("DELETE", f"/{label}")
    between = time.monotonic()
    restored = labels.call("POST", f"/{label}/restore")
    ended = time.monotonic()
    assert (deleted.status_code, restored.status_code) == (200, 200)
    assert data(deleted)["version"] == 4002
    assert data(restored)["version"] == 6003
    (found,) = data(tasks.call("GET", f"?label={label}&limit=1"))
    assert found["label_ids"] == [label]
    assert max(between - began, ended - between) < 20  # 1 s, but on a busy machine


# --- races ----------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-121")
@pytest.mark.slow
def test_two_clients_that_make_one_label_at_once_make_it_once(app: Flask, labels: Items) -> None:
    first, second = (Items(clone(app, labels.user), "label") for _ in range(2))
    for number in range(200):
        answers = at_once(
            partial(first.call, "POST", body={"name": f"Work {number}"}),
            partial(second.call, "POST", body={"name": f"WORK {number}"}),
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]
        (refused,) = (answer for answer in answers if answer.status_code == 409)
        assert error(refused) == (409, "NAME_TAKEN")
    assert version(labels.user) == 200
    assert len(labels.listed()) == 200


@pytest.mark.proves("TASK-126")
@pytest.mark.slow
def test_two_tasks_made_at_once_with_one_new_label_share_it(app: Flask, labels: Items) -> None:
    first, second = (Items(clone(app, labels.user), "task") for _ in range(2))
    for number in range(200):
        answers = at_once(
            partial(first.create, labels=[f"Work {number}"]),
            partial(second.create, labels=[f"work {number}"]),
        )
        assert answers[0]["label_ids"] == answers[1]["label_ids"]
        assert len(answers[0]["label_ids"]) == 1
    assert version(labels.user) == 600
    assert len({each["name"].lower() for each in labels.listed()}) == 200


@pytest.mark.slow
def test_a_task_never_keeps_a_label_that_is_deleted_at_the_same_time(
    app: Flask, labels: Items, tasks: Items
) -> None:
    first, second = (clone(app, labels.user) for _ in range(2))
    label = labels.create()["id"]
    for _ in range(200):
        created, deleted = at_once(
            lambda: Items(first, "task").call("POST", body={"title": "t", "label_ids": [label]}),
            lambda: Items(second, "label").call("DELETE", f"/{label}"),
        )
        assert deleted.status_code == 200
        assert created.status_code in (201, 422), created.text
        if created.status_code == 201:
            assert tasks.read(data(created)["id"])["label_ids"] == []
            tasks.delete(data(created)["id"])
        labels.post(label, "restore")
