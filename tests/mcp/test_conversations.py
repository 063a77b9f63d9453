"""Five plain requests of users, each with the calls that an assistant makes to fulfil it.

The script knows what tools/list and the results say, and nothing else of the product.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.api_user import ApiUser
from tests.support.mcp import Assistant
from tests.support.planning import live_in, make, make_task
from tests.support.tokens import READ, WRITE, make_token

pytestmark = pytest.mark.proves("MCP-18")


@dataclass(frozen=True)
class Conversation:
    """An assistant that counts its calls."""

    assistant: Assistant
    calls: Counter[str] = field(default_factory=Counter)

    def call(self, name: str, **arguments: Any) -> Any:
        """Calls a tool that the assistant sees."""
        assert name in self.assistant.tools()
        self.calls[name] += 1
        return self.assistant.call(name, **arguments)


@contextmanager
def request(user: ApiUser, *scopes: str, **calls: int) -> Iterator[Conversation]:
    """A conversation with a token of these scopes, which takes as many calls of each tool."""
    conversation = Conversation(Assistant(make_token(user, *scopes).user))
    yield conversation
    assert conversation.calls == calls


def test_move_everything_overdue_to_tomorrow(alice: ApiUser) -> None:
    user = live_in(alice, "Pacific/Kiritimati")
    for title in ("Pay the rent", "Call home"):
        make_task(user, title, due="2020-01-01")
    timed = make_task(user, "Stand-up", due="2020-01-01T09:00")
    later = make_task(user, "Not yet", due="2100-01-01")
    with request(user, READ, WRITE, list_tasks=2, update_task=3) as assistant:
        found = assistant.call("list_tasks", overdue=True, limit=200)
        assert found["next_cursor"] is None
        tomorrow = f"{date.fromisoformat(found['today']) + timedelta(days=1)}"
        for task in found["tasks"]:
            due = tomorrow + task["due"][len(tomorrow) :]  # a time of day stays
            assistant.call("update_task", id=task["id"], due=due, if_version=task["version"])
        moved = assistant.call("list_tasks", filter="due = tomorrow", sort="title")["tasks"]
    assert [task["title"] for task in moved] == ["Call home", "Pay the rent", "Stand-up"]
    assert moved[2]["due"] == f"{tomorrow}T09:00:00"
    assert {timed["id"], later["id"]} - {task["id"] for task in moved} == {later["id"]}


def test_what_is_on_my_list_home(alice: ApiUser) -> None:
    home = make(alice, "lists", title="Home")
    make(alice, "lists", title="Work")
    make_task(alice, "Elsewhere")
    for title in ("Fix the tap", "Paint the door"):
        make_task(alice, title, list_id=home["id"])
    with request(alice, READ, list_lists=1, list_tasks=2) as assistant:
        lists = assistant.call("list_lists")["lists"]
        (wanted,) = (each for each in lists if each["title"].casefold() == "home")
        by_id = assistant.call("list_tasks", list_id=wanted["id"], is_completed=False)["tasks"]
        by_name = assistant.call("list_tasks", filter='list "home" and not completed')["tasks"]
    assert by_id == by_name
    assert {task["title"] for task in by_id} == {"Fix the tap", "Paint the door"}


def test_remind_me_an_hour_before_the_dentist_on_friday_it_is_an_errand(alice: ApiUser) -> None:
    with request(alice, READ, WRITE, list_tasks=1, create_task=2) as assistant:
        today = date.fromisoformat(assistant.call("list_tasks", limit=1)["today"])
        friday = today + timedelta(days=(4 - today.weekday()) % 7 or 7)
        wanted = {
            "title": "Dentist",
            "due": f"{friday}T09:00",
            "labels": ["errand"],
            "reminders": [{"offset": "-PT1H"}],
            "idempotency_key": "dentist on friday",
        }
        made = [assistant.call("create_task", **wanted) for _ in range(2)]  # its answer was lost
    assert made[0] == made[1]
    assert made[0]["reminders"] == [{"offset": "-PT1H", "relative_to": "due"}]
    assert len(made[0]["label_ids"]) == 1


def test_what_have_i_done_today(alice: ApiUser) -> None:
    with request(alice, READ, WRITE, list_tasks=2, complete_task=1) as assistant:
        for title in ("Swim", "Read"):
            make_task(alice, title)
        (swim,) = assistant.call("list_tasks", q="swim")["tasks"]
        assistant.call("complete_task", id=swim["id"])
        done = assistant.call("list_tasks", filter="completed and updated >= today")["tasks"]
    assert [task["title"] for task in done] == ["Swim"]


def test_i_have_watered_the_plants_no_wait_i_have_not(alice: ApiUser) -> None:
    make_task(alice, "Water the plants", due="2036-05-01", recurrence="FREQ=WEEKLY")
    with request(alice, READ, WRITE, list_tasks=1, complete_task=2) as assistant:
        (task,) = assistant.call("list_tasks", q="plants", is_completed=False)["tasks"]
        which = {"id": task["id"], "occurrence": task["due"]}
        next_one = assistant.call("complete_task", **which)
        undone = assistant.call("complete_task", **which, is_completed=False)
    assert (next_one["due"], undone["due"]) == ("2036-05-08", "2036-05-01")
    assert not next_one["is_completed"]
