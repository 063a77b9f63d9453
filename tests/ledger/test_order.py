"""The user's own order of items: places between two, moves, and what is not a place."""

import random
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app, db
from app.config import Config
from app.db import migrations
from app.ledger import positions
from tests.support.api_user import ApiUser, broken_fields, data, register
from tests.support.databases import Postgres
from tests.support.items import KINDS, Items, at_once, clone, version
from tests.support.roles import as_role

NO_ITEM = "01890a5d-ac96-774b-bcce-b302099a8057"
ROUNDS = 200


@pytest.fixture(params=KINDS)
def items(request: pytest.FixtureRequest, alice: ApiUser) -> Items:
    """Alice's items of each kind."""
    return Items(alice, request.param)


def made(items: Items, names: str) -> dict[str, str]:
    """The ids of new items by their names, each of one letter."""
    return {name: items.create(name)["id"] for name in names}


def order(items: Items) -> str:
    return "".join(items.ordered())


def try_move(items: Items, item_id: str, **place: object) -> TestResponse:
    return items.call("POST", f"/{item_id}/move", place)


@pytest.mark.proves("TASK-160")
def test_new_items_come_last(items: Items) -> None:
    made(items, "ABC")
    assert order(items) == "ABC"


@pytest.mark.proves("TASK-161")
@pytest.mark.parametrize(
    ("moved", "place", "expected"),
    [
        ("C", {"after": None}, "CAB"),
        ("C", {"after": "A"}, "ACB"),
        ("C", {"before": "A"}, "CAB"),
        ("C", {"before": "B"}, "ACB"),
        ("A", {"before": None}, "BCA"),
        ("A", {"after": "C"}, "BCA"),
        ("A", {"after": "B"}, "BAC"),
        ("A", {"before": "C"}, "BAC"),
        ("B", {"after": None}, "BAC"),
        ("B", {"before": None}, "ACB"),
    ],
)
def test_an_item_goes_where_the_move_says(
    items: Items, moved: str, place: dict[str, str | None], expected: str
) -> None:
    ids = made(items, "ABC")
    side, anchor = next(iter(place.items()))
    item = items.move(ids[moved], **{side: anchor and ids[anchor]})
    assert order(items) == expected
    assert item["version"] == version(items.user) == 4
    assert item == items.read(ids[moved])


@pytest.mark.proves("TASK-163")
@pytest.mark.parametrize(
    ("moved", "place"),
    [
        ("A", {"after": None}),
        ("A", {"before": "B"}),
        ("B", {"after": "A"}),
        ("B", {"before": "C"}),
        ("C", {"after": "B"}),
        ("C", {"before": None}),
    ],
)
def test_a_move_to_the_same_place_takes_no_version(
    items: Items, moved: str, place: dict[str, str | None]
) -> None:
    ids = made(items, "ABC")
    before = items.read(ids[moved])
    side, anchor = next(iter(place.items()))
    assert items.move(ids[moved], **{side: anchor and ids[anchor]}) == before
    assert (order(items), version(items.user)) == ("ABC", 3)


@pytest.mark.proves("TASK-163")
@pytest.mark.parametrize(
    ("moved", "place"),
    [
        ("C", {"after": "A"}),
        ("A", {"before": "C"}),
        ("C", {"before": None}),
        ("A", {"after": None}),
    ],
)
def test_a_move_to_the_same_place_beside_one_in_the_trash_takes_no_version(
    items: Items, moved: str, place: dict[str, str | None]
) -> None:
    ids = made(items, "XABCY")
    items.move(ids["B"], after=ids["A"])
    for gone in "XBY":
        items.delete(ids[gone])
    side, anchor = next(iter(place.items()))
    before = version(items.user)
    items.move(ids[moved], **{side: anchor and ids[anchor]})
    assert (order(items), version(items.user)) == ("AC", before)


def test_the_only_item_is_at_both_ends(items: Items) -> None:
    ids = made(items, "A")
    for place in ({"after": None}, {"before": None}):
        assert items.move(ids["A"], **place)["version"] == 1


@pytest.mark.parametrize("side", ["after", "before"])
def test_an_item_has_no_place_beside_itself(items: Items, side: str) -> None:
    ids = made(items, "AB")
    assert broken_fields(try_move(items, ids["A"], **{side: ids["A"]})) == [side]
    assert version(items.user) == 2


