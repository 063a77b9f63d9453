"""Events reach their receivers: each change once, in order, until it is taken."""

import base64
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from app.webhooks.job import EXAMINED, PAUSES, Delivering
from app.webhooks.schemas import TYPES
from app.webhooks.signing import Event, body_of, signature
from tests.support.api_user import ApiUser, data
from tests.support.planning import complete, make, make_task
from tests.support.services import FlaskCommand
from tests.support.webhooks import (
    attempts,
    deliver,
    hook,
    make_due,
    read,
    receiving,
    status,
    verify,
)  # fmt: skip

MAIL = "FROM outgoing_mail WHERE subject LIKE 'The webhook%'"  # not those about the address


@pytest.mark.proves("HOOK-1", "HOOK-2")
def test_a_change_is_one_event_which_the_library_of_the_standard_verifies(
    alice: ApiUser, job: Delivering
) -> None:
    with receiving() as receiver:
        webhook = hook(alice, receiver.url)
        task = alice.create("Water the plants")
        done = complete(alice, task)
        assert deliver(job) == {"delivered": 2}
        assert receiver.types() == ["task.created", "task.completed"]
        event = verify(webhook["secret"], receiver.requests[1])
    assert event["data"] == {
        "version": done["version"],
        "kind": "task",
        "id": task["id"],
        "action": "complete",
        "item": done,
    }
    assert event["timestamp"] == done["updated_at"]
    assert receiver.requests[0].path == "/hook"
    expected = f"msg_{webhook['id'].replace('-', '')}_{task['version']}"
    assert receiver.requests[0].id == expected


@pytest.mark.proves("HOOK-2")
def test_the_signature_is_that_of_the_standards_own_vector() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.proves("HOOK-2")
def test_a_secret_is_random_and_long_enough(alice: ApiUser) -> None:
    made = [hook(alice, "https://example.com/")["secret"] for _ in range(3)]
    assert len(set(made)) == 3
    for secret in made:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret[6:])) <= 64


@pytest.mark.proves("HOOK-1")
def test_a_webhook_is_told_what_changes_after_it_was_made(alice: ApiUser, job: Delivering) -> None:
    alice.create("before")
    with receiving() as receiver:
        hook(alice, receiver.url)
        assert deliver(job) == {}
        after = alice.create("after")
        deliver(job)
        assert receiver.versions() == [after["version"]]


@pytest.mark.proves("HOOK-3")
def test_a_batch_of_100_changes_is_100_events_in_the_order_of_versions(
    alice: ApiUser, job: Delivering
) -> None:
    with receiving() as receiver:
        webhook = hook(alice, receiver.url)
        alice.batch(*({"op": "create", "title": str(n)} for n in range(100)))
        assert deliver(job) == {"delivered": 100}
        first = webhook["delivered_version"] + 1
        assert receiver.versions() == list(range(first, first + 100))
        assert read(alice, webhook)["delivered_version"] == first + 99


@pytest.mark.proves("HOOK-4")
def test_a_receiver_that_fails_does_not_delay_another_and_gets_the_same_event_again(
    alice: ApiUser, job: Delivering, superuser: psycopg.Connection
) -> None:
    with receiving(status(500)) as failing, receiving() as sound:
        webhook = hook(alice, failing.url)
        hook(alice, sound.url)
        alice.create("first")
        alice.create("second")
        assert deliver(job) == {"delivered": 2, "failed": 1}
        assert read(alice, webhook)["failures"] == 1
        make_due(superuser)
        failing.answer = status(200)
        assert deliver(job) == {"delivered": 2}
        ids = [each.id for each in failing.requests]
        assert ids[0] == ids[1] != ids[2]
        assert failing.requests[0].body == failing.requests[1].body
        assert len(sound.requests) == 2
    assert read(alice, webhook)["failures"] == 0


@pytest.mark.proves("HOOK-4", "HOOK-9")
def test_an_event_is_tried_by_the_schedule_then_the_webhook_is_disabled_and_its_owner_told(
    alice: ApiUser, job: Delivering, superuser: psycopg.Connection
) -> None:
    superuser.execute("UPDATE users SET email_verified_at = now()")
    with receiving(status(503)) as receiver:
        webhook = hook(alice, receiver.url)
        alice.create("first")
        for number, pause in enumerate(PAUSES, start=1):
            assert deliver(job) == {"failed": 1}
            row = superuser.execute("SELECT failures, next_attempt_at - now() FROM webhooks")
            failures, wait = row.fetchone() or (0, pause)
            assert failures == number
            assert abs((wait - pause).total_seconds()) < 2
            make_due(superuser)
        assert deliver(job) == {"failed": 1, "disabled": 1}
        assert len({each.id for each in receiver.requests}) == 1
        assert len(receiver.requests) == 10
        shown = read(alice, webhook)
        assert (shown["enabled"], shown["disabled_reason"]) == (False, "failed")
        make_due(superuser)
        assert deliver(job) == {}
        mail = superuser.execute(f"SELECT recipient, subject, text {MAIL}").fetchall()
        assert [row[:2] for row in mail] == [(alice.email, "The webhook to 127.0.0.1 is disabled")]
        assert "the receiver answered 503" in mail[0][2]
        receiver.answer = status(200)
        alice.create("meanwhile")
        change(alice, webhook, enabled=True)
        assert deliver(job) == {"delivered": 2}
        assert receiver.versions()[-2:] == [shown["delivered_version"] + 1] * 1 + [
            shown["delivered_version"] + 2
        ]


