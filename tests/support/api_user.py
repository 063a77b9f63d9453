"""A registered user who calls the API through Flask's test client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "seven quiet rivers"


@dataclass(frozen=True)
class ApiUser:
    """A registered user with a session. `get` to `delete` take paths relative to /api/me/tasks."""

    client: FlaskClient
    id: str
    email: str
    access_token: str
    refresh_token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The Authorization header of this user."""
        return {"Authorization": f"Bearer {self.access_token}"}

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> TestResponse:
        """Sends a request with this user's access token; `path` is absolute."""
        sent = {**self.authorization, **(headers or {})}
        return self.client.open(path, method=method, headers=sent, **options)

    def get(self, path: str = "", **options: Any) -> TestResponse:
        """Sends a GET."""
        return self.call("GET", f"/api/me/tasks{path}", **options)

    def post(self, path: str = "", **options: Any) -> TestResponse:
        """Sends a POST."""
        return self.call("POST", f"/api/me/tasks{path}", **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        """Sends a PATCH."""
        return self.call("PATCH", f"/api/me/tasks{path}", **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        """Sends a PUT."""
        return self.call("PUT", f"/api/me/tasks{path}", **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """Sends a DELETE."""
        return self.call("DELETE", f"/api/me/tasks{path}", **options)

    def batch(self, *operations: object, **options: Any) -> TestResponse:
        """Sends a batch."""
        return self.call("POST", "/api/me/batch", json={"operations": operations}, **options)

    def changes(self, since: str | None = None, *, query: str = "", **options: Any) -> TestResponse:
        """Reads a page of the feed behind the sync token `since`; `query` adds parameters."""
        parameters = [*([f"since={since}"] if since else []), *([query] if query else [])]
        return self.call("GET", "/api/me/changes?" + "&".join(parameters), **options)

    def export(self, form: str = "json", **options: Any) -> TestResponse:
        """Downloads everything."""
        return self.call("GET", f"/api/me/export?format={form}", **options)

    def create(self, title: str = "a task", description: str | None = None) -> dict[str, Any]:
        """Creates a task and returns it as the API does."""
        answer = self.post(json={"title": title, "description": description})
        assert answer.status_code == 201, answer.text
        return dict(data(answer))


def register(client: FlaskClient, email: str | None = None) -> ApiUser:
    """Registers a user and logs in, by the API; without `email` the address is a random one."""
    credentials = {"email": email or f"{uuid4().hex}@example.com", "password": PASSWORD}
    user = data(client.post("/api/auth/register", json=credentials))
    session = data(client.post("/api/auth/login", json=credentials))
    tokens = session["access_token"], session["refresh_token"]
    return ApiUser(client, user["id"], user["email"], *tokens)


def data(answer: TestResponse) -> Any:
    """The `data` of a successful response."""
    assert answer.json is not None, answer.text
    assert answer.json["success"], answer.text
    return answer.json["data"]


def error(answer: TestResponse) -> tuple[int, str]:
    """The status and the code of an error response, whose envelope must be complete."""
    body = answer.json
    assert body is not None, answer.text
    assert body.keys() == {"success", "data", "error"}
    assert (body["success"], body["data"]) == (False, None)
    assert body["error"].keys() == {"code", "message", "details", "request_id"}
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, body["error"]["code"]


def broken_fields(answer: TestResponse) -> list[str]:
    """The names of the fields that a 422 response refuses."""
    assert error(answer) == (422, "VALIDATION_FAILED")
    return [detail["field"] for detail in answer.get_json()["error"]["details"]]