@pytest.mark.proves("TASK-103", "TASK-162")
@pytest.mark.parametrize("side", ["after", "before"])
def test_a_neighbour_must_be_an_item_of_that_owner_and_kind(
    items: Items, bob: ApiUser, side: str
) -> None:
    ids = made(items, "AB")
    items.delete(ids["B"])
    others = [Items(items.user, kind).create()["id"] for kind in KINDS if kind != items.kind]
    before = version(items.user)
    answers = [
        try_move(items, ids["A"], **{side: anchor})
        for anchor in (
            NO_ITEM,
            ids["B"],
            Items(bob, items.kind).create()["id"],
            *others,
            "no-uuid",
            NO_ITEM.upper(),
            "",
            7,
            True,
            [ids["A"]],
        )
    ]
    for answer in answers:
        assert broken_fields(answer) == [side]
    texts = {str(answer.get_json()["error"]["details"]) for answer in answers}
    assert len(texts) == 1  # nothing tells what another owner has
    assert version(items.user) == before


@pytest.mark.proves("TASK-162")
def test_a_move_names_one_side(items: Items) -> None:
    ids = made(items, "ABC")
    both = {"after": ids["A"], "before": ids["B"]}
    for place in (both, {}, {"after": None, "before": None}, {**both, "before": None}):
        answer = try_move(items, ids["C"], **place)
        assert answer.status_code == 422, place
    assert broken_fields(try_move(items, ids["C"], position="a", after=None)) == ["position"]
    assert (order(items), version(items.user)) == ("ABC", 3)


def test_a_restored_item_is_at_its_old_place(items: Items) -> None:
    ids = made(items, "ABC")
    items.delete(ids["B"])
    assert order(items) == "AC"
    items.post(ids["B"], "restore")
    assert order(items) == "ABC"


def test_what_went_between_while_an_item_was_in_the_trash_has_another_place(items: Items) -> None:
    ids = made(items, "ABXD")
    items.move(ids["X"], after=ids["A"])
    items.delete(ids["X"])
    items.move(ids["D"], after=ids["A"])
    items.post(ids["X"], "restore")
    places = [each["position"] for each in items.listed()]
    assert len(set(places)) == 4, places
    assert order(items) in ("ADXB", "AXDB")
    items.move(ids["B"], after=ids["A"])
    assert order(items)[:2] == "AB"


def test_neighbours_of_a_deleted_item_keep_their_places(items: Items) -> None:
    ids = made(items, "ABCDE")
    for gone in "BD":
        items.delete(ids[gone])
    items.move(ids["E"], after=ids["A"])
    items.move(ids["A"], before=None)
    assert order(items) == "ECA"


@pytest.mark.proves("TASK-164")
@pytest.mark.slow
@pytest.mark.parametrize("step", ["after", "zigzag"])
def test_a_thousand_moves_into_one_gap_stay_exact_and_short(alice: ApiUser, step: str) -> None:
    labels = Items(alice, "label")
    first, last = (labels.create(name)["id"] for name in ("first", "last"))
    inner = [labels.create(f"inner {number}")["id"] for number in range(20)]
    expected: list[str] = []
    anchor = {"after": first, "before": last}
    for number in range(1000):
        moved = inner[number % 20]
        side = ("after", "before")[number % 2] if step == "zigzag" else step
        if moved in expected:
            expected.remove(moved)
        if step == "zigzag" and expected:
            neighbour = expected[len(expected) // 2]
            expected.insert(expected.index(neighbour) + (side == "after"), moved)
        else:
            neighbour = anchor[side]
            expected.insert(0 if side == "after" else len(expected), moved)
        labels.move(moved, **{side: neighbour})
    listed = labels.listed()
    assert [each["id"] for each in listed] == [first, *expected, last]
    places = [each["position"] for each in listed]
    assert places == sorted(set(places))
    assert max(map(len, places)) <= 250


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["label", "task"])
def test_moves_into_one_gap_do_not_end(alice: ApiUser, kind: str) -> None:
    """Two items that are swapped between two others for ever, and one in the trash beside them."""
    items = Items(alice, kind)
    ids = made(items, "FXABL")
    items.delete(ids["X"])
    for number in range(1500):
        answer = try_move(items, ids["BA"[number % 2]], after=ids["F"])
        assert answer.status_code == 200, (number, answer.text)
    assert order(items) == "FABL"
    items.post(ids["X"], "restore")
    places = [each["position"] for each in items.listed()]
    assert len(set(places)) == 5
    assert max(map(len, places)) <= 250
    assert order(items)[0] == "F"
    assert order(items)[-1] == "L"


