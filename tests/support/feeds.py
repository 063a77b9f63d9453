"""Calendar feeds: made by an API user, read by a calendar program, and parsed by vobject."""

from collections.abc import Iterator
from typing import Any

import vobject
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_user import ApiUser, data


def make_feed(user: ApiUser, **fields: Any) -> dict[str, Any]:
    """Makes a feed, and returns it with its url."""
    answer = user.call("POST", "/api/me/feeds", json=fields)
    assert answer.status_code == 201, answer.text
    return dict(data(answer))


def path_of(feed: dict[str, Any]) -> str:
    """The path of a feed's address."""
    return "/feeds/" + str(feed["url"]).partition("/feeds/")[2]


def fetch(
    client: FlaskClient, feed: dict[str, Any], query: str = "", **headers: str
) -> TestResponse:
    """Reads the feed as a calendar program does, without a token."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path_of(feed) + query, headers=sent, buffered=True)


def calendar_of(user: ApiUser, query: str = "", **fields: Any) -> str:
    """The text of a new feed of the user's."""
    answer = fetch(user.client, make_feed(user, **fields), query)
    assert answer.status_code == 200, answer.text
    return str(answer.data, "utf-8")


def parsed(text: str) -> Any:
    """The calendar as vobject reads it."""
    (calendar,) = vobject.readComponents(text)
    return calendar


def todos(text: str) -> list[Any]:
    """The tasks of a calendar, in its order."""
    return list(parsed(text).contents.get("vtodo", []))


def events(text: str) -> list[Any]:
    """The events of a calendar, in its order."""
    return list(parsed(text).contents.get("vevent", []))


def unfolded(text: str) -> list[str]:
    """The content lines of a calendar."""
    return text.replace("\r\n ", "").split("\r\n")


def lines(text: str, name: str) -> list[str]:
    """The content lines of that property, with parameters or without."""
    return [line for line in unfolded(text) if line.startswith((f"{name}:", f"{name};"))]


def physical_lines(octets: bytes) -> Iterator[bytes]:
    """The lines as they are sent, without their ends."""
    assert octets.endswith(b"\r\n")
    yield from octets[:-2].split(b"\r\n")