def test_the_schedule_is_that_of_the_contract() -> None:
    seconds = [pause.total_seconds() for pause in PAUSES]
    assert seconds == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


def change(user: ApiUser, webhook: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Changes a webhook."""
    answer = user.call("PATCH", f"/api/me/webhooks/{webhook['id']}", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(data(answer))


@pytest.mark.proves("HOOK-9")
def test_a_receiver_that_is_gone_disables_its_webhook_at_once(
    alice: ApiUser, job: Delivering, superuser: psycopg.Connection
) -> None:
    superuser.execute("UPDATE users SET email_verified_at = now()")
    with receiving(status(410)) as receiver:
        webhook = hook(alice, receiver.url)
        alice.create()
        alice.create()
        assert deliver(job) == {"failed": 1, "disabled": 1}
    shown = read(alice, webhook)
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "gone")
    assert superuser.execute(f"SELECT count(*) {MAIL}").fetchone() == (1,)


@pytest.mark.proves("HOOK-9")
def test_no_mail_goes_to_an_address_that_is_not_verified(
    alice: ApiUser, job: Delivering, superuser: psycopg.Connection
) -> None:
    with receiving(status(410)) as receiver:
        hook(alice, receiver.url)
        alice.create()
        deliver(job)
    assert superuser.execute(f"SELECT count(*) {MAIL}").fetchone() == (0,)


@pytest.mark.proves("HOOK-15")
def test_a_disabled_account_has_its_webhooks_told_when_it_is_enabled_again(
    alice: ApiUser, job: Delivering, flask: FlaskCommand
) -> None:
    with receiving() as receiver:
        hook(alice, receiver.url)
        alice.create()
        flask("users", "disable", alice.email)
        assert deliver(job) == {}
        flask("users", "enable", alice.email)
        assert deliver(job) == {"delivered": 1}
        assert len(receiver.requests) == 1


@pytest.mark.proves("HOOK-6")
def test_only_the_types_that_it_names_reach_a_webhook(alice: ApiUser, job: Delivering) -> None:
    with receiving() as receiver:
        webhook = hook(alice, receiver.url, types=["task.deleted", "list.created"])
        task = alice.create()
        home = make(alice, "lists", title="Home")
        deleted = data(alice.call("DELETE", f"/api/me/tasks/{task['id']}"))
        last = alice.create()
        assert deliver(job) == {"delivered": 2}
        assert receiver.versions() == [home["version"], deleted["version"]]
        assert receiver.requests[1].event["data"]["item"] is None
    assert read(alice, webhook)["delivered_version"] == last["version"]


@pytest.mark.proves("HOOK-6")
def test_a_webhook_of_a_list_is_told_of_the_list_and_of_tasks_that_are_or_were_in_it(
    alice: ApiUser, job: Delivering
) -> None:
    home, work = make(alice, "lists", title="Home"), make(alice, "lists", title="Work")
    with receiving() as receiver:
        hook(alice, receiver.url, list_id=home["id"])
        alice.create("in the inbox")
        task = make_task(alice, list_id=home["id"])
        path = f"/api/me/tasks/{task['id']}"
        moved = data(alice.call("PATCH", path, json={"list_id": work["id"]}))
        data(alice.call("PATCH", path, json={"title": "elsewhere"}))
        back = data(alice.call("PATCH", path, json={"list_id": home["id"]}))
        deleted = data(alice.call("DELETE", path))
        renamed = data(alice.call("PATCH", f"/api/me/lists/{home['id']}", json={"title": "House"}))
        deliver(job)
        wanted = [task, moved, back, deleted, renamed]
        assert receiver.versions() == [each["version"] for each in wanted]


@pytest.mark.proves("HOOK-6")
def test_entries_that_are_not_wanted_are_passed_over_however_many_they_are(
    alice: ApiUser, job: Delivering
) -> None:
    with receiving() as receiver:
        hook(alice, receiver.url, types=["label.created"])
        for _ in range(EXAMINED // 100 + 1):
            alice.batch(*({"op": "create", "title": str(n)} for n in range(100)))
        label = make(alice, "labels", name="late")
        assert deliver(job) == {"delivered": 1}
        assert receiver.versions() == [label["version"]]


@pytest.mark.proves("HOOK-5")
def test_a_replay_tells_again_what_changed_after_a_version_with_the_same_ids(
    alice: ApiUser, job: Delivering
) -> None:
    with receiving() as receiver:
        webhook = hook(alice, receiver.url)
        tasks = [alice.create(str(n)) for n in range(3)]
        deliver(job)
        path = f"/api/me/webhooks/{webhook['id']}/replay"
        data(alice.call("POST", path, json={"since": tasks[0]["version"]}))
        deliver(job)
        ids = [each.id for each in receiver.requests]
        assert ids[3:] == ids[1:3]
        ahead = alice.call("POST", path, json={"since": tasks[2]["version"] + 1})
        assert ahead.status_code == 422


@pytest.mark.proves("HOOK-5")
def test_what_was_pruned_before_it_was_delivered_is_one_event_that_says_so(
    alice: ApiUser, job: Delivering, superuser: psycopg.Connection
) -> None:
    with receiving() as receiver:
        hook(alice, receiver.url)
        task = alice.create("pruned")
        alice.create("pruned as well")
        prune(superuser, task["version"] + 1)
        kept = alice.create("kept")
        assert deliver(job) == {"delivered": 2}
        lost, told = receiver.requests
    assert (lost.event["type"], lost.version) == ("changes.lost", task["version"] + 1)
    assert lost.event["data"]["item"] is None
    assert told.version == kept["version"]


def prune(connection: psycopg.Connection[Any], version: int) -> None:
    """Prunes all ledgers up to that version."""
    connection.execute("UPDATE ledgers SET pruned_version = %s, prune_count = 1", (version,))
    connection.execute("DELETE FROM ledger_entries WHERE version <= %s", (version,))


@pytest.mark.proves("HOOK-7")
def test_while_a_secret_is_replaced_each_event_has_two_signatures(
    alice: ApiUser, job: Delivering, superuser: psycopg.Connection
) -> None:
    with receiving() as receiver:
        webhook = hook(alice, receiver.url)
        path = f"/api/me/webhooks/{webhook['id']}/rotate"
        rotated = data(alice.call("POST", path))
        assert rotated["secret"] != webhook["secret"]
        alice.create()
        deliver(job)
        for secret in (webhook["secret"], rotated["secret"]):
            assert verify(secret, receiver.requests[0])
        assert len(receiver.requests[0].headers["webhook-signature"].split()) == 2
        superuser.execute("UPDATE webhooks SET previous_secret_until = now()")
        alice.create()
        deliver(job)
        assert verify(rotated["secret"], receiver.requests[1])
        assert len(receiver.requests[1].headers["webhook-signature"].split()) == 1


@pytest.mark.proves("HOOK-8")
def test_the_last_100_attempts_are_listed_the_newest_first(alice: ApiUser, job: Delivering) -> None:
    with receiving() as receiver:
        webhook = hook(alice, receiver.url)
        alice.batch(*({"op": "create", "title": str(n)} for n in range(100)))
        deliver(job)
        receiver.answer = status(404)
        failed = alice.create()
        deliver(job)
    listed = attempts(alice, webhook)
    assert len(listed) == 100
    assert [each["version"] for each in listed] == list(
        range(failed["version"], failed["version"] - 100, -1)
    )
    assert (listed[0]["status"], listed[0]["error"]) == (404, "the receiver answered 404")
    assert (listed[1]["status"], listed[1]["error"]) == (204, None)
    assert listed[0]["type"] == "task.created"


@pytest.mark.proves("HOOK-10")
def test_an_event_over_20000_bytes_comes_without_its_item() -> None:
    small = Event("task.created", "2026-01-01T00:00:00Z", 1, "task", None, "create", b'{"a":1}')
    large = small._replace(item=b'{"a":"' + 20_000 * b"x" + b'"}')
    assert b'"item":{"a":1}' in body_of(small)
    assert b'"item":null' in body_of(large)


@pytest.mark.proves("HOOK-6")
def test_the_types_are_those_of_all_kinds_and_actions(superuser: psycopg.Connection) -> None:
    """The CHECKs of the tables say which actions each kind has."""
    rows = superuser.execute(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname LIKE '%\\_last\\_action'"
    ).fetchall()
    kinds = {"tasks": "task", "lists": "list", "labels": "label", "filters": "filter",
             "reminder_firings": "reminder"}  # fmt: skip
    found = set()
    for table, definition in rows:
        actions = definition.split("'")[1::2]
        for action in actions:
            row = superuser.execute("SELECT webhook_event(%s, %s)", (kinds[table], action))
            found.add((row.fetchone() or ("",))[0])
    assert found | {"changes.lost"} == set(TYPES)
