"""The feed of changes: a replica that follows it equals the list, also after a purge."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from app import create_app
from app.config import Config
from app.ledger import sync_token
from app.ledger.sync_token import Position
from app.values import Uuid
from tests.support.api_user import PASSWORD, ApiUser, broken_fields, data, error
from tests.support.services import FlaskCommand


def token(user: ApiUser, version: int) -> str:
    """The sync token of a client that has seen the changes up to `version`."""
    return sync_token.encode(Uuid(user.id), "", Position(version))


def changes(user: ApiUser, since: int = 0, limit: int = 50) -> TestResponse:
    """The feed behind a version."""
    return user.changes(token(user, since) if since else None, query=f"limit={limit}")


def listed(user: ApiUser) -> dict[str, Any]:
    return {task["id"]: task for task in data(user.get("?limit=200"))}


class Replica:
    """A client's copy of all tasks, kept up to date by the feed."""

    def __init__(self, user: ApiUser) -> None:
        self.user = user
        self.tasks: dict[str, Any] = {}
        self.token: str | None = None

    def pull(self, limit: int) -> TestResponse:
        """One page of the feed."""
        answer = self.user.changes(self.token, query=f"limit={limit}")
        if answer.status_code == 200:
            for entry in data(answer):
                assert entry["kind"] == "task"
                self.tasks.pop(entry["id"], None)
                if not entry["deleted"]:
                    self.tasks[entry["id"]] = entry["item"]
            self.token = answer.get_json()["meta"]["sync_token"]
        return answer

    def follow(self, limit: int) -> None:
        while (answer := self.pull(limit)).get_json()["meta"]["has_more"]:
            assert answer.status_code == 200, answer.text


@pytest.fixture
def busy(alice: ApiUser) -> ApiUser:
    """Alice, with nine changes to six tasks, one of which is deleted."""
    tasks = [alice.create(f"task {number}") for number in range(6)]
    alice.patch(f"/{tasks[0]['id']}", json={"title": "renamed"})
    alice.delete(f"/{tasks[1]['id']}")
    alice.patch(f"/{tasks[2]['id']}/complete")
    return alice


@pytest.mark.proves("TASK-30")
def test_the_feed_has_the_latest_state_of_each_task_in_version_order(
    busy: ApiUser,
) -> None:
    answer = changes(busy)
    entries = data(answer)
    assert [(entry["version"], entry["action"]) for entry in entries] == [
        (4, "create"),
        (5, "create"),
        (6, "create"),
        (7, "update"),
        (8, "delete"),
        (9, "complete"),
    ]
    assert [entry["deleted"] for entry in entries] == [False] * 4 + [True, False]
    assert entries[4]["item"] is None
    tasks = {entry["id"]: entry["item"] for entry in entries if not entry["deleted"]}
    assert tasks == listed(busy)
    assert all(entry["at"] == entry["item"]["updated_at"] for entry in entries if entry["item"])
    assert answer.get_json()["meta"] == {
        "sync_token": token(busy, 9),
        "has_more": False,
        "limit": 50,
        "version": 9,
    }


@pytest.mark.proves("TASK-30")
def test_the_feed_has_only_changes_after_since(busy: ApiUser) -> None:
    assert [entry["version"] for entry in data(changes(busy, 7))] == [8, 9]
    answer = changes(busy, 9)
    assert (data(answer), answer.get_json()["meta"]["sync_token"]) == ([], token(busy, 9))


@pytest.mark.proves("TASK-30")
@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_a_replica_fed_in_pages_equals_the_list(busy: ApiUser, limit: int) -> None:
    replica = Replica(busy)
    replica.follow(limit)
    assert replica.tasks == listed(busy)
    assert replica.token == token(busy, 9)


@pytest.mark.proves("TASK-31")
def test_a_task_that_changes_between_two_pages_appears_again(busy: ApiUser) -> None:
    replica = Replica(busy)
    replica.pull(2)
    first = next(iter(replica.tasks))
    busy.patch(f"/{first}", json={"title": "changed meanwhile"})
    busy.delete(f"/{list(replica.tasks)[1]}")
    replica.follow(2)
    assert replica.tasks == listed(busy)


def test_the_feed_has_a_restored_task(busy: ApiUser) -> None:
    replica = Replica(busy)
    replica.follow(50)
    (deleted,) = data(busy.get("/trash"))
    busy.post(f"/{deleted['id']}/restore")
    (entry,) = data(busy.changes(replica.token))
    assert (entry["action"], entry["deleted"]) == ("restore", False)
    replica.follow(50)
    assert replica.tasks == listed(busy)


