"""Orders of tasks: by due, priority and position, page by page while others change; their cost."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from app.search.repository import SORTS
from tests.support.api_user import ApiUser, data
from tests.support.planning import act, change, complete, delete, ids, make_task, titles
from tests.support.task_rows import unrecorded

PLANNED = ["due", "-due", "priority", "-priority", "position", "-position"]
DUES = [None, "2026-10-07", "2026-10-07T09:00:00", "2026-10-08", "1970-01-01", "2199-12-31"]
FIELDS = {
    "due": "due_at",
    "priority": "priority",
    "position": "position",
}


def pages(user: ApiUser, **query: Any) -> Iterator[list[dict[str, Any]]]:
    cursor: dict[str, Any] = {}
    for _ in range(300):
        answer = user.get(query_string={**query, **cursor})
        yield data(answer)
        if answer.get_json()["meta"]["next_cursor"] is None:
            return
        cursor = {"cursor": answer.get_json()["meta"]["next_cursor"]}
    raise AssertionError("there is no last page")


def all_pages(user: ApiUser, **query: Any) -> list[dict[str, Any]]:
    return list(itertools.chain.from_iterable(pages(user, **query)))


def ordered(tasks: Sequence[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    """The tasks as the contract orders them: without due and priority 0 last, by id."""
    field, is_reversed = FIELDS[sort.removeprefix("-")], sort.startswith("-")
    by_id = sorted(tasks, key=lambda task: task["id"], reverse=is_reversed)
    having = [task for task in by_id if task[field] not in (None, 0)]
    return [
        *sorted(having, key=lambda task: task[field], reverse=is_reversed),
        *(task for task in by_id if task[field] in (None, 0)),
    ]


@pytest.fixture
def many(alice: ApiUser) -> list[dict[str, Any]]:
    """40 tasks with equal and different dues and priorities, moved about."""
    chance = random.Random(5)
    made = [
        make_task(alice, str(n), due=chance.choice(DUES), priority=chance.choice((0, 0, 1, 5, 9)))
        for n in range(40)
    ]
    for task in made[::3]:
        act(alice, task, "move", after=chance.choice([None, *ids(made[1::3])]))
    return list(data(alice.get("?limit=200")))


@pytest.mark.proves("TASK-176")
def test_priorities_come_highest_first_and_none_last_in_both_directions(alice: ApiUser) -> None:
    for priority in (0, 5, 9, 1):  # P1
        make_task(alice, str(priority), priority=priority)
    assert titles(data(alice.get("?sort=priority"))) == ["1", "5", "9", "0"]
    assert titles(data(alice.get("?sort=-priority"))) == ["9", "5", "1", "0"]


@pytest.mark.proves("TASK-176")
def test_dues_come_earliest_first_and_none_last_in_both_directions(alice: ApiUser) -> None:
    for due in ("2026-10-08", None, "2026-10-07", "2026-10-07T23:00"):
        make_task(alice, str(due), due=due)
    expected = ["2026-10-07T23:00", "2026-10-07", "2026-10-08"]  # a day ends at its midnight
    assert titles(data(alice.get("?sort=due"))) == [*expected, "None"]
    assert titles(data(alice.get("?sort=-due"))) == [*reversed(expected), "None"]


def test_dues_are_compared_as_instants_whatever_their_zones(alice: ApiUser) -> None:
    for zone in ("America/New_York", "Asia/Tokyo", "Europe/Berlin", None):
        make_task(alice, str(zone), due="2026-10-07T09:00", time_zone=zone)
    expected = ["Asia/Tokyo", "Europe/Berlin", "None", "America/New_York"]
    assert titles(data(alice.get("?sort=due"))) == expected


@pytest.mark.proves("TASK-11", "TASK-176")
@pytest.mark.parametrize("sort", PLANNED)
@pytest.mark.parametrize("limit", [1, 7, 40, 200])
def test_pages_hold_every_task_once_in_order(
    alice: ApiUser, many: list[dict[str, Any]], sort: str, limit: int
) -> None:
    found = list(pages(alice, sort=sort, limit=limit))
    assert ids(itertools.chain(*found)) == ids(ordered(many, sort))
    assert all(len(page) == limit for page in found[:-1])


@pytest.mark.proves("TASK-176")
@pytest.mark.parametrize("sort", ["due", "-due", "priority", "-priority"])
@pytest.mark.parametrize(("having", "rest"), [(3, 3), (0, 4), (4, 0), (3, 1), (1, 3)])
def test_pages_that_end_where_the_rest_begins_lose_nothing(
    alice: ApiUser, sort: str, having: int, rest: int
) -> None:
    for number in range(having + rest):
        fields = {"due": f"2026-10-{10 + number}", "priority": 3} if number < having else {}
        make_task(alice, str(number), **fields)
    everything = list(data(alice.get()))
    for limit in range(1, having + rest + 2):
        assert ids(all_pages(alice, sort=sort, limit=limit)) == ids(ordered(everything, sort))


@pytest.mark.parametrize("sort", PLANNED)
def test_filters_apply_to_every_page(alice: ApiUser, many: list[dict[str, Any]], sort: str) -> None:
    for task in many[::2]:
        complete(alice, task)
    found = all_pages(alice, sort=sort, limit=3, is_completed="false", filter="priority <= 5")
    expected = [task for task in many[1::2] if 1 <= task["priority"] <= 5]
    assert ids(found) == ids(ordered(expected, sort))


@pytest.mark.proves("TASK-11")
@pytest.mark.parametrize("sort", PLANNED)
def test_a_task_that_stays_is_seen_once_while_others_move_and_change(
    alice: ApiUser, sort: str
) -> None:
    chance = random.Random(sort)

    def add(title: str) -> dict[str, Any]:
        due, priority = chance.choice(DUES), chance.choice((0, 1, 5, 9))
        return make_task(alice, title, due=due, priority=priority)

    staying: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for number in range(40):
        (staying if number % 2 else others).append(add("stay" if number % 2 else "go"))
    seen: list[str] = []
    for page in itertools.islice(pages(alice, sort=sort, limit=3), 60):
        seen += [task["id"] for task in page if task["title"] == "stay"]
        last = page[-1]
        if last["title"] == "go" and any(task["id"] == last["id"] for task in others):
            others = [task for task in others if task["id"] != last["id"]]
            delete(alice, last)  # the task that the cursor points at
        for task in chance.sample(others, min(3, len(others))):
            place = chance.choice(("after", "before"))
            neighbour = chance.choice([None, *(each for each in ids(staying))])
            where: dict[str, Any] = {place: neighbour}
            act(alice, task, "move", **where)
            change(alice, task, due=chance.choice(DUES), priority=chance.choice((0, 1, 5, 9)))
        others.append(add("go"))
    assert sorted(seen) == sorted(ids(staying))


@pytest.mark.proves("TASK-160")
def test_the_order_by_position_is_the_same_when_tasks_change(alice: ApiUser) -> None:
    made = [make_task(alice, name) for name in "abc"]
    act(alice, made[2], "move", after=None)
    assert titles(data(alice.get("?sort=position"))) == ["c", "a", "b"]
    complete(alice, made[0])
    change(alice, made[1], due="2026-10-07", priority=1)
    delete(alice, made[2])
    act(alice, made[2], "restore")
    assert titles(data(alice.get("?sort=position"))) == ["c", "a", "b"]
    assert titles(data(alice.get("?sort=-position"))) == ["b", "a", "c"]


# --- what a page costs --------------------------------------------------------------------------

MANY = 20_000
FILL = """
INSERT INTO tasks (
    owner_id, id, title, title_folded, description_folded, position, priority, due, due_at,
    due_begins_at, computed_zone, created_at, updated_at, deleted_at, version, last_action,
    request_id
)
SELECT
    %(owner_id)s, uuidv7_at(at), 'task ' || place, 'task ' || place, '',
    lpad(to_hex(place), 12, '0') || 'h', number %% 9, due::text, due + 1, due,
    CASE WHEN due IS NOT NULL THEN 'UTC' END, at, at, CASE WHEN number %% 20 = 0 THEN at END,
    number, CASE WHEN number %% 20 = 0 THEN 'delete' ELSE 'create' END, 'many'
