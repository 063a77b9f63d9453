"""A load of concurrent clients that read and write; every call is recorded."""

import http.client
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import uuid4

from tests.support.api_user import PASSWORD
from tests.support.contract_check import check
from tests.support.faults.recorder import Call, Outcome, Recorder, fate, foreign_owners
from tests.support.server import Server

TIMEOUT = 15.0  # seconds without a response that count as a hang
PAUSE = 0.005  # seconds between two calls of one client
TASKS, BATCH, FEED = "/api/me/tasks", "/api/me/batch", "/api/me/changes"
ACCOUNT = "/api/auth/me"
ZONES = ("Asia/Tokyo", "Europe/Madrid", "America/New_York")
OTHERS = {  # the paths of other kinds of items, with the name of an item and its other fields
    "/api/me/lists": ("title", {}),
    "/api/me/labels": ("name", {}),
    "/api/me/filters": ("title", {"query": "not completed"}),
}


@dataclass(frozen=True)
class User:
    """A registered user with an access token."""

    id: str
    email: str
    token: str


def register(server: Server) -> User:
    """Registers a user with a random address, and logs in."""
    credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    answer = server.request("POST", "/api/auth/register", credentials)
    assert answer.status == 201, answer.body
    return log_in(server, credentials["email"])


def log_in(server: Server, email: str) -> User:
    """The user of that address with a new session."""
    answer = server.request("POST", "/api/auth/login", {"email": email, "password": PASSWORD})
    assert answer.status == 200, answer.body
    session = answer.json["data"]
    return User(session["user"]["id"], email, session["access_token"])


