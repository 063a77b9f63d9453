"""Lists: what is in them, and how they hide it when they are archived or in the trash."""

from typing import Any

import pytest
from flask import Flask

from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.items import Items, at_once, clone, feed, version
from tests.support.services import FlaskCommand

NO_ITEM = "01890a5d-ac96-774b-bcce-b302099a8057"
LISTINGS = (
    "",
    "sort=title",
    "sort=-updated_at",
    "sort=due",
    "sort=-priority",
    "sort=position",
    "q=milk",
    "overdue=true",
    'filter=title = "milk"',
    "is_completed=false",
    "priority_min=1",
    "due_to=2199-12-31",
)


@pytest.fixture
def lists(alice: ApiUser) -> Items:
    return Items(alice, "list")


@pytest.fixture
def tasks(alice: ApiUser) -> Items:
    return Items(alice, "task")


def listed_ids(tasks: Items, query: str = "") -> set[str]:
    return {each["id"] for each in tasks.listed(query)}


def test_a_new_list_has_no_description_colour_or_date_of_archiving(lists: Items) -> None:
    made = lists.create("Home")
    assert made.keys() == {
        "id", "owner_id", "title", "description", "color", "position", "archived_at",
        "created_at", "updated_at", "version",
    }  # fmt: skip
    assert [made[name] for name in ("description", "color", "archived_at")] == [None] * 3


def test_two_lists_may_have_one_title(lists: Items) -> None:
    assert lists.create("Home")["id"] != lists.create("Home")["id"]
    assert lists.ordered() == ["Home", "Home"]


@pytest.mark.proves("TASK-102")
@pytest.mark.parametrize(
    ("given", "kept"), [("#C03A2B", "#c03a2b"), ("#000000", "#000000"), (None, None)]
)
def test_a_colour_is_kept_in_lower_case(
    alice: ApiUser, given: str | None, kept: str | None
) -> None:
    for kind in ("list", "label"):
        items = Items(alice, kind)
        item = items.create(color=given)
        assert item["color"] == kept
        assert items.change(items.create()["id"], color=given)["color"] == kept
        if given is not None:
            assert items.change(item["id"], color=given.swapcase()) == item
        assert items.change(item["id"], color=None)["color"] is None


@pytest.mark.proves("TASK-102")
@pytest.mark.parametrize(
    "color",
    ["", "red", "#fff", "c03a2b", "#c03a2", "#c03a2bb", "#c03a2b\n", "#c03a2g", "#١٢٣٤٥٦", 7, []],
)
def test_a_colour_is_six_hexadecimal_digits(alice: ApiUser, color: object) -> None:
    for kind in ("list", "label"):
        items = Items(alice, kind)
        assert broken_fields(items.call("POST", body=items.fields(color=color))) == ["color"]


@pytest.mark.proves("TASK-101")
def test_every_broken_field_of_a_list_is_named(lists: Items) -> None:
    body = {"title": "", "description": "x" * 5001, "color": "red", "archived_at": None}
    answer = lists.call("POST", body=body)
    assert sorted(broken_fields(answer)) == ["archived_at", "color", "description", "title"]
    assert lists.create(description="😀" * 5000)["description"] == "😀" * 5000
    assert lists.create(description="")["description"] == ""


def test_a_change_keeps_what_it_leaves_out(lists: Items) -> None:
    made = lists.create("Home", description="ours", color="#000000")
    renamed = lists.change(made["id"], title="House")
    same = {"title": "House", "version": 2, "updated_at": renamed["updated_at"]}
    assert renamed == {**made, **same}
    assert lists.change(made["id"], description=None)["description"] is None


# --- tasks in lists -------------------------------------------------------------------------------


@pytest.mark.proves("TASK-116")
def test_a_task_without_a_list_is_in_the_inbox(lists: Items, tasks: Items) -> None:
    home = lists.create()["id"]
    inbox, listed = tasks.create(), tasks.create(list_id=home)
    assert (inbox["list_id"], listed["list_id"]) == (None, home)
    assert listed_ids(tasks, "list_id=none") == {inbox["id"]}
    assert listed_ids(tasks, f"list_id={home}") == {listed["id"]}
    assert listed_ids(tasks) == {inbox["id"], listed["id"]}
    assert tasks.change(listed["id"], list_id=None)["list_id"] is None
    assert listed_ids(tasks, f"list_id={home}") == set()