FROM (
    SELECT
        number, (number * 7919) %% 20011 AS place,
        timestamptz '2026-01-01 UTC' + number * interval '1 minute' AS at,
        CASE WHEN number %% 3 > 0 THEN date '2026-01-01' + (number * 31 %% 3000)::integer END AS due
    FROM generate_series(1, %(count)s) AS number
) AS numbers
ORDER BY number
"""
SETTINGS = (
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET TimeZone = 'UTC'"
)
TITLES = ("title", "-title")  # a page by title reads all tasks: there is no index


class Listing:
    """A prepared statement of a sort order, planned once as the service's connections do."""

    def __init__(self, connection: psycopg.Connection[Any], owner_id: str, sort: str) -> None:
        self.connection, self.order = connection, SORTS[sort]
        self.unfiltered: Mapping[str, Any] = {
            "owner_id": owner_id,
            **dict.fromkeys(("list_id", "words", "filter", "filter_values")),
            **dict.fromkeys(("known_tag", "known_hash")),
            "known_tags": "{}",
        }
        self.name = sql.Identifier(f"listing by {sort}")
        query = sql.SQL(self.order.statement.query.decode())
        connection.execute(sql.SQL("PREPARE {} AS {}").format(self.name, query))

    def run(self, position: Sequence[Any] | None, limit: int, explain: str = "") -> dict[str, Any]:
        given = {**self.unfiltered, "limit": limit, **self.order.params(position)}
        values = [sql.Literal(given[name]) for name in self.order.statement.parameters]
        call = sql.SQL(explain) + sql.SQL("EXECUTE {} ({})").format(
            self.name, sql.SQL(", ").join(values)
        )
        row: dict[str, Any] | None = self.connection.execute(call).fetchone()
        assert row is not None
        return row

    def plan(self, position: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
        """The nodes of the plan as it was executed."""
        row = self.run(position, limit, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ")
        return list(nodes(row["QUERY PLAN"][0]["Plan"]))

    def position_behind(self, count: int) -> list[Any]:
        """The position behind that many tasks."""
        last = self.run(None, count)["last"]
        return [last[field] for field in self.order.fields]


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def tasks_read(plan: list[dict[str, Any]]) -> int:
    scans = [node for node in plan if node.get("Relation Name") == "tasks"]
    removed = "Rows Removed by Filter"
    return sum(int((n["Actual Rows"] + n.get(removed, 0)) * n["Actual Loops"]) for n in scans)


def fill(connection: psycopg.Connection[Any], owner_id: str) -> None:
    with unrecorded(connection):
        connection.execute(FILL, {"owner_id": owner_id, "count": MANY})
        connection.execute("UPDATE ledgers SET version = %s", [MANY])


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the planner's settings of the service's connections."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        for setting in SETTINGS.split(";"):
            connection.execute(setting.encode())
        yield connection


def assert_cheap(listing: Listing, sort: str) -> None:
    last = listing.position_behind(18_900)
    costs = []
    for position in (None, last):
        plan = listing.plan(position, 50)
        on_tasks = {node["Node Type"] for node in plan if node.get("Relation Name") == "tasks"}
        assert on_tasks <= {"Index Scan", "Index Only Scan"} or sort in TITLES, sort
        assert "Seq Scan" not in on_tasks, sort
        sorts = [node for node in plan if "Sort" in node["Node Type"]]
        assert bool(sorts) == (sort in TITLES), sort
        costs.append((tasks_read(plan), plan[0]["Shared Hit Blocks"]))
    (first_rows, first_blocks), (last_rows, last_blocks) = costs
    if sort in TITLES:
        assert first_rows == last_rows == MANY, sort
    else:
        # 51 rows, a twentieth of all beside them in the trash, and a row more per index range.
        assert max(first_rows, last_rows) <= 60, sort
        assert abs(first_blocks - last_blocks) <= 200, sort


@pytest.mark.proves("TASK-15")
@pytest.mark.slow
def test_a_page_of_20_000_tasks_is_read_from_an_index_and_page_200_costs_what_page_1_costs(
    alice: ApiUser, database: psycopg.Connection[Any]
) -> None:
    fill(database, alice.id)
    database.execute("ANALYZE tasks")
    for sort in SORTS:
        assert_cheap(Listing(database, alice.id, sort), sort)


@pytest.mark.slow
def test_a_plan_made_while_there_were_no_tasks_is_as_cheap_after_the_next_analyze(
    alice: ApiUser, database: psycopg.Connection[Any]
) -> None:
    listings = {sort: Listing(database, alice.id, sort) for sort in SORTS}
    for listing in listings.values():
        listing.run(None, 50)
    fill(database, alice.id)
    database.execute("ANALYZE tasks")
    for sort, listing in listings.items():
        assert_cheap(listing, sort)


@pytest.mark.slow
def test_all_pages_by_the_api_hold_20_000_tasks_in_order(
    alice: ApiUser, database: psycopg.Connection[Any]
) -> None:
    fill(database, alice.id)
    for sort in PLANNED:
        found = all_pages(alice, sort=sort, limit=200)
        assert len(found) == MANY * 19 // 20
        assert ids(found) == ids(ordered(found, sort))