@pytest.mark.proves("TASK-161")
def test_random_moves_are_those_of_a_list(items: Items) -> None:
    chance = random.Random(19)
    ids = made(items, "ABCDEFGH")
    expected = list(ids)
    for _ in range(150):
        moved, anchor = chance.sample(expected, 2)
        side = chance.choice(("after", "before"))
        expected.remove(moved)
        if chance.random() < 0.2:
            expected.insert(0 if side == "after" else len(expected), moved)
            items.move(ids[moved], **{side: None})
        else:
            expected.insert(expected.index(anchor) + (side == "after"), moved)
            items.move(ids[moved], **{side: ids[anchor]})
        if chance.random() < 0.2:  # to the trash and back
            items.delete(ids[anchor])
            items.post(ids[anchor], "restore")
        assert order(items) == "".join(expected)


@pytest.mark.proves("TASK-105")
def test_pages_by_position_have_what_stays_once_while_others_move(items: Items) -> None:
    ids = made(items, "ABCDEFGHIJ")
    sort = "&sort=position" if items.kind == "task" else ""
    pages = items.pages(f"?limit=2{sort}")
    seen = ""
    moves = [("J", "A"), ("I", "C"), ("B", "H"), ("A", "E"), ("C", "J"), ("J", "B")]
    for page, (moved, anchor) in zip(pages, moves, strict=False):
        seen += "".join(each[items.name] for each in page)
        items.move(ids[moved], after=ids[anchor])
    for letter in "DEFG":
        assert seen.count(letter) == 1, seen
    assert [letter for letter in seen if letter in "DEFG"] == list("DEFG")


def test_the_order_is_that_of_bytes_whatever_the_database_collates() -> None:
    """Digits come before letters, and no place is a prefix of the one before it."""
    chance = random.Random(7)
    places = [positions.last(version) for version in (1, 9, 10, 15, 16, 35, 36, 255, 10**6)]
    assert places == sorted(places)
    for _ in range(3000):
        at = chance.randrange(len(places) + 1)
        low, high = places[at - 1] if at else None, places[at] if at < len(places) else None
        place = positions.between(low, high)
        assert (low or "") < place < (high or "~"), (low, place, high)
        assert not place.endswith("0")
        places.insert(at, place)
    assert places == sorted(set(places))


@pytest.mark.proves("TASK-160")
def test_the_order_is_that_of_bytes_in_a_database_of_czech_words(
    config: Config, postgres: Postgres
) -> None:
    """Czech has "ch" behind "h"."""
    name = "ownrow_test_czech"
    owner = urlsplit(postgres.owner_url).username
    create = (
        f"CREATE DATABASE {name} OWNER {owner} TEMPLATE template0"
        " LOCALE_PROVIDER icu ICU_LOCALE 'cs-CZ' LOCALE 'C' ENCODING 'UTF8'"
    )
    try:
        postgres.admin.execute(create.encode())
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("needs a PostgreSQL with ICU; TEST_DATABASE_URL")
    try:
        migrations.upgrade(postgres.url(name))
        with psycopg.connect(postgres.url(name)) as connection:
            czech = connection.execute("SELECT 'ch' > 'd'").fetchone()
            assert czech == (True,)
        app = create_app(replace(config, database_url=as_role(postgres.url(name))))
        user = register(app.test_client())
        for kind in KINDS:
            items = Items(user, kind)
            ids = made(items, "ABCD")
            with psycopg.connect(postgres.superuser_url(name)) as connection:
                connection.execute("SET session_replication_role = replica")
                for letter, place in zip("ABCD", ("c", "ch", "d", "i"), strict=True):
                    change = f"UPDATE {kind}s SET position = %s WHERE id = %s".encode()
                    connection.execute(change, [f"{'0' * 12}{place}", ids[letter]])
            assert order(items) == "ABCD"
            items.move(ids["D"], after=ids["A"])
            items.move(ids["C"], before=ids["B"])
            assert order(items) == "ADCB"
            items.move(ids["A"], before=None)
            items.move(ids["B"], after=None)
            assert order(items) == "BDCA"
    finally:
        db.close_pool()
        postgres.drop(name)


