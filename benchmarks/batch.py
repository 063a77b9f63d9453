"""Tasks created by batches of 100, beside one per request; usage: batch.py URL

Each client has an account. Single and batched creations take turns. Prints the tasks per second of
both, and their ratio.
"""

import http.client
import json
import statistics
import sys
import threading
import time
from urllib.parse import urlsplit
from uuid import uuid4

PHASE = 3.0  # seconds
ROUNDS = 3
SIZE = 100  # operations in a batch
PASSWORD = "seven quiet rivers"
TASK = {"title": "Buy oat milk on the way home", "description": "Two litres, the unsweetened kind"}


class Client:
    """An account and its connection."""

    def __init__(self, server: str) -> None:
        self.connection = http.client.HTTPConnection(server, timeout=30)
        self.headers = {"Content-Type": "application/json"}
        credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
        self.post("/api/auth/register", json.dumps(credentials))
        session = json.loads(self.post("/api/auth/login", json.dumps(credentials)))["data"]
        self.headers["Authorization"] = f"Bearer {session['access_token']}"

    def post(self, path: str, body: str) -> bytes:
        """The response's body; AssertionError where it is an error."""
        self.connection.request("POST", path, body, self.headers)
        response = self.connection.getresponse()
        answer = response.read()
        assert response.status in (200, 201), answer
        return answer


def rate(clients: list[Client], path: str, body: str, tasks: int) -> float:
    """Tasks per second of all clients together, each with one request at a time."""
    counts = [0] * len(clients)

    def run(number: int) -> None:
        while time.perf_counter() < until:
            clients[number].post(path, body)
            counts[number] += tasks

    began = time.perf_counter()
    until = began + PHASE
    threads = [threading.Thread(target=run, args=[number]) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def main(url: str) -> None:
    """Prints a line for 1 and for 4 clients."""
    single = json.dumps(TASK)
    batch = json.dumps({"operations": [{"op": "create", **TASK}] * SIZE})
    for count in (1, 4):
        clients = [Client(urlsplit(url).netloc) for _ in range(count)]
        singles, batches = [], []
        for _ in range(ROUNDS):
            singles.append(rate(clients, "/api/me/tasks", single, 1))
            batches.append(rate(clients, "/api/me/batch", batch, SIZE))
        one, many = statistics.median(singles), statistics.median(batches)
        print(f"{count} clients: {one:,.0f}/s single, {many:,.0f}/s in batches: {many / one:.1f} x")


if __name__ == "__main__":
    main(*sys.argv[1:])
