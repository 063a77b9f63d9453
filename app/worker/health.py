"""GET /livez and /metrics of a worker: a small server in threads of its own."""

import hmac
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from app.worker.state import State

CLIENT_TIMEOUT = 5  # seconds
JSON, TEXT = "application/json", "text/plain; charset=utf-8"


class HealthServer(ThreadingHTTPServer):
    """Serves in threads that end with the process, until its block ends."""

    daemon_threads = True

    def __init__(self, state: State, host: str, port: int, metrics_token: str | None) -> None:
        self.state = state
        self.metrics_token = metrics_token
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((host, port), _Handler)
        threading.Thread(target=self.serve_forever, name="health", daemon=True).start()

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    timeout = CLIENT_TIMEOUT
    server_version, sys_version = "ownrow", ""

    def do_GET(self) -> None:
        """Answers a request."""
        if self.path == "/livez":
            self._answer_livez()
        elif self.path == "/metrics" and self.server.metrics_token is not None:
            self._answer_metrics(self.server.metrics_token)
        else:
            self._answer(HTTPStatus.NOT_FOUND, TEXT, b"There is nothing here.\n")

    def _answer_livez(self) -> None:
        if self.server.state.is_alive:
            self._answer(HTTPStatus.OK, JSON, b'{"status":"alive"}')
        else:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, JSON, b'{"status":"stuck"}')

    def _answer_metrics(self, token: str) -> None:
        given = self.headers.get("Authorization", "").encode("latin-1")
        if hmac.compare_digest(given, f"Bearer {token}".encode()):
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, self.server.state.metrics())
        else:
            self._answer(HTTPStatus.UNAUTHORIZED, TEXT, b"The token is METRICS_TOKEN.\n")

    def _answer(self, status: HTTPStatus, media_type: str, body: bytes) -> None:
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing: probes come every few seconds, and paths may hold secrets."""
