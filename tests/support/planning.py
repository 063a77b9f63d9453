"""Lists, labels and tasks with dates, priorities and parents, as an API user makes them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.support.api_user import ApiUser, data


def make(user: ApiUser, things: str, **fields: Any) -> dict[str, Any]:
    """Creates a thing of the kind that is called so in paths, and returns it."""
    answer = user.call("POST", f"/api/me/{things}", json=fields)
    assert answer.status_code == 201, answer.text
    return dict(data(answer))


def make_task(user: ApiUser, title: str = "a task", **fields: Any) -> dict[str, Any]:
    """Creates a task with these fields."""
    return make(user, "tasks", title=title, **fields)


def make_chain(user: ApiUser, *titles: str, **fields: Any) -> list[dict[str, Any]]:
    """Creates tasks of which each is below the one before; the first has the fields."""
    tasks = [make_task(user, titles[0], **fields)]
    for title in titles[1:]:
        tasks.append(make_task(user, title, parent_id=tasks[-1]["id"]))
    return tasks


def make_children(user: ApiUser, parent_id: str, count: int, **fields: Any) -> list[dict[str, Any]]:
    """Creates that many subtasks of a task, called 1, 2 and so on."""
    made: list[dict[str, Any]] = []
    while len(made) < count:
        numbers = range(len(made) + 1, min(len(made) + 100, count) + 1)
        create = {"op": "create", "parent_id": parent_id, **fields}
        answer = user.batch(*({**create, "title": str(number)} for number in numbers))
        made += data(answer)["results"]
    return made


def read(user: ApiUser, item: dict[str, Any], things: str = "tasks") -> dict[str, Any]:
    """The thing as it is now."""
    return dict(data(user.call("GET", f"/api/me/{things}/{item['id']}")))


def read_all(user: ApiUser, items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks as they are now."""
    return [read(user, item) for item in items]


def change(user: ApiUser, item: dict[str, Any], things: str = "tasks", **fields: Any) -> Any:
    """Changes fields of a thing, and returns it."""
    return data(user.call("PATCH", f"/api/me/{things}/{item['id']}", json=fields))


def act(
    user: ApiUser, item: dict[str, Any], action: str, things: str = "tasks", **body: Any
) -> Any:
    """Posts to a path below a thing, such as restore or move; the data of the answer."""
    path = f"/api/me/{things}/{item['id']}/{action}"
    return data(user.call("POST", path, json=body or None))


def complete(user: ApiUser, item: dict[str, Any], *, done: bool = True) -> Any:
    """Completes or reopens a task, and returns it."""
    return data(user.patch(f"/{item['id']}/complete", json={"is_completed": done}))


def delete(user: ApiUser, item: dict[str, Any], things: str = "tasks") -> Any:
    """Moves a thing to the trash; its id and version."""
    return data(user.call("DELETE", f"/api/me/{things}/{item['id']}"))


def newest_version(user: ApiUser) -> int:
    """The number of the owner's last change."""
    return int(user.get("?limit=1").get_json()["meta"]["version"])


def entries_since(user: ApiUser, version: int) -> list[dict[str, Any]]:
    """What changed after that version, of all kinds, from the feed."""
    found: list[dict[str, Any]] = []
    token, more = None, True
    while more:
        page = user.changes(token, query="limit=200").get_json()
        found += page["data"]
        token, more = page["meta"]["sync_token"], page["meta"]["has_more"]
    return [entry for entry in found if entry["version"] > version]


def ids(items: Iterable[dict[str, Any]]) -> list[str]:
    """The ids of things in their order."""
    return [item["id"] for item in items]


def titles(items: Iterable[dict[str, Any]]) -> list[str]:
    """The titles of things in their order."""
    return [item["title"] for item in items]


def due_at(task: dict[str, Any]) -> str | None:
    """The instant from which a task is overdue, to the second."""
    text = task["due_at"]
    return text and f"{datetime.fromisoformat(text):%Y-%m-%dT%H:%M:%SZ}"


def live_in(user: ApiUser, zone: str) -> ApiUser:
    """The user, after a change of the account's time zone."""
    answer = user.call("PATCH", "/api/auth/me", json={"time_zone": zone})
    assert data(answer)["time_zone"] == zone
    return user
