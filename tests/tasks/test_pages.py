"""A page that is kept is told again only while nothing of its owner has changed."""

import os
import signal
import tracemalloc
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from app.tasks.pages import ENTRY, HEAD, ROOM, Kept, Page, Pages
from tests.callers import Caller, data
from tests.processes import until
from tests.serving import reply, serving, until_all_serve
from tests.tasks.remote import sign_up

# The children here do nothing that another thread could have held a lock for.
FORKING = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
QUERIES = ["", "?sort=title", "?is_completed=false", "?q=plants", "?limit=1", "?sort=-updated_at"]


def kept(items: bytes, position: bytes | None = None) -> Kept:
    return Kept(b"h" * 32, Page("1", 1, items, position))


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
def test_a_page_that_one_worker_has_read_all_of_them_tell(
    database_url: str, tmp_path: Path
) -> None:
    with serving(database_url, tmp_path) as server, ExitStack() as clients:
        alice = sign_up(server)
        alice.create("as it was read")
        assert [task["title"] for task in alice.get().json["data"]] == ["as it was read"]
        with psycopg.connect(database_url) as behind_the_ledger:
            behind_the_ledger.execute("UPDATE tasks SET title = 'as nobody may read it'")
        headers = f"Host: todo.example\r\nAuthorization: Bearer {alice.access_token}\r\n\r\n"
        for client in until_all_serve(server, clients):
            client.sendall(f"GET /api/me/tasks HTTP/1.1\r\n{headers}".encode())
            assert [task["title"] for task in reply(client).json["data"]] == ["as it was read"]


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


def told(pages: Pages, key: bytes = b"key") -> Kept | None:
    """What a process tells that has no page at hand."""
    pages._at_hand.clear()
    return pages.get(key)


@pytest.mark.proves("TASK-27")
@pytest.mark.parametrize("position", [None, b"", b'["b"]'])
def test_a_page_is_told_as_it_was_kept(position: bytes | None) -> None:
    pages, page = Pages(), kept(b'[{"title":"a"}]', position)
    pages.keep(b"key", page)
    assert pages.get(b"key") == told(pages) == pages.get(b"key") == page
    assert pages.get(b"another key") is None


@pytest.mark.proves("TASK-27")
def test_a_page_that_takes_anothers_place_is_not_taken_for_it() -> None:
    pages = Pages(places=1)
    pages.keep(b"first", kept(b"[1]"))
    pages.keep(b"second", kept(b"[2]"))
    assert pages.get(b"first") == kept(b"[1]")
    assert told(pages, b"first") is None
    assert told(pages, b"second") == kept(b"[2]")


@pytest.mark.proves("TASK-27")
def test_a_page_of_which_anything_is_another_is_none() -> None:
    pages, page = Pages(places=1), kept(b"[1]", b'["b"]')
    pages.keep(b"key", page)
    used = HEAD.size + len(b'["b"][1]')
    for place in range(used):
        pages._memory[place] ^= 1
        assert told(pages) is None, place
        pages._memory[place] ^= 1
    assert told(pages) == page


@pytest.mark.proves("TASK-27")
def test_the_items_of_one_page_are_never_told_with_the_head_of_another() -> None:
    pages, there = Pages(places=1), Pages(places=1)
    pages.keep(b"key", kept(b"[1]"))
    there.keep(b"key", kept(b"[2]"))
    pages._memory[HEAD.size : HEAD.size + 3] = there._memory[HEAD.size : HEAD.size + 3]
    assert told(pages) is None


def test_what_was_told_longest_ago_is_at_hand_no_longer() -> None:
    pages = Pages(at_hand=2 * (ENTRY + 40))
    names = {}
    for key in (b"first", b"second", b"third"):
        pages.keep(key, kept(b" " * 40))
        names[[*pages._at_hand][-1]] = key
    assert [names[each] for each in pages._at_hand] == [b"second", b"third"]
    assert pages.get(b"first") == kept(b" " * 40)
    assert [names[each] for each in pages._at_hand] == [b"third", b"first"]


def test_empty_pages_of_ever_new_searches_take_no_more_than_their_room() -> None:
    room = 1024 * 1024
    pages = Pages(places=1, at_hand=room)
    tracemalloc.start()
    try:
        for number in range(5000):
            pages.keep(b'["id","created_at",null,50,null,"word %d"]' % number, kept(b"[]"))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < room


@FORKING
@pytest.mark.proves("TASK-27")
def test_what_one_process_keeps_the_others_tell() -> None:
    pages = Pages()
    pages.keep(b"key", kept(b"[0]"))
    child = os.fork()
    if child == 0:
        pages.keep(b"key", kept(b"[1]"))
        os._exit(0)
    os.waitpid(child, 0)
    assert pages.get(b"key") == kept(b"[1]")


@FORKING
@pytest.mark.proves("TASK-27")
def test_while_others_write_a_page_is_whole_or_none() -> None:
    pages = Pages(places=1)
    written = [kept(b"1" * 20_000), kept(b"2" * 30_000)]
    writers = []
    for page in written:
        writers.append(os.fork())
        if writers[-1] == 0:
            while True:
                pages.keep(b"key", page)
    try:
        until(lambda: told(pages) is not None)
        whole = [found for _ in range(3000) if (found := told(pages)) is not None]
    finally:
        for writer in writers:
            os.kill(writer, signal.SIGKILL)
            os.waitpid(writer, 0)
    assert all(each in written for each in whole)


def test_a_page_that_is_too_large_is_not_kept() -> None:
    pages = Pages(places=2)
    largest = ROOM - HEAD.size
    pages.keep(b"key", kept(b" " * largest))
    assert told(pages) == kept(b" " * largest)
    pages.keep(b"key", kept(b" " * (largest + 1)))
    assert told(pages) == kept(b" " * largest)
