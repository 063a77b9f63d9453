"""Concurrent clients on the real server, whose calls are checked against the ledger.

LEDGER_STORM_SECONDS sets how long the clients write; 4 seconds by default.
"""

import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.history_checker import CONNECTION_ERRORS, History, check, read_ledger
from tests.support.remote_user import RemoteUser, sign_up
from tests.support.server import Server, serving
from tests.support.services import FlaskCommand

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

STORM_SECONDS = float(os.environ.get("LEDGER_STORM_SECONDS", "4"))
WRITERS, POLLERS = 20, 3
KILL = """
    SELECT pg_terminate_backend(pid) FROM (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'ownrow web'
        ORDER BY random() LIMIT 1
    ) AS victim
"""


@pytest.fixture
def own_server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """Two workers on a database of the test's own."""
    with serving(database_url, tmp_path, LOG_LEVEL="error") as server:
        yield server


@pytest.fixture
def owner(own_server: Server) -> RemoteUser:
    return sign_up(own_server)


def run_concurrently(count: int, run: Callable[[int], object]) -> list[Any]:
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


@pytest.mark.proves("TASK-22")
def test_20_writers_with_if_match_lose_no_update(
    owner: RemoteUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    task = owner.create("|")
    path, history = f"/tasks/{task['id']}", History()

    def append(writer: int) -> int:
        """Appends the writer's letter three times to the title that it has read."""
        done = 0
        while done < 3:
            read = owner.get(path).json["data"]
            title = {"title": read["title"] + chr(ord("a") + writer)}
            done += history.write(owner, "PATCH", path, title, read["version"]) is not None
        return done

    assert sum(run_concurrently(WRITERS, append)) == 60
    entries = read_ledger(superuser, owner.id)
    check(history.calls, entries, [entries[0].request_id])
    final = owner.get(path).json["data"]
    assert sorted(final["title"]) == sorted("|" + "abcdefghijklmnopqrst" * 3)
    assert final["version"] == len(entries) == 61
    assert sum(call.is_ok for call in history.calls) == 60
    assert {call.status for call in history.calls} <= {200, 412}
    assert flask("ledger", "verify").exit_code == 0


@pytest.mark.proves("TASK-40")
def test_50_concurrent_creates_with_one_key_create_one_task(owner: RemoteUser) -> None:
    key = {"Idempotency-Key": "only-once"}

    def create(_: int) -> tuple[int, bytes]:
        while True:
            answer = owner.call("POST", "/tasks", {"title": "once"}, key)
            if answer.status != 409:  # the first request still runs
                return answer.status, answer.body

    answers = run_concurrently(50, create)
    assert {status for status, _ in answers} == {201}
    assert len({body for _, body in answers}) == 1
    assert [task["title"] for task in owner.get("/tasks").json["data"]] == ["once"]


@pytest.mark.proves("LEDGER-40")
def test_a_purge_fails_no_concurrent_write(owner: RemoteUser, flask: FlaskCommand) -> None:
    def write(_: int) -> set[int]:
        statuses = set()
        for number in range(20):
            task = owner.create(str(number))
            statuses.add(owner.call("PATCH", f"/tasks/{task['id']}/complete").status)
            statuses.add(owner.call("DELETE", f"/tasks/{task['id']}").status)
        return statuses

    def purge() -> int:
        result = flask("ledger", "purge", "--older-than", "0s")
        assert result.exit_code == 0, result.output
        return int(result.output.split()[4])

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(write, number) for number in range(4)]
        entries = purge()
        while not all(writer.done() for writer in writers):
            entries += purge()
    assert [writer.result() for writer in writers] == [{200}] * 4
    assert entries + purge() == 240
    assert flask("ledger", "verify").exit_code == 0


class Writer:
    """Changes tasks at random for a time."""

    def __init__(self, owner: RemoteUser, history: History, seed: int) -> None:
        self.owner, self.history = owner, history
        self.random = random.Random(seed)
        self.known: dict[str, int] = {}

    def run(self, until: float) -> None:
        while time.monotonic() < until:
            self._learn(self._write())
            time.sleep(self.random.uniform(0, 0.03))

    def _write(self) -> Any:
        write, chance = self.history.write, self.random.random()
        if not self.known or chance < 0.2:
            return write(self.owner, "POST", "/tasks", {"title": self._text()})
        task_id = self.random.choice(list(self.known))
        path = f"/tasks/{task_id}"
        if chance < 0.3:
            return write(self.owner, "POST", "/batch", {"operations": self._operations(task_id)})
        if chance < 0.4:
            return write(self.owner, "PATCH", f"{path}/complete")
        if chance < 0.5:
            return write(self.owner, "DELETE", path)
        if chance < 0.6:
            return write(self.owner, "POST", f"{path}/restore")
        version = self.known[task_id] if chance < 0.8 else None
        return write(self.owner, "PATCH", path, {"title": self._text()}, version)

    def _operations(self, task_id: str) -> list[dict[str, Any]]:
        change = {"op": "update", "id": task_id, "title": self._text()}
        return [{"op": "create", "title": self._text()}, change, {"op": "complete", "id": task_id}]

    def _text(self) -> str:
        return f'ü"\\{self.random.random()}'

    def _learn(self, data: Any) -> None:
        for result in (data or {}).get("results", [data] if data else []):
            self.known[result["id"]] = result["version"]
        while len(self.known) > 8:
            self.known.pop(next(iter(self.known)))


