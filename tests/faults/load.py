"""Users who read and write without pause, each call recorded."""

import http.client
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import uuid4

from tests.callers import PASSWORD
from tests.contract.answers import check
from tests.faults.recorder import Call, Outcome, Recorder, fate, foreign_owners
from tests.serving import Server

PATIENCE = 15.0  # seconds without an answer that count as a hang
PAUSE = 0.005  # seconds between two calls of one client
TASKS = "/api/me/tasks"


@dataclass(frozen=True)
class User:
    """Somebody who is logged in."""

    id: str
    email: str
    token: str


def register(server: Server) -> User:
    """A new user, logged in."""
    credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    answer = server.request("POST", "/api/auth/register", credentials)
    assert answer.status == 201, answer.body
    return log_in(server, credentials["email"])


def log_in(server: Server, email: str) -> User:
    """The user of that address in a new session."""
    answer = server.request("POST", "/api/auth/login", {"email": email, "password": PASSWORD})
    assert answer.status == 200, answer.body
    session = answer.json["data"]
    return User(session["user"]["id"], email, session["access_token"])


class Client:
    """One connection to the server, made again whenever it breaks; no call is made twice."""

    def __init__(self, server: Server, recorder: Recorder) -> None:
        self._server = server
        self._recorder = recorder
        self._connection: http.client.HTTPConnection | None = None
        self._port = 0

    def call(self, user: User, call: Call) -> tuple[Outcome, bytes]:
        """Makes the call once and records how it went; returns the answer's body, too."""
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
            self._connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
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
        return self._connection is not None

    def close(self) -> None:
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
    """Ids and versions of what a write changed."""
    if not call.entries or status is None or status >= 400:
        return ()
    data = json.loads(answer)["data"]
    written = data.get("results", [data])
    return tuple((each["id"], each["version"]) for each in written)


@dataclass
class Person:
    """One client's part in the load: a user, and those of the user's tasks that it works on."""

    user: User
    client: Client
    dice: random.Random
    tasks: list[str] = field(default_factory=list)
    trash: list[str] = field(default_factory=list)
    calls: int = 0

    def step(self) -> Outcome:
        """One call, whichever comes."""
        call = self._next()
        outcome, _ = self.client.call(self.user, call)
        self._remember(call, outcome)
        self.calls += 1
        return outcome

    def _next(self) -> Call:
        if not self.tasks:
            return self._write("POST", TASKS, {"title": "the first"})
        action: Callable[[], Call] = self.dice.choices(
            [
                self._create, self._update, self._toggle, self._delete,
                self._restore, self._batch, self._get, self._list, self._feed,
            ],
            [20, 15, 15, 6, 3, 3, 20, 12, 6],
        )[0]  # fmt: skip
        return action()

    def _create(self) -> Call:
        return self._write("POST", TASKS, {"title": f"task {uuid4().hex}", "description": "x" * 80})

    def _update(self) -> Call:
        return self._write("PATCH", self._any_task(), {"title": f"changed {uuid4().hex}"})

    def _toggle(self) -> Call:
        return self._write("PATCH", f"{self._any_task()}/complete")

    def _delete(self) -> Call:
        return self._write("DELETE", self._any_task())

    def _restore(self) -> Call:
        if not self.trash:
            return self._create()
        return self._write("POST", f"{TASKS}/{self.dice.choice(self.trash)}/restore")

    def _batch(self) -> Call:
        operations = [{"op": "create", "title": f"one of {count}"} for count in range(3)]
        return self._write("POST", f"{TASKS}/batch", {"operations": operations}, entries=3)

    def _get(self) -> Call:
        return self._read(self._any_task())

    def _list(self) -> Call:
        return self._read(f"{TASKS}?limit=20")

    def _feed(self) -> Call:
        return self._read(f"{TASKS}/changes?since=0&limit=20")

    def _any_task(self) -> str:
        return f"{TASKS}/{self.dice.choice(self.tasks)}"

    def _read(self, path: str) -> Call:
        return Call(uuid4().hex, self.user.id, "GET", path)

    def _write(self, method: str, path: str, body: Any = None, entries: int = 1) -> Call:
        """Three of four writes carry a key; the others show what happens without one."""
        text = None if body is None else json.dumps(body)
        keyed = self.dice.random() < 0.75
        return Call(uuid4().hex, self.user.id, method, path, text, entries, keyed)

    def _remember(self, call: Call, outcome: Outcome) -> None:
        """Keeps to tasks of which it is known where they are."""
        if call.method == "GET":
            return
        target = call.path.removeprefix(f"{TASKS}/").partition("/")[0]
        for each in (self.tasks, self.trash):
            if target in each and (call.method == "DELETE" or call.path.endswith("/restore")):
                each.remove(target)
        if outcome.fate != "acknowledged":
            return
        if call.method == "DELETE":
            self.trash.append(target)
        elif call.method == "POST":
            self.tasks.extend(task_id for task_id, _ in outcome.results)
            del self.tasks[:-200]


class Load:
    """Clients at work from the beginning of the block to its end."""

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
        self._leaving = threading.Event()
        self._failures: list[BaseException] = []
        self.persons = [
            Person(users[number % len(users)], Client(server, recorder), random.Random(number))
            for number in range(clients)
        ]
        self._threads = [
            threading.Thread(target=self._work, args=[person]) for person in self.persons
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
        """Lets each client finish its call; raises what any of them stumbled over."""
        self._ending.set()
        self.join()

    def log_in(self, users: Sequence[User]) -> None:
        """Gives each client the new session of its user."""
        sessions = {user.id: user for user in users}
        for person in self.persons:
            person.user = sessions[person.user.id]

    def leave(self) -> None:
        """From now on clients go where the server closes their connection, as behind a balancer
        that has taken this server out."""
        self._leaving.set()

    def join(self) -> None:
        """Waits until all clients have gone."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    @property
    def calls(self) -> int:
        """How many calls have ended so far."""
        return sum(person.calls for person in self.persons)

    def run(self, seconds: float) -> None:
        """Lets the load go on for so long."""
        self._ending.wait(seconds)

    def _work(self, person: Person) -> None:
        try:
            while not self._ending.is_set():
                person.step()
                if self._leaving.is_set() and not person.client.is_connected:
                    return
                self._ending.wait(self._pause)
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
            self._failures.append(error)
        finally:
            person.client.close()
