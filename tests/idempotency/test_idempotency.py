"""Idempotency-Key: a repeated write runs once, and both requests get the same response."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any
from uuid import UUID

import psycopg
import pytest
from werkzeug.test import TestResponse

from app import db
from app.idempotency import repository
from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.items import KINDS, Items
from tests.support.processes import until
from tests.support.services import LOCK_WAITS, FlaskCommand

KEY = {"Idempotency-Key": "9f1c"}
BODY = {"title": "once"}

JSON = {"content_type": "application/json"}
FIRST_ANSWER = """
    INSERT INTO idempotency_keys (owner_id, key, request_hash, status, body)
    VALUES (%s, %s, sha256('first'), 201, '{}')
"""

Send = Callable[[], TestResponse]


def titles(user: ApiUser) -> list[str]:
    return [task["title"] for task in data(user.get("?limit=200"))]


def comparable(answer: TestResponse) -> dict[str, Any]:
    """The parts of a response that a repetition must have as well."""
    headers = ("Content-Type", "ETag", "Location")
    return {
        "status": answer.status_code,
        "body": answer.data,
        **{name: answer.headers.get(name) for name in headers},
    }


def writes(user: ApiUser) -> dict[str, Send]:
    """One request of each kind that changes items, all with the same key."""
    task, gone = user.create("a"), user.create("b")
    user.delete(f"/{gone['id']}")
    path, operations = f"/{task['id']}", [{"op": "create", "title": "batched"}]
    return {
        "create": lambda: user.post(json=BODY, headers=KEY),
        "put": lambda: user.put(path, json=BODY, headers=KEY),
        "patch": lambda: user.patch(path, json=BODY, headers=KEY),
        "toggle": lambda: user.patch(f"{path}/complete", headers=KEY),
        "delete": lambda: user.delete(path, headers=KEY),
        "restore": lambda: user.post(f"/{gone['id']}/restore", headers=KEY),
        "batch": lambda: user.batch(*operations, headers=KEY),
    }


@pytest.mark.proves("TASK-40")
@pytest.mark.parametrize("kind", ["create", "put", "patch", "toggle", "delete", "restore", "batch"])
def test_a_repeated_write_runs_once_and_gets_the_same_bytes(alice: ApiUser, kind: str) -> None:
    send = writes(alice)[kind]
    first, again = send(), send()
    assert first.status_code in (200, 201), first.text
    assert comparable(again) == comparable(first)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert alice.get().get_json()["meta"]["version"] == 4


RENAME = {"name": "once"}  # by the field that is the name of an item of the kind
OTHER_WRITES: dict[str, tuple[str, str, Any]] = {
    "put": ("PUT", "", RENAME),
    "patch": ("PATCH", "", RENAME),
    "move": ("POST", "/move", {"before": None}),
    "delete": ("DELETE", "", None),
    "archive": ("POST", "/archive", None),
}


@pytest.mark.proves("TASK-40")
@pytest.mark.parametrize(
    ("kind", "write"),
    [*product(KINDS, ("create", "put", "patch", "move", "delete", "restore")), ("list", "archive")],
)
def test_a_repeated_write_of_any_kind_runs_once_and_gets_the_same_bytes(
    alice: ApiUser, kind: str, write: str
) -> None:
    items = Items(alice, kind)
    kept, gone, _ = items.create()["id"], items.create()["id"], items.create()
    items.delete(gone)
    if write == "create":
        method, path, body = "POST", "", items.fields("once")
    elif write == "restore":
        method, path, body = "POST", f"/{gone}/restore", None
    else:
        method, verb, body = OTHER_WRITES[write]
        path, body = f"/{kept}{verb}", {items.name: "once"} if body == RENAME else body
    first, again = (items.call(method, path, body, KEY) for _ in range(2))
    assert first.status_code in (200, 201), first.text
    assert comparable(again) == comparable(first)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert alice.get().get_json()["meta"]["version"] == 5


def test_without_a_key_no_response_is_stored(alice: ApiUser) -> None:
    for _ in range(2):
        assert alice.post(json=BODY).status_code == 201
    assert titles(alice) == ["once", "once"]


@pytest.mark.proves("TASK-41", "LEDGER-20")
@pytest.mark.parametrize(
    "other",
    [
        lambda user, _: user.post(json={"title": "twice"}, headers=KEY),
        lambda user, _: user.post(data=b'{"title":  "once"}', headers=KEY, **JSON),
        lambda user, _: user.call("POST", f"/api/{user.id}/tasks", json=BODY, headers=KEY),
        lambda user, task: user.patch(f"/{task['id']}", json=BODY, headers=KEY),
        lambda user, task: user.delete(f"/{task['id']}", headers=KEY),
    ],
    ids=["body", "spelling", "path", "method", "no body"],
)
def test_a_key_is_bound_to_its_request(
    alice: ApiUser, other: Callable[[ApiUser, dict[str, Any]], TestResponse]
) -> None:
    task = alice.create("other")
    alice.post(json=BODY, headers=KEY)
    assert error(other(alice, task)) == (422, "IDEMPOTENCY_MISMATCH")
    assert titles(alice) == ["once", "other"]


@pytest.mark.proves("TASK-41")
def test_a_key_is_bound_to_its_user(alice: ApiUser, bob: ApiUser) -> None:
    alice.post(json=BODY, headers=KEY)
    answer = bob.post(json={"title": "bob's"}, headers=KEY)
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)
    assert titles(bob) == ["bob's"]


@pytest.mark.proves("TASK-42")
def test_a_stored_response_is_returned_before_if_match_is_checked(alice: ApiUser) -> None:
    task = alice.create()
    headers = {**KEY, "If-Match": '"1"'}
    first = alice.patch(f"/{task['id']}", json=BODY, headers=headers)
    again = alice.patch(f"/{task['id']}", json=BODY, headers=headers)
    assert comparable(again) == comparable(first)
    assert alice.patch(f"/{task['id']}", json=BODY, headers={"If-Match": '"1"'}).status_code == 412


def test_the_first_response_is_returned_after_its_task_was_deleted(alice: ApiUser) -> None:
    first = alice.post(json=BODY, headers=KEY)
    alice.delete(f"/{data(first)['id']}")
    assert comparable(alice.post(json=BODY, headers=KEY)) == comparable(first)
    assert titles(alice) == []


@pytest.mark.proves("TASK-42")
def test_an_error_is_not_stored(alice: ApiUser) -> None:
    task = alice.create()
    path = f"/{task['id']}"
    stale = {**KEY, "If-Match": '"7"'}
    assert error(alice.patch(path, json=BODY, headers=stale)) == (412, "PRECONDITION_FAILED")
    assert error(alice.post(f"{path}/restore", headers=KEY)) == (404, "NOT_FOUND")
    assert broken_fields(alice.post(json={"title": ""}, headers=KEY)) == ["title"]
    assert alice.post(json=BODY, headers=KEY).status_code == 201


@pytest.mark.proves("TASK-42")
@pytest.mark.parametrize("key", ["", "k" * 256, "tab\t", "ünlaut"])
def test_a_key_is_1_to_255_printable_characters(alice: ApiUser, key: str) -> None:
    answer = alice.post(json=BODY, headers={"Idempotency-Key": key})
    assert broken_fields(answer) == ["Idempotency-Key"]
    assert titles(alice) == []
    for longest_and_shortest in ("~" * 255, " !"):
        answer = alice.post(json=BODY, headers={"Idempotency-Key": longest_and_shortest})
        assert answer.status_code == 201


def test_a_key_of_255_characters_is_accepted(alice: ApiUser) -> None:
    key = {"Idempotency-Key": "~" * 255}
    first, again = (alice.post(json=BODY, headers=key) for _ in range(2))
    assert comparable(again) == comparable(first)


def age(superuser: psycopg.Connection, interval: str) -> None:
    superuser.execute("UPDATE idempotency_keys SET created_at = now() - %s::interval", [interval])


@pytest.mark.proves("TASK-40")
def test_a_response_is_kept_for_24_hours(alice: ApiUser, superuser: psycopg.Connection) -> None:
    first = alice.post(json=BODY, headers=KEY)
    age(superuser, "23 hours 59 minutes")
    assert comparable(alice.post(json=BODY, headers=KEY)) == comparable(first)
    age(superuser, "24 hours")
    later = alice.post(json={"title": "a day later"}, headers=KEY)
    assert later.status_code == 201
    assert comparable(alice.post(json={"title": "a day later"}, headers=KEY)) == comparable(later)


@pytest.mark.proves("LEDGER-22")
def test_expired_responses_are_deleted_with_the_next_key_and_by_a_purge(
    alice: ApiUser, bob: ApiUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    for user in (alice, bob):
        for number in range(3):
            user.post(json=BODY, headers={"Idempotency-Key": str(number)})
    age(superuser, "24 hours")
    alice.post(json=BODY, headers=KEY)
    count = "SELECT count(*) FROM idempotency_keys"
    assert superuser.execute(count).fetchone() == (1 + 3,)
    output = flask("ledger", "purge", "--older-than", "1d").output
    assert output.endswith("and 3 idempotency keys\n")
    assert superuser.execute(count).fetchone() == (1,)


@pytest.mark.proves("TASK-41")
def test_a_repeat_of_a_running_request_is_a_409(alice: ApiUser) -> None:
    claim = {"owner_id": UUID(alice.id), "key": KEY["Idempotency-Key"]}
    with ThreadPoolExecutor() as threads:
        with db.transaction():
            db.fetch_one(repository.CLAIM_KEY, claim)
            answer = threads.submit(alice.post, json=BODY, headers=KEY).result()
            assert error(answer) == (409, "IDEMPOTENCY_IN_FLIGHT")
            assert answer.headers["Retry-After"] == "1"
            other = {"Idempotency-Key": "another"}
            free = threads.submit(alice.post, json=BODY, headers=other).result()
            assert free.status_code == 201
        assert alice.post(json=BODY, headers=KEY).status_code == 201


@pytest.mark.proves("LEDGER-21")
def test_a_first_request_that_commits_while_the_second_begins_is_not_repeated(
    alice: ApiUser, superuser: psycopg.Connection
) -> None:
    """The second request reads before the first one commits, and so finds no response."""
    with ThreadPoolExecutor() as threads:
        with superuser.transaction():
            superuser.execute(FIRST_ANSWER, [alice.id, KEY["Idempotency-Key"]])
            second = threads.submit(alice.post, json=BODY, headers=KEY)
            until(lambda: superuser.execute(LOCK_WAITS).fetchone() == (1,) or second.done())
        assert error(second.result()) == (409, "IDEMPOTENCY_IN_FLIGHT")
    assert titles(alice) == []
    assert alice.get().get_json()["meta"]["version"] == 0


@pytest.mark.proves("TASK-40")
def test_fifty_concurrent_creates_with_one_key_create_one_task(alice: ApiUser) -> None:
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: alice.post(json=BODY, headers=KEY), range(50)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert titles(alice) == ["once"]
    assert alice.post(json=BODY, headers=KEY).headers["Idempotent-Replayed"] == "true"
