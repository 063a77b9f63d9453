"""The checker of the fault scenarios accepts a correct history, and counts each contradiction."""

from dataclasses import replace
from typing import Any, LiteralString

import psycopg
import pytest

from tests.support.api_user import ApiUser, data
from tests.support.faults.checker import Feed, Verdict, verify
from tests.support.faults.recorder import Call, Outcome, Record
from tests.support.planning import live_in, make_task, read


@pytest.fixture
def records(alice: ApiUser) -> list[Record]:
    """Alice's writes: a task is created and changed, a batch creates two, and a list is created."""
    answers: list[Any] = []
    task = data(alice.post(json={"title": "a"}, headers={"X-Request-Id": "call-0"}))
    answers.append([task])
    changed = alice.patch(f"/{task['id']}/complete", headers={"X-Request-Id": "call-1"})
    answers.append([data(changed)])
    operations = [{"op": "create", "title": "b"}] * 2
    answers.append(data(alice.batch(*operations, headers={"X-Request-Id": "call-2"}))["results"])
    mark = {"X-Request-Id": "call-3"}
    answers.append([data(alice.call("POST", "/api/me/lists", json={"title": "c"}, headers=mark))])
    return [
        Record(
            Call(f"call-{number}", alice.id, "POST", "/", entries=len(written)),
            Outcome(
                "acknowledged",
                0,
                1,
                1,
                200,
                results=tuple((i["id"], i["version"]) for i in written),
            ),
        )
        for number, written in enumerate(answers)
    ]


@pytest.fixture
def feed(alice: ApiUser, records: list[Record]) -> Feed:
    """Alice's feed after her writes."""
    assert len(records) == 4
    return [(each["id"], each["version"], each["deleted"]) for each in data(alice.changes())]


@pytest.fixture
def verified(alice: ApiUser, records: list[Record], feed: Feed, database_url: str) -> Any:
    """Verifies the history, or another one in its place."""

    def run(made: list[Record] = records, followed: Feed = feed) -> Verdict:
        return verify(database_url, made, {}, {alice.id: followed})

    return run


def test_a_correct_history_passes(verified: Any, records: list[Record]) -> None:
    assert verified() == Verdict()
    read = Record(Call("read", "anyone", "GET", "/"), None)
    assert verified([*records, read]) == Verdict()


def test_an_instant_that_moved_with_its_owner_s_zone_is_none(alice: ApiUser, verified: Any) -> None:
    task = make_task(alice, due="2026-10-07T09:00")
    followed = [(each["id"], each["version"], each["deleted"]) for each in data(alice.changes())]
    live_in(alice, "Asia/Tokyo")
    assert read(alice, task)["due_at"] != task["due_at"]
    assert verified(followed=followed) == Verdict()


def test_each_contradiction_of_a_write_is_counted(verified: Any, records: list[Record]) -> None:
    first, second, third, fourth = records
    assert first.outcome is not None
    changed = replace(first.outcome, results=((first.outcome.results[0][0], 9),))
    assert verified([replace(first, outcome=changed), second, third, fourth]) == Verdict(lost=1)
    assert verified([replace(fourth, outcome=changed)]) == Verdict(lost=1)
    refused = replace(first.outcome, fate="refused", status=422, results=())
    assert verified([replace(first, outcome=refused)]) == Verdict(refused_but_executed=1)
    halves = replace(third, call=replace(third.call, entries=1))
    assert verified([halves]) == Verdict(doubled=1)
    whole = replace(third, call=replace(third.call, entries=3), outcome=None)
    assert verified([whole]) == Verdict(unsettled=1)
    lost = replace(first, call=replace(first.call, id="call-9"))
    assert verified([lost]) == Verdict(lost=1)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("DELETE FROM ledger_entries WHERE version = 1", Verdict(gaps=1, broken=1, lost=1)),
        ("UPDATE ledger_entries SET hash = sha256('') WHERE version = 2", Verdict(broken=1)),
        ("UPDATE ledgers SET hash = sha256('')", Verdict(broken=1)),
        ("UPDATE tasks SET title = 'spoilt' WHERE version = 3", Verdict(mismatched=1)),
        ("UPDATE lists SET title = 'spoilt'", Verdict(mismatched=1)),
        ("DELETE FROM lists", Verdict(mismatched=1, wrong_feeds=1)),
        ("DELETE FROM tasks WHERE version = 4", Verdict(mismatched=1, wrong_feeds=1)),
    ],
)
def test_each_contradiction_of_the_database_is_counted(
    verified: Any, superuser: psycopg.Connection, change: LiteralString, verdict: Verdict
) -> None:
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(change)
    assert verified() == verdict


def test_a_feed_without_an_item_or_with_an_old_version_is_counted(
    verified: Any, feed: Feed
) -> None:
    (item_id, version, is_deleted), *rest = feed
    for wrong in (
        rest,
        [*feed, feed[0]],
        [*rest, feed[0]],
        [(item_id, version - 1, is_deleted), *rest],
        [(item_id, version, not is_deleted), *rest],
    ):
        assert verified(followed=wrong) == Verdict(wrong_feeds=1)
