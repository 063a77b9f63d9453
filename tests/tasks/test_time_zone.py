"""Floating tasks follow their owner's time zone, in bounded pieces and without versions."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from app import zones
from app.tasks.dates import Dates, instants
from tests.support.api_user import ApiUser, data, error
from tests.support.planning import (
    act,
    change,
    complete,
    delete,
    due_at,
    entries_since,
    live_in,
    make,
    make_task,
    newest_version,
    read,
    titles,
)
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.server import Server
from tests.support.services import FlaskCommand
from tests.support.task_rows import act_for

BERLIN, NEW_YORK, TOKYO = "Europe/Berlin", "America/New_York", "Asia/Tokyo"
NINE = "2026-10-07T09:00:00"


@pytest.mark.proves("TASK-137")
def test_a_floating_task_moves_with_its_owner(alice: ApiUser) -> None:  # D6
    task = make_task(live_in(alice, BERLIN), due=NINE)
    assert due_at(task) == "2026-10-07T07:00:00Z"
    live_in(alice, NEW_YORK)
    moved = read(alice, task)
    assert due_at(moved) == "2026-10-07T13:00:00Z"
    assert {**moved, "due_at": None} == {**task, "due_at": None}
    assert moved["due"] == NINE
    assert newest_version(alice) == task["version"]
    assert entries_since(alice, task["version"]) == []


@pytest.mark.proves("TASK-137")
def test_a_day_moves_with_its_owner_and_stays_that_day(alice: ApiUser) -> None:
    task = make_task(live_in(alice, TOKYO), due="2026-10-07")
    assert due_at(task) == "2026-10-07T15:00:00Z"
    moved = read(live_in(alice, NEW_YORK), task)
    assert (moved["due"], due_at(moved)) == ("2026-10-07", "2026-10-08T04:00:00Z")


@pytest.mark.proves("TASK-137")
def test_a_task_with_a_zone_of_its_own_stays(alice: ApiUser) -> None:
    task = make_task(live_in(alice, BERLIN), due=NINE, time_zone=BERLIN, start="2026-10-06")
    assert read(live_in(alice, NEW_YORK), task) == task


@pytest.mark.proves("TASK-137")
def test_the_start_moves_too_and_a_task_with_a_start_alone(alice: ApiUser) -> None:
    make_task(alice, "start only", start="2026-10-07")
    query = {"filter": "start < 2026-10-07T12:00 and start > 2026-10-06T12:00", "time_zone": TOKYO}

    def found() -> list[str]:
        return titles(data(alice.get(query_string=query)))

    assert found() == ["start only"]  # midnight UTC is 09:00 in Tokyo
    live_in(alice, NEW_YORK)
    assert found() == []  # and midnight in New York 13:00
    live_in(alice, TOKYO)
    assert found() == ["start only"]


@pytest.mark.proves("TASK-137")
def test_completed_hidden_and_deleted_tasks_move_as_well(alice: ApiUser) -> None:
    folder, gone = make(alice, "lists", title="a"), make(alice, "lists", title="b")
    done = make_task(alice, due=NINE)
    complete(alice, done)
    archived = make_task(alice, due=NINE, list_id=folder["id"])
    act(alice, folder, "archive", "lists")
    hidden = make_task(alice, due=NINE, list_id=gone["id"])
    delete(alice, gone, "lists")
    deleted = make_task(alice, due=NINE)
    delete(alice, deleted)
    live_in(alice, NEW_YORK)
    act(alice, gone, "restore", "lists")
    restored = act(alice, deleted, "restore")
    for task in (done, archived, hidden, restored):
        assert due_at(read(alice, task)) == "2026-10-07T13:00:00Z"


@pytest.mark.proves("TASK-137", "TASK-175")
def test_overdue_follows_the_owner(alice: ApiUser) -> None:
    yesterday = zones.local_date(datetime.now(UTC), "Etc/GMT+12") - zones.DAY
    make_task(live_in(alice, "Etc/GMT+12"), "yesterday", due=yesterday.isoformat())
    assert titles(data(alice.get("?overdue=true"))) == ["yesterday"]
    make_task(alice, "far", due=(yesterday + zones.DAY).isoformat())
    before = titles(data(alice.get("?overdue=true")))
    live_in(alice, "Pacific/Kiritimati")  # 26 hours ahead: that day has ended there
    assert titles(data(alice.get("?overdue=true"))) == ["far", "yesterday"]
    assert before == ["yesterday"]


# --- caches -------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-137")
@pytest.mark.parametrize(
    "query", ["", "?sort=due", "?sort=-due&limit=1", "?is_completed=false", "?q=task"]
)
def test_no_list_from_before_is_returned_afterwards(alice: ApiUser, query: str) -> None:
    make_task(live_in(alice, BERLIN), due=NINE)
    make_task(alice, due=NINE)
    before = alice.get(query)
    assert alice.get(query).data == before.data  # a cached page
    live_in(alice, NEW_YORK)
    after = alice.get(query, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.headers["ETag"] != before.headers["ETag"]
    assert {due_at(task) for task in data(after)} == {"2026-10-07T13:00:00Z"}
    assert after.get_json()["meta"]["version"] == before.get_json()["meta"]["version"]


@pytest.mark.proves("LEDGER-11")
@pytest.mark.parametrize("path", ["/changes", "/tasks/trash"])
def test_no_feed_or_trash_from_before_is_returned_afterwards(alice: ApiUser, path: str) -> None:
    task = make_task(live_in(alice, BERLIN), due=NINE)
    if path == "/tasks/trash":
        delete(alice, task)
    before = alice.call("GET", f"/api/me{path}")
    known = {"If-None-Match": before.headers["ETag"]}
    assert alice.call("GET", f"/api/me{path}", headers=known).status_code == 304
    live_in(alice, NEW_YORK)
    after = alice.call("GET", f"/api/me{path}", headers=known)
    (shown,) = data(after)
    assert due_at(shown.get("item", shown)) == "2026-10-07T13:00:00Z"
    assert after.headers["ETag"] != before.headers["ETag"]
    assert after.get_json()["meta"]["version"] == before.get_json()["meta"]["version"]


@pytest.mark.proves("TASK-137")
def test_a_zone_and_back_again_is_no_old_page_either(alice: ApiUser) -> None:
    make_task(live_in(alice, BERLIN), due=NINE)
    tags = {alice.get().headers["ETag"]}
    for zone in (NEW_YORK, BERLIN, NEW_YORK):
        live_in(alice, zone)
        tags.add(alice.get().headers["ETag"])
    assert len(tags) == 4


@pytest.mark.proves("TASK-173")
def test_bounds_that_are_days_follow_the_owner(alice: ApiUser) -> None:
    make_task(live_in(alice, BERLIN), "fixed", due="2026-10-07T01:00", time_zone=BERLIN)
    query = "?due_from=2026-10-07&due_to=2026-10-07"
    assert titles(data(alice.get(query))) == ["fixed"]
    assert data(alice.get(query.replace("10-07", "10-06"))) == []
    live_in(alice, NEW_YORK)  # there it is the evening before
    assert data(alice.get(query)) == []
    assert titles(data(alice.get(query.replace("10-07", "10-06")))) == ["fixed"]


@pytest.mark.proves("TASK-137")
def test_a_change_of_zone_is_the_owner_s_alone(alice: ApiUser, bob: ApiUser) -> None:
    task = make_task(bob, due=NINE)
    page = bob.get()
    live_in(alice, NEW_YORK)
    assert read(bob, task) == task
    assert bob.get(headers={"If-None-Match": page.headers["ETag"]}).status_code == 304


@pytest.mark.proves("TASK-137")
def test_the_ledger_still_verifies(alice: ApiUser, flask: FlaskCommand) -> None:
    task = make_task(live_in(alice, BERLIN), due=NINE)
    live_in(alice, NEW_YORK)
    assert flask("ledger", "verify").exit_code == 0
    change(alice, task, title="b")
    assert flask("ledger", "verify").exit_code == 0
    (entry,) = entries_since(alice, task["version"])
    assert due_at(entry["item"]) == "2026-10-07T13:00:00Z"


def test_if_match_is_as_good_as_before(alice: ApiUser) -> None:
    task = make_task(live_in(alice, BERLIN), due=NINE)
    tag = alice.get(f"/{task['id']}").headers["ETag"]
    live_in(alice, NEW_YORK)
    answer = alice.patch(f"/{task['id']}", json={"priority": 1}, headers={"If-Match": tag})
    assert due_at(data(answer)) == "2026-10-07T13:00:00Z"


# --- pieces -------------------------------------------------------------------------------------


def add_floating(user: ApiUser, count: int) -> list[str]:
    """The ids of that many floating tasks, in their order."""
    ids: list[str] = []
    while len(ids) < count:
        create = {"op": "create", "title": "floating", "due": NINE}
        ids += [made["id"] for made in data(user.batch(*[create] * 100))["results"]]
    return ids


def instants_by_id(database_url: str, owner_id: str) -> dict[str, str]:
    with psycopg.connect(database_url) as connection:
        act_for(connection, owner_id)
        rows = connection.execute(
            "SELECT id::text, document ->> 'due_at' FROM tasks WHERE owner_id = %s", [owner_id]
        )
        return {task_id: instant[:19] for task_id, instant in rows}


@pytest.mark.proves("TASK-137")
def test_1200_tasks_move_in_pieces_and_an_interrupted_change_goes_on(
    alice: ApiUser, database_url: str
) -> None:
    ids = add_floating(alice, 1200)
    version = newest_version(alice)
    with psycopg.connect(database_url) as other:
        act_for(other, alice.id)
        other.execute("SELECT FROM tasks WHERE id = %s FOR UPDATE", [ids[1099]])
        # The change waits for that task until its deadline.
        answer = alice.call("PATCH", "/api/auth/me", json={"time_zone": NEW_YORK})
        assert error(answer) == (503, "UNAVAILABLE")
        seen = instants_by_id(database_url, alice.id)
        assert [seen[each] for each in ids] == (
            ["2026-10-07T13:00:00"] * 1000 + ["2026-10-07T09:00:00"] * 200
        )
        # The zone is the new one: what is made meanwhile is right.
        assert due_at(make_task(alice, due=NINE)) == "2026-10-07T13:00:00Z"
    live_in(alice, NEW_YORK)
    assert set(instants_by_id(database_url, alice.id).values()) == {"2026-10-07T13:00:00"}
    assert newest_version(alice) == version + 1


@pytest.mark.proves("TASK-137")
@pytest.mark.slow
def test_writers_and_two_changes_of_zone_at_once_leave_every_task_right(server: Server) -> None:
    owner = sign_up(server)
    made: list[Any] = []

    def move(seed: int) -> set[int]:
        chance = random.Random(seed)
        zone_names = sorted(zones.NAMES)
        bodies = [{"time_zone": chance.choice(zone_names)} for _ in range(15)]
        call = server.request
        return {call("PATCH", "/api/auth/me", body, owner.authorization).status for body in bodies}

    def write(seed: int) -> set[int]:
        chance, statuses = random.Random(seed), set()
        for number in range(40):
            due = f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
            time = chance.choice(("", "T02:30:00"))
            body = {"title": str(number), "due": due + time, "start": due}
            answer = owner.call("POST", "/tasks", body)
            statuses.add(answer.status)
            made.append(answer.json["data"])
        return statuses

    with ThreadPoolExecutor(4) as threads:
        movers = [threads.submit(move, seed) for seed in (1, 2)]
        writers = [threads.submit(write, seed) for seed in (3, 4)]
    assert {status for each in movers for status in each.result()} == {200}
    assert {status for each in writers for status in each.result()} == {201}
    assert_all_right(server, owner, 80)


def assert_all_right(server: Server, owner: RemoteUser, count: int) -> None:
    zone = server.request("GET", "/api/auth/me", headers=owner.authorization).json["data"][
        "time_zone"
    ]
    tasks = owner.get("/tasks?limit=200").json["data"]
    assert len(tasks) == count
    for task in tasks:
        expected = instants(Dates(task["due"], task["start"], None), zone).due_at
        assert expected is not None
        assert due_at(task) == f"{expected:%Y-%m-%dT%H:%M:%SZ}"
