"""Reminders that are due: each fires once, in the ledger, whoever tries and whatever changes."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.reminders.repository import FiredReminders, Firing, fire_due
from app.values import Uuid
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, register
from tests.support.items import at_once, clone
from tests.support.planning import (
    act,
    change,
    complete,
    delete,
    entries_since,
    live_in,
    make,
    make_task,
    newest_version,
    read,
)
from tests.support.reminders import await_, before, fired, firings, local, next_at, remind, task_ids
from tests.support.services import FlaskCommand

NOTHING = FiredReminders()


def overdue(user: ApiUser, database_url: str, title: str = "a", **fields: Any) -> dict[str, Any]:
    """A task whose reminder has been due for 5 minutes, although no worker ran since."""
    task = make_task(user, title, **{"due": local(minutes=-5), "reminders": [before()], **fields})
    await_(database_url, task)
    return task


def verify_address(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE users SET email_verified_at = now()")


def counts(result: FiredReminders) -> tuple[int, int]:
    return result.fired, result.missed


# --- once -----------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-257", "TASK-258")
def test_all_reminders_of_a_task_fire_in_their_order(alice: ApiUser, database_url: str) -> None:
    """N1: 09:00 and 17:00 on one task; N2: the worker was away meanwhile."""
    offsets = ("-PT5M", "-PT8H", "PT1H", "-PT10M")
    due = local(minutes=-1)
    task = make_task(alice, due=due, reminders=[before(each) for each in offsets])
    await_(database_url, task)
    assert counts(fire_due(100)) == (3, 0)
    at = f"{due}[]"
    assert fired(alice) == [
        ("fire", at, "-PT8H"),
        ("fire", at, "-PT10M"),
        ("fire", at, "-PT5M"),
    ]
    later = datetime.fromisoformat(due) + timedelta(hours=1)
    assert next_at(database_url, task) == f"{later.isoformat()}Z"
    assert fire_due(100) == NOTHING
    assert len(fired(alice)) == 3


@pytest.mark.proves("TASK-257")
def test_reminders_at_the_same_time_are_two(alice: ApiUser, database_url: str) -> None:
    at = [before("-P1D"), before("-PT24H")]
    overdue(alice, database_url, due=local(days=1, minutes=-5), reminders=at)
    assert counts(fire_due(100)) == (2, 0)
    assert {offset for _, _, offset in fired(alice)} == {"-P1D", "-PT24H"}


@pytest.mark.proves("TASK-257")
def test_no_reminder_fires_twice_of_whatever_number_of_workers(
    app: Flask, alice: ApiUser, database_url: str
) -> None:  # N3
    bob = register(app.test_client())
    tasks = []
    for user in (alice, bob):
        create = {"op": "create", "title": "a", "due": local(minutes=-5), "reminders": [before()]}
        for _ in range(2):
            tasks += data(user.batch(*[create] * 75))["results"]
    await_(database_url, *tasks)
    results = at_once(fire_all, fire_all, fire_all)
    assert sum(results) == 300
    found = task_ids([*firings(alice), *firings(bob)])
    assert Counter(found) == Counter(task["id"] for task in tasks)
    assert fire_due(1000) == NOTHING


def fire_all() -> int:
    """Fires as a worker does, until there was nothing to do 20 times; how many fired."""
    found, idle = 0, 0
    while idle < 20:
        fired_now = fire_due(100).fired
        found += fired_now
        idle = 0 if fired_now else idle + 1
    return found


@pytest.mark.proves("TASK-257")
def test_what_fired_once_does_not_fire_again_however_it_becomes_due(
    alice: ApiUser, database_url: str
) -> None:
    task = overdue(alice, database_url)
    assert counts(fire_due(100)) == (1, 0)
    version = newest_version(alice)
    await_(database_url, task)  # as after a crash between the firing and the task
    assert fire_due(100) == NOTHING
    assert newest_version(alice) == version
    assert next_at(database_url, task) is None


@pytest.mark.proves("TASK-257")
def test_a_failure_on_the_way_undoes_the_firing_and_a_later_try_has_it(
    alice: ApiUser, database_url: str
) -> None:
    task = overdue(alice, database_url)
    verify_address(database_url)

    def fail(_owner_id: Uuid, _fired: Sequence[Firing]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        fire_due(100, mail=fail)
    assert firings(alice) == []
    assert next_at(database_url, task) is not None
    assert counts(fire_due(100)) == (1, 0)


@pytest.mark.proves("TASK-268")
def test_a_locked_ledger_is_left_for_the_next_round(
    app: Flask, alice: ApiUser, database_url: str
) -> None:
    bob = register(app.test_client())
    for user in (alice, bob):
        overdue(user, database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM ledgers WHERE owner_id = %s FOR UPDATE", (alice.id,))
        assert counts(fire_due(100)) == (1, 0)
    assert (len(firings(alice)), len(firings(bob))) == (0, 1)
    assert counts(fire_due(100)) == (1, 0)


@pytest.mark.proves("TASK-257")
def test_a_task_that_is_edited_while_it_fires_fires_once_per_due(
    app: Flask, alice: ApiUser, database_url: str
) -> None:
    tasks = [overdue(alice, database_url, str(n)) for n in range(20)]
    user = clone(app, alice)

    def edit() -> int:
        return len([change(user, task, title="edited") for task in tasks])

    assert at_once(edit, fire_all) == [20, 20]
    assert Counter(task_ids(firings(alice))) == Counter(task["id"] for task in tasks)
    assert {read(alice, task)["title"] for task in tasks} == {"edited"}


# --- the ledger -----------------------------------------------------------------------------------


@pytest.mark.proves("TASK-259")
def test_a_firing_is_a_change_in_the_feed(alice: ApiUser, database_url: str) -> None:
    due = local(minutes=-5)
    task = overdue(alice, database_url, due=due, time_zone="UTC", reminders=[before("-PT1M")])
    before_version, tag = newest_version(alice), alice.get().headers["ETag"]
    fire_due(100)
    (entry,) = entries_since(alice, before_version)
    assert (entry["version"], entry["kind"], entry["action"]) == (
        before_version + 1,
        "reminder",
        "fire",
    )
    item = entry["item"]
    at = datetime.fromisoformat(due).replace(tzinfo=UTC) - timedelta(minutes=1)
    assert item == {
        "id": entry["id"],
        "owner_id": alice.id,
        "task_id": task["id"],
        "occurrence": f"{due}[UTC]",
        "reminder": before("-PT1M"),
        "at": f"{at:%Y-%m-%dT%H:%M:%S.000000Z}",
        "created_at": entry["at"],
        "updated_at": entry["at"],
        "version": entry["version"],
    }
    assert read(alice, task) == task  # it takes no version of its own
    assert alice.get().headers["ETag"] != tag
    history = data(alice.get(f"/{task['id']}/history"))
    assert [each["kind"] for each in history] == ["task"]


@pytest.mark.proves("TASK-259")
def test_changes_and_firings_are_in_one_order(alice: ApiUser, database_url: str) -> None:
    version = newest_version(alice)
    overdue(alice, database_url, "a")
    fire_due(100)
    overdue(alice, database_url, "b")
    fire_due(100)
    found = entries_since(alice, version)
    assert [each["kind"] for each in found] == ["task", "reminder"] * 2
    assert [each["version"] for each in found] == list(range(version + 1, version + 5))
    assert len(data(alice.changes(query="kind=task"))) == 2


@pytest.mark.proves("TASK-259")
def test_the_chain_holds_over_firings(
    alice: ApiUser, database_url: str, flask: FlaskCommand
) -> None:
    overdue(alice, database_url)
    fire_due(100)
    assert f"{alice.id}: 2 entries hold" in flask("ledger", "verify").output


@pytest.mark.proves("TASK-259")
@pytest.mark.parametrize("op", ["create", "update", "delete", "restore"])
def test_nobody_else_makes_or_changes_a_firing(alice: ApiUser, database_url: str, op: str) -> None:
    overdue(alice, database_url)
    fire_due(100)
    (entry,) = firings(alice)
    answer = alice.batch({"kind": "reminder", "op": op, "id": entry["id"]})
    assert broken_fields(answer) == ["operations[0].kind"]
    assert "reminders" not in alice.export().get_json()
    assert firings(alice) == [entry]


@pytest.mark.proves("TASK-266")
def test_a_purge_removes_firings_and_erasure_counts_them(
    alice: ApiUser, database_url: str, flask: FlaskCommand
) -> None:
    task = overdue(alice, database_url)
    fire_due(100)
    assert len(firings(alice)) == 1
    purged = flask("ledger", "purge", "--older-than", "0s").output
    assert "purged 1 items and 2 ledger entries" in purged
    assert firings(alice) == []
    change(alice, task, title="purged")
    assert fire_due(100) == NOTHING  # a purge does not let it fire again
    overdue(alice, database_url)
    fire_due(100)
    erased = data(alice.call("DELETE", "/api/auth/me", json={"password": PASSWORD}))
    assert (erased["tasks"], erased["reminders"]) == (2, 1)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT FROM reminder_firings").fetchall() == []


# --- late, hidden and done ------------------------------------------------------------------------


@pytest.mark.proves("TASK-260")
def test_after_more_than_a_day_a_reminder_was_missed(alice: ApiUser, database_url: str) -> None:
    overdue(alice, database_url, due=local(hours=-24, minutes=-1))
    overdue(alice, database_url, due=local(hours=-23, minutes=-59))
    result = fire_due(100)
    assert counts(result) == (1, 1)
    assert 23.9 * 3600 < result.lag_seconds < 24 * 3600
    assert [action for action, _, _ in fired(alice)] == ["miss", "fire"]
    assert fire_due(100) == NOTHING


@pytest.mark.proves("TASK-260")
def test_the_lag_is_that_of_the_latest_one(alice: ApiUser, database_url: str) -> None:
    overdue(alice, database_url, due=local(seconds=-90))
    overdue(alice, database_url, due=local(seconds=-30))
    assert 90 <= fire_due(100).lag_seconds < 120


@pytest.mark.proves("TASK-264")
def test_an_instant_fires_when_it_comes_and_not_before(alice: ApiUser) -> None:
    at = f"{datetime.now(UTC) + timedelta(seconds=0.8):%Y-%m-%dT%H:%M:%S.%fZ}"
    make_task(alice, reminders=[{"at": at, "snooze": True}])
    assert fire_due(100) == NOTHING
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while not (result := fire_due(100)).fired and datetime.now(UTC) < deadline:
        pass
    assert result.lag_seconds < 1
    (entry,) = firings(alice)
    assert entry["at"] >= at == entry["item"]["at"]
    assert entry["item"]["occurrence"] == ""


@pytest.mark.proves("TASK-261")
@pytest.mark.parametrize("verb", ["complete", "delete", "archive the list", "delete the list"])
def test_nothing_fires_of_what_is_done_or_hidden(
    alice: ApiUser, database_url: str, verb: str
) -> None:  # N8
    folder = make(alice, "lists", title="a folder")
    later = before("PT2H")
    task = overdue(alice, database_url, list_id=folder["id"], reminders=[before(), later])
    done = {
        "complete": lambda: complete(alice, task),
        "delete": lambda: delete(alice, task),
        "archive the list": lambda: act(alice, folder, "archive", "lists"),
        "delete the list": lambda: delete(alice, folder, "lists"),
    }
    undone = {
        "complete": lambda: complete(alice, task, done=False),
        "delete": lambda: act(alice, task, "restore"),
        "archive the list": lambda: act(alice, folder, "unarchive", "lists"),
        "delete the list": lambda: act(alice, folder, "restore", "lists"),
    }
    done[verb]()
    version = newest_version(alice)
    assert fire_due(100) == NOTHING
    assert newest_version(alice) == version
    undone[verb]()
    assert fire_due(100) == NOTHING  # what passed meanwhile is not made up for
    assert firings(alice) == []
    due = datetime.fromisoformat(task["due"]) + timedelta(hours=2)
    assert next_at(database_url, task) == f"{due.isoformat()}Z"


# --- changes of the date --------------------------------------------------------------------------


@pytest.mark.proves("TASK-262")
def test_a_due_that_is_put_off_before_it_fires_fires_at_the_new_one_only(
    alice: ApiUser, database_url: str
) -> None:
    task = overdue(alice, database_url)
    due = local(hours=1)
    change(alice, task, due=due)
    assert fire_due(100) == NOTHING
    assert next_at(database_url, task) == f"{due}Z"


@pytest.mark.proves("TASK-262")
def test_each_due_fires_once_and_a_past_one_never(alice: ApiUser, database_url: str) -> None:
    task = overdue(alice, database_url)
    fire_due(100)
    change(alice, task, due=local(hours=1))
    change(alice, task, due=task["due"])  # and back again
    assert next_at(database_url, task) is None
    await_(database_url, task)
    assert fire_due(100) == NOTHING
    change(alice, task, due=local(minutes=-3))
    assert next_at(database_url, task) is None  # it is past already
    await_(database_url, task)
    assert counts(fire_due(100)) == (1, 0)


@pytest.mark.proves("TASK-262")
def test_other_changes_leave_what_is_pending(alice: ApiUser, database_url: str) -> None:
    offsets = [before("-PT1M"), before("-PT2M")]
    task = overdue(alice, database_url, reminders=offsets)
    minute_before = datetime.fromisoformat(task["due"]) - timedelta(seconds=90)
    await_(database_url, task, at=minute_before.replace(tzinfo=UTC))
    change(alice, task, title="other", priority=1, start="2020-01-01")
    remind(alice, task, *offsets, before("-PT3M"))  # which is past
    act(alice, task, "move", after=None)
    assert counts(fire_due(100)) == (1, 0)
    assert [offset for _, _, offset in fired(alice)] == ["-PT1M"]


@pytest.mark.proves("TASK-262")
def test_a_reminder_that_is_removed_does_not_fire(alice: ApiUser, database_url: str) -> None:
    task = overdue(alice, database_url, reminders=[before("-PT1M"), before("-PT2M")])
    remind(alice, task, before("-PT2M"))
    assert counts(fire_due(100)) == (1, 0)
    assert [offset for _, _, offset in fired(alice)] == ["-PT2M"]
    other = overdue(alice, database_url)
    remind(alice, other)
    assert fire_due(100) == NOTHING


# --- changes of the clock -------------------------------------------------------------------------


@pytest.mark.proves("TASK-263")
def test_a_floating_reminder_moves_with_its_owner(alice: ApiUser, database_url: str) -> None:
    task = make_task(alice, due="2099-07-01T09:00", reminders=[before("-PT1H")])
    fixed = make_task(alice, due="2099-07-01T09:00", time_zone="UTC", reminders=[before("-PT1H")])
    live_in(alice, "America/New_York")
    assert next_at(database_url, task) == "2099-07-01T12:00:00Z"
    assert next_at(database_url, fixed) == "2099-07-01T08:00:00Z"
    assert newest_version(alice) == fixed["version"]


@pytest.mark.proves("TASK-263")
def test_what_becomes_past_by_a_move_fires_at_once(alice: ApiUser) -> None:
    make_task(live_in(alice, "America/New_York"), due=local(hours=-2), reminders=[before()])
    assert fire_due(100) == NOTHING  # it is 2 to 3 hours away there
    live_in(alice, "UTC")
    assert counts(fire_due(100)) == (1, 0)
    live_in(alice, "America/New_York")
    assert fire_due(100) == NOTHING


@pytest.mark.proves("TASK-263")
def test_what_has_fired_does_not_fire_again_in_another_zone(
    alice: ApiUser, database_url: str
) -> None:
    at = f"{datetime.now(UTC) + timedelta(minutes=1):%Y-%m-%dT%H:%M:%S.%fZ}"
    task = overdue(alice, database_url, reminders=[before(), {"at": at}])
    assert counts(fire_due(100)) == (1, 0)
    live_in(alice, "America/New_York")  # where that is still to come
    assert next_at(database_url, task) == f"{at[:19]}Z"
    await_(database_url, task)
    live_in(alice, "UTC")
    assert fire_due(100) == NOTHING


@pytest.mark.proves("TASK-263")
def test_whole_days_follow_the_reminder_time(alice: ApiUser, database_url: str) -> None:
    day = make_task(alice, due="2099-07-01", reminders=[before("-P1D")])
    timed = make_task(alice, due="2099-07-01T12:00", reminders=[before("-P1D")])
    none = make_task(alice, due="2099-07-01")
    version = newest_version(alice)
    settings = {"reminder_time": "07:30", "time_zone": "Asia/Tokyo"}
    data(alice.call("PATCH", "/api/auth/me", json={"reminder_time": "08:00"}))
    assert next_at(database_url, day) == "2099-06-30T08:00:00Z"
    assert next_at(database_url, timed) == "2099-06-30T12:00:00Z"
    data(alice.call("PATCH", "/api/auth/me", json=settings))
    assert next_at(database_url, day) == "2099-06-29T22:30:00Z"
    assert next_at(database_url, timed) == "2099-06-30T03:00:00Z"
    assert next_at(database_url, none) is None
    assert newest_version(alice) == version


# --- mail -----------------------------------------------------------------------------------------


@pytest.mark.proves("TASK-267")
@pytest.mark.parametrize("wants", [True, False])
@pytest.mark.parametrize("verified", [True, False])
def test_mail_is_for_those_who_want_it_at_an_address_that_is_theirs(
    alice: ApiUser, database_url: str, *, wants: bool, verified: bool
) -> None:
    data(alice.call("PATCH", "/api/auth/me", json={"mail": wants}))
    if verified:
        verify_address(database_url)
    task = overdue(alice, database_url, "call home")
    overdue(alice, database_url, due=local(days=-2))  # is missed
    sent: list[tuple[str, str, str]] = []

    def mail(owner_id: Uuid, told: Sequence[Firing]) -> None:
        sent.extend((owner_id, each.task.id, each.task.title) for each in told)

    assert counts(fire_due(100, mail=mail)) == (1, 1)
    assert sent == ([(alice.id, task["id"], "call home")] if wants and verified else [])
