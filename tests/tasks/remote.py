"""Users of the real server, and a look at its processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.callers import PASSWORD
from tests.processes import children
from tests.serving import Reply, Server


@dataclass(frozen=True)
class Remote:
    """A registered user, logged in; paths begin behind /api/me/tasks. Threads may share it."""

    server: Server
    id: str
    access_token: str

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        sent = {**self.authorization, **(headers or {})}
        return self.server.request(method, f"/api/me/tasks{path}", body, sent)

    def get(self, path: str = "") -> Reply:
        return self.call("GET", path)

    def create(self, title: str) -> dict[str, Any]:
        """A new task, as the API answered."""
        answer = self.call("POST", "", {"title": title})
        assert answer.status == 201, answer.body
        return dict(answer.json["data"])


def sign_up(server: Server) -> Remote:
    """A new user of that server."""
    credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    user = server.request("POST", "/api/auth/register", credentials).json["data"]
    session = server.request("POST", "/api/auth/login", credentials).json["data"]
    return Remote(server, user["id"], session["access_token"])


def workers(server: Server) -> list[int]:
    """The processes that serve requests."""
    return children(server.process.pid)


def peak_memory(pid: int) -> int:
    """The most bytes of memory that the process had since `restart_peak`, or ever."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024


def restart_peak(pid: int) -> int:
    """Forgets what memory the process had before; the bytes that it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_memory(pid)
