"""The feed of all kinds: a client that keeps everything from it alone has what the service has.

FEED_OPERATIONS sets how many operations the writers make at random; 500 by default.
"""

import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, broken_fields, data, error
from tests.support.items import KINDS, Items, clone, feed, version
from tests.support.services import FlaskCommand

OPERATIONS = int(os.environ.get("FEED_OPERATIONS", "500"))
WRITERS = 4
WEEKS = ["2037-10-07", "2037-10-14", "2037-10-21", "2037-10-28"]
NAMES = ("Home", "home", "Work", "Straße", "STRASSE", "x", "日本", "urgent", "Urgent", "later")


def without_series(task: dict[str, Any]) -> dict[str, Any]:
    """An exported task without what the export alone has: where it stands in its series."""
    return {name: task[name] for name in task.keys() - {"recurrence_from", "recurrence_left"}}


class Replica:
    """A client's copy of everything, which it gets by the feed alone."""

    def __init__(self, user: ApiUser) -> None:
        self.user = user
        self.items: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self.token: str | None = None
        self.versions: list[int] = []

    def pull(self, limit: int) -> bool:
        """Reads one page; whether there is more."""
        answer = self.user.changes(self.token, query=f"limit={limit}")
        for entry in data(answer):
            self.items[entry["kind"]].pop(entry["id"], None)
            if not entry["deleted"]:
                assert entry["item"]["version"] == entry["version"]
                self.items[entry["kind"]][entry["id"]] = entry["item"]
            self.versions.append(entry["version"])
        meta = answer.get_json()["meta"]
        self.token = meta["sync_token"]
        return bool(meta["has_more"])

    def kept(self, kind: str) -> list[dict[str, Any]]:
        """The items of a kind in the user's order."""
        return sorted(self.items[kind].values(), key=lambda item: (item["position"], item["id"]))

    def tasks(self, *, archived: bool) -> list[dict[str, Any]]:
        """The tasks that are not hidden by a deleted list, nor by an archived one if so asked."""
        return [
            task
            for task in self.kept("task")
            if task["list_id"] is None
            or (
                (found := self.items["list"].get(task["list_id"])) is not None
                and (archived or found["archived_at"] is None)
            )
        ]

    def assert_complete(self) -> None:
        """Requires that the copy is what listings and export say."""
        user = self.user
        assert Items(user, "task").listed("sort=position") == self.tasks(archived=False)
        exported = user.export().get_json()
        shown = sorted(self.tasks(archived=True), key=lambda task: task["id"])
        assert [without_series(each) for each in exported["tasks"]] == shown
        for kind in KINDS[1:]:
            assert Items(user, kind).listed() == self.kept(kind)
            assert sorted(exported[f"{kind}s"], key=lambda each: each["id"]) == sorted(
                self.kept(kind), key=lambda each: each["id"]
            )
        for home in self.kept("list"):
            own = [task for task in self.kept("task") if task["list_id"] == home["id"]]
            assert Items(user, "task").listed(f"list_id={home['id']}&sort=position") == own
        assert self.versions == sorted(set(self.versions))

    def assert_sound(self) -> None:
        """Requires what holds for tasks and those that they refer to."""
        tasks, labels = self.items["task"], self.items["label"]
        for task in tasks.values():
            assert set(task["label_ids"]) <= labels.keys()
            assert task["label_ids"] == sorted(set(task["label_ids"]))
            above, depth = task, 1
            while above["parent_id"] is not None:
                child, above = above, tasks[above["parent_id"]]
                assert child["list_id"] == above["list_id"]
                assert above["is_completed"] <= child["is_completed"]
                depth += 1
                assert depth <= 5
        places = Counter(
            (
                task["list_id"] if task["parent_id"] is None else "",
                task["parent_id"],
                task["position"],
            )
            for task in tasks.values()
        )
        assert set(places.values()) <= {1}