def test_the_inbox_is_no_list(lists: Items) -> None:
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/archive"), ("POST", "/restore"),
    ):  # fmt: skip
        assert error(lists.call(method, f"/none{path}")) == (404, "NOT_FOUND")
        assert error(lists.call(method, f"/inbox{path}")) == (404, "NOT_FOUND")
    assert lists.listed() == []


@pytest.mark.proves("TASK-103")
@pytest.mark.parametrize("field", ["list_id", "parent_id", "label_ids"])
def test_what_another_owner_has_is_refused_like_what_is_missing(
    tasks: Items, bob: ApiUser, field: str
) -> None:
    kind = {"list_id": "list", "parent_id": "task", "label_ids": "label"}[field]
    own, theirs = Items(tasks.user, kind), Items(bob, kind).create()["id"]
    deleted, task = own.create()["id"], tasks.create()["id"]
    own.delete(deleted)
    before = version(tasks.user)
    answers = []
    for missing in (theirs, deleted, NO_ITEM):
        value = [missing] if field == "label_ids" else missing
        answers += [
            tasks.call("POST", body=tasks.fields("t", **{field: value})),
            tasks.call("PATCH", f"/{task}", {field: value, "title": "changed"}),
        ]
    assert {tuple(broken_fields(answer)) for answer in answers} == {(field,)}
    assert len({str(answer.get_json()["error"]["details"]) for answer in answers}) == 1
    assert version(tasks.user) == before
    assert tasks.read(task)["title"] != "changed"


@pytest.mark.proves("TASK-116")
def test_the_tasks_of_a_missing_list_are_not_found(tasks: Items, bob: ApiUser) -> None:
    theirs = Items(bob, "list").create()["id"]
    answers = [tasks.call("GET", f"?list_id={each}") for each in (theirs, NO_ITEM)]
    assert [error(answer) for answer in answers] == [(404, "NOT_FOUND")] * 2
    for wrong in ("", "None", "null", theirs.upper()):
        assert broken_fields(tasks.call("GET", f"?list_id={wrong}")) == ["list_id"]


@pytest.mark.proves("TASK-157", "TASK-158")
@pytest.mark.parametrize("by_move", [False, True])
def test_a_parent_takes_open_and_done_descendants_to_another_list(
    lists: Items, tasks: Items, *, by_move: bool
) -> None:
    home, work = lists.create()["id"], lists.create()["id"]
    parent = tasks.create(list_id=home)["id"]
    child, done = (tasks.create(parent_id=parent)["id"] for _ in range(2))
    grandchild = tasks.create(parent_id=child)["id"]
    alone = tasks.create(list_id=home)["id"]
    tasks.change(done, is_completed=True)
    before = version(tasks.user)
    if by_move:
        tasks.move(parent, after=None, list_id=work)
    else:
        tasks.change(parent, list_id=work)
    assert listed_ids(tasks, f"list_id={home}") == {alone}
    assert listed_ids(tasks, f"list_id={work}") == {parent, child, done, grandchild}
    assert [entry[0] for entry in feed(tasks.user, before)] == [before + n for n in (1, 2, 3, 4)]
    assert tasks.read(done)["is_completed"] is True
    assert tasks.read(grandchild)["parent_id"] == child
    assert tasks.change(parent, list_id=work)["version"] <= before + 4


@pytest.mark.proves("TASK-157")
def test_a_child_alone_in_another_list_is_a_root_there(lists: Items, tasks: Items) -> None:
    home, work = lists.create()["id"], lists.create()["id"]
    parent = tasks.create(list_id=home)["id"]
    child = tasks.create(parent_id=parent)["id"]
    grandchild = tasks.create(parent_id=child)["id"]
    moved = tasks.change(child, list_id=work)
    assert (moved["list_id"], moved["parent_id"]) == (work, None)
    found = tasks.read(grandchild)
    assert (found["list_id"], found["parent_id"]) == (work, child)
    assert tasks.read(parent)["list_id"] == home


# --- archived lists -------------------------------------------------------------------------------


