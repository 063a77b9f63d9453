"""Idempotency-Key: a write that was sent twice is done once, and answered twice alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from werkzeug.test import TestResponse

from app import db
from app.tasks import idempotency
from tests.callers import Caller, broken_fields, data, error
from tests.processes import until
from tests.tasks.conftest import WAITING, Command

KEY = {"Idempotency-Key": "9f1c"}
BODY = {"title": "once"}

JSON = {"content_type": "application/json"}
FIRST_ANSWER = """
    INSERT INTO idempotency_keys (owner_id, key, request_hash, status, body)
    VALUES (%s, %s, sha256('first'), 201, '{}')
"""

Send = Callable[[], TestResponse]


def titles(caller: Caller) -> list[str]:
    return [task["title"] for task in data(caller.get("?limit=200"))]


def sameness(answer: TestResponse) -> dict[str, Any]:
    """What a repeated answer has in common with the first one."""
    headers = ("Content-Type", "ETag", "Location")
    return {
        "status": answer.status_code,
        "body": answer.data,
        **{name: answer.headers.get(name) for name in headers},
    }


def writes(caller: Caller) -> dict[str, Send]:
    """One request of each kind that changes tasks, with the same key always."""
    task, gone = caller.create("a"), caller.create("b")
    caller.delete(f"/{gone['id']}")
    path, operations = f"/{task['id']}", [{"op": "create", "title": "batched"}]
    return {
        "create": lambda: caller.post(json=BODY, headers=KEY),
        "put": lambda: caller.put(path, json=BODY, headers=KEY),
        "patch": lambda: caller.patch(path, json=BODY, headers=KEY),
        "toggle": lambda: caller.patch(f"{path}/complete", headers=KEY),
        "delete": lambda: caller.delete(path, headers=KEY),
        "restore": lambda: caller.post(f"/{gone['id']}/restore", headers=KEY),
        "batch": lambda: caller.post("/batch", json={"operations": operations}, headers=KEY),
    }


@pytest.mark.proves("TASK-40")
@pytest.mark.parametrize("kind", ["create", "put", "patch", "toggle", "delete", "restore", "batch"])
def test_a_repeated_write_is_done_once_and_answered_byte_for_byte(alice: Caller, kind: str) -> None:
    send = writes(alice)[kind]
    first, again = send(), send()
    assert first.status_code in (200, 201), first.text
    assert sameness(again) == sameness(first)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert alice.get().get_json()["meta"]["version"] == 4


def test_without_a_key_nothing_is_remembered(alice: Caller) -> None:
    for _ in range(2):
        assert alice.post(json=BODY).status_code == 201
    assert titles(alice) == ["once", "once"]


@pytest.mark.proves("TASK-41", "LEDGER-20")
@pytest.mark.parametrize(
    "other",
    [
        lambda caller, _: caller.post(json={"title": "twice"}, headers=KEY),
        lambda caller, _: caller.post(data=b'{"title":  "once"}', headers=KEY, **JSON),
        lambda caller, _: caller.call("POST", f"/api/{caller.id}/tasks", json=BODY, headers=KEY),
        lambda caller, task: caller.patch(f"/{task['id']}", json=BODY, headers=KEY),
        lambda caller, task: caller.delete(f"/{task['id']}", headers=KEY),
    ],
    ids=["body", "spelling", "path", "method", "no body"],
)
def test_a_key_belongs_to_its_request(
    alice: Caller, other: Callable[[Caller, dict[str, Any]], TestResponse]
) -> None:
    task = alice.create("other")
    alice.post(json=BODY, headers=KEY)
    assert error(other(alice, task)) == (422, "IDEMPOTENCY_MISMATCH")
    assert titles(alice) == ["once", "other"]


@pytest.mark.proves("TASK-41")
def test_a_key_belongs_to_its_user(alice: Caller, bob: Caller) -> None:
    alice.post(json=BODY, headers=KEY)
    answer = bob.post(json={"title": "bob's"}, headers=KEY)
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, False)
    assert titles(bob) == ["bob's"]


@pytest.mark.proves("TASK-42")
def test_a_repetition_comes_before_if_match(alice: Caller) -> None:
    task = alice.create()
    headers = {**KEY, "If-Match": '"1"'}
    first = alice.patch(f"/{task['id']}", json=BODY, headers=headers)
    again = alice.patch(f"/{task['id']}", json=BODY, headers=headers)
    assert sameness(again) == sameness(first)
    assert alice.patch(f"/{task['id']}", json=BODY, headers={"If-Match": '"1"'}).status_code == 412


def test_the_first_answer_comes_again_whatever_became_of_the_task(alice: Caller) -> None:
    first = alice.post(json=BODY, headers=KEY)
    alice.delete(f"/{data(first)['id']}")
    assert sameness(alice.post(json=BODY, headers=KEY)) == sameness(first)
    assert titles(alice) == []


@pytest.mark.proves("TASK-42")
def test_a_failure_is_not_remembered(alice: Caller) -> None:
    task = alice.create()
    path = f"/{task['id']}"
    stale = {**KEY, "If-Match": '"7"'}
    assert error(alice.patch(path, json=BODY, headers=stale)) == (412, "PRECONDITION_FAILED")
    assert error(alice.post(f"{path}/restore", headers=KEY)) == (404, "NOT_FOUND")
    assert broken_fields(alice.post(json={"title": ""}, headers=KEY)) == ["title"]
    assert alice.post(json=BODY, headers=KEY).status_code == 201


@pytest.mark.proves("TASK-42")
@pytest.mark.parametrize("key", ["", "k" * 256, "tab\t", "ünlaut"])
def test_a_key_is_1_to_255_printable_characters(alice: Caller, key: str) -> None:
    answer = alice.post(json=BODY, headers={"Idempotency-Key": key})
    assert broken_fields(answer) == ["Idempotency-Key"]
    assert titles(alice) == []
    for longest_and_shortest in ("~" * 255, " !"):
        answer = alice.post(json=BODY, headers={"Idempotency-Key": longest_and_shortest})
        assert answer.status_code == 201


def test_a_key_of_255_characters_is_taken(alice: Caller) -> None:
    key = {"Idempotency-Key": "~" * 255}
    first, again = (alice.post(json=BODY, headers=key) for _ in range(2))
    assert sameness(again) == sameness(first)


def age(superuser: psycopg.Connection, interval: str) -> None:
    superuser.execute("UPDATE idempotency_keys SET created_at = now() - %s::interval", [interval])


@pytest.mark.proves("TASK-40")
def test_an_answer_is_kept_for_24_hours(alice: Caller, superuser: psycopg.Connection) -> None:
    first = alice.post(json=BODY, headers=KEY)
    age(superuser, "23 hours 59 minutes")
    assert sameness(alice.post(json=BODY, headers=KEY)) == sameness(first)
    age(superuser, "24 hours")
    later = alice.post(json={"title": "a day later"}, headers=KEY)
    assert later.status_code == 201
    assert sameness(alice.post(json={"title": "a day later"}, headers=KEY)) == sameness(later)


@pytest.mark.proves("LEDGER-22")
def test_old_answers_are_forgotten_with_the_next_key_and_with_a_purge(
    alice: Caller, bob: Caller, superuser: psycopg.Connection, flask: Command
) -> None:
    for caller in (alice, bob):
        for number in range(3):
            caller.post(json=BODY, headers={"Idempotency-Key": str(number)})
    age(superuser, "24 hours")
    alice.post(json=BODY, headers=KEY)
    count = "SELECT count(*) FROM idempotency_keys"
    assert superuser.execute(count).fetchone() == (1 + 3,)
    output = flask("tasks", "purge", "--older-than", "1d").output
    assert output.endswith("and 3 answers to retries\n")
    assert superuser.execute(count).fetchone() == (1,)


@pytest.mark.proves("TASK-41")
def test_a_request_whose_first_one_still_runs_is_told_so(alice: Caller) -> None:
    claim = {"owner_id": UUID(alice.id), "key": KEY["Idempotency-Key"]}
    with ThreadPoolExecutor() as threads:
        with db.transaction():
            db.fetch_one(idempotency.CLAIM_KEY, claim)
            answer = threads.submit(alice.post, json=BODY, headers=KEY).result()
            assert error(answer) == (409, "IDEMPOTENCY_IN_FLIGHT")
            assert answer.headers["Retry-After"] == "1"
            other = {"Idempotency-Key": "another"}
            free = threads.submit(alice.post, json=BODY, headers=other).result()
            assert free.status_code == 201
        assert alice.post(json=BODY, headers=KEY).status_code == 201


@pytest.mark.proves("LEDGER-21")
def test_a_first_request_that_ends_while_the_second_begins_is_not_doubled(
    alice: Caller, superuser: psycopg.Connection
) -> None:
    """As when the second one looks just before the first one commits: it finds nothing."""
    with ThreadPoolExecutor() as threads:
        with superuser.transaction():
            superuser.execute(FIRST_ANSWER, [alice.id, KEY["Idempotency-Key"]])
            second = threads.submit(alice.post, json=BODY, headers=KEY)
            until(lambda: superuser.execute(WAITING).fetchone() == (1,) or second.done())
        assert error(second.result()) == (409, "IDEMPOTENCY_IN_FLIGHT")
    assert titles(alice) == []
    assert alice.get().get_json()["meta"]["version"] == 0


@pytest.mark.proves("TASK-40")
def test_fifty_creates_at_once_with_one_key_are_one(alice: Caller) -> None:
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: alice.post(json=BODY, headers=KEY), range(50)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert titles(alice) == ["once"]
    assert alice.post(json=BODY, headers=KEY).headers["Idempotent-Replayed"] == "true"