def test_every_broken_parameter_of_the_feed_is_named(alice: ApiUser) -> None:
    for query in ("limit=0", "limit=201"):
        assert broken_fields(alice.changes(query=query)) == ["limit"]
    assert broken_fields(alice.changes(query="cursor=x&kind=chore")) == ["kind", "cursor"]
    twice = f"since={token(alice, 0)}"
    assert broken_fields(alice.changes(token(alice, 0), query=twice)) == ["since"]


@pytest.mark.proves("TASK-34")
def test_a_sync_token_is_valid_for_its_owner_and_its_filter_only(
    busy: ApiUser, bob: ApiUser
) -> None:
    filtered = busy.changes(query="kind=task&limit=1").get_json()["meta"]["sync_token"]
    own = token(busy, 3)
    assert [entry["version"] for entry in data(busy.changes(filtered, query="kind=task"))] == [
        5, 6, 7, 8, 9,
    ]  # fmt: skip
    changed = own[:-1] + ("A" if own[-1] != "A" else "B")
    wrong = ["0", "3", "x", "%00", own[:-4], own + "AAAA", own.swapcase(), changed, "é", filtered]
    for each in [*wrong, token(bob, 3)]:
        assert error(busy.changes(each, query="limit=x")) == (400, "BAD_REQUEST"), each
    assert error(busy.changes(own, query="kind=task")) == (400, "BAD_REQUEST")


@pytest.mark.proves("TASK-34")
def test_a_sync_token_outlives_a_rotation_of_the_keys(config: Config, busy: ApiUser) -> None:
    known = busy.changes(query="limit=2").get_json()["meta"]["sync_token"]
    rotated = replace(config, jwt_secrets={"new": "another secret that is long enough, 32 bytes"})
    client = create_app(rotated).test_client()
    credentials = {"email": busy.email, "password": PASSWORD}
    session = data(client.post("/api/auth/login", json=credentials))
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    answer = client.get(f"/api/me/changes?since={known}", headers=bearer)
    assert [entry["version"] for entry in data(answer)] == [6, 7, 8, 9]


@pytest.mark.proves("TASK-32")
@pytest.mark.parametrize("since", [10, 10**9, 2**63 - 1])
def test_a_token_ahead_of_the_ledger_is_expired(busy: ApiUser, since: int) -> None:
    """As after the restore of a backup."""
    assert error(changes(busy, since)) == (410, "SYNC_TOKEN_EXPIRED")