@pytest.fixture
def three(lists: Items, tasks: Items) -> tuple[str, list[dict[str, Any]]]:
    """A list with three open tasks, one of them overdue, and one in the trash."""
    home = lists.create("Home")["id"]
    made = [
        tasks.create("milk", list_id=home, due="2026-01-01", priority=1),
        tasks.create("bread", list_id=home),
        tasks.create("cheese", list_id=home, due="2199-12-31"),
    ]
    tasks.delete(tasks.create("gone", list_id=home)["id"])
    return home, made


@pytest.mark.proves("TASK-110", "TASK-111")
def test_an_archived_list_hides_its_tasks_and_changes_one_row(
    lists: Items, tasks: Items, three: tuple[str, list[dict[str, Any]]]
) -> None:
    home, made = three
    before = version(tasks.user)
    archived = lists.post(home, "archive")
    assert archived["archived_at"] == archived["updated_at"]
    assert feed(tasks.user, before) == [(before + 1, "list", "archive")]
    for query in LISTINGS:
        assert tasks.listed(query) == [], query
    assert tasks.listed(f"list_id={home}&sort=created_at") == made
    for query in LISTINGS:
        shown = listed_ids(tasks, f"list_id={home}&{query}")
        assert shown <= {each["id"] for each in made}
        assert (made[0]["id"] in shown) or query == "", query
    assert [tasks.read(each["id"]) for each in made] == made
    exported = tasks.user.export().get_json()
    assert exported["tasks"] == made
    assert exported["lists"] == [archived]


@pytest.mark.proves("TASK-113")
def test_an_unarchived_list_shows_its_tasks_as_they_were(
    lists: Items, tasks: Items, three: tuple[str, list[dict[str, Any]]]
) -> None:
    home, made = three
    listing = tasks.listed()
    lists.post(home, "archive")
    shown = lists.post(home, "unarchive")
    assert shown["archived_at"] is None
    assert tasks.listed("sort=created_at") == made
    assert tasks.listed() == listing


@pytest.mark.proves("TASK-117")
@pytest.mark.parametrize("verb", ["archive", "unarchive"])
def test_archiving_twice_changes_nothing(lists: Items, verb: str) -> None:
    home = lists.create()["id"]
    lists.post(home, "archive")
    first = lists.post(home, verb)
    before = version(lists.user)
    assert lists.post(home, verb) == first
    assert version(lists.user) == before


