"""Reminders in tests: what is due at which time, and what has fired."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.support.api_user import ApiUser, data

BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)


def local(**offset: float) -> str:
    """The time in UTC at an offset from now, as a `due` of a floating task."""
    return f"{datetime.now(UTC) + timedelta(**offset):%Y-%m-%dT%H:%M:%S}"


def before(due: str = "PT0S", relative_to: str = "due") -> dict[str, str]:
    """A reminder at an offset."""
    return {"offset": due, "relative_to": relative_to}


def await_(database_url: str, *tasks: dict[str, Any], at: datetime = BEFORE_ALL) -> None:
    """Has the tasks' reminders behind `at` pending, as though no worker had run since."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE tasks SET next_reminder_at = %s WHERE id = ANY(%s)",
            (at, [task["id"] for task in tasks]),
        )


def next_at(database_url: str, task: dict[str, Any]) -> str | None:
    """When the task's next reminder fires, to the second."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT next_reminder_at FROM tasks WHERE id = %s", (task["id"],)
        ).fetchone()
    assert row is not None
    return row[0] and f"{row[0].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def firings(user: ApiUser) -> list[dict[str, Any]]:
    """The user's entries of the feed about reminders, in their order."""
    found: list[dict[str, Any]] = []
    token, more = None, True
    while more:
        page = user.changes(token, query="kind=reminder&limit=200").get_json()
        found += page["data"]
        token, more = page["meta"]["sync_token"], page["meta"]["has_more"]
    return found


def fired(user: ApiUser) -> list[tuple[str, str, str]]:
    """Action, occurrence and offset or instant of the user's firings."""
    items = [(each["action"], each["item"]) for each in firings(user)]
    return [
        (action, item["occurrence"], item["reminder"].get("offset") or item["reminder"]["at"])
        for action, item in items
    ]


def remind(user: ApiUser, task: dict[str, Any], *reminders: Any, **fields: Any) -> Any:
    """Gives the task these reminders; returns it."""
    path = f"/{task['id']}"
    return data(user.patch(path, json={"reminders": list(reminders), **fields}))


def task_ids(entries: Iterable[dict[str, Any]]) -> list[str]:
    """The tasks whose reminders the entries are about."""
    return [entry["item"]["task_id"] for entry in entries]