class Writer:
    """A client that changes items of all kinds at random."""

    def __init__(self, user: ApiUser, seed: int, known: dict[str, list[str]]) -> None:
        self.user, self.random, self.known = user, random.Random(seed), known
        self.statuses: Counter[int] = Counter()

    def run(self, count: int) -> None:
        for _ in range(count):
            answer = self._batch() if self.random.random() < 0.1 else self._single()
            self.statuses[answer.status_code] += 1
            body = answer.get_json()
            if answer.status_code == 201:
                kind = answer.headers["Location"].split("/")[3][:-1]
                self.known[kind].append(body["data"]["id"])
            if answer.status_code == 200:
                for item in body["data"].get("results", ()):
                    if "due" in item:
                        self.known["task"].append(item["id"])

    def _some(self, kind: str) -> str:
        ids = self.known[kind]
        return self.random.choice(ids[-30:]) if ids else "01890a5d-ac96-774b-bcce-b302099a8057"

    def _fields(self, kind: str) -> dict[str, Any]:
        name = self.random.choice(NAMES)
        fields = Items(self.user, kind).fields(name)
        if kind == "task":
            fields |= self.random.choice(
                [
                    {},
                    {"list_id": self._some("list")},
                    {"parent_id": self._some("task")},
                    {"label_ids": [self._some("label") for _ in range(3)]},
                    {"labels": self.random.sample(NAMES, 2)},
                    {"due": "2026-10-25T02:30", "time_zone": "Europe/Madrid", "priority": 1},
                    {"list_id": None},
                    {"due": None, "time_zone": None, "label_ids": []},
                    {"due": WEEKS[0], "time_zone": None, "recurrence": "FREQ=WEEKLY;COUNT=4"},
                    {"due": self.random.choice(WEEKS), "time_zone": None},
                    {"due": None, "time_zone": None, "recurrence": None},
                ]
            )
        return fields

    def _single(self) -> TestResponse:
        kind = self.random.choices(KINDS, (6, 2, 2, 1))[0]
        items, path = Items(self.user, kind), f"/{self._some(kind)}"
        verb = self.random.choice(
            ["create", "create", "update", "update", "move", "delete", "restore", "other"]
        )
        if verb == "create":
            return items.call("POST", body=self._fields(kind))
        if verb == "update":
            return items.call("PATCH", path, self._fields(kind))
        if verb == "delete":
            return items.call("DELETE", path)
        if verb == "restore":
            return items.call("POST", f"{path}/restore")
        is_other = verb == "other" and kind in ("task", "list")
        return self._other(items, path) if is_other else self._move(items, path)

    def _other(self, items: Items, path: str) -> TestResponse:
        if items.kind == "list":
            return items.call("POST", path + self.random.choice(["/archive", "/unarchive"]))
        occurrence = {"occurrence": self.random.choice(WEEKS)}
        if self.random.random() < 0.2:
            return items.call("POST", f"{path}/skip", occurrence)
        is_completed = self.random.choice([True, True, False])
        body = {"is_completed": is_completed, **occurrence} if self.random.random() < 0.5 else None
        return items.call("PATCH", f"{path}/complete", body)

    def _move(self, items: Items, path: str) -> TestResponse:
        place: dict[str, Any] = {self.random.choice(["after", "before"]): self._some(items.kind)}
        if items.kind == "task" and self.random.random() < 0.3:
            place["list_id"] = self._some("list")
        if self.random.random() < 0.3:
            place = {"after": None}
        return items.call("POST", f"{path}/move", place)

    def _batch(self) -> TestResponse:
        made = {**self._fields("task"), "kind": "task", "op": "create", "ref": "a"}
        return self.user.batch(
            made,
            {"op": "create", "title": "below", "parent_id": "#a"},
            {"op": self.random.choice(["complete", "delete"]), "id": self._some("task")},
            {"op": "complete", "id": "#a"},
        )


