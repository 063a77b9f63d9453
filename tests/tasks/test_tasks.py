"""Single tasks: create, read, update, complete, delete, and writes that change nothing."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.task_rows import act_for

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
FIELDS = [
    "id",
    "owner_id",
    "title",
    "description",
    "is_completed",
    "completed_at",
    "list_id",
    "parent_id",
    "position",
    "priority",
    "label_ids",
    "due",
    "start",
    "time_zone",
    "due_at",
    "recurrence",
    "recurrence_basis",
    "reminders",
    "created_at",
    "updated_at",
    "version",
]


def ledger_versions(database_url: str, owner_id: str) -> tuple[int, int]:
    """The owner's counter, and the number of entries in the ledger."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT version, (SELECT count(*) FROM ledger_entries AS e"
            " WHERE e.owner_id = ledgers.owner_id) FROM ledgers WHERE owner_id = %s",
            [owner_id],
        ).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.proves("TASK-1")
def test_create_returns_the_whole_task(alice: ApiUser) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    answer = alice.post(json={"title": "Buy milk", "description": "two litres"})
    task = data(answer)
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/me/tasks/{task['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert list(task) == FIELDS
    assert (task["title"], task["description"]) == ("Buy milk", "two litres")
    assert (task["is_completed"], task["completed_at"]) == (False, None)
    assert (task["priority"], task["label_ids"]) == (0, [])
    empty = ("list_id", "parent_id", "due", "start", "time_zone", "due_at")
    assert {task[name] for name in empty} == {None}
    assert (task["owner_id"], task["version"]) == (alice.id, 1)
    assert task["created_at"] == task["updated_at"]
    assert TIME.fullmatch(task["created_at"])
    assert before < datetime.fromisoformat(task["created_at"]) < datetime.now(UTC)


@pytest.mark.proves("TASK-5")
def test_an_id_is_a_uuidv7_of_the_creation_time(alice: ApiUser) -> None:
    task = alice.create()
    made, identifier = datetime.fromisoformat(task["created_at"]), UUID(task["id"])
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert identifier.int >> 80 == int(made.timestamp() * 1000)


@pytest.mark.proves("TASK-1")
def test_location_leads_to_the_task_under_me_and_under_the_user_s_id(alice: ApiUser) -> None:
    for user in ("me", alice.id):
        made = alice.call("POST", f"/api/{user}/tasks", json={"title": "a"})
        found = alice.call("GET", made.headers["Location"])
        assert made.headers["Location"].startswith(f"/api/{user}/tasks/")
        assert data(found) == data(made)
        assert found.headers["ETag"] == made.headers["ETag"]


@pytest.mark.proves("TASK-3")
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_absent_field_is_kept_and_null_clears_it(alice: ApiUser, method: str) -> None:
    task = alice.create("a", "b")
    path = f"/api/me/tasks/{task['id']}"
    titled = data(alice.call(method, path, json={"title": "c"}))
    assert (titled["title"], titled["description"]) == ("c", "b")
    cleared = data(alice.call(method, path, json={"description": None}))
    assert (cleared["title"], cleared["description"]) == ("c", None)
    emptied = data(alice.call(method, path, json={"description": ""}))
    assert (emptied["title"], emptied["description"]) == ("c", "")
    completed = data(alice.call(method, path, json={"is_completed": True}))
    assert (completed["title"], completed["is_completed"]) == ("c", True)
    assert completed["completed_at"] == completed["updated_at"]
    assert [titled["version"], cleared["version"], emptied["version"]] == [2, 3, 4]
    assert data(alice.get(f"/{task['id']}")) == completed


def test_a_change_sets_updated_at_and_keeps_created_at(alice: ApiUser) -> None:
    task = alice.create()
    changed = data(alice.patch(f"/{task['id']}", json={"title": "b"}))
    assert changed["created_at"] == task["created_at"]
    assert changed["updated_at"] > task["updated_at"]


@pytest.mark.proves("TASK-4")
def test_completing_again_keeps_the_first_completed_at(alice: ApiUser) -> None:
    task = alice.create()
    path = f"/{task['id']}"
    done = data(alice.patch(path, json={"is_completed": True}))
    renamed = data(alice.patch(path, json={"is_completed": True, "title": "b"}))
    assert renamed["completed_at"] == done["completed_at"] < renamed["updated_at"]
    assert data(alice.patch(path, json={"is_completed": False}))["completed_at"] is None


@pytest.mark.proves("TASK-4")
def test_complete_toggles_without_a_body_and_sets_with_one(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}/complete"
    assert [data(alice.patch(path))["is_completed"] for _ in range(3)] == [True, False, True]
    for wanted in (True, True, False, False):
        assert data(alice.patch(path, json={"is_completed": wanted}))["is_completed"] is wanted


@pytest.mark.proves("TASK-21")
def test_a_write_without_a_change_takes_no_version_and_no_ledger_entry(
    alice: ApiUser, database_url: str
) -> None:
    task = alice.create("a", "b")
    path = f"/{task['id']}"
    same: list[dict[str, Any]] = [
        {"title": "a"},
        {"title": "  a "},
        {"description": "b"},
        {"is_completed": False},
        {"title": "a", "description": "b", "is_completed": False},
    ]
    answers = [alice.patch(path, json=body) for body in same]
    answers.append(alice.patch(f"{path}/complete", json={"is_completed": False}))
    for answer in answers:
        assert (answer.status_code, data(answer)) == (200, task)
        assert answer.headers["ETag"] == '"1"'
    assert error(alice.patch(f"/{UNKNOWN_ID}", json={"title": "b"}))[0] == 404
    assert error(alice.patch(path, json={"title": "b"}, headers={"If-Match": '"7"'}))[0] == 412
    assert error(alice.delete(f"/{UNKNOWN_ID}"))[0] == 404
    assert ledger_versions(database_url, alice.id) == (1, 1)


@pytest.mark.proves("TASK-2")
def test_an_empty_description_differs_from_null(alice: ApiUser) -> None:
    task = alice.create("a", "")
    assert task["description"] == ""
    assert data(alice.patch(f"/{task['id']}", json={"description": None}))["version"] == 2


@pytest.mark.proves("TASK-6")
def test_a_deleted_task_is_not_found(alice: ApiUser) -> None:
    task = alice.create()
    path = f"/{task['id']}"
    deleted = alice.delete(path)
    assert (deleted.status_code, data(deleted)) == (200, {"id": task["id"], "version": 2})
    for answer in (
        alice.delete(path),
        alice.get(path),
        alice.patch(path, json={"title": "b"}),
        alice.put(path, json={"title": "b"}),
        alice.patch(f"{path}/complete"),
    ):
        assert error(answer) == (404, "NOT_FOUND")
    assert data(alice.get()) == []


@pytest.mark.proves("TASK-5")
@pytest.mark.parametrize(
    "spelling",
    [
        str.upper,
        lambda text: text.replace("-", ""),
        lambda text: "{" + text + "}",
        lambda text: f"urn:uuid:{text}",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "%0A",
        lambda text: text + "%00",
        lambda text: "%20" + text,
        lambda text: text[:-1] + "%D9%A3",
        lambda _: "1",
        lambda _: "null",
        lambda _: "%F0%9F%98%80",
        lambda _: "%27%20OR%20true%20--",
    ],
)
def test_an_id_in_any_other_spelling_is_not_found(alice: ApiUser, spelling: Any) -> None:
    path = f"/{spelling(alice.create()['id'])}"
    assert error(alice.get(path)) == (404, "NOT_FOUND")
    assert error(alice.delete(path)) == (404, "NOT_FOUND")
    assert error(alice.patch(path, json={"title": "b"})) == (404, "NOT_FOUND")


@pytest.mark.proves("API-13")
@pytest.mark.parametrize("body", [{"title": None}, {"is_completed": None}, {"is_completed": 1},
                                  {"is_completed": "true"}, {"title": 1}, {"title": ["a"]},
                                  {"description": True}, {"title": " \t\u3000"}])  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused_and_changes_nothing(
    alice: ApiUser, body: dict[str, Any]
) -> None:
    task = alice.create()
    assert broken_fields(alice.patch(f"/{task['id']}", json=body)) == list(body)
    assert broken_fields(alice.patch(f"/{task['id']}", json={"x": 1, **body})) == [*body, "x"]
    assert data(alice.get(f"/{task['id']}")) == task


@pytest.mark.proves("TASK-3")
def test_a_change_needs_a_field_and_takes_no_read_only_one(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}"
    assert broken_fields(alice.patch(path, json={})) == [""]
    fixed = ["id", "owner_id", "created_at", "updated_at", "completed_at", "version", "deleted_at"]
    for name in fixed:
        assert broken_fields(alice.patch(path, json={"title": "b", name: "x"})) == [name]
        assert broken_fields(alice.post(json={"title": "b", name: "x"})) == [name]


@pytest.mark.proves("TASK-22")
def test_if_match_requires_the_current_version(alice: ApiUser) -> None:
    task = alice.create()
    path = f"/{task['id']}"
    refused = ['"2"', 'W/"1"', "1", '"1', "", '"01"', '"1 "', '"١"', '"9999999999999999999"']
    for tag in refused:
        answer = alice.patch(path, json={"title": "b"}, headers={"If-Match": tag})
        assert error(answer) == (412, "PRECONDITION_FAILED"), tag
        assert error(alice.delete(path, headers={"If-Match": tag}))[0] == 412, tag
    for version, tag in enumerate(['"1"', '"7", "2"', "*"], 2):
        answer = alice.patch(path, json={"title": f"b{version}"}, headers={"If-Match": tag})
        assert data(answer)["version"] == version
    assert data(alice.delete(path, headers={"If-Match": '"4"'}))["version"] == 5


@pytest.mark.proves("TASK-23")
def test_if_none_match_of_the_current_version_is_a_304(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}"
    for tags in ('"1"', 'W/"1"', '"x", "1"', "*"):
        answer = alice.get(path, headers={"If-None-Match": tags})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == '"1"'
    assert alice.get(path, headers={"If-None-Match": '"2"'}).status_code == 200


@pytest.mark.proves("TASK-20")
def test_concurrent_writers_lose_no_update_and_share_no_version(
    alice: ApiUser, database_url: str
) -> None:
    task = alice.create("start")
    path = f"/{task['id']}"

    def append(letter: str) -> int:
        while True:
            read = data(alice.get(path))
            tag = {"If-Match": f'"{read["version"]}"'}
            answer = alice.patch(path, json={"title": read["title"] + letter}, headers=tag)
            if answer.status_code == 200:
                return int(data(answer)["version"])
            assert error(answer)[0] == 412

    with ThreadPoolExecutor(4) as writers:
        versions = list(writers.map(append, "abcdefghijkl"))
    assert sorted(versions) == list(range(2, 14))
    assert sorted(data(alice.get(path))["title"]) == sorted("startabcdefghijkl")
    assert ledger_versions(database_url, alice.id) == (13, 13)


@pytest.mark.proves("TASK-4")
def test_concurrent_toggles_each_take_effect_once(alice: ApiUser) -> None:
    path = f"/{alice.create()['id']}/complete"

    def toggle(_: int) -> TestResponse:
        return alice.patch(path)

    with ThreadPoolExecutor(4) as writers:
        answers = list(writers.map(toggle, range(11)))
    assert sorted(data(answer)["version"] for answer in answers) == list(range(2, 13))
    assert data(alice.get(path.removesuffix("/complete")))["is_completed"] is True


# --- limits of the API and of the database ------------------------------------------------------


@pytest.mark.proves("API-18")
@pytest.mark.parametrize("letter", ["a", "é", "\U0001f600", "\u0301", "א", "\U0010ffff", "\u202e"])
def test_lengths_are_counted_in_characters(alice: ApiUser, letter: str) -> None:
    task = alice.create(letter * 255, letter * 5000)
    assert (task["title"], task["description"]) == (letter * 255, letter * 5000)
    assert data(alice.get(f"/{task['id']}")) == task
    too_long = {"title": letter * 256, "description": letter * 5001}
    assert broken_fields(alice.post(json=too_long)) == ["title", "description"]
    assert broken_fields(alice.patch(f"/{task['id']}", json=too_long)) == ["title", "description"]
    assert data(alice.get()) == [task]


INSERT = """
INSERT INTO tasks (
    owner_id, id, title, description, created_at, updated_at, version, last_action,
    request_id, title_folded, description_folded
) VALUES (%s, gen_random_uuid(), %s, %s, now(), now(), 1, 'create', 'test', '', '')
"""


@pytest.mark.proves("API-18")
@pytest.mark.parametrize(
    ("title", "description", "constraint"),
    [
        ("", None, "tasks_title_length"),
        ("\U0001f600" * 256, None, "tasks_title_length"),
        ("a", "\u0301" * 5001, "tasks_description_length"),
        (" a", None, "tasks_title_trimmed"),
        ("a\u3000", None, "tasks_title_trimmed"),
    ],
)
def test_check_constraints_enforce_the_lengths_and_a_trimmed_title(
    alice: ApiUser, database_url: str, title: str, description: str | None, constraint: str
) -> None:
    with psycopg.connect(database_url) as connection:
        act_for(connection, alice.id)
        with pytest.raises(psycopg.errors.CheckViolation) as refused, connection.transaction():
            connection.execute(INSERT, [alice.id, title, description])
        assert refused.value.diag.constraint_name == constraint
        connection.execute(INSERT, [alice.id, "\U0001f600" * 255, "\u0301" * 5000])


@pytest.mark.proves("TASK-2")
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("  a b  ", "a b"),
        ("\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2028\u2029\u202f\u205f\u3000a", "a"),
        ("\u200ba\ufeff", "\u200ba\ufeff"),
        ("a\n\tb", "a\n\tb"),
    ],
)
def test_a_title_is_trimmed_as_str_strip_does(alice: ApiUser, sent: str, stored: str) -> None:
    assert sent.strip() == stored
    assert alice.create(sent)["title"] == stored
    assert alice.create(" " * 300 + "a" * 255 + " " * 300)["title"] == "a" * 255


@pytest.mark.proves("TASK-2")
def test_the_database_takes_the_same_characters_for_white_space(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT n FROM generate_series(1, 1114111) AS n"
            " WHERE n NOT BETWEEN 55296 AND 57343 AND trimmed(chr(n)) = ''"
        ).fetchall()
    assert [n for (n,) in found] == [n for n in range(1, 0x110000) if chr(n).isspace()]


@pytest.mark.proves("TASK-2")
def test_a_description_is_not_trimmed(alice: ApiUser) -> None:
    assert alice.create("a", " \n b ")["description"] == " \n b "