@pytest.mark.parametrize("verb", ["archive", "unarchive"])
def test_archiving_obeys_if_match_and_idempotency_keys(lists: Items, verb: str) -> None:
    home = lists.create()["id"]
    if verb == "unarchive":
        lists.post(home, "archive")
    before = version(lists.user)
    path = f"/{home}/{verb}"
    stale = lists.call("POST", path, headers={"If-Match": '"0"'})
    assert error(stale) == (412, "PRECONDITION_FAILED")
    first, again = (
        lists.call("POST", path, headers={"If-Match": f'"{before}"', "Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert first.status_code == 200
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert version(lists.user) == before + 1


def test_archiving_takes_no_body_and_no_stranger(lists: Items, bob: ApiUser) -> None:
    home = lists.create()["id"]
    for verb in ("archive", "unarchive"):
        assert lists.call("POST", f"/{home}/{verb}", {"until": "x"}).status_code == 422
        assert error(Items(bob, "list").call("POST", f"/{home}/{verb}")) == (404, "NOT_FOUND")
        assert error(lists.call("POST", f"/{NO_ITEM}/{verb}")) == (404, "NOT_FOUND")
    assert version(lists.user) == 1


@pytest.mark.proves("TASK-114")
def test_lists_are_narrowed_by_archived(lists: Items) -> None:
    shown, hidden = lists.create("shown"), lists.create("hidden")
    gone = lists.create("gone")["id"]
    lists.post(hidden["id"], "archive")
    lists.post(gone, "archive")
    lists.delete(gone)
    assert lists.ordered() == ["shown", "hidden"]
    assert [each["title"] for each in lists.listed("archived=true")] == ["hidden"]
    assert lists.listed("archived=false") == [shown]
    for wrong in ("", "yes", "1", "True"):
        assert broken_fields(lists.call("GET", f"?archived={wrong}")) == ["archived"]


def test_a_cursor_belongs_to_the_choice_of_archived(lists: Items) -> None:
    for _ in range(3):
        lists.create()
    cursor = lists.call("GET", "?limit=1&archived=false").get_json()["meta"]["next_cursor"]
    assert len(data(lists.call("GET", f"?limit=5&archived=false&cursor={cursor}"))) == 2
    for query in ("", "archived=true&"):
        assert error(lists.call("GET", f"?{query}cursor={cursor}")) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-111", "TASK-115")
def test_an_archived_list_s_tasks_can_be_made_and_changed(lists: Items, tasks: Items) -> None:
    home = lists.create()["id"]
    task = tasks.create("old", list_id=home)
    lists.post(home, "archive")
    made = tasks.create("new", list_id=home)
    assert tasks.change(task["id"], title="changed")["title"] == "changed"
    assert data(tasks.call("PATCH", f"/{task['id']}/complete"))["is_completed"] is True
    assert tasks.move(made["id"], after=None)["list_id"] == home
    tasks.delete(task["id"])
    tasks.post(task["id"], "restore")
    assert listed_ids(tasks) == set()
    assert tasks.change(made["id"], list_id=None)["list_id"] is None
    assert listed_ids(tasks) == {made["id"]}
    assert lists.change(home, title="an archive")["archived_at"] is not None


# --- lists in the trash ---------------------------------------------------------------------------


@pytest.mark.proves("TASK-110", "TASK-112")
def test_a_deleted_list_hides_its_tasks_and_changes_one_row(
    lists: Items, tasks: Items, three: tuple[str, list[dict[str, Any]]]
) -> None:
    home, made = three
    before = version(tasks.user)
    lists.delete(home)
    assert feed(tasks.user, before) == [(before + 1, "list", "delete")]
    for query in LISTINGS:
        assert tasks.listed(query) == [], query
    assert error(tasks.call("GET", f"?list_id={home}")) == (404, "NOT_FOUND")
    assert tasks.user.export().get_json()["tasks"] == []
    assert "milk" not in tasks.user.export("csv").text
    path = f"/{made[0]['id']}"
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("PATCH", "", {"list_id": None}),
        ("PATCH", "", {"due": None}),
        ("PATCH", "/complete", None),
        ("POST", "/move", {"after": None}),
        ("POST", "/move", {"after": None, "list_id": None}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
    ):
        for headers in ({}, {"If-Match": '"9999"'}):
            answer = tasks.call(method, path + rest, body, headers=headers)
            assert error(answer) == (404, "NOT_FOUND"), (method, rest, headers)
    assert len(data(tasks.call("GET", f"{path}/history"))) == 1
    other = tasks.create()["id"]
    assert broken_fields(tasks.call("POST", body=tasks.fields(list_id=home))) == ["list_id"]
    assert broken_fields(tasks.call("PATCH", f"/{other}", {"list_id": home})) == ["list_id"]
    below = tasks.call("POST", body=tasks.fields(parent_id=made[0]["id"]))
    assert broken_fields(below) == ["parent_id"]
    beside = tasks.call("POST", f"/{other}/move", {"after": made[0]["id"]})
    assert broken_fields(beside) == ["after"]


@pytest.mark.proves("TASK-113")
def test_a_restored_list_has_its_tasks_back_byte_for_byte(
    lists: Items, tasks: Items, three: tuple[str, list[dict[str, Any]]]
) -> None:
    home, made = three
    bodies = [tasks.call("GET", f"/{each['id']}").data for each in made]
    histories = [data(tasks.call("GET", f"/{each['id']}/history")) for each in made]
    trash = data(tasks.call("GET", "/trash"))
    lists.delete(home)
    before = version(tasks.user)
    lists.post(home, "restore")
    assert feed(tasks.user, before) == [(before + 1, "list", "restore")]
    assert [tasks.call("GET", f"/{each['id']}").data for each in made] == bodies
    assert [data(tasks.call("GET", f"/{each['id']}/history")) for each in made] == histories
    assert data(tasks.call("GET", "/trash")) == trash
    assert {each["title"] for each in tasks.listed()} == {"milk", "bread", "cheese"}


@pytest.mark.proves("TASK-113")
def test_a_task_that_was_deleted_before_its_list_stays_in_the_trash(
    lists: Items, tasks: Items
) -> None:
    home = lists.create()["id"]
    task = tasks.create(list_id=home)["id"]
    tasks.delete(task)
    lists.delete(home)
    assert error(tasks.call("POST", f"/{task}/restore")) == (404, "NOT_FOUND")
    assert data(tasks.call("GET", "/trash")) == []
    lists.post(home, "restore")
    assert tasks.listed() == []
    assert tasks.post(task, "restore")["list_id"] == home


def test_an_archived_list_that_is_restored_is_archived_still(lists: Items, tasks: Items) -> None:
    home = lists.create()["id"]
    tasks.create(list_id=home)
    archived = lists.post(home, "archive")
    lists.delete(home)
    for verb in ("archive", "unarchive"):
        assert error(lists.call("POST", f"/{home}/{verb}")) == (404, "NOT_FOUND")
    assert lists.post(home, "restore")["archived_at"] == archived["archived_at"]
    assert tasks.listed() == []
    assert len(tasks.listed(f"list_id={home}")) == 1


def test_a_purged_list_takes_its_tasks_along(
    lists: Items, tasks: Items, bob: ApiUser, flask: FlaskCommand
) -> None:
    home, work = lists.create()["id"], lists.create()["id"]
    parent = tasks.create(list_id=home)["id"]
    child = tasks.create(parent_id=parent)["id"]
    gone = tasks.create(parent_id=parent)["id"]
    moved = tasks.create(list_id=home)["id"]
    kept = tasks.create(list_id=work)["id"]
    theirs = Items(bob, "task").create(list_id=Items(bob, "list").create()["id"])
    tasks.delete(gone)
    tasks.change(moved, list_id=work)
    lists.delete(home)
    result = flask("ledger", "purge", "--older-than", "0s")
    assert result.exit_code == 0, result.output
    assert "purged 4 items" in result.output
    assert error(lists.call("POST", f"/{home}/restore")) == (404, "NOT_FOUND")
    for task in (parent, child, gone):
        assert error(tasks.call("GET", f"/{task}/history")) == (404, "NOT_FOUND")
    assert listed_ids(tasks) == {moved, kept}
    assert Items(bob, "task").listed() == [theirs]
    verified = flask("ledger", "verify")
    assert verified.exit_code == 0, verified.output


def test_a_subtask_in_the_trash_does_not_hold_up_the_purge_of_the_list_it_was_in(
    lists: Items, tasks: Items, flask: FlaskCommand
) -> None:
    home, work = lists.create()["id"], lists.create()["id"]
    parent = tasks.create(list_id=home)["id"]
    child = tasks.create(parent_id=parent)["id"]
    tasks.delete(child)
    tasks.change(parent, list_id=work)
    lists.delete(home)
    restored = tasks.call("POST", f"/{child}/restore")
    assert data(restored)["list_id"] == work  # it follows its parent
    tasks.delete(child)
    lists.delete(work)
    result = flask("ledger", "purge", "--older-than", "0s")
    assert result.exit_code == 0, result.output
    assert tasks.user.export().get_json()["tasks"] == []


@pytest.mark.slow
def test_a_task_never_lands_in_a_list_that_is_deleted_at_the_same_time(
    app: Flask, lists: Items, tasks: Items
) -> None:
    """Either the task is refused, or it is hidden with the list and back with it."""
    first, second = (clone(app, tasks.user) for _ in range(2))
    home = lists.create()["id"]
    made = 0
    for _ in range(200):
        created, deleted = at_once(
            lambda: Items(first, "task").call("POST", body={"title": "t", "list_id": home}),
            lambda: Items(second, "list").call("DELETE", f"/{home}"),
        )
        assert deleted.status_code == 200
        assert created.status_code in (201, 422), created.text
        if created.status_code == 201:
            made += 1
            assert data(created)["version"] < data(deleted)["version"]
        else:
            assert broken_fields(created) == ["list_id"]
        lists.post(home, "restore")
    assert len(tasks.listed(f"list_id={home}")) == made
