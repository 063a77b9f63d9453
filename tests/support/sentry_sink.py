"""A local HTTP server in place of Sentry's."""

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Sink(ThreadingHTTPServer):
    """Keeps the text of every request body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[str] = []

    @property
    def dsn(self) -> str:
        """The SENTRY_DSN that leads here."""
        return f"http://public@127.0.0.1:{self.server_address[1]}/1"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Sink

    def do_POST(self) -> None:
        """Keeps the event. The base class calls it by this name."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        zipped = self.headers.get("Content-Encoding") == "gzip"
        self.server.received.append((gzip.decompress(body) if zipped else body).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Writes no log."""
