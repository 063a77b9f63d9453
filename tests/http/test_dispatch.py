"""Dispatch: every path leads to the view that Werkzeug's routing chooses, also from the table."""

from collections.abc import Iterator
from typing import NoReturn
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app import create_app, db
from app.config import Config
from app.http.dispatch import Application, DirectBlueprint
from app.http.request import REQUEST_ID, current_request
from app.http.responses import JsonResponse, Response, success
from tests.support.api_user import ApiUser, data, error
from tests.support.remote_user import sign_up
from tests.support.server import Server


def test_paths_that_differ_only_in_their_uuids_share_a_route(alice: ApiUser) -> None:
    tasks = [alice.create(title=f"{number}") for number in range(3)]
    for task in tasks:
        for owner in ("me", alice.id):
            answer = alice.call("GET", f"/api/{owner}/tasks/{task['id']}")
            assert data(answer) == task


def test_a_uuid_in_the_place_of_a_fixed_segment_is_not_found(alice: ApiUser) -> None:
    task = alice.create()
    for _ in range(2):
        assert alice.get(f"/{task['id']}").status_code == 200
        assert error(alice.call("GET", f"/api/me/{task['id']}/tasks"))[0] == 404
        assert error(alice.get(f"/{task['id']}/{task['id']}"))[0] == 404
        assert error(alice.call("GET", f"/{task['id']}"))[0] == 404


def test_the_same_uuid_twice_is_two_arguments(alice: ApiUser) -> None:
    for _ in range(2):
        assert error(alice.call("GET", f"/api/{alice.id}/tasks/{alice.id}"))[0] == 404
        assert error(alice.call("GET", f"/api/{uuid4()}/tasks/{alice.id}"))[0] == 403


@pytest.mark.parametrize("path", ["//api/me/tasks", "///api/me/tasks", "/api//me/tasks"])
def test_a_path_with_an_empty_segment_is_not_found(server: Server, path: str) -> None:
    remote = sign_up(server)
    for _ in range(2):
        assert remote.get("/tasks").status == 200
        for method in ("GET", "HEAD", "POST", "OPTIONS", "PROPFIND"):
            answer = server.request(method, path, headers=remote.authorization)
            assert answer.status == 404
    coded = server.request("GET", path.replace("//", "/%2F", 1), headers=remote.authorization)
    assert coded.json["error"]["code"] == "NOT_FOUND"


@pytest.fixture
def failing(config: Config) -> Iterator[FlaskClient]:
    """The service with a view and an after-request hook that raise an unexpected error."""
    app = create_app(config)
    blueprint = DirectBlueprint("failing", __name__)

    def fail() -> NoReturn:
        raise KeyError("secret")

    def fail_in_hook(response: Response) -> Response:
        return fail() if current_request().path == "/hook" else response

    blueprint.add_url_rule("/view", "view", fail)
    blueprint.add_url_rule("/hook", "hook", lambda: success(b"null"))
    app.register_blueprint(blueprint)
    app.after_request(fail_in_hook)
    yield app.test_client()
    db.close_pool()


@pytest.mark.proves("API-4")
@pytest.mark.parametrize("place", ["view", "hook"])
def test_an_unexpected_error_is_a_500_in_the_envelope_on_both_paths(
    failing: FlaskClient, place: str
) -> None:
    application = failing.application
    assert isinstance(application, Application)
    for _ in range(2):  # through Flask, then through the table
        answer = failing.get(f"/{place}")
        assert answer.status == "500 INTERNAL SERVER ERROR"
        assert answer.headers.getlist("Content-Type") == ["application/json"]
        body = answer.get_json()
        assert (body["success"], body["data"]) == (False, None)
        assert (body["error"]["code"], body["error"]["details"]) == ("INTERNAL", [])
        assert REQUEST_ID.fullmatch(body["error"]["request_id"])
        assert "secret" not in answer.text
        assert ("GET", f"/{place}") in application._plans


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("body", "status"), [(b'{"data":null}', 200), (b"{}", 201), (None, 304), (b"{}", 404)]
)
def test_a_json_response_is_equal_to_its_flask_response(
    method: str, body: bytes | None, status: int
) -> None:
    response = JsonResponse(body, status)
    response.headers += [("ETag", '"1"'), ("Vary", "Authorization")]
    environ = EnvironBuilder("/", method=method).get_environ()
    first, second = (
        run_wsgi_app(each, dict(environ), buffered=True)
        for each in (response, response.for_flask())
    )
    assert b"".join(first[0]) == b"".join(second[0])
    assert (first[1], list(first[2])) == (second[1], list(second[2]))


@pytest.mark.parametrize("path", ["/batch", "/changes", "/export", "/tasks/trash"])
def test_a_method_of_one_route_is_a_405_on_another(alice: ApiUser, path: str) -> None:
    task = alice.create()
    assert alice.delete(f"/{task['id']}").status_code == 200
    assert error(alice.call("DELETE", f"/api/me{path}"))[0] == 405


def test_invented_paths_add_no_plan(alice: ApiUser) -> None:
    application = alice.client.application
    assert isinstance(application, Application)
    alice.get()
    before = len(application._plans)
    for number in range(50):
        assert error(alice.call("GET", f"/api/{number}/tasks"))[0] == 404
        assert error(alice.get(f"/no-id-{number}"))[0] == 404
    assert len(application._plans) == before
