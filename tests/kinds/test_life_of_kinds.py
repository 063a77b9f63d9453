"""What every kind of item has: lists, labels, saved filters and tasks live the same life."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.items import KINDS, Items, version

NEW_KINDS = ("list", "label", "filter")
WRITES = ("patch", "put", "move", "delete", "restore")
LONGEST = {"list": 255, "label": 100, "filter": 255}
NO_ITEM = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture(params=KINDS)
def items(request: pytest.FixtureRequest, alice: ApiUser) -> Items:
    """Alice's items of each kind."""
    return Items(alice, request.param)


@pytest.fixture(params=NEW_KINDS)
def planned(request: pytest.FixtureRequest, alice: ApiUser) -> Items:
    """Alice's items of each kind but tasks."""
    return Items(alice, request.param)


def write(items: Items, verb: str, item_id: str, **headers: str) -> TestResponse:
    """One of the writes of an item, which changes it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/{item_id}"
    if verb in ("patch", "put"):
        return items.call(verb.upper(), path, {items.name: "changed"}, sent)
    if verb == "delete":
        return items.call("DELETE", path, headers=sent)
    if verb == "move":
        return items.call("POST", f"{path}/move", {"after": None}, sent)
    return items.call("POST", f"{path}/{verb}", headers=sent)


def writable(items: Items, verb: str) -> dict[str, Any]:
    """An item that the write would change, as it is after a first item."""
    items.create()
    item = items.create()
    return {**item, **items.delete(item["id"])} if verb == "restore" else item


def anonymous(answer: TestResponse) -> tuple[int, bytes]:
    """Status and body without the request id."""
    return answer.status_code, answer.data.replace(answer.headers["X-Request-Id"].encode(), b"")


@pytest.mark.proves("TASK-100")
def test_a_new_item_has_a_location_a_tag_and_the_next_version(items: Items) -> None:
    first = items.create()
    answer = items.call("POST", body=items.fields())
    item = data(answer)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/me/{items.kind}s/{item['id']}"
    assert answer.headers["ETag"] == f'"{item["version"]}"'
    assert (first["version"], item["version"]) == (1, 2)
    assert item["owner_id"] == items.user.id
    assert item["created_at"] == item["updated_at"]
    assert items.read(item["id"]) == item
    assert item in items.listed()


@pytest.mark.proves("TASK-100")
@pytest.mark.parametrize("verb", WRITES)
def test_a_write_with_a_stale_version_changes_nothing(items: Items, verb: str) -> None:
    item = writable(items, verb)
    before = version(items.user)
    for tag in ('"1"', f'W/"{item["version"]}"', "nonsense", '"0"', f'"{2**60}"'):
        assert error(write(items, verb, item["id"], If_Match=tag)) == (412, "PRECONDITION_FAILED")
    assert version(items.user) == before
    answer = write(items, verb, item["id"], If_Match=f'"1", "{item["version"]}"')
    assert (answer.status_code, version(items.user)) == (200, before + 1)


@pytest.mark.proves("TASK-100")
@pytest.mark.parametrize("verb", WRITES)
def test_a_repeated_write_with_one_key_happens_once(items: Items, verb: str) -> None:
    item = writable(items, verb)
    before = version(items.user)
    first, again = (write(items, verb, item["id"], Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, first.data, first.headers["ETag"]) == (
        again.status_code,
        again.data,
        again.headers["ETag"],
    )
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert version(items.user) == before + 1
    other = items.call("POST", body=items.fields(), headers={"Idempotency-Key": "k"})
    assert error(other) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_repeated_creation_with_one_key_makes_one_item(items: Items) -> None:
    fields, key = items.fields(), {"Idempotency-Key": "only once"}
    first, again = (items.call("POST", body=fields, headers=key) for _ in range(2))
    assert first.data == again.data
    assert first.headers["Location"] == again.headers["Location"]
    assert len(items.listed()) == version(items.user) == 1


def test_a_key_that_is_used_for_another_kind_is_refused(alice: ApiUser) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"title": "Home"}
    assert Items(alice, "list").call("POST", body=body, headers=key).status_code == 201
    other = Items(alice, "task").call("POST", body=body, headers=key)
    assert error(other) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_write_that_changes_nothing_takes_no_version(items: Items) -> None:
    item = items.create("same")
    items.create()
    before = version(items.user)
    assert items.change(item["id"], **{items.name: "  same "}) == item
    assert items.move(item["id"], after=None) == item
    assert version(items.user) == before
    assert [entry["action"] for entry in history(items, item["id"])] == ["create"]


def history(items: Items, item_id: str) -> list[dict[str, Any]]:
    return list(data(items.call("GET", f"/{item_id}/history")))


@pytest.mark.proves("TASK-100")
@pytest.mark.parametrize("path", ["", "/{id}", "/trash", "/{id}/history"])
def test_a_read_with_a_known_tag_is_a_304_until_something_changes(items: Items, path: str) -> None:
    item = items.create()
    items.delete(items.create()["id"])
    path = path.format(id=item["id"])
    tag = items.call("GET", path).headers["ETag"]
    for method in ("GET", "HEAD"):
        again = items.call(method, path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    items.change(item["id"], **{items.name: "other"})
    again = items.call("GET", path, headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.headers["ETag"] != tag


def test_a_query_is_checked_before_a_known_tag(items: Items) -> None:
    tag = items.call("GET").headers["ETag"]
    for query in ("?limit=0", "?limit=201", "?limit=x", "?page=2", "?limit=1&limit=2"):
        answer = items.call("GET", query, headers={"If-None-Match": tag})
        assert error(answer) == (422, "VALIDATION_FAILED"), query


def test_the_tags_of_the_lists_of_all_kinds_follow_one_counter(alice: ApiUser) -> None:
    tags = {kind: Items(alice, kind).call("GET").headers["ETag"] for kind in KINDS}
    Items(alice, "label").create()
    for kind, tag in tags.items():
        answer = Items(alice, kind).call("GET", headers={"If-None-Match": tag})
        assert answer.status_code == 200, kind


@pytest.mark.proves("TASK-105")
def test_pages_have_every_item_once_in_order(planned: Items) -> None:
    names = [planned.create()[planned.name] for _ in range(7)]
    for limit in (1, 2, 3, 7, 8):
        pages = list(planned.pages(f"?limit={limit}"))
        assert [each[planned.name] for page in pages for each in page] == names
        assert {len(page) for page in pages[:-1]} <= {limit}
    answer = planned.call("GET", "?limit=2")
    cursor = answer.get_json()["meta"]["next_cursor"]
    link = f'</api/me/{planned.kind}s?limit=2&cursor={cursor}>; rel="next"'
    assert answer.headers["Link"] == link


@pytest.mark.proves("TASK-105")
def test_a_deleted_item_leaves_no_gap_between_pages(planned: Items) -> None:
    made = [planned.create() for _ in range(6)]
    first = planned.call("GET", "?limit=3")
    cursor = first.get_json()["meta"]["next_cursor"]
    planned.delete(made[2]["id"])  # the one that the cursor stands behind
    planned.delete(made[3]["id"])
    rest = data(planned.call("GET", f"?limit=3&cursor={cursor}"))
    assert rest == made[4:]


def test_a_cursor_of_another_kind_or_user_is_refused(alice: ApiUser, bob: ApiUser) -> None:
    cursors = {}
    for kind in NEW_KINDS:
        items = Items(alice, kind)
        items.create()
        items.create()
        cursors[kind] = items.call("GET", "?limit=1").get_json()["meta"]["next_cursor"]
    for kind, cursor in cursors.items():
        for other in NEW_KINDS:
            answer = Items(alice, other).call("GET", f"?cursor={cursor}")
            assert (answer.status_code == 200) == (other == kind), (kind, other)
        assert error(Items(bob, kind).call("GET", f"?cursor={cursor}")) == (400, "BAD_REQUEST")
        assert error(Items(alice, kind).call("GET", f"/trash?cursor={cursor}"))[0] == 400


@pytest.mark.proves("TASK-100")
@pytest.mark.parametrize("verb", ["get", *WRITES, "history"])
def test_a_stranger_s_item_is_as_if_it_did_not_exist(items: Items, bob: ApiUser, verb: str) -> None:
    item = writable(items, verb)
    before, theirs = version(items.user), Items(bob, items.kind)
    theirs.create()

    def send(item_id: str) -> TestResponse:
        if verb == "get":
            return theirs.call("GET", f"/{item_id}")
        if verb == "history":
            return theirs.call("GET", f"/{item_id}/history")
        return write(theirs, verb, item_id)

    answer = send(item["id"])
    assert error(answer) == (404, "NOT_FOUND")
    assert anonymous(answer) == anonymous(send(NO_ITEM)) == anonymous(send("no-uuid"))
    assert anonymous(answer) == anonymous(send(item["id"].upper().replace("A", "B")))
    assert (version(items.user), version(bob)) == (before, 1)


def test_a_path_of_another_user_is_forbidden(items: Items, bob: ApiUser) -> None:
    for owner in (items.user.id, str(uuid4())):
        answer = bob.call("GET", f"/api/{owner}/{items.kind}s")
        assert error(answer) == (403, "FORBIDDEN")


def test_an_item_of_another_kind_is_not_found(alice: ApiUser) -> None:
    made = {kind: Items(alice, kind).create()["id"] for kind in KINDS}
    for kind in KINDS:
        for other in set(KINDS) - {kind}:
            assert error(Items(alice, kind).call("GET", f"/{made[other]}"))[0] == 404
            path = f"/{made[other]}/history"
            assert error(Items(alice, kind).call("GET", path))[0] == 404


@pytest.mark.proves("TASK-100")
def test_a_deleted_item_is_in_the_trash_alone(items: Items) -> None:
    kept, gone = items.create(), items.create()
    answer = items.call("DELETE", f"/{gone['id']}")
    assert data(answer) == {"id": gone["id"], "version": 3}
    assert items.listed() == [kept]
    (found,) = data(items.call("GET", "/trash"))
    assert found.pop("deleted_at") == found["updated_at"]
    assert found == {**gone, "version": 3, "updated_at": found["updated_at"]}
    for verb in ("get", "patch", "move", "delete"):
        path = f"/{gone['id']}"
        again = items.call("GET", path) if verb == "get" else write(items, verb, gone["id"])
        assert error(again) == (404, "NOT_FOUND"), verb
    assert version(items.user) == 3


@pytest.mark.proves("TASK-100")
def test_a_restored_item_is_as_it_was(items: Items) -> None:
    item = items.create()
    items.delete(item["id"])
    restored = items.post(item["id"], "restore")
    own = ("version", "updated_at")
    assert {**item, **{name: restored[name] for name in own}} == restored
    assert restored["version"] == 3
    assert items.listed() == [restored]
    assert data(items.call("GET", "/trash")) == []
    assert error(items.call("POST", f"/{item['id']}/restore")) == (404, "NOT_FOUND")


def test_the_trash_has_the_latest_deletion_first_in_pages(planned: Items) -> None:
    made = [planned.create()["id"] for _ in range(5)]
    for item_id in made:
        planned.delete(item_id)
    found = [each["id"] for page in planned.pages("/trash?limit=2") for each in page]
    assert found == made[::-1]


@pytest.mark.proves("TASK-100")
def test_the_history_has_each_state_the_newest_first(items: Items) -> None:
    item = items.create("first")
    items.create()
    items.change(item["id"], **{items.name: "second"})
    moved = items.move(item["id"], before=None)
    items.delete(item["id"])
    items.post(item["id"], "restore")
    entries = history(items, item["id"])
    actions = ["restore", "delete", "move", "update", "create"]
    assert [each["action"] for each in entries] == actions
    assert {(each["kind"], each["id"]) for each in entries} == {(items.kind, item["id"])}
    assert entries[-1]["item"] == item
    assert entries[2]["item"] == moved
    assert (entries[1]["deleted"], entries[1]["item"]) == (True, None)
    found = [each for page in items.pages(f"/{item['id']}/history?limit=2") for each in page]
    assert found == entries


BAD_TEXTS: list[Callable[[int], object]] = [
    lambda longest: "x" * (longest + 1),
    lambda longest: "👩‍👩‍👧‍👦"[0] * (longest + 1),
    lambda longest: "e\u0301" * longest,
    lambda _: "",
    lambda _: " \t\n\u2003",
    lambda _: "a\x00b",
    lambda _: "\ud800",
    lambda _: None,
    lambda _: 7,
    lambda _: True,
    lambda _: ["x"],
    lambda _: {"x": 1},
]


@pytest.mark.proves("TASK-101")
@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_a_bad_name_is_a_422_that_names_the_field(
    planned: Items, bad: Callable[[int], object]
) -> None:
    text = bad(LONGEST[planned.kind])
    item = planned.create()
    assert broken_fields(planned.call("POST", body={**planned.fields(), planned.name: text})) == [
        planned.name
    ]
    changed = planned.call("PATCH", f"/{item['id']}", {planned.name: text})
    assert broken_fields(changed) == [planned.name]
    assert planned.listed() == [item]


@pytest.mark.proves("TASK-101")
@pytest.mark.parametrize(
    "text",
    ["x", "😀", "e\u0301", "日本", "a\u200bb", "' OR 1=1 --", "%_\\", "{}", "<b>", "NULL", "0"],
)
def test_any_other_name_comes_back_as_it_was_sent(planned: Items, text: str) -> None:
    longest = LONGEST[planned.kind] // len(text) * text
    for given in (text, longest):
        item = planned.create(f" \u2003{given}\n")
        assert item[planned.name] == given
        assert planned.read(item["id"]) == item


def test_unknown_fields_and_empty_changes_are_refused(planned: Items) -> None:
    item = planned.create()
    path = f"/{item['id']}"
    assert broken_fields(planned.call("POST", body=planned.fields(position="h"))) == ["position"]
    assert broken_fields(planned.call("PATCH", path, {"id": NO_ITEM})) == ["id"]
    assert broken_fields(planned.call("PATCH", path, {"version": 7})) == ["version"]
    assert error(planned.call("PATCH", path, {})) == (422, "VALIDATION_FAILED")
    assert error(planned.call("POST", body=[])) == (422, "VALIDATION_FAILED")
    assert error(planned.call("DELETE", f"{path}?hard=true")) == (422, "VALIDATION_FAILED")
    assert planned.listed() == [item]


def test_items_need_a_token(client: FlaskClient, items: Items) -> None:
    answer = client.get(f"/api/me/{items.kind}s")
    assert error(answer) == (401, "UNAUTHENTICATED")


def test_other_methods_are_refused(planned: Items) -> None:
    item = planned.create()
    assert planned.call("PUT", "", {}).status_code == 405
    assert planned.call("GET", f"/{item['id']}/move").status_code == 405
    assert planned.call("DELETE", "/trash").status_code in (404, 405)


def test_an_account_s_deletion_counts_and_removes_items_of_every_kind(
    alice: ApiUser, bob: ApiUser
) -> None:
    for kind in KINDS:
        Items(alice, kind).create()
        Items(alice, kind).delete(Items(alice, kind).create()["id"])
        Items(bob, kind).create()
    removed = data(alice.call("DELETE", "/api/auth/me", json={"password": "seven quiet rivers"}))
    counts = {name: removed[name] for name in removed if name in {f"{kind}s" for kind in KINDS}}
    assert counts == {"tasks": 2, "lists": 2, "labels": 2, "filters": 2}
    for kind in KINDS:
        assert len(Items(bob, kind).listed()) == 1