class Client:
    """One keep-alive connection, reopened after a failure; no call is repeated."""

    def __init__(self, server: Server, recorder: Recorder) -> None:
        self._server = server
        self._recorder = recorder
        self._connection: http.client.HTTPConnection | None = None
        self._port = 0

    def call(self, user: User, call: Call) -> tuple[Outcome, bytes]:
        """Sends the call once and records it; returns the outcome and the response body."""
        began = self._recorder.begin(call)
        status, answer, error = None, b"", None
        headers = http.client.HTTPMessage()
        try:
            status, headers, answer = self._exchange(user, call)
        except (OSError, http.client.HTTPException) as failure:
            error = repr(failure)
            self.close()
        outcome = Outcome(
            fate="unknown" if status is None else fate(status),
            began=began,
            ended=monotonic(),
            port=self._port,
            status=status,
            error=error,
            retry_after=headers.get("Retry-After"),
            results=_results(call, status, answer),
            foreign=foreign_owners(answer, user.id),
        )
        self._recorder.end(call, outcome)
        if status is not None and status >= 400:
            check(call.method, call.path.partition("?")[0], status, headers, answer)
        return outcome, answer

    def _exchange(self, user: User, call: Call) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._connection is None:
            host, port = self._server.host, self._server.port
            self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
            self._connection.connect()
            self._port = self._connection.sock.getsockname()[1]
        self._connection.request(call.method, call.path, call.body, _headers(user, call))
        response = self._connection.getresponse()
        body = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, body

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None

    def close(self) -> None:
        """Closes the connection, if it is open."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _headers(user: User, call: Call) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {user.token}", "X-Request-Id": call.id}
    if call.is_keyed:
        headers["Idempotency-Key"] = call.id
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def _results(call: Call, status: int | None, answer: bytes) -> tuple[tuple[str, int], ...]:
    """Ids and versions of the items that a successful write changed."""
    if not call.entries or status is None or status >= 400:
        return ()
    data = json.loads(answer)["data"]
    written = data.get("results", [data])
    return tuple((each["id"], each["version"]) for each in written)


@dataclass
class VirtualUser:
    """A client of the load: its user, the tasks of the user that it works on, and its place in the
    feed, which it follows."""

    user: User
    client: Client
    random: Random
    tasks: list[str] = field(default_factory=list)
    trash: list[str] = field(default_factory=list)
    sync_token: str | None = None
    planned: datetime = datetime(2026, 10, 7)  # noqa: DTZ001  # a local time
    calls: int = 0

    def step(self) -> Outcome:
        """Sends one random call."""
        call = self._next()
        outcome, answer = self.client.call(self.user, call)
        if call.method != "GET":
            self._remember(call, outcome)
        elif call.path.startswith(FEED) and outcome.fate == "acknowledged":
            self.sync_token = json.loads(answer)["meta"]["sync_token"]
        self.calls += 1
        return outcome

    def _next(self) -> Call:
        if not self.tasks:
            return self._write("POST", TASKS, {"title": "the first"})
        action: Callable[[], Call] = self.random.choices(
            [
                self._create, self._update, self._toggle, self._delete,
                self._restore, self._batch, self._get, self._list, self._feed,
                self._plan, self._create_other, self._list_others, self._change_zone,
            ],
            [20, 15, 15, 6, 3, 3, 20, 12, 6, 5, 5, 3, 1],
        )[0]  # fmt: skip
        return action()

    def _create(self) -> Call:
        return self._write("POST", TASKS, {"title": f"task {uuid4().hex}", "description": "x" * 80})

    def _update(self) -> Call:
        return self._write("PATCH", self._any_task(), {"title": f"changed {uuid4().hex}"})

    def _toggle(self) -> Call:
        return self._write("PATCH", f"{self._any_task()}/complete")

    def _plan(self) -> Call:
        """A change in a transaction of several statements, each to another time."""
        self.planned += timedelta(minutes=1)
        zone = self.random.choice([None, "Asia/Tokyo"])
        due = {"due": f"{self.planned:%Y-%m-%dT%H:%M:%S}", "time_zone": zone}
        return self._write("PATCH", self._any_task(), due)

    def _change_zone(self) -> Call:
        """A change of the account that moves the instants of floating tasks, without entries."""
        zone = json.dumps({"time_zone": self.random.choice(ZONES)})
        return Call(uuid4().hex, self.user.id, "PATCH", ACCOUNT, zone)

    def _create_other(self) -> Call:
        path = self.random.choice([*OTHERS])
        name, fields = OTHERS[path]
        return self._write("POST", path, {name: uuid4().hex, **fields})

    def _list_others(self) -> Call:
        return self._read(f"{self.random.choice([*OTHERS])}?limit=20")

    def _delete(self) -> Call:
        return self._write("DELETE", self._any_task())

    def _restore(self) -> Call:
        if not self.trash:
            return self._create()
        return self._write("POST", f"{TASKS}/{self.random.choice(self.trash)}/restore")

    def _batch(self) -> Call:
        operations = [{"op": "create", "title": f"one of {count}"} for count in range(3)]
        return self._write("POST", BATCH, {"operations": operations}, entries=3)

    def _get(self) -> Call:
        return self._read(self._any_task())

    def _list(self) -> Call:
        return self._read(f"{TASKS}?limit=20")

    def _feed(self) -> Call:
        since = "" if self.sync_token is None else f"&since={self.sync_token}"
        return self._read(f"{FEED}?limit=20{since}")

    def _any_task(self) -> str:
        return f"{TASKS}/{self.random.choice(self.tasks)}"

    def _read(self, path: str) -> Call:
        return Call(uuid4().hex, self.user.id, "GET", path)

    def _write(self, method: str, path: str, body: Any = None, entries: int = 1) -> Call:
        """A write; three of four have an Idempotency-Key."""
        text = None if body is None else json.dumps(body)
        keyed = self.random.random() < 0.75
        return Call(uuid4().hex, self.user.id, method, path, text, entries, keyed)

    def _remember(self, call: Call, outcome: Outcome) -> None:
        """Updates `tasks` and `trash`; a task whose place is unknown is in neither."""
        target = call.path.removeprefix(f"{TASKS}/").partition("/")[0]
        for each in (self.tasks, self.trash):
            if target in each and (call.method == "DELETE" or call.path.endswith("/restore")):
                each.remove(target)
        if outcome.fate != "acknowledged":
            return
        if call.method == "DELETE":
            self.trash.append(target)
        elif call.method == "POST" and call.path not in OTHERS:
            self.tasks.extend(item_id for item_id, _ in outcome.results)
            del self.tasks[:-200]


class Load:
    """Clients that send calls within the block, each in a thread."""

    def __init__(
        self,
        server: Server,
        users: Sequence[User],
        recorder: Recorder,
        *,
        clients: int = 16,
        pause: float = PAUSE,
    ) -> None:
        self.recorder = recorder
        self._server = server
        self._pause = pause
        self._ending = threading.Event()
        self._draining = threading.Event()
        self._failures: list[BaseException] = []
        self.virtual_users = [
            VirtualUser(users[number % len(users)], Client(server, recorder), Random(number))
            for number in range(clients)
        ]
        self._threads = [
            threading.Thread(target=self._work, args=[virtual_user])
            for virtual_user in self.virtual_users
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the load after the current calls; raises the first exception of a client."""
        self._ending.set()
        self.join()

    def log_in(self, users: Sequence[User]) -> None:
        """Replaces the sessions of the clients' users."""
        sessions = {user.id: user for user in users}
        for virtual_user in self.virtual_users:
            virtual_user.user = sessions[virtual_user.user.id]

    def drain(self) -> None:
        """From now on a client ends when the server closes its connection, as behind a load
        balancer that drains this server."""
        self._draining.set()

    def join(self) -> None:
        """Waits until all clients have ended; raises the first exception of one."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    @property
    def calls(self) -> int:
        """The number of completed calls."""
        return sum(virtual_user.calls for virtual_user in self.virtual_users)

    def run(self, seconds: float) -> None:
        """Waits `seconds` while the load continues."""
        self._ending.wait(seconds)

    def _work(self, virtual_user: VirtualUser) -> None:
        try:
            while not self._ending.is_set():
                virtual_user.step()
                if self._draining.is_set() and not virtual_user.client.is_connected:
                    return
                self._ending.wait(self._pause)
        except BaseException as error:  # noqa: BLE001  # raised again by join()
            self._failures.append(error)
        finally:
            virtual_user.client.close()
