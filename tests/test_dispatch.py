"""Where a path leads, whatever paths came before it."""

from uuid import uuid4

from flask.testing import FlaskClient

from app.dispatch import Application
from tests.callers import Caller, data, error


def test_paths_that_somebody_makes_up_are_not_remembered(client: FlaskClient) -> None:
    app = client.application
    assert isinstance(app, Application)
    client.get("/api/me/tasks")
    client.get(f"/api/me/tasks/{uuid4()}")
    remembered = len(app._matches)
    for number in range(20):
        for path in (f"me/tasks/a{number}", f"{number}/tasks", f"me/tasks/{number}{uuid4()}"):
            client.get(f"/api/{path}")
        client.get(f"/docs/{number}")
    assert len(app._matches) == remembered


def test_a_path_with_one_id_twice_says_nothing_about_two_ids(alice: Caller) -> None:
    task = alice.create()["id"]
    for _ in range(2):
        assert error(alice.call("GET", f"/api/{alice.id}/tasks/{alice.id}")) == (404, "NOT_FOUND")
        assert data(alice.call("GET", f"/api/{alice.id}/tasks/{task}"))["id"] == task
        assert error(alice.call("GET", f"/api/{task}/tasks/{task}")) == (403, "FORBIDDEN")


def test_an_id_is_taken_from_its_own_place(alice: Caller, bob: Caller) -> None:
    task = alice.create()["id"]
    for _ in range(2):
        assert data(alice.call("GET", f"/api/{alice.id}/tasks/{task}"))["id"] == task
        assert error(alice.call("GET", f"/api/{bob.id}/tasks/{task}")) == (403, "FORBIDDEN")
        assert error(bob.call("GET", f"/api/{bob.id}/tasks/{task}")) == (404, "NOT_FOUND")
        assert data(alice.get(f"/{task}"))["id"] == task
        assert error(alice.get(f"/{task.upper()}")) == (404, "NOT_FOUND")