@pytest.mark.proves("TASK-30", "TASK-31", "TASK-100", "TASK-200")
@pytest.mark.slow
def test_a_client_that_reads_the_feed_alone_has_what_listings_and_export_say(
    app: Flask, alice: ApiUser, flask: FlaskCommand
) -> None:
    known: dict[str, list[str]] = {kind: [] for kind in KINDS}
    writers = [Writer(clone(app, alice), seed, known) for seed in range(WRITERS)]
    replica, late = Replica(alice), Replica(alice)
    chance, done = random.Random(WRITERS), threading.Event()

    def follow() -> None:
        while not done.is_set():
            replica.pull(chance.randint(1, 20))

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reader = threads.submit(follow)
        running = [threads.submit(writer.run, OPERATIONS // WRITERS) for writer in writers]
        try:
            for each in running:
                each.result()
        finally:
            done.set()
        reader.result()
    while replica.pull(chance.randint(1, 200)):
        pass
    while late.pull(200):
        pass
    statuses = sum((writer.statuses for writer in writers), Counter[int]())
    assert statuses.keys() <= {200, 201, 404, 409, 422, 503}, statuses
    assert statuses[503] <= OPERATIONS / 100, statuses  # a lock on a busy machine
    assert statuses[200] + statuses[201] > OPERATIONS / 4
    assert late.items == replica.items
    replica.assert_complete()
    replica.assert_sound()
    verified = flask("ledger", "verify")
    assert verified.exit_code == 0, verified.output


# --- one feed for all kinds -----------------------------------------------------------------------


@pytest.mark.proves("TASK-30", "TASK-200")
def test_the_feed_tells_all_kinds_in_one_order(alice: ApiUser) -> None:
    made = {kind: Items(alice, kind).create() for kind in KINDS}
    Items(alice, "list").change(made["list"]["id"], title="changed")
    Items(alice, "label").delete(made["label"]["id"])
    assert feed(alice) == [
        (1, "task", "create"),
        (4, "filter", "create"),
        (5, "list", "update"),
        (6, "label", "delete"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_feed_of_one_kind_has_that_kind_alone(alice: ApiUser, kind: str) -> None:
    made = {each: Items(alice, each).create() for each in KINDS}
    answer = alice.changes(query=f"kind={kind}")
    (entry,) = data(answer)
    assert (entry["kind"], entry["item"]) == (kind, made[kind])
    token = answer.get_json()["meta"]["sync_token"]
    assert data(alice.changes(token, query=f"kind={kind}")) == []
    other = KINDS[KINDS.index(kind) - 1]
    for query in (f"kind={other}", ""):
        assert error(alice.changes(token, query=query)) == (400, "BAD_REQUEST")
    Items(alice, other).create()
    answer = alice.changes(token, query=f"kind={kind}")
    assert (data(answer), answer.get_json()["meta"]["version"]) == ([], 5)
    assert broken_fields(alice.changes(query="kind=user")) == ["kind"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_feed_in_pages_has_every_kind(alice: ApiUser, limit: int) -> None:
    for kind in KINDS * 2:
        Items(alice, kind).create()
    replica = Replica(alice)
    while replica.pull(limit):
        pass
    replica.assert_complete()
    assert replica.versions == list(range(1, 9))


def test_a_client_knows_from_the_feed_what_archived_and_deleted_lists_hide(alice: ApiUser) -> None:
    lists, tasks = Items(alice, "list"), Items(alice, "task")
    replica = Replica(alice)
    home, work = lists.create()["id"], lists.create()["id"]
    for list_id in (home, work, None):
        tasks.create(list_id=list_id)
    for list_id, verb in (
        (home, "archive"),
        (work, "delete"),
        (home, "delete"),
        (work, "restore"),
        (home, "restore"),
        (home, "unarchive"),
    ):
        before = version(alice)
        lists.delete(list_id) if verb == "delete" else lists.post(list_id, verb)
        assert version(alice) == before + 1
        while replica.pull(50):
            pass
        replica.assert_complete()
    assert len(replica.tasks(archived=False)) == 3


def test_a_known_feed_is_a_304_until_any_kind_changes(alice: ApiUser) -> None:
    for kind in KINDS:
        tag = alice.changes().headers["ETag"]
        known = {"If-None-Match": tag}
        assert alice.changes(headers=known).status_code == 304
        Items(alice, kind).create()
        assert alice.changes(headers=known).status_code == 200


def test_a_first_load_after_a_purge_has_every_kind(alice: ApiUser, flask: FlaskCommand) -> None:
    for kind in KINDS:
        items = Items(alice, kind)
        items.create()
        items.delete(items.create()["id"])
    old = Replica(alice)
    old.pull(3)
    result = flask("ledger", "purge", "--older-than", "0s")
    assert "purged 4 items and 12 ledger entries" in result.output, result.output
    assert error(alice.changes(old.token)) == (410, "SYNC_TOKEN_EXPIRED")
    replica = Replica(alice)
    while replica.pull(2):
        pass
    replica.assert_complete()
    assert {kind: len(found) for kind, found in replica.items.items()} == dict.fromkeys(KINDS, 1)


@pytest.mark.parametrize("kind", ["list", "label", "filter"])
def test_a_change_that_the_ledger_does_not_know_is_found(
    alice: ApiUser, superuser: psycopg.Connection, flask: FlaskCommand, kind: str
) -> None:
    items = Items(alice, kind)
    items.create()
    assert flask("ledger", "verify").exit_code == 0
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(f"UPDATE {kind}s SET {items.name} = 'forged'".encode())
    assert flask("ledger", "verify").exit_code != 0
