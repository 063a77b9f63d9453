"""The latency of reads during a login storm; usage: login_storm.py URL

A few users read their tasks at a steady pace, first alone and then while 50 clients log in again
and again, each after the Retry-After of its last response. Prints the latencies of the reads in
both phases, the ratio of their p99, and the number of logins by status. The clients that log in run
in separate processes, so that they do not slow down the measuring one.
"""

import http.client
import json
import multiprocessing
import statistics
import sys
import threading
import time
from collections import Counter
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit
from uuid import uuid4

READERS = 4
INTERVAL = 0.02  # seconds from one read of a reader to its next
LOGINS = 50  # clients that log in
PROCESSES = 2
PHASE = 20.0  # seconds
ROUNDS = 3  # the two phases take turns
PASSWORD = "seven quiet rivers"
JSON = {"Content-Type": "application/json"}


def call(
    connection: http.client.HTTPConnection, method: str, path: str, body: object, token: str = ""
) -> tuple[http.client.HTTPResponse, bytes]:
    """The response to a request, and its body."""
    headers = {**JSON, "Authorization": f"Bearer {token}"} if token else JSON
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    return response, response.read()


def sign_up(server: str) -> dict[str, str]:
    """Registers a user; returns the credentials."""
    credentials = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    connection = http.client.HTTPConnection(server, timeout=30)
    response, _ = call(connection, "POST", "/api/auth/register", credentials)
    assert response.status == 201, response.status
    return credentials


def read_tasks(server: str, seconds: float, token: str, found: list[float]) -> None:
    """Reads at a steady pace; adds seconds to `found`. A late read does not delay the next one."""
    connection = http.client.HTTPConnection(server, timeout=30)
    due = time.perf_counter()
    until = due + seconds
    while due < until:
        time.sleep(max(0.0, due - time.perf_counter()))
        began = max(due, time.perf_counter())
        response, _ = call(connection, "GET", "/api/me/tasks?limit=20", None, token)
        found.append(time.perf_counter() - began)
        assert response.status == 200, response.status
        due += INTERVAL


def log_in(server: str, credentials: dict[str, str], over: Event, found: Counter[int]) -> None:
    """Logs in until `over` is set; counts the statuses in `found`."""
    connection = http.client.HTTPConnection(server, timeout=60)
    while not over.is_set():
        response, _ = call(connection, "POST", "/api/auth/login", credentials)
        found[response.status] += 1
        if response.status in (429, 503):
            over.wait(float(response.headers["Retry-After"]))


def storm(
    server: str, users: list[dict[str, str]], over: Event, results: Queue[Counter[int]]
) -> None:
    """The clients of one process that log in."""
    found: Counter[int] = Counter()
    clients = [threading.Thread(target=log_in, args=(server, user, over, found)) for user in users]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    results.put(found)


def read_phase(server: str, tokens: list[str]) -> list[float]:
    """Seconds of every read of all readers."""
    found: list[float] = []
    readers = [
        threading.Thread(target=read_tasks, args=(server, PHASE, token, found)) for token in tokens
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return found


def storm_phase(
    server: str, tokens: list[str], users: list[dict[str, str]]
) -> tuple[list[float], Counter[int]]:
    over = multiprocessing.Event()
    results: multiprocessing.Queue[Counter[int]] = multiprocessing.Queue()
    share = LOGINS // PROCESSES
    clients = [
        multiprocessing.Process(
            target=storm, args=(server, users[n * share : (n + 1) * share], over, results)
        )
        for n in range(PROCESSES)
    ]
    for client in clients:
        client.start()
    time.sleep(1)  # until all clients log in
    reads = read_phase(server, tokens)
    over.set()
    found = sum((results.get() for _ in clients), Counter[int]())
    for client in clients:
        client.join()
    return reads, found


def quantile(seconds: list[float], percent: int) -> float:
    return statistics.quantiles(seconds, n=100)[percent - 1] * 1000


def show(name: str, reads: list[float]) -> None:
    """Prints the latencies of a phase."""
    quantiles = "  ".join(f"p{n} {quantile(reads, n):7.2f}" for n in (50, 90, 95, 99))
    print(f"{name:6} {len(reads):6} reads  {quantiles}  max {max(reads) * 1000:7.1f}  (ms)")


def main(server: str) -> None:
    """Prints the latencies of both phases."""
    users = [sign_up(server) for _ in range(LOGINS)]
    connection = http.client.HTTPConnection(server, timeout=30)
    tokens = []
    for user in users[:READERS]:
        _, body = call(connection, "POST", "/api/auth/login", user)
        tokens.append(json.loads(body)["data"]["access_token"])
        for number in range(20):
            call(connection, "POST", "/api/me/tasks", {"title": f"task {number}"}, tokens[-1])
    quiet, stormy, outcomes = [], [], Counter[int]()
    read_phase(server, tokens)  # warms everything up
    for _ in range(ROUNDS):
        quiet += read_phase(server, tokens)
        reads, found = storm_phase(server, tokens, users)
        stormy += reads
        outcomes += found
    show("quiet", quiet)
    show("storm", stormy)
    print(f"p99 grew {quantile(stormy, 99) / quantile(quiet, 99):.2f}-fold")
    print("logins: " + ", ".join(f"{n} x {status}" for status, n in sorted(outcomes.items())))


if __name__ == "__main__":
    main(urlsplit(sys.argv[1]).netloc)