class Poller:
    """Follows the feed, and keeps the bytes of every task."""

    def __init__(self, owner: RemoteUser, seed: int) -> None:
        self.owner, self.random = owner, random.Random(seed)
        self.token: str | None = None
        self.since = 0  # the version that the token stands for
        self.tasks: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.progress: list[tuple[int, dict[str, int]]] = []

    def run(self, until: float) -> None:
        while time.monotonic() < until:
            with suppress(*CONNECTION_ERRORS):
                self.pull(self.random.choice((1, 5, 50)))
            time.sleep(self.random.uniform(0, 0.05))

    def pull(self, limit: int) -> bool:
        """Reads one page of the feed; returns whether there are more."""
        since = "" if self.token is None else f"&since={self.token}"
        answer = self.owner.get(f"/changes?limit={limit}{since}")
        if answer.status == 503:
            return True
        assert answer.status == 200, answer.body
        page = answer.json
        texts = iter(spans(answer.body.decode(), '"item" : {'))
        for entry in page["data"]:
            assert self.since < entry["version"] <= page["meta"]["version"]
            self.since = entry["version"]
            self.seen[entry["id"]] = entry["version"]
            self.tasks.pop(entry["id"], None)
            if not entry["deleted"]:
                self.tasks[entry["id"]] = next(texts)
        self.token = page["meta"]["sync_token"]
        if not page["meta"]["has_more"]:
            self.since = page["meta"]["version"]
        self.progress.append((self.since, dict(self.seen)))
        return bool(page["meta"]["has_more"])


def spans(body: str, mark: str) -> list[str]:
    """The text of each JSON object that begins with the last brace of `mark`."""
    found, position = [], body.find(mark)
    while position >= 0:
        start = position + mark.rindex("{")
        _, end = json.JSONDecoder().raw_decode(body, start)
        found.append(body[start:end])
        position = body.find(mark, end)
    return found


def listed(owner: RemoteUser) -> dict[str, str]:
    """The bytes of every task in the list, by its id."""
    tasks: dict[str, str] = {}
    path = "/tasks?limit=200"
    while path:
        answer = owner.get(path)
        for text in spans(answer.body.decode(), '{"id" : '):
            tasks[json.loads(text)["id"]] = text
        cursor = answer.json["meta"]["next_cursor"]
        path = f"/tasks?limit=200&cursor={cursor}" if cursor else ""
    return tasks


@pytest.mark.proves("TASK-20", "TASK-31")
@pytest.mark.slow
def test_concurrent_writers_leave_no_version_gap_and_the_feed_skips_no_change(
    owner: RemoteUser, superuser: psycopg.Connection, flask: FlaskCommand
) -> None:
    history = History()
    writers = [Writer(owner, history, seed) for seed in range(WRITERS)]
    pollers = [Poller(owner, seed) for seed in range(POLLERS)]
    until = time.monotonic() + STORM_SECONDS

    def kill_backends() -> int:
        killed = 0
        while time.monotonic() < until:
            time.sleep(0.2)
            killed += superuser.execute(KILL).rowcount
        return killed

    with ThreadPoolExecutor(WRITERS + POLLERS + 1) as threads:
        killer = threads.submit(kill_backends)
        running = [threads.submit(writer.run, until) for writer in writers]
        running += [threads.submit(poller.run, until) for poller in pollers]
        for each in running:
            each.result()
    entries = read_ledger(superuser, owner.id)
    outcomes = [call.status or "lost" for call in history.calls]
    log.info("%s; %s killed, %s entries", Counter(outcomes), killer.result(), len(entries))
    assert killer.result() > 0
    assert len(entries) > 100
    check(history.calls, entries)

    final = listed(owner)
    for poller in pollers:
        while poller.pull(50):
            pass
        assert poller.since == len(entries)
        assert poller.tasks == final
        assert_nothing_skipped(poller, [(entry.version, entry.item_id) for entry in entries])
    assert flask("ledger", "verify").exit_code == 0


def assert_nothing_skipped(poller: Poller, changes: list[tuple[int, str]]) -> None:
    """At each position the poller had seen every change up to it that no later one replaced."""
    last = {task_id: version for version, task_id in changes}
    newest: dict[str, int] = {}
    pending = iter(changes)
    reached = 0
    for since, seen in poller.progress:
        while reached < since:
            reached, task_id = next(pending)
            newest[task_id] = reached
        for task_id, version in newest.items():
            if last[task_id] <= since:
                assert seen[task_id] == version, f"{task_id} of version {version} was skipped"
