"""Which view a path leads to is Werkzeug's decision, however often it was asked before."""

from uuid import uuid4

import pytest

from app.dispatch import Application
from tests.callers import Caller, data, error
from tests.serving import Server
from tests.tasks.remote import sign_up


def test_paths_that_differ_in_their_ids_lead_to_the_same_place(alice: Caller) -> None:
    tasks = [alice.create(title=f"{number}") for number in range(3)]
    for task in tasks:
        for owner in ("me", alice.id):
            answer = alice.call("GET", f"/api/{owner}/tasks/{task['id']}")
            assert data(answer) == task


def test_an_id_in_the_place_of_a_word_leads_nowhere(alice: Caller) -> None:
    task = alice.create()
    for _ in range(2):
        assert alice.get(f"/{task['id']}").status_code == 200
        assert error(alice.call("GET", f"/api/me/{task['id']}/tasks"))[0] == 404
        assert error(alice.get(f"/{task['id']}/{task['id']}"))[0] == 404
        assert error(alice.call("GET", f"/{task['id']}"))[0] == 404


def test_the_same_id_twice_is_two_arguments(alice: Caller) -> None:
    for _ in range(2):
        assert error(alice.call("GET", f"/api/{alice.id}/tasks/{alice.id}"))[0] == 404
        assert error(alice.call("GET", f"/api/{uuid4()}/tasks/{alice.id}"))[0] == 403


@pytest.mark.parametrize("path", ["//api/me/tasks", "///api/me/tasks", "/api//me/tasks"])
def test_a_slash_too_many_leads_nowhere(server: Server, path: str) -> None:
    remote = sign_up(server)
    for _ in range(2):
        assert remote.get().status == 200
        for method in ("GET", "HEAD", "POST", "OPTIONS", "FANCY"):
            answer = server.request(method, path, headers=remote.authorization)
            assert answer.status == 404
    coded = server.request("GET", path.replace("//", "/%2F", 1), headers=remote.authorization)
    assert coded.json["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("word", ["batch", "changes", "export", "trash"])
def test_a_method_that_one_shape_takes_is_refused_by_another(alice: Caller, word: str) -> None:
    task = alice.create()
    assert alice.delete(f"/{task['id']}").status_code == 200
    assert error(alice.delete(f"/{word}"))[0] == 405


def test_a_client_that_makes_paths_up_fills_no_memory(alice: Caller) -> None:
    application = alice.client.application
    assert isinstance(application, Application)
    alice.get()
    before = len(application._matches)
    for number in range(50):
        assert error(alice.call("GET", f"/api/{number}/tasks"))[0] == 404
        assert error(alice.get(f"/no-id-{number}"))[0] == 404
    assert len(application._matches) == before
