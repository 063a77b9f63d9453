"""A registered user of a real server, and the memory of the server's processes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.api_user import PASSWORD
from tests.support.processes import children
from tests.support.server import Reply, Server


@dataclass(frozen=True)
class RemoteUser:
    """A registered user with a session; thread-safe. Paths are relative to /api/me."""

    server: Server
    id: str
    email: str
    access_token: str

    @property
    def authorization(self) -> dict[str, str]:
        """The Authorization header of this user."""
        return {"Authorization": f"Bearer {self.access_token}"}

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends a request with this user's access token."""
        sent = {**self.authorization, **(headers or {})}
        return self.server.request(method, f"/api/me{path}", body, sent)

    def get(self, path: str) -> Reply:
        """Sends a GET with this user's access token."""
        return self.call("GET", path)

    def create(self, title: str) -> dict[str, Any]:
        """Creates a task and returns it as the API does."""
        answer = self.call("POST", "/tasks", {"title": title})
        assert answer.status == 201, answer.body
        return dict(answer.json["data"])

    def create_large_tasks(self) -> None:
        """Creates tasks of 8 MB, more than the buffers of a connection take."""
        operation = {"op": "create", "title": "large", "description": "\U0001f600" * 5000}
        body = json.dumps({"operations": [operation] * 40}, ensure_ascii=False).encode()
        for _ in range(10):
            answer = self.call("POST", "/batch", body, {"Content-Type": "application/json"})
            assert answer.status == 200, answer.body


def sign_up(server: Server, email: str | None = None) -> RemoteUser:
    """Registers a user on that server, without `email` with a random address, and logs in."""
    credentials = {"email": email or f"{uuid4().hex}@example.com", "password": PASSWORD}
    user = server.request("POST", "/api/auth/register", credentials).json["data"]
    session = server.request("POST", "/api/auth/login", credentials).json["data"]
    return RemoteUser(server, user["id"], user["email"], session["access_token"])


def workers(server: Server) -> list[int]:
    """The pids of the worker processes."""
    return children(server.process.pid)


def peak_memory(pid: int) -> int:
    """The peak resident memory in bytes since `reset_peak_memory`, or since the start."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


def reset_peak_memory(pid: int) -> int:
    """Resets the peak to the current resident memory; returns that, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_memory(pid)