def test_an_unchanged_feed_is_a_304(busy: ApiUser) -> None:
    tag = changes(busy, 3).headers["ETag"]
    known = {"If-None-Match": tag}
    again = busy.changes(token(busy, 3), query="limit=50", headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert busy.changes("x", headers=known).status_code == 400
    assert busy.changes(query="limit=x", headers=known).status_code == 422
    busy.create()
    again = busy.changes(token(busy, 3), query="limit=50", headers=known)
    assert again.status_code == 200


@pytest.mark.usefixtures("busy")
def test_a_feed_has_the_changes_of_its_owner_only(bob: ApiUser) -> None:
    assert data(changes(bob)) == []
    assert error(changes(bob, 9)) == (410, "SYNC_TOKEN_EXPIRED")
    bob.create("bob's")
    assert [entry["item"]["title"] for entry in data(changes(bob))] == ["bob's"]


# --- after a purge ------------------------------------------------------------------------------


def purge(flask: FlaskCommand, older_than: str = "0s") -> str:
    result = flask("ledger", "purge", "--older-than", older_than)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def pruned(busy: ApiUser, flask: FlaskCommand) -> ApiUser:
    purge(flask)
    return busy


@pytest.mark.proves("TASK-33", "LEDGER-40")
def test_a_purge_reports_the_deleted_rows(busy: ApiUser, bob: ApiUser, flask: FlaskCommand) -> None:
    bob.create()
    assert purge(flask) == (
        "purged 1 items and 10 ledger entries of 2 users, and 0 idempotency keys\n"
    )
    assert purge(flask) == (
        "purged 0 items and 0 ledger entries of 0 users, and 0 idempotency keys\n"
    )
    assert flask("ledger", "verify").exit_code == 0
    assert data(busy.get("/trash")) == []


@pytest.mark.proves("TASK-32")
def test_a_purge_expires_only_older_sync_tokens(pruned: ApiUser) -> None:
    for since in (1, 5, 8):
        assert error(changes(pruned, since)) == (410, "SYNC_TOKEN_EXPIRED")
    assert data(changes(pruned, 9)) == []
    task = pruned.create("after")
    assert [entry["item"] for entry in data(changes(pruned, 9))] == [task]


@pytest.mark.proves("TASK-32")
def test_a_first_load_has_every_task_after_a_purge(pruned: ApiUser) -> None:
    answer = changes(pruned)
    assert {entry["id"]: entry["item"] for entry in data(answer)} == listed(pruned)
    assert answer.get_json()["meta"]["sync_token"] == token(pruned, 9)


@pytest.mark.proves("TASK-32", "LEDGER-10")
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_first_load_in_pages_terminates_after_a_purge(pruned: ApiUser, limit: int) -> None:
    pruned.create("after")
    replica = Replica(pruned)
    replica.follow(limit)
    assert replica.tasks == listed(pruned)
    assert replica.token == token(pruned, 10)


@pytest.mark.proves("LEDGER-10")
def test_a_purge_between_the_pages_of_a_first_load_expires_it(
    pruned: ApiUser, flask: FlaskCommand
) -> None:
    replica = Replica(pruned)
    replica.pull(2)
    for task_id in replica.tasks:
        pruned.delete(f"/{task_id}")
    purge(flask)
    assert error(replica.pull(2)) == (410, "SYNC_TOKEN_EXPIRED")


@pytest.mark.proves("LEDGER-11")
def test_a_purge_changes_the_etags_of_feed_trash_and_history(
    busy: ApiUser, flask: FlaskCommand
) -> None:
    task = data(busy.get("?limit=1"))[0]["id"]
    version = busy.get().get_json()["meta"]["version"]
    paths = ("/tasks/trash", "/changes", f"/tasks/{task}/history")

    def read(path: str, tag: str = "") -> TestResponse:
        return busy.call("GET", f"/api/me{path}", headers={"If-None-Match": tag})

    tags = {path: read(path).headers["ETag"] for path in paths}
    for path, tag in tags.items():
        assert read(path, tag).status_code == 304
    purge(flask)
    for path, tag in tags.items():
        assert read(path, tag).status_code == 200
    assert busy.get().get_json()["meta"]["version"] == version


@pytest.mark.proves("TASK-33")
def test_a_purge_deletes_only_older_entries(
    busy: ApiUser, flask: FlaskCommand, superuser: psycopg.Connection
) -> None:
    """Versions 1 to 7 are 31 days old; the deletion is version 8."""
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("UPDATE ledger_entries SET at = at - interval '31 days' WHERE version <= 7")
    assert "purged 0 items and 7 ledger entries" in purge(flask, "30d")
    assert flask("ledger", "verify").exit_code == 0
    (deleted,) = data(busy.get("/trash"))
    assert busy.post(f"/{deleted['id']}/restore").status_code == 200
    assert error(changes(busy, 6)) == (410, "SYNC_TOKEN_EXPIRED")
    assert [entry["version"] for entry in data(changes(busy, 7))] == [9, 10]


@pytest.mark.proves("TASK-33", "LEDGER-12")
def test_a_purged_ledger_continues_its_versions(pruned: ApiUser, flask: FlaskCommand) -> None:
    old = data(pruned.get("?limit=1"))[0]
    assert data(pruned.get(f"/{old['id']}/history")) == []
    task = pruned.create("after")
    assert task["version"] == 10
    assert [entry["version"] for entry in data(pruned.get(f"/{task['id']}/history"))] == [10]
    assert flask("ledger", "verify").exit_code == 0
    assert "1 ledger entries" in purge(flask)


@pytest.mark.proves("LEDGER-40")
def test_a_ledger_is_purged_in_batches(
    busy: ApiUser, flask: FlaskCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ledger.repository.PRUNED", 2)
    assert "purged 1 items and 9 ledger entries of 1 users" in purge(flask)
    replica = Replica(busy)
    replica.follow(2)
    assert replica.tasks == listed(busy)


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1w", "1.5h", "", "123456d"])
def test_an_age_is_a_number_and_a_unit(flask: FlaskCommand, age: str) -> None:
    result = flask("ledger", "purge", "--older-than", age)
    assert (result.exit_code, "is not an age such as 30d" in result.output) == (2, True)
