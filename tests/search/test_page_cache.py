"""The page cache: a cached page is returned only while its owner's ledger is unchanged."""

import tracemalloc

import psycopg
import pytest

from app.search.page_cache import OVERHEAD, CachedPage, PageCache
from app.values import Page
from tests.support.api_user import ApiUser, data
from tests.support.task_rows import unrecorded

QUERIES = ["", "?sort=title", "?is_completed=false", "?q=plants", "?limit=1", "?sort=-updated_at"]


@pytest.mark.proves("TASK-27")
@pytest.mark.parametrize("query", QUERIES)
def test_an_unchanged_list_is_returned_byte_for_byte(
    alice: ApiUser, bob: ApiUser, query: str
) -> None:
    alice.create(title="Water the plants")
    alice.create(title="Feed the plants")
    first = alice.get(query)
    bob.create(title="Sell the plants")
    again = alice.get(query)
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])


@pytest.mark.proves("TASK-27")
@pytest.mark.parametrize("query", QUERIES)
def test_each_change_invalidates_the_cached_page(alice: ApiUser, query: str) -> None:
    alice.create(title="Water the plants")
    task = alice.create(title="Feed the plants")
    path = f"/tasks/{task['id']}"
    seen = [alice.get(query).get_json()]
    for method, below, body in (
        ("PATCH", path, {"description": "twice"}),
        ("PATCH", f"{path}/complete", {"is_completed": True}),
        ("PATCH", f"{path}/complete", {"is_completed": False}),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", None),
        ("POST", "/batch", {"operations": [{"op": "delete", "id": task["id"]}]}),
    ):
        assert alice.call(method, f"/api/me{below}", json=body).status_code == 200
        seen.append(alice.get(query).get_json())
        assert seen[-1]["meta"]["version"] == seen[-2]["meta"]["version"] + 1
        assert seen[-1] != seen[-2]


@pytest.mark.proves("TASK-27")
def test_a_restored_backup_with_the_same_version_invalidates_the_cached_page(
    alice: ApiUser, database_url: str
) -> None:
    alice.create(title="before")
    version = alice.get().get_json()["meta"]["version"]
    with psycopg.connect(database_url) as database, unrecorded(database):
        # The state after a backup from before the first change was restored, and another change.
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
def test_a_cached_page_is_returned_to_its_owner_only(alice: ApiUser, bob: ApiUser) -> None:
    alice.create(title="mine")
    assert len(data(alice.get())) == 1
    assert data(bob.get()) == []


def test_a_304_is_not_cached_as_an_empty_page(alice: ApiUser) -> None:
    task = alice.create(title="mine")
    tag = f'"{task["version"]}"'
    assert alice.get(headers={"If-None-Match": tag}).status_code == 304
    assert [each["id"] for each in data(alice.get())] == [task["id"]]


def cached(items: bytes, position: bytes | None = None) -> CachedPage:
    return CachedPage(b"h" * 32, Page("1", 1, items, position))


@pytest.mark.proves("TASK-27")
@pytest.mark.parametrize("position", [None, b"", b'["b"]'])
def test_a_page_is_returned_as_it_was_stored(position: bytes | None) -> None:
    pages, page = PageCache(), cached(b'[{"title":"a"}]', position)
    pages.store(b"key", page)
    assert pages.get(b"key") == page
    assert pages.get(b"another key") is None


def test_the_oldest_pages_are_evicted_first() -> None:
    pages = PageCache(capacity=2 * (OVERHEAD + 40))
    for key in (b"first", b"second", b"third"):
        pages.store(key, cached(b" " * 40))
    assert pages.get(b"first") is None
    pages.store(b"second", cached(b"*" * 40))
    pages.store(b"first", cached(b" " * 40))
    assert pages.get(b"third") is None
    assert pages.get(b"second") == cached(b"*" * 40)


def test_many_small_pages_stay_within_the_capacity() -> None:
    capacity = 1024 * 1024
    pages = PageCache(capacity)
    tracemalloc.start()
    try:
        for number in range(5000):
            pages.store(b'["id","created_at",null,50,null,"word %d"]' % number, cached(b"[]"))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < capacity


def test_a_page_larger_than_the_cache_is_not_stored() -> None:
    pages = PageCache(capacity=OVERHEAD + 10)
    pages.store(b"key", cached(b" " * 11))
    assert pages.get(b"key") is None
