"""Receivers of webhooks on this machine, and the job that delivers to them."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from time import monotonic
from typing import Any

import orjson
import psycopg
from standardwebhooks import Webhook as Verifier

from app.auth.encryption import Encryption
from app.auth.secrets import Secrets
from app.config import Config
from app.webhooks.job import Delivering
from app.webhooks.sending import Sender
from tests.support.api_user import ApiUser, data
from tests.support.mail import MESSAGES

HERE = "127.0.0.1/32"
ALLOWED = (ip_network(HERE),)


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float  # monotonic seconds

    @property
    def id(self) -> str:
        """The header webhook-id."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The body."""
        return dict(orjson.loads(self.body))

    @property
    def version(self) -> int:
        """The version of the event."""
        return int(self.event["data"]["version"])


Answering = Callable[[Received], tuple[int, Mapping[str, str]]]


def take(_request: Received) -> tuple[int, Mapping[str, str]]:
    """Answers that the event is taken."""
    return 204, {}


def status(number: int) -> Answering:
    """Answers with that status."""
    return lambda _request: (number, {})


@dataclass
class Receiver:
    """What has arrived, and how it is answered."""

    url: str = ""
    answer: Answering = take
    requests: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def versions(self) -> list[int]:
        """The versions of the events, in the order of their arrival."""
        return [each.version for each in self.requests]

    def types(self) -> list[str]:
        """The types of the events, in the order of their arrival."""
        return [each.event["type"] for each in self.requests]


@contextmanager
def receiving(answer: Answering = take, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.path, headers, body, monotonic())
            with receiver.lock:
                receiver.requests.append(received)
            number, fields = receiver.answer(received)
            self.send_response(number)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 2048

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that has gone is no defect of the receiver."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def hook(user: ApiUser, url: str, **fields: Any) -> dict[str, Any]:
    """Creates a webhook; as the API shows it, with its secret."""
    answer = user.call("POST", "/api/me/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    return dict(data(answer))


def read(user: ApiUser, webhook: Mapping[str, Any]) -> dict[str, Any]:
    """The webhook as the API shows it now."""
    return dict(data(user.call("GET", f"/api/me/webhooks/{webhook['id']}")))


def attempts(user: ApiUser, webhook: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its attempts as the API shows them."""
    return list(data(user.call("GET", f"/api/me/webhooks/{webhook['id']}/attempts")))


def delivering(config: Config, **options: Any) -> Delivering:
    """The job, which may reach this machine."""
    secrets = Secrets(Encryption(config.encryption_keys), "webhook")
    return Delivering(Sender(ALLOWED, **options), secrets, MESSAGES)


def deliver(job: Delivering) -> dict[str, int]:
    """Runs the job until nothing is due; what came of it."""
    counts: dict[str, int] = {}
    while True:
        outcome = job.run_once()
        for name, number in outcome.counts.items():
            counts[name] = counts.get(name, 0) + number
        if not outcome.done:
            return counts


def make_due(connection: psycopg.Connection[Any]) -> None:
    """Lets no webhook wait any longer."""
    connection.execute("UPDATE webhooks SET next_attempt_at = now()")


def verify(secret: str, received: Received) -> Any:
    """The event, verified by the library of Standard Webhooks; raises where it is not genuine."""
    return Verifier(secret).verify(received.body, dict(received.headers))
