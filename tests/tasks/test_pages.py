"""A page that is kept is told again only while nothing of its owner has changed."""

from uuid import uuid4

import psycopg
import pytest

from app.tasks.pages import Kept, Page, Pages
from tests.callers import Caller, data

QUERIES = ["", "?sort=title", "?is_completed=false", "?q=plants", "?limit=1", "?sort=-updated_at"]


def kept(size: int) -> Kept:
    return Kept(b"", Page("1", 1, b" " * size, None))


@pytest.mark.proves("TASK-27")
@pytest.mark.parametrize("query", QUERIES)
def test_a_list_is_told_again_as_it_was(alice: Caller, bob: Caller, query: str) -> None:
    alice.create(title="Water the plants")
    alice.create(title="Feed the plants")
    first = alice.get(query)
    bob.create(title="Sell the plants")
    again = alice.get(query)
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])


@pytest.mark.proves("TASK-27")
@pytest.mark.parametrize("query", QUERIES)
def test_each_change_is_in_the_next_list(alice: Caller, query: str) -> None:
    alice.create(title="Water the plants")
    task = alice.create(title="Feed the plants")
    path = f"/{task['id']}"
    seen = [alice.get(query).get_json()]
    for method, below, body in (
        ("PATCH", path, {"description": "twice"}),
        ("PATCH", f"{path}/complete", {"is_completed": True}),
        ("PATCH", f"{path}/complete", {"is_completed": False}),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", None),
        ("POST", "/batch", {"operations": [{"op": "delete", "id": task["id"]}]}),
    ):
        assert alice.call(method, f"/api/me/tasks{below}", json=body).status_code == 200
        seen.append(alice.get(query).get_json())
        assert seen[-1]["meta"]["version"] == seen[-2]["meta"]["version"] + 1
        assert seen[-1] != seen[-2]


@pytest.mark.proves("TASK-27")
def test_a_restored_backup_with_other_changes_under_the_same_numbers_is_seen(
    alice: Caller, database_url: str
) -> None:
    alice.create(title="before")
    version = alice.get().get_json()["meta"]["version"]
    with psycopg.connect(database_url) as database:
        # What a backup of before the first change, and another first change after it, leave.
        database.execute(
            "UPDATE tasks SET title = 'after', title_folded = 'after' WHERE owner_id = %s",
            [alice.id],
        )
        database.execute(
            "UPDATE ledgers SET hash = sha256('another') WHERE owner_id = %s", [alice.id]
        )
    page = alice.get()
    assert page.get_json()["meta"]["version"] == version
    assert [task["title"] for task in data(page)] == ["after"]


@pytest.mark.proves("TASK-27")
def test_nobody_is_told_a_page_of_somebody_else(alice: Caller, bob: Caller) -> None:
    alice.create(title="mine")
    assert len(data(alice.get())) == 1
    assert data(bob.get()) == []


def test_what_a_client_knows_already_is_not_kept_as_an_empty_page(alice: Caller) -> None:
    task = alice.create(title="mine")
    tag = f'"{task["version"]}"'
    assert alice.get(headers={"If-None-Match": tag}).status_code == 304
    assert [each["id"] for each in data(alice.get())] == [task["id"]]


def test_those_asked_for_longest_ago_make_room() -> None:
    pages = Pages(room=100)
    first, second, third = (uuid4() for _ in range(3))
    pages.keep(first, kept(40))
    pages.keep(second, kept(40))
    assert pages.get(first) is not None
    pages.keep(third, kept(40))
    assert pages.get(second) is None
    assert pages.get(first) is not None
    pages.keep(first, kept(100))
    assert pages.get(third) is None
    assert pages.get(first) is not None


def test_one_page_never_takes_all_the_room() -> None:
    pages = Pages()
    pages.keep("large", kept(64 * 1024 + 1))
    assert pages.get("large") is None
