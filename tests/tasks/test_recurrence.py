"""Recurring tasks: completing, undoing and skipping occurrences, and what goes along.

The dates are in 2037, whose days are those of 2026: a task that is due then is not overdue.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.reminders.repository import fire_due
from tests.support.api_user import ApiUser, data
from tests.support.planning import (
    act,
    change,
    complete,
    delete,
    entries_since,
    make,
    make_task,
    newest_version,
    read,
    read_all,
)
from tests.support.reminders import await_, before, fired, local, next_at

WEDNESDAY = "2037-10-07"


def recurring(user: ApiUser, rule: str, due: str = WEDNESDAY, **fields: Any) -> dict[str, Any]:
    """Creates a recurring task."""
    return make_task(user, due=due, recurrence=rule, **fields)


def do(user: ApiUser, task: dict[str, Any], occurrence: str | None = None) -> dict[str, Any]:
    """Completes an occurrence of a task, the present one by default."""
    body = {"is_completed": True, "occurrence": occurrence or read(user, task)["due"]}
    return dict(data(user.patch(f"/{task['id']}/complete", json=body)))


def undo(user: ApiUser, task: dict[str, Any], occurrence: str) -> Any:
    """Takes the completion of an occurrence back; the answer."""
    body = {"is_completed": False, "occurrence": occurrence}
    return user.patch(f"/{task['id']}/complete", json=body)


def completions(user: ApiUser, task: dict[str, Any]) -> list[dict[str, Any]]:
    """What was done of a task, the newest first."""
    return list(data(user.get(f"/{task['id']}/completions")))


def dues(user: ApiUser, task: dict[str, Any], count: int) -> list[str]:
    """The next dues of a task, which is completed as often."""
    return [do(user, task)["due"] for _ in range(count)]


def broken(answer: Any) -> list[str]:
    """The fields that an answer calls wrong."""
    assert answer.status_code == 422, answer.text
    return [detail["field"] for detail in answer.get_json()["error"]["details"]]


# --- completing -----------------------------------------------------------------------------------


@pytest.mark.proves("TASK-230", "TASK-232")
def test_completing_an_occurrence_twice_does_it_once(alice: ApiUser) -> None:  # C1
    task = recurring(alice, "FREQ=DAILY")
    version = newest_version(alice)
    first, again = do(alice, task, WEDNESDAY), do(alice, task, WEDNESDAY)
    assert first["due"] == "2037-10-08"
    assert not first["is_completed"]
    assert again == first
    assert newest_version(alice) == version + 1
    assert len(completions(alice, task)) == 1


@pytest.mark.proves("TASK-231")
def test_completions_and_history_tell_what_was_done_when(alice: ApiUser) -> None:  # C2
    task = recurring(alice, "FREQ=DAILY")
    before = datetime.now(UTC)
    done = do(alice, task)
    do(alice, task)
    newest, oldest = completions(alice, task)
    assert (newest["occurrence"], oldest["occurrence"]) == ("2037-10-08", WEDNESDAY)
    assert (oldest["version"], oldest["undone"]) == (done["version"], False)
    assert oldest["completed_at"] == done["updated_at"]
    assert before - timedelta(seconds=5) < datetime.fromisoformat(oldest["completed_at"])
    history = data(alice.get(f"/{task['id']}/history"))
    assert [entry["action"] for entry in history] == ["complete", "complete", "create"]


@pytest.mark.proves("TASK-231")
def test_completions_come_in_pages_and_are_cached_by_the_ledgers_tag(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    dues(alice, task, 5)
    path = f"/{task['id']}/completions?limit=2"
    found: list[dict[str, Any]] = []
    following = path
    while following:
        page = alice.get(following).get_json()
        found += page["data"]
        cursor = page["meta"]["next_cursor"]
        following = f"{path}&cursor={cursor}" if cursor else ""
    assert [each["occurrence"][-2:] for each in found] == ["11", "10", "09", "08", "07"]
    tag = alice.get(path).headers["ETag"]
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.proves("TASK-231")
def test_completions_of_a_foreign_or_missing_task_are_not_found(
    alice: ApiUser, bob: ApiUser
) -> None:
    task = recurring(alice, "FREQ=DAILY")
    do(alice, task)
    foreign = bob.get(f"/{task['id']}/completions")
    delete(alice, task)
    trashed = alice.get(f"/{task['id']}/completions")
    assert foreign.status_code == trashed.status_code == 404


@pytest.mark.proves("TASK-232")
@pytest.mark.parametrize("body", [None, {"is_completed": True}, {"is_completed": False}])
def test_a_recurring_task_is_not_completed_without_its_occurrence(
    alice: ApiUser, body: dict[str, Any] | None
) -> None:
    task = recurring(alice, "FREQ=DAILY")
    answer = alice.patch(f"/{task['id']}/complete", json=body)
    assert "occurrence" in broken(answer)
    assert read(alice, task) == task


@pytest.mark.proves("TASK-232")
def test_another_occurrence_than_the_present_one_changes_nothing(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    assert do(alice, task, "2037-10-08") == task
    assert do(alice, task, "2037-10-07T09:00:00") == task


@pytest.mark.proves("TASK-232")
def test_a_task_that_does_not_recur_may_be_completed_by_its_due(alice: ApiUser) -> None:
    task = make_task(alice, due=WEDNESDAY)
    assert do(alice, task, "2037-10-08") == task
    assert do(alice, task, WEDNESDAY)["is_completed"]


@pytest.mark.proves("TASK-233")
def test_a_series_of_three_stays_completed_after_the_third(alice: ApiUser) -> None:  # R31
    task = recurring(alice, "FREQ=DAILY;COUNT=3")
    assert dues(alice, task, 2) == ["2037-10-08", "2037-10-09"]
    last = do(alice, task)
    assert (last["is_completed"], last["due"]) == (True, "2037-10-09")
    assert do(alice, task, "2037-10-09") == last
    assert len(completions(alice, task)) == 3


@pytest.mark.proves("TASK-233")
def test_a_series_ends_with_its_last_day(alice: ApiUser) -> None:  # R33
    task = recurring(alice, "FREQ=DAILY;UNTIL=20371008", "2037-10-07T09:00:00")
    assert dues(alice, task, 1) == ["2037-10-08T09:00:00"]
    assert do(alice, task)["is_completed"]


@pytest.mark.proves("TASK-230")
def test_a_day_that_a_month_lacks_is_its_last_one_and_comes_back(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=MONTHLY", "2037-01-31")
    assert dues(alice, task, 3) == ["2037-02-28", "2037-03-31", "2037-04-30"]


@pytest.mark.proves("TASK-230")
def test_an_overdue_occurrence_is_followed_by_one_that_is_not(alice: ApiUser) -> None:
    today = datetime.now(UTC).date()
    task = recurring(alice, "FREQ=DAILY;INTERVAL=2", str(today - timedelta(5)))
    strict = recurring(
        alice, "FREQ=DAILY;INTERVAL=2", str(today - timedelta(5)), recurrence_basis="due_strict"
    )
    assert do(alice, task)["due"] == str(today + timedelta(1))
    assert do(alice, strict)["due"] == str(today - timedelta(3))


@pytest.mark.proves("TASK-230")
def test_from_completion_a_task_done_early_counts_from_today(alice: ApiUser) -> None:  # C5
    today = datetime.now(UTC).date()
    due = str(today + timedelta(2))
    task = recurring(alice, "FREQ=DAILY;INTERVAL=10", due, recurrence_basis="completion")
    assert do(alice, task)["due"] == str(today + timedelta(10))


@pytest.mark.proves("TASK-230")
def test_a_floating_task_is_overdue_by_its_owners_clock(alice: ApiUser) -> None:
    change = {"time_zone": "Pacific/Kiritimati"}  # 14 hours ahead of UTC
    data(alice.call("PATCH", "/api/auth/me", json=change))
    there = (datetime.now(UTC) + timedelta(hours=14)).date()
    task = recurring(alice, "FREQ=DAILY", str(there - timedelta(3)))
    assert do(alice, task)["due"] == str(there)


# --- moved dues: C4 -------------------------------------------------------------------------------


@pytest.mark.proves("TASK-234")
@pytest.mark.parametrize(
    ("rule", "moved", "expected"),
    [
        ("FREQ=WEEKLY", "2037-10-09", "2037-10-14"),  # C4a
        ("FREQ=WEEKLY;INTERVAL=2", "2037-10-12", "2037-10-21"),  # C4b
        ("FREQ=WEEKLY", "2037-10-15", "2037-10-21"),  # C4d
        ("FREQ=DAILY;INTERVAL=3", "2037-10-08", "2037-10-10"),  # C4e
    ],
)
def test_a_due_that_is_moved_keeps_the_grid(
    alice: ApiUser, rule: str, moved: str, expected: str
) -> None:
    task = recurring(alice, rule)
    assert change(alice, task, due=moved)["recurrence"] == task["recurrence"]
    assert do(alice, task)["due"] == expected


@pytest.mark.proves("TASK-234")
def test_a_due_that_is_moved_to_an_earlier_day_is_not_repeated(alice: ApiUser) -> None:  # C4c
    task = recurring(alice, "FREQ=WEEKLY", "2037-10-14")
    change(alice, task, due="2037-10-12")
    assert do(alice, task)["due"] == "2037-10-21"


@pytest.mark.proves("TASK-234")
def test_editing_the_rule_does_not_move_the_due(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=WEEKLY")
    change(alice, task, due="2037-10-09")
    assert change(alice, task, recurrence="FREQ=DAILY;INTERVAL=2")["due"] == "2037-10-09"
    assert do(alice, task)["due"] == "2037-10-11"


@pytest.mark.proves("TASK-235")
def test_other_fields_leave_rule_and_basis_as_they_are(alice: ApiUser) -> None:  # C3
    task = recurring(alice, "FREQ=MONTHLY;COUNT=5", "2037-01-31", recurrence_basis="due_strict")
    do(alice, task)
    renamed = change(alice, task, title="another title")
    names = (
        "title", "description", "is_completed", "list_id", "parent_id", "priority", "label_ids",
        "due", "start", "time_zone", "recurrence", "recurrence_basis", "reminders",
    )  # fmt: skip
    whole = {name: renamed[name] for name in names if name in renamed}
    whole.pop("reminders")
    assert data(alice.put(f"/{task['id']}", json=whole)) == renamed
    assert renamed["recurrence"] == task["recurrence"]
    assert dues(alice, task, 3) == ["2037-03-31", "2037-04-30", "2037-05-31"]
    assert do(alice, task)["is_completed"]


@pytest.mark.proves("TASK-235")
def test_a_rule_needs_a_due(alice: ApiUser) -> None:
    answer = alice.post(json={"title": "a task", "recurrence": "FREQ=DAILY"})
    assert broken(answer) == ["recurrence"]
    task = recurring(alice, "FREQ=DAILY")
    assert broken(alice.patch(f"/{task['id']}", json={"due": None})) == ["due"]
    ended = change(alice, task, due=None, recurrence=None)
    assert (ended["due"], ended["recurrence"]) == (None, None)


@pytest.mark.proves("TASK-235")
def test_a_series_that_is_ended_leaves_an_ordinary_task(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY;COUNT=3")
    do(alice, task)
    change(alice, task, recurrence=None)
    assert complete(alice, task)["is_completed"]
    assert len(completions(alice, task)) == 1


@pytest.mark.proves("TASK-235")
def test_is_completed_of_a_recurring_task_is_no_field_to_edit(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    for method in (alice.put, alice.patch):
        answer = method(f"/{task['id']}", json={"is_completed": True})
        assert broken(answer) == ["is_completed"]
        assert "/complete" in answer.get_json()["error"]["details"][0]["message"]
    both = {"is_completed": True, "recurrence": None}
    assert data(alice.patch(f"/{task['id']}", json=both))["is_completed"]


@pytest.mark.proves("TASK-235")
@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=2;UNTIL=20381231", "daily", "",
     "FREQ=DAILY;UNTIL=20371006", "RRULE:FREQ=DAILY", "FREQ=DAILY\x00", "FREQ=DAILY\ud800",
     "FREQ=DAILY;" * 100, 1, True, ["FREQ=DAILY"]],
)  # fmt: skip
def test_a_rule_that_is_none_is_a_broken_field(alice: ApiUser, rule: object) -> None:
    task = recurring(alice, "FREQ=DAILY")
    body = {"title": "a task", "due": WEDNESDAY, "recurrence": rule}
    assert broken(alice.post(json=body)) == ["recurrence"]
    assert broken(alice.patch(f"/{task['id']}", json={"recurrence": rule})) == ["recurrence"]
    assert read(alice, task) == task


@pytest.mark.proves("TASK-235")
def test_an_unknown_basis_is_a_broken_field(alice: ApiUser) -> None:
    for basis in ("DUE", "", None, 1, "start"):
        body = {"title": "a task", "recurrence_basis": basis}
        assert broken(alice.post(json=body)) == ["recurrence_basis"], basis


# --- undo and skip --------------------------------------------------------------------------------


@pytest.mark.proves("TASK-236")
def test_an_undo_brings_the_occurrence_back(alice: ApiUser) -> None:  # C7
    task = recurring(alice, "FREQ=DAILY;COUNT=2", start="2037-10-05")
    done = do(alice, task)
    back = data(undo(alice, task, WEDNESDAY))
    changing = {"version", "updated_at"}
    assert {n: v for n, v in back.items() if n not in changing} == {
        n: v for n, v in task.items() if n not in changing
    }
    assert [each["undone"] for each in completions(alice, task)] == [True]
    assert data(undo(alice, task, WEDNESDAY)) == back
    assert dues(alice, task, 1) == [done["due"]]
    assert do(alice, task)["is_completed"]


@pytest.mark.proves("TASK-236")
def test_an_undo_reopens_a_series_that_was_over(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY;COUNT=1")
    assert do(alice, task)["is_completed"]
    back = data(undo(alice, task, WEDNESDAY))
    assert (back["is_completed"], back["due"]) == (False, WEDNESDAY)
    assert do(alice, task)["is_completed"]
    assert [each["undone"] for each in completions(alice, task)] == [False, True]


@pytest.mark.proves("TASK-236")
def test_only_the_last_completion_can_be_undone(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    dues(alice, task, 3)
    assert broken(undo(alice, task, WEDNESDAY)) == ["occurrence"]
    for occurrence in ("2037-10-09", "2037-10-08", WEDNESDAY):
        assert data(undo(alice, task, occurrence))["due"] == occurrence


@pytest.mark.proves("TASK-236")
def test_an_undo_keeps_the_grid_of_a_due_that_was_moved(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=WEEKLY;INTERVAL=2")
    change(alice, task, due="2037-10-12")
    do(alice, task)
    assert data(undo(alice, task, "2037-10-12"))["due"] == "2037-10-12"
    assert do(alice, task)["due"] == "2037-10-21"


@pytest.mark.proves("TASK-237")
def test_a_skip_goes_on_without_completing(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=WEEKLY;COUNT=2")
    skipped = act(alice, task, "skip", occurrence=WEDNESDAY)
    assert (skipped["due"], skipped["is_completed"]) == ("2037-10-14", False)
    assert act(alice, task, "skip", occurrence=WEDNESDAY) == skipped
    assert completions(alice, task) == []
    history = data(alice.get(f"/{task['id']}/history"))
    assert [entry["action"] for entry in history] == ["skip", "create"]
    assert act(alice, task, "skip", occurrence="2037-10-14")["is_completed"]


@pytest.mark.proves("TASK-237")
def test_a_skip_of_a_task_that_does_not_recur_is_refused(alice: ApiUser) -> None:
    task = make_task(alice, due=WEDNESDAY)
    answer = alice.post(f"/{task['id']}/skip", json={"occurrence": WEDNESDAY})
    assert broken(answer) == ["occurrence"]
    assert broken(alice.post(f"/{task['id']}/skip", json={})) == ["occurrence"]


@pytest.mark.proves("TASK-237")
def test_an_early_skip_from_completion_goes_forward(alice: ApiUser) -> None:
    basis = {"recurrence_basis": "completion"}
    task = recurring(alice, "FREQ=DAILY;INTERVAL=7", **basis)
    assert act(alice, task, "skip", occurrence=WEDNESDAY)["due"] == "2037-10-14"


# --- what moves along -----------------------------------------------------------------------------


@pytest.mark.proves("TASK-238")
def test_the_start_moves_along(alice: ApiUser) -> None:  # C6
    task = recurring(alice, "FREQ=YEARLY", "2037-03-01", start="2037-01-01")
    done = do(alice, task)
    assert (done["start"], done["due"]) == ("2038-01-01", "2038-03-01")


@pytest.mark.proves("TASK-238")
def test_a_time_of_day_stays_over_daylight_saving(alice: ApiUser) -> None:  # R23
    task = recurring(alice, "FREQ=DAILY", "2037-03-28T09:00:00", time_zone="Europe/Madrid")
    done = do(alice, task)
    assert (done["due"], done["due_at"]) == ("2037-03-29T09:00:00", "2037-03-29T07:00:00.000000Z")


@pytest.mark.proves("TASK-238", "TASK-256")
def test_reminders_at_an_instant_move_along_and_snoozed_ones_end(alice: ApiUser) -> None:
    zone = {"time_zone": "Europe/Madrid"}
    at, snooze = {"at": "2037-10-24T06:30:00Z"}, {"at": "2037-10-24T20:00:00Z", "snooze": True}
    relative = {"offset": "-PT30M", "relative_to": "due"}
    task = recurring(
        alice, "FREQ=DAILY", "2037-10-24T09:00", reminders=[at, snooze, relative], **zone
    )
    # The clocks go back on the 25th: 08:30 there is an hour later in UTC.
    moved = {"at": "2037-10-25T07:30:00.000000Z"}
    assert do(alice, task)["reminders"] == [moved, relative]
    back = data(undo(alice, task, "2037-10-24T09:00"))
    assert back["reminders"] == [{"at": "2037-10-24T06:30:00.000000Z"}, relative]


@pytest.mark.proves("TASK-257", "TASK-230")
def test_a_reminder_is_for_each_occurrence(alice: ApiUser, database_url: str) -> None:  # N4
    due = local(minutes=-1)
    task = recurring(alice, "FREQ=DAILY", due, reminders=[before()])
    await_(database_url, task)
    assert fire_due(10).fired == 1
    following = do(alice, task)["due"]
    assert next_at(database_url, task) == f"{following}Z"
    undo(alice, task, due)
    assert next_at(database_url, task) is None  # that one has fired
    await_(database_url, task)
    assert fire_due(10).fired == 0
    assert [occurrence for _, occurrence, _ in fired(alice)] == [f"{due}[]"]


@pytest.mark.proves("TASK-239")
def test_a_recurring_parent_opens_its_subtasks_again(alice: ApiUser) -> None:  # S4
    parent = recurring(alice, "FREQ=WEEKLY")
    x = make_task(alice, "x", parent_id=parent["id"], due="2037-10-06", start="2037-10-05")
    y = make_task(alice, "y", parent_id=x["id"])
    complete(alice, x)
    version = newest_version(alice)
    assert do(alice, parent)["due"] == "2037-10-14"
    x, y = read_all(alice, [x, y])
    assert not x["is_completed"]
    assert not y["is_completed"]
    assert (x["due"], x["start"]) == ("2037-10-13", "2037-10-12")
    assert [entry["action"] for entry in entries_since(alice, version)] == [
        "reopen", "reopen", "complete",
    ]  # fmt: skip


@pytest.mark.proves("TASK-239")
def test_a_recurring_subtask_ahead_of_its_parent_is_left_alone(alice: ApiUser) -> None:  # S5
    parent = recurring(alice, "FREQ=WEEKLY", "2037-08-26")
    ahead = recurring(alice, "FREQ=WEEKLY", "2037-08-26", parent_id=parent["id"])
    behind = recurring(alice, "FREQ=WEEKLY", "2037-08-26", parent_id=parent["id"])
    assert do(alice, ahead)["due"] == "2037-09-02"
    assert do(alice, parent)["due"] == "2037-09-02"
    ahead, behind = read_all(alice, [ahead, behind])
    assert (ahead["due"], behind["due"]) == ("2037-09-02", "2037-09-02")
    assert len(completions(alice, behind)) == 1


@pytest.mark.proves("TASK-239")
def test_subtasks_below_a_recurring_subtask_follow_that_one(alice: ApiUser) -> None:
    parent = recurring(alice, "FREQ=DAILY")
    child = recurring(alice, "FREQ=WEEKLY", parent_id=parent["id"])
    below = make_task(alice, "below", parent_id=child["id"], due=WEDNESDAY)
    complete(alice, below)
    do(alice, parent)
    parent, child, below = read_all(alice, [parent, child, below])
    assert [each["due"][-2:] for each in (parent, child, below)] == ["08", "14", "14"]
    assert not below["is_completed"]


@pytest.mark.proves("TASK-239")
def test_an_undo_takes_the_subtasks_dates_back(alice: ApiUser) -> None:
    parent = recurring(alice, "FREQ=WEEKLY")
    child = make_task(alice, "child", parent_id=parent["id"], due="2037-10-06")
    do(alice, parent)
    assert read(alice, child)["due"] == "2037-10-13"
    undo(alice, parent, WEDNESDAY)
    assert read(alice, child)["due"] == "2037-10-06"


@pytest.mark.proves("TASK-239")
def test_an_ordinary_parent_completes_its_recurring_subtasks(alice: ApiUser) -> None:
    parent = make_task(alice)
    child = recurring(alice, "FREQ=DAILY", parent_id=parent["id"])
    assert complete(alice, parent)["is_completed"]
    assert read(alice, child)["is_completed"]
    assert len(completions(alice, child)) == 1
    back = data(undo(alice, child, WEDNESDAY))
    assert not back["is_completed"]
    assert not read(alice, parent)["is_completed"]


@pytest.mark.proves("TASK-239")
def test_the_end_of_a_parents_series_completes_its_subtasks(alice: ApiUser) -> None:
    parent = recurring(alice, "FREQ=DAILY;COUNT=1")
    child = make_task(alice, "child", parent_id=parent["id"])
    grandchild = recurring(alice, "FREQ=DAILY", parent_id=child["id"])
    assert do(alice, parent)["is_completed"]
    assert all(each["is_completed"] for each in read_all(alice, [child, grandchild]))


# --- with all else --------------------------------------------------------------------------------


@pytest.mark.proves("TASK-240")
def test_a_hundred_completions_in_a_batch_do_one(alice: ApiUser) -> None:  # C8
    task = recurring(alice, "FREQ=DAILY", "2037-01-01")
    days = [str(datetime(2037, 1, 1, tzinfo=UTC).date() + timedelta(n * 3)) for n in range(100)]
    version = newest_version(alice)
    operations = [
        {"op": "complete", "id": task["id"], "is_completed": True, "occurrence": day}
        for day in days
    ]
    results = data(alice.batch(*operations))["results"]
    assert {each["due"] for each in results} == {"2037-01-02"}
    assert newest_version(alice) == version + 1


@pytest.mark.proves("TASK-240")
def test_a_batch_completes_and_skips_occurrences(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    target = {"id": task["id"]}
    results = data(
        alice.batch(
            {"op": "complete", "is_completed": True, "occurrence": WEDNESDAY, **target},
            {"op": "skip", "occurrence": "2037-10-08", **target},
            {"op": "complete", "is_completed": False, "occurrence": WEDNESDAY, **target},
        )
    )["results"]
    assert [each["due"] for each in results] == ["2037-10-08", "2037-10-09", WEDNESDAY]
    toggled = alice.batch({"op": "update", "title": "new", **target}, {"op": "complete", **target})
    assert "operations[1].occurrence" in broken(toggled)
    assert read(alice, task)["title"] == "a task"


@pytest.mark.proves("TASK-240")
def test_a_completion_is_repeated_by_its_idempotency_key(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    body = {"is_completed": True, "occurrence": WEDNESDAY}
    headers = {"Idempotency-Key": "a key"}
    first = alice.patch(f"/{task['id']}/complete", json=body, headers=headers)
    do(alice, task)
    again = alice.patch(f"/{task['id']}/complete", json=body, headers=headers)
    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.proves("TASK-240")
def test_a_stale_version_refuses_a_completion(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    change(alice, task, title="new")
    body = {"is_completed": True, "occurrence": WEDNESDAY}
    stale = {"If-Match": f'"{task["version"]}"'}
    for path, sent in (("complete", body), ("skip", {"occurrence": WEDNESDAY})):
        method = "PATCH" if path == "complete" else "POST"
        answer = alice.call(method, f"/api/me/tasks/{task['id']}/{path}", json=sent, headers=stale)
        assert answer.status_code == 412
    assert read(alice, task)["due"] == WEDNESDAY


@pytest.mark.proves("TASK-240")
def test_a_task_from_the_trash_goes_on_with_its_series(alice: ApiUser) -> None:  # C9
    task = recurring(alice, "FREQ=WEEKLY;INTERVAL=2;COUNT=3", recurrence_basis="due_strict")
    do(alice, task)
    change(alice, task, due="2037-10-26")
    before = read(alice, task)
    delete(alice, task)
    restored = act(alice, task, "restore")
    changing = {"version", "updated_at"}
    assert {n: v for n, v in restored.items() if n not in changing} == {
        n: v for n, v in before.items() if n not in changing
    }
    assert do(alice, task)["due"] == "2037-11-04"
    assert do(alice, task)["is_completed"]
    assert len(completions(alice, task)) == 3


@pytest.mark.proves("TASK-240")
def test_completions_are_exported_and_erased_with_the_account(alice: ApiUser) -> None:
    task = recurring(alice, "FREQ=DAILY")
    do(alice, task)
    undo(alice, task, WEDNESDAY)
    (completion,) = completions(alice, task)
    exported = alice.export().get_json()
    series = {
        "recurrence": "FREQ=DAILY",
        "recurrence_from": WEDNESDAY,
        "recurrence_left": None,
    }
    assert exported["completions"] == [{"task_id": task["id"], **completion, **series}]
    trash = make(alice, "lists", title="a list")
    change(alice, task, list_id=trash["id"])
    delete(alice, trash, "lists")
    assert alice.export().get_json()["completions"] == []
    answer = alice.call("DELETE", "/api/auth/me", json={"password": "seven quiet rivers"})
    assert data(answer)["completions"] == 1
