"""Example program with the client that openapi-python-client generates."""

import json
import sys
from typing import TypeVar

from client import AuthenticatedClient, Client
from client.api.accounts import log_in, log_out, register
from client.api.items import list_changes
from client.api.labels import create_label
from client.api.lists import create_list
from client.api.tasks import complete_task, create_task, list_tasks, update_task
from client.models import (
    ChangeFeed,
    Completion,
    Credentials,
    EmptyAnswer,
    Failure,
    Label,
    LabelAnswer,
    ListAnswer,
    NewLabel,
    NewList,
    NewTask,
    RefreshToken,
    Registration,
    ReminderFiring,
    SavedFilter,
    SessionAnswer,
    Task,
    TaskAnswer,
    TaskChanges,
    TaskList,
    TaskPage,
    UserAnswer,
)
from client.types import UNSET, Unset

T = TypeVar("T")
PASSWORD = "seven quiet rivers"


def expect(kind: type[T], response: object) -> T:
    """The response; raises TypeError if it is of another type, such as a failure."""
    if not isinstance(response, kind):
        raise TypeError(response.to_dict() if isinstance(response, Failure) else response)
    return response


def list_all(client: AuthenticatedClient) -> list[Task]:
    """The tasks of all pages."""
    tasks: list[Task] = []
    cursor: str | Unset = UNSET
    while True:
        page = expect(TaskPage, list_tasks.sync("me", client=client, limit=2, cursor=cursor))
        tasks += page.data
        if page.meta.next_cursor is None:
            return tasks
        cursor = page.meta.next_cursor


def plan(client: AuthenticatedClient, task: Task) -> list[Task]:
    """Gives the task a list, a label and a due date; returns the tasks with all of these."""
    home = expect(ListAnswer, create_list.sync("me", client=client, body=NewList("Home"))).data
    errand = expect(
        LabelAnswer, create_label.sync("me", client=client, body=NewLabel("Errand"))
    ).data
    changes = TaskChanges(list_id=home.id, label_ids=[errand.id], due="2026-10-07T09:00")
    expect(TaskAnswer, update_task.sync("me", task.id, client=client, body=changes))
    page = expect(
        TaskPage,
        list_tasks.sync(
            "me",
            client=client,
            list_id=str(home.id),
            label=[str(errand.id)],
            due_from="2026-10-07",
            due_to="2026-10-07",
        ),
    )
    return list(page.data)


def name(item: Task | TaskList | Label | SavedFilter | ReminderFiring | None) -> str | None:
    """What the item is called; a reminder has no name."""
    if item is None or isinstance(item, ReminderFiring):
        return None
    return str(item.name if isinstance(item, Label) else item.title)


def tour(url: str, email: str) -> dict[str, object]:
    """Creates, plans, completes and synchronises tasks as a new user; returns the results."""
    public = Client(base_url=url)
    account = Registration(email, PASSWORD, time_zone="Europe/Madrid")
    expect(UserAnswer, register.sync(client=public, body=account))
    session = expect(
        SessionAnswer, log_in.sync(client=public, body=Credentials(email, PASSWORD))
    ).data
    client = AuthenticatedClient(base_url=url, token=session.access_token)
    made = [
        expect(
            TaskAnswer,
            create_task.sync("me", client=client, body=NewTask(title), idempotency_key=title),
        ).data
        for title in ("one", "two", "three", "four", "five")
    ]
    titles = [task.title for task in list_all(client)]
    planned = plan(client, made[1])
    known = expect(ChangeFeed, list_changes.sync("me", client=client, limit=1)).meta
    first = made[0]
    completed = expect(
        TaskAnswer,
        complete_task.sync(
            "me",
            first.id,
            client=client,
            body=Completion(is_completed=True),
            if_match=f'"{first.version}"',
        ),
    ).data
    feed = expect(ChangeFeed, list_changes.sync("me", client=client, since=known.sync_token))
    assert session.refresh_token  # without cookie=true it is in the body
    expect(EmptyAnswer, log_out.sync(client=public, body=RefreshToken(session.refresh_token)))
    return {
        "listed": titles,
        "planned": [{"title": task.title, "due": task.due} for task in planned],
        "completed": completed.is_completed,
        "changed": [name(change.item) for change in feed.data],
        "version": feed.meta.version,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tour(*sys.argv[1:])))
