"""The items of one kind as their owner sees them through the API."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, data

KINDS = ("task", "list", "label", "filter")
NAMES = {"task": "title", "list": "title", "label": "name", "filter": "title"}
T = TypeVar("T")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Items:
    """A user's items of one kind. Paths are relative to /api/me/{plural}."""

    user: ApiUser
    kind: str

    @property
    def name(self) -> str:
        """The field with what an item is called."""
        return NAMES[self.kind]

    def call(
        self,
        method: str,
        path: str = "",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Sends a request with the user's access token."""
        options = {} if body is None else {"json": body}
        return self.user.call(method, f"/api/me/{self.kind}s{path}", headers=headers, **options)

    def fields(self, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """The body of a creation; without `name` with one that no other item has."""
        query = {"query": "overdue"} if self.kind == "filter" else {}
        return {self.name: name or f"{self.kind} {next(_numbers)}", **query, **fields}

    def create(self, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """Adds an item and returns it as the API does."""
        answer = self.call("POST", body=self.fields(name, **fields))
        assert answer.status_code == 201, answer.text
        return dict(data(answer))

    def read(self, item_id: str) -> dict[str, Any]:
        """The item."""
        return dict(data(self.call("GET", f"/{item_id}")))

    def change(self, item_id: str, **fields: Any) -> dict[str, Any]:
        """Changes fields of an item."""
        return dict(data(self.call("PATCH", f"/{item_id}", fields)))

    def delete(self, item_id: str) -> dict[str, Any]:
        """Moves an item to the trash."""
        return dict(data(self.call("DELETE", f"/{item_id}")))

    def post(self, item_id: str, verb: str) -> dict[str, Any]:
        """Sends a POST without a body, such as restore, and returns the item."""
        return dict(data(self.call("POST", f"/{item_id}/{verb}")))

    def move(self, item_id: str, **place: Any) -> dict[str, Any]:
        """Gives an item another place in the order."""
        return dict(data(self.call("POST", f"/{item_id}/move", place)))

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        """All items of the list, page by page."""
        return [each for page in self.pages(f"?limit=200{query and '&' + query}") for each in page]

    def pages(self, query: str) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list."""
        cursor: str | None = ""
        while cursor is not None:
            answer = self.call("GET", f"{query}&cursor={cursor}" if cursor else query)
            yield list(data(answer))
            cursor = answer.get_json()["meta"]["next_cursor"]

    def ordered(self) -> list[str]:
        """What the items are called, in the user's order."""
        sort = "sort=position" if self.kind == "task" else ""
        return [each[self.name] for each in self.listed(sort)]


def version(user: ApiUser) -> int:
    """The owner's version."""
    return int(user.call("GET", "/api/me/labels?limit=1").get_json()["meta"]["version"])


def feed(user: ApiUser, after: int = 0) -> list[tuple[int, str, str]]:
    """Version, kind and action of the entries of the feed behind a version."""
    entries = []
    token, has_more = None, True
    while has_more:
        answer = user.changes(token, query="limit=200")
        entries += data(answer)
        meta = answer.get_json()["meta"]
        token, has_more = meta["sync_token"], meta["has_more"]
    return [
        (each["version"], each["kind"], each["action"])
        for each in entries
        if each["version"] > after
    ]


def clone(app: Flask, user: ApiUser) -> ApiUser:
    """The same user with a client of its own, for another thread."""
    return ApiUser(app.test_client(), user.id, user.email, user.access_token, user.refresh_token)


def at_once(*calls: Callable[[], T]) -> list[T]:
    """The results of calls that begin at the same time, each in a thread of its own."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))
