"""Users of the API, as the tests call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "seven quiet rivers"


@dataclass(frozen=True)
class Caller:
    """A registered user, logged in; paths below begin behind /api/me/tasks."""

    client: FlaskClient
    id: str
    email: str
    access_token: str
    refresh_token: str

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> TestResponse:
        """A request with this user's token; `path` is the whole path."""
        sent = {**self.authorization, **(headers or {})}
        return self.client.open(path, method=method, headers=sent, **options)

    def get(self, path: str = "", **options: Any) -> TestResponse:
        return self.call("GET", f"/api/me/tasks{path}", **options)

    def post(self, path: str = "", **options: Any) -> TestResponse:
        return self.call("POST", f"/api/me/tasks{path}", **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.call("PATCH", f"/api/me/tasks{path}", **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.call("PUT", f"/api/me/tasks{path}", **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.call("DELETE", f"/api/me/tasks{path}", **options)

    def create(self, title: str = "a task", description: str | None = None) -> dict[str, Any]:
        """A new task, as the API answered."""
        answer = self.post(json={"title": title, "description": description})
        assert answer.status_code == 201, answer.text
        return dict(data(answer))


def register(client: FlaskClient, email: str | None = None) -> Caller:
    """A new user, by the same way that every user comes."""
    credentials = {"email": email or f"{uuid4().hex}@example.com", "password": PASSWORD}
    user = data(client.post("/api/auth/register", json=credentials))
    session = data(client.post("/api/auth/login", json=credentials))
    tokens = session["access_token"], session["refresh_token"]
    return Caller(client, user["id"], user["email"], *tokens)


def data(answer: TestResponse) -> Any:
    """What a successful answer carries."""
    assert answer.json is not None, answer.text
    assert answer.json["success"], answer.text
    return answer.json["data"]


def error(answer: TestResponse) -> tuple[int, str]:
    """Status and code of an error, after a look at its envelope."""
    body = answer.json
    assert body is not None, answer.text
    assert body.keys() == {"success", "data", "error"}
    assert (body["success"], body["data"]) == (False, None)
    assert body["error"].keys() == {"code", "message", "details", "request_id"}
    assert body["error"]["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, body["error"]["code"]


def broken_fields(answer: TestResponse) -> list[str]:
    """The fields that a 422 names."""
    assert error(answer) == (422, "VALIDATION_FAILED")
    return [detail["field"] for detail in answer.get_json()["error"]["details"]]