def test_places_are_compared_by_bytes_wherever_they_are(superuser: psycopg.Connection) -> None:
    found = superuser.execute(
        "SELECT attrelid::regclass::text, collname FROM pg_attribute"
        " INNER JOIN pg_class ON attrelid = pg_class.oid AND relkind IN ('r', 'v')"
        " LEFT JOIN pg_collation ON attcollation = pg_collation.oid WHERE attname = 'position'"
        " AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert dict(found) == dict.fromkeys(("tasks", "lists", "labels", "filters", "items"), "C")


def race(
    items: Items, app: Flask, moves: Callable[[int], list[tuple[str, dict[str, str]]]]
) -> None:
    """Has two clients move items at the same time, ROUNDS times."""
    clients = [Items(clone(app, items.user), items.kind) for _ in range(2)]

    def send(client: Items, item_id: str, place: dict[str, str]) -> Callable[[], TestResponse]:
        return lambda: try_move(client, item_id, **place)

    for number in range(ROUNDS):
        calls = [send(client, *move) for client, move in zip(clients, moves(number), strict=True)]
        for answer in at_once(*calls):
            assert answer.status_code == 200, answer.text
        places = (
            [each["position"] for each in items.listed("sort=position")]
            if (items.kind == "task")
            else [each["position"] for each in items.listed()]
        )
        assert len(set(places)) == len(places), places


@pytest.mark.proves("TASK-165")
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["task", "list"])
def test_two_clients_that_insert_behind_one_item_get_two_places_there(
    app: Flask, alice: ApiUser, kind: str
) -> None:
    items = Items(alice, kind)
    ids = made(items, "ABXY")

    def moves(number: int) -> list[tuple[str, dict[str, str]]]:
        if number:
            assert sorted(order(items)[1:3]) == ["X", "Y"], order(items)
            items.move(ids["X"], after=ids["B"])
            items.move(ids["Y"], after=ids["B"])
        return [(ids["X"], {"after": ids["A"]}), (ids["Y"], {"after": ids["A"]})]

    race(items, app, moves)
    assert order(items) in ("AXYB", "AYXB")


# --- tasks: an order in each list and below each parent -------------------------------------------


@pytest.mark.proves("TASK-162", "TASK-166")
def test_a_neighbour_of_another_list_or_parent_is_refused(alice: ApiUser) -> None:
    tasks, lists = Items(alice, "task"), Items(alice, "list")
    home = lists.create()["id"]
    inbox, listed = tasks.create(), tasks.create(list_id=home)
    child = tasks.create(parent_id=listed["id"])
    moved = tasks.create()
    before = version(alice)
    for anchor in (listed, child):
        for side in ("after", "before"):
            assert broken_fields(try_move(tasks, moved["id"], **{side: anchor["id"]})) == [side]
    for place in ({"list_id": home}, {"parent_id": listed["id"]}):
        answer = try_move(tasks, moved["id"], after=inbox["id"], **place)
        assert broken_fields(answer) == ["after"]
    assert version(alice) == before
    assert tasks.move(moved["id"], after=child["id"], parent_id=listed["id"])["list_id"] == home
    assert tasks.move(inbox["id"], before=listed["id"], list_id=home)["list_id"] == home
    assert tasks.ordered() == [
        each["title"] for each in sorted(tasks.listed(), key=lambda task: task["position"])
    ]


def test_a_child_restored_below_a_parent_that_moved_has_a_place_of_its_own(
    alice: ApiUser,
) -> None:
    tasks = Items(alice, "task")
    home = Items(alice, "list").create()["id"]
    parent = tasks.create()["id"]
    ids = {name: tasks.create(name, parent_id=parent)["id"] for name in "ABXY"}
    tasks.move(ids["X"], after=ids["A"])
    tasks.delete(ids["X"])
    tasks.change(parent, list_id=home)
    tasks.move(ids["Y"], after=ids["A"])
    tasks.post(ids["X"], "restore")
    places = [each["position"] for each in tasks.listed(f"parent_id={parent}")]
    assert len(set(places)) == 4, places


def test_a_child_restored_as_a_root_has_a_place_of_its_own(alice: ApiUser) -> None:
    tasks = Items(alice, "task")
    parent = tasks.create("parent")["id"]
    ids = {name: tasks.create(name, parent_id=parent)["id"] for name in "ABX"}
    root = tasks.create("R")["id"]
    tasks.move(ids["X"], after=ids["A"])
    for each in (*ids.values(), parent):
        tasks.delete(each)
    tasks.post(ids["A"], "restore")
    tasks.post(ids["B"], "restore")
    tasks.move(root, after=ids["A"])
    tasks.post(ids["X"], "restore")
    places = [each["position"] for each in data(tasks.call("GET"))]
    assert len(set(places)) == 4, places
