"""Wrong input in each planning field: a 422 that names it, nothing stored in part, never a 500."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest

from tests.support.api_user import ApiUser, broken_fields, data
from tests.support.planning import make, make_task, newest_version, read

UNSTORABLE = ["\x00", "a\x00b", "\ud800", "\udfff", "a\ud83d"]
WRONG_TYPES: list[Any] = [True, False, 0, 1, 1.5, "", [], {}, [None], {"a": 1}, "\ufeff", 10**30]

LOCAL_TIMES: list[Any] = [
    *UNSTORABLE,
    *WRONG_TYPES,
    "2026-02-30",
    "2026-02-29",
    "2100-02-29",
    "2026-04-31",
    "2026-13-01",
    "2026-00-01",
    "2026-01-00",
    "2026-10-07T25:00",
    "2026-10-07T24:00",
    "2026-10-07T24:00:00",
    "2026-10-07T09:60",
    "2026-10-07T23:59:60",
    "2026-10-07T09",
    "2026-10-07T09:00Z",
    "2026-10-07T09:00:00Z",
    "2026-10-07T09:00:00z",
    "2026-10-07T09:00+02:00",
    "2026-10-07T09:00:00-0500",
    "2026-10-07T09:00:00[Europe/Berlin]",
    "2026-10-07T09:00:00.5",
    "2026-10-07T09:00:00,5",
    "2026-10-07 09:00",
    "2026-10-07t09:00",
    "2026-10-07T0900",
    "2026-10-07T9:00",
    "20261007",
    "2026-W41-3",
    "2026-280",
    "2026-10",
    "2026-1-7",
    "26-10-07",
    "07.10.2026",
    "10/07/2026",
    "٢٠٢٦-١٠-٠٧",
    "2026-10-07T٠٩:٠٠",
    "２０２６-10-07",
    "2026−10−07",
    "1969-12-31",
    "1969-12-31T23:59:59",
    "2200-01-01",
    "0000-01-01",
    "9999-12-31",
    "12026-10-07",
    "-2026-10-07",
    "+2026-10-07",
    " 2026-10-07",
    "2026-10-07 ",
    "2026-10-07\n",
    "2026-10-07T09:00\n",
    "2026-10-07\u200b",
    "today",
    "now",
    "infinity",
    "epoch",
    1_791_331_200,
    "2026-10-07" * 1000,
]
ZONES: list[Any] = [
    *UNSTORABLE,
    *WRONG_TYPES,
    "europe/berlin",
    "EUROPE/BERLIN",
    "Europe/berlin",
    "Europe / Berlin",
    "Europe/Berlin ",
    "Europe/Berlin\n",
    "Europe/Berlin\x00",
    "Europe/Atlantis",
    "localtime",
    "Factory",
    "FOO5BAR",
    "EST5EDT4",
    "UTC+2",
    "+02:00",
    "Z",
    "../x",
    "../../etc/passwd",
    "/etc/localtime",
    "posix/Europe/Berlin",
    "right/UTC",
    "zone.tab",
    "Europe",
    "Europe/",
    "Pacific Standard Time",
    "utc",
    "Europe/Berlin" * 100,
]
PRIORITIES: list[Any] = [
    "1", -1, 10, True, False, 1.0, 1.5, None, "", [], {}, [1], "high", 2**63, -(2**63), 10**30, "１"
]  # fmt: skip
IDS: list[Any] = [
    *UNSTORABLE, *WRONG_TYPES, "none", "null", "x", "#a", str(uuid4()), str(uuid4()).upper(),
    f"{{{uuid4()}}}", uuid4().hex, f"urn:uuid:{uuid4()}", f" {uuid4()}", "0" * 36, [str(uuid4())],
]  # fmt: skip
LABEL_IDS: list[Any] = [
    None, True, 1, "", "x", {}, str(uuid4()), {"id": str(uuid4())}, [None], [1], [True], [[]],
    [{}], [""], ["x"], ["\x00"], ["\ud800"], [str(uuid4()).upper()], [str(uuid4())],
    [uuid4().hex], [[str(uuid4())]], [str(uuid4()) for _ in range(51)], [1] * 51, [None] * 10_000,
]  # fmt: skip
LABELS: list[Any] = [
    None, True, 1, "", "x", {}, {"name": "x"}, [None], [1], [True], [[]], [{}], [""], [" \u3000"],
    ["\x00"], ["a\x00"], ["\ud800"], ["a", "\udfff"], ["a" * 101], ["\U0001f600" * 101],
    ["e" + "\u0301" * 100], ["good", 7], [str(n) for n in range(51)],
]  # fmt: skip
MATRIX: Mapping[str, tuple[Sequence[Any], Mapping[str, Any]]] = {
    "due": (LOCAL_TIMES, {}),
    "start": (LOCAL_TIMES, {}),
    "time_zone": (ZONES, {"due": "2026-10-07T09:00"}),
    "priority": (PRIORITIES, {}),
    "list_id": (IDS, {}),
    "parent_id": (IDS, {}),
    "label_ids": (LABEL_IDS, {}),
    "labels": (LABELS, {}),
}


Send = Callable[[ApiUser, str, dict[str, Any]], Any]
WAYS: dict[str, tuple[Send, str]] = {
    "POST": (lambda user, _, body: user.post(json={"title": "new", **body}), ""),
    "PATCH": (lambda user, task, body: user.patch(f"/{task}", json={"title": "b", **body}), ""),
    "PUT": (lambda user, task, body: user.put(f"/{task}", json={"title": "b", **body}), ""),
    "create": (
        lambda user, _, body: user.batch(
            {"op": "create", "title": "good"}, {"op": "create", "title": "new", **body}
        ),
        "operations[1].",
    ),
    "update": (
        lambda user, task, body: user.batch(
            {"kind": "label", "op": "create", "name": "good"},
            {"op": "create", "title": "good", "labels": ["another"]},
            {"op": "update", "id": task, "title": "b", **body},
        ),
        "operations[2].",
    ),
}


def labels(user: ApiUser) -> list[Any]:
    return list(data(user.call("GET", "/api/me/labels")))


@pytest.mark.proves("TASK-104", "TASK-103", "TASK-130", "TASK-134", "TASK-140")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("field", MATRIX)
def test_a_wrong_value_is_a_422_that_names_its_field_and_stores_nothing(
    alice: ApiUser, field: str, way: str
) -> None:
    task = make_task(alice)
    send, prefix = WAYS[way]
    values, others = MATRIX[field]
    for value in values:
        answer = send(alice, task["id"], {**others, field: value})
        assert answer.status_code == 422, (value, answer.text)
        assert broken_fields(answer) == [prefix + field], value
    assert read(alice, task) == task
    assert newest_version(alice) == task["version"]
    assert labels(alice) == []


def test_a_field_that_was_wrong_is_right_with_the_next_write(alice: ApiUser) -> None:
    task = make_task(alice)
    for field, value in (("due", "2026-02-30"), ("priority", "1"), ("labels", [""])):
        assert alice.patch(f"/{task['id']}", json={field: value}).status_code == 422
    fields = {"due": "2026-02-28", "priority": 1, "labels": ["a"]}
    assert alice.patch(f"/{task['id']}", json=fields).status_code == 200


def test_every_wrong_field_is_named(alice: ApiUser) -> None:
    body = {
        "title": "",
        "due": "2026-02-30",
        "start": 1,
        "time_zone": "europe/berlin",
        "priority": "1",
        "list_id": "x",
        "parent_id": 7,
        "label_ids": "x",
        "labels": [1],
        "position": "h",
        "due_at": None,
    }
    assert sorted(broken_fields(alice.post(json=body))) == sorted(body)
    batch = alice.batch({"op": "create", "title": "a", "priority": 10}, {"op": "create", **body})
    expected = ["operations[0].priority", *(f"operations[1].{name}" for name in body)]
    assert sorted(broken_fields(batch)) == sorted(expected)


@pytest.mark.proves("TASK-103")
def test_the_neighbours_that_are_missing_are_named_together(alice: ApiUser) -> None:
    missing = str(uuid4())
    body = {"title": "a", "list_id": missing, "parent_id": missing, "label_ids": [missing]}
    assert sorted(broken_fields(alice.post(json=body))) == ["label_ids", "list_id", "parent_id"]
    batch = alice.batch({"op": "create", **body})
    assert sorted(broken_fields(batch)) == [
        "operations[0].label_ids",
        "operations[0].list_id",
        "operations[0].parent_id",
    ]


@pytest.mark.parametrize(
    "field", ["position", "due_at", "completed_at", "root_id", "version", "id"]
)
def test_what_is_read_only_is_an_unknown_field(alice: ApiUser, field: str) -> None:
    task = make_task(alice)
    assert broken_fields(alice.post(json={"title": "a", field: None})) == [field]
    assert broken_fields(alice.patch(f"/{task['id']}", json={field: None})) == [field]


@pytest.mark.proves("TASK-101")
@pytest.mark.parametrize(
    "name",
    [
        "a" * 100,
        "\U0001f600" * 100,
        "e" + "\u0301" * 99,
        "\U0001f469\u200d\U0001f4bb" * 33,
        "ﷺ" * 100,
        "'; DROP TABLE labels--",
        'a "in" b & c',
        "\u202eabc",
        "%_\\",
    ],
)
def test_names_of_labels_may_be_any_text_of_100_characters(alice: ApiUser, name: str) -> None:
    task = make_task(alice, labels=[name])
    (label,) = labels(alice)
    assert (label["name"], [label["id"]]) == (name, task["label_ids"])


@pytest.mark.parametrize("field", ["due", "start", "time_zone", "list_id", "parent_id"])
def test_null_clears_what_may_be_empty(alice: ApiUser, field: str) -> None:
    folder = make(alice, "lists", title="folder")
    parent = make_task(alice, list_id=folder["id"])
    fields = {"due": "2026-10-07T09:00", "time_zone": "Europe/Berlin", "start": "2026-10-06"}
    task = make_task(alice, parent_id=parent["id"], **fields)
    others = {"due": {"time_zone": None}, "list_id": {"parent_id": None}}.get(field, {})
    answer = alice.patch(f"/{task['id']}", json={field: None, **others})
    assert data(answer)[field] is None


@pytest.mark.proves("TASK-140")
@pytest.mark.parametrize("priority", range(10))
def test_priorities_are_0_to_9(alice: ApiUser, priority: int) -> None:  # P2
    assert make_task(alice, priority=priority)["priority"] == priority


def test_a_new_task_has_no_priority(alice: ApiUser) -> None:
    assert make_task(alice)["priority"] == 0


@pytest.mark.proves("TASK-131")
def test_the_message_for_an_offset_says_to_give_the_zone(alice: ApiUser) -> None:
    for due in ("2026-10-07T09:00Z", "2026-10-07T09:00:00+02:00", "2026-10-07T09:00:00.000Z"):
        answer = alice.post(json={"title": "a", "due": due})
        assert broken_fields(answer) == ["due"]
        assert "time_zone" in answer.get_json()["error"]["details"][0]["message"]


@pytest.mark.proves("TASK-103", "TASK-166")
@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ({"list_id": "x", "after": None}, ["list_id"]),
        ({"parent_id": "x", "after": None}, ["parent_id"]),
        ({"after": "x"}, ["after"]),
        ({"before": 1}, ["before"]),
        ({"after": str(uuid4())}, ["after"]),
        ({"list_id": str(uuid4()), "before": None}, ["list_id"]),
        ({"parent_id": str(uuid4()), "before": None}, ["parent_id"]),
        ({"after": None, "position": "h"}, ["position"]),
    ],
)
def test_a_move_to_what_does_not_exist_is_refused(
    alice: ApiUser, place: dict[str, Any], broken: list[str]
) -> None:
    task = make_task(alice)
    assert broken_fields(alice.post(f"/{task['id']}/move", json=place)) == broken
    batch = alice.batch({"op": "move", "id": task["id"], **place})
    assert broken_fields(batch) == [f"operations[0].{field}" for field in broken]
    assert read(alice, task) == task
