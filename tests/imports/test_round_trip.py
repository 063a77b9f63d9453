"""Our own JSON: what is exported comes back, but for ids, versions and times."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.support.api_user import ApiUser, broken_fields, data
from tests.support.imports import counts, exported, imported, send, tasks, warnings
from tests.support.planning import act, make, make_task

CHANGED = {"id", "owner_id", "position", "created_at", "updated_at", "version", "completed_at",
           "archived_at"}  # fmt: skip

CONTAINERS = ("list_id", "parent_id")


def canonical(user: ApiUser) -> dict[str, list[Any]]:
    """What the user has, in the order among siblings, with names instead of ids."""
    everything = exported(user)
    names = {
        each["id"]: each.get("title") or each.get("name")
        for kind in ("tasks", "lists", "labels")
        for each in everything[kind]
    }

    def shown(item: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in item.items() if name not in CHANGED}
        for name in ("list_id", "parent_id", "task_id"):
            if name in kept:
                kept[name] = names.get(kept[name])
        if "label_ids" in kept:
            kept["label_ids"] = sorted(names[each] for each in kept["label_ids"])
        return {**kept, "is_archived": item.get("archived_at") is not None}

    def in_order(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        ordered = sorted(items, key=lambda item: item["position"])
        found = [shown(each) for each in ordered]
        return sorted(found, key=lambda item: [str(item.get(each)) for each in CONTAINERS])

    done = [shown(each) for each in everything["completions"]]
    kinds = ("tasks", "lists", "labels", "filters")
    return {
        **{kind: in_order(everything[kind]) for kind in kinds},
        "completions": sorted(done, key=lambda each: (each["task_id"], each["occurrence"])),
    }


def fill(user: ApiUser) -> None:
    """Everything that an account can have."""
    home = make(user, "lists", title="Home", description="d", color="#c03a2b")
    work = make(user, "lists", title="Work")
    old = make(user, "lists", title="Old")
    labels = [
        make(user, "labels", name=name, color=color)
        for name, color in (("b", "#00ff00"), ("a", None))
    ]
    make(user, "filters", title="Soon", query='due < +7d and has label "a"', sort="-due")
    ids = [each["id"] for each in labels]
    root = make_task(
        user, "root", list_id=home["id"], label_ids=ids, priority=1, description="two\nlines"
    )
    child = make_task(user, "child", parent_id=root["id"], due="2026-10-07", start="2026-10-01")
    make_task(user, "grandchild", parent_id=child["id"], label_ids=ids[:1])
    second = make_task(user, "second", parent_id=root["id"])
    user.post(f"/{second['id']}/move", json={"after": None})
    make_task(
        user, "timed", due="2037-10-07T09:00", time_zone="Europe/Madrid",
        reminders=[{"offset": "-PT30M"}, {"at": "2037-10-01T09:00:00Z"}],
    )  # fmt: skip
    make_task(user, "floating", due="2026-10-25T02:30", list_id=work["id"])
    daily = make_task(user, "daily", due="2026-10-07", recurrence="FREQ=DAILY;COUNT=10")
    for occurrence in ("2026-10-07",):
        done = {"is_completed": True, "occurrence": occurrence}
        assert user.patch(f"/{daily['id']}/complete", json=done).status_code == 200
    weekly = make_task(
        user, "weekly", due="2037-10-07T10:00", recurrence="FREQ=WEEKLY;INTERVAL=2",
        recurrence_basis="due_strict",
    )  # fmt: skip
    first = {"occurrence": "2037-10-07T10:00"}
    user.patch(f"/{weekly['id']}/complete", json={"is_completed": True, **first})
    user.patch(f"/{weekly['id']}/complete", json={"is_completed": False, **first})
    make_task(user, "archived", list_id=old["id"])
    act(user, old, "archive", "lists")
    finished = make_task(user, "finished")
    make_task(user, "step", parent_id=finished["id"])
    user.patch(f"/{finished['id']}/complete")
    user.delete(f"/{make_task(user, 'trash')['id']}")


@pytest.mark.proves("IMPORT-22")
def test_an_export_that_is_imported_is_equal_to_itself(alice: ApiUser, bob: ApiUser) -> None:
    fill(alice)
    file = alice.export().data
    report = imported(bob, "ownrow", file)
    assert (report["errors"], report["warnings"]) == ([], [])
    assert (report["lists"], report["labels"], report["filters"]) == (3, 2, 1)
    assert canonical(bob) == canonical(alice)
    assert counts(imported(bob, "ownrow", file)) == (len(exported(alice)["tasks"]), 0,
                                                     len(exported(alice)["tasks"]), 0)  # fmt: skip
    assert canonical(bob) == canonical(alice)


@pytest.mark.proves("IMPORT-22")
def test_an_import_of_an_import_is_still_equal(alice: ApiUser, bob: ApiUser) -> None:
    fill(alice)
    imported(bob, "ownrow", alice.export().data)
    again = canonical(bob)
    imported(alice, "ownrow", bob.export().data)  # ids are new: everything comes a second time
    assert len(canonical(alice)["tasks"]) == 2 * len(again["tasks"])


@pytest.mark.proves("IMPORT-22")
def test_a_recurring_task_goes_on_as_it_would_have(alice: ApiUser, bob: ApiUser) -> None:
    task = make_task(alice, "daily", due="2037-10-07", recurrence="FREQ=DAILY;COUNT=3")
    for day in ("2037-10-07", "2037-10-08"):
        done = {"is_completed": True, "occurrence": day}
        assert alice.patch(f"/{task['id']}/complete", json=done).status_code == 200
    imported(bob, "ownrow", alice.export().data)
    for user in (alice, bob):
        own = tasks(user)["daily"]
        last = {"is_completed": True, "occurrence": "2037-10-09"}
        assert data(user.patch(f"/{own['id']}/complete", json=last))["is_completed"]


@pytest.mark.proves("IMPORT-12")
@pytest.mark.parametrize(
    "file", ["[]", "{}", '{"tasks": {}}', '{"tasks": [', b'{"tasks": "\xff"}', '"tasks"']
)
def test_another_json_is_refused_at_once(alice: ApiUser, file: str | bytes) -> None:
    assert broken_fields(send(alice, "ownrow", file)) == ["file"]


@pytest.mark.proves("IMPORT-8")
def test_things_of_other_types_are_errors_of_their_own(alice: ApiUser) -> None:
    wrong: list[Any] = [
        5, None, [], {}, {"title": 5}, {"title": "a", "priority": "1"},
        {"title": "b", "due": 5}, {"title": "c", "reminders": [5]},
        {"title": "d", "label_ids": "x"}, {"title": "e", "description": []},
        {"title": "f", "recurrence": {}}, {"title": "g", "time_zone": 1, "due": "2026-10-07T09:00"},
        {"title": "h", "parent_id": {}, "list_id": 7}, {"title": "\ud800i\x00"},
        {"title": "j", "due": "2199-12-31", "recurrence": "FREQ=DAILY"},
        {"title": "k", "due": "0001-01-01", "start": "9999-12-31"},
    ]  # fmt: skip
    file = json.dumps({"tasks": wrong, "labels": [{"name": 3}], "lists": 1, "filters": [{}]})
    report = imported(alice, "ownrow", file.replace("\\ud800", ""))
    read, created, skipped, failed = counts(report)
    assert (read, skipped) == (16, 0)
    assert created + failed == 16
    assert "k" in tasks(alice)
    assert {line for line, field in warnings(report) if field == "due"} == {7, 16}


@pytest.mark.proves("IMPORT-22")
def test_a_series_whose_due_was_moved_keeps_its_grid(alice: ApiUser) -> None:
    task = {
        "id": "1", "title": "x", "due": "2037-10-09", "recurrence": "FREQ=WEEKLY;BYDAY=WE;COUNT=9",
        "recurrence_from": "2037-10-07", "recurrence_left": 3,
    }  # fmt: skip
    wrong = {**task, "id": "2", "title": "y", "recurrence_from": 5}
    report = imported(alice, "ownrow", json.dumps({"tasks": [task, wrong]}))
    assert [(line, field) for line, field in warnings(report)] == [(2, "recurrence")]
    due = "2037-10-09"
    for following in ("2037-10-14", "2037-10-21"):  # of the grid; the last two of three
        done = {"is_completed": True, "occurrence": due}
        due = data(alice.patch(f"/{tasks(alice)['x']['id']}/complete", json=done))["due"]
        assert due == following
    done = {"is_completed": True, "occurrence": due}
    assert data(alice.patch(f"/{tasks(alice)['x']['id']}/complete", json=done))["is_completed"]
