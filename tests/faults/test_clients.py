"""Clients that reset their connections or exhaust file descriptors do not affect other clients."""

import json
import resource
import socket
import struct
from pathlib import Path
from random import Random
from time import sleep
from uuid import uuid4

from tests.support.faults.load import TASKS, Load, User, register
from tests.support.faults.measurements import Measurements, summary
from tests.support.faults.postgres import Postgres
from tests.support.faults.recorder import Call, Recorder
from tests.support.faults.scenario import Scenario, assert_all_good
from tests.support.processes import children, until
from tests.support.server import Server, serving

RESET = struct.pack("ii", 1, 0)  # SO_LINGER with timeout 0: close() sends RST
SPARE = 20  # file descriptors left to the worker
CLIENTS = 60  # additional connections
MAX_DELAY = 0.02  # seconds until the reset: before, during or after the response


def vanish(server: Server, user: User, call: Call, seconds: float) -> None:
    """Sends the call, and resets the connection after `seconds` without reading the response."""
    headers = {
        "Host": server.host,
        "Authorization": f"Bearer {user.token}",
        "X-Request-Id": call.id,
        "Idempotency-Key": call.id,
        "Content-Type": "application/json",
        "Content-Length": str(len(call.body or "")),
    }
    lines = [f"{call.method} {call.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall("\r\n".join([*lines, "", call.body or ""]).encode())
        sleep(seconds)


def create(user: User) -> Call:
    """A call that creates a task."""
    body = json.dumps({"title": "of a client that vanished"})
    return Call(uuid4().hex, user.id, "POST", TASKS, body, entries=1, is_keyed=True)


def test_vanished_clients_fail_no_other_call_and_their_writes_are_executed_at_most_once(
    scenario: Scenario, server: Server, measurements: Measurements, is_full: bool
) -> None:
    users = [register(server) for _ in range(4)]
    workers, random = children(server.process.pid), Random(0)
    with Load(server, users, scenario.recorder, clients=8) as load:
        load.run(1)
        for number in range(2_000 if is_full else 200):
            call = create(users[number % len(users)])
            scenario.recorder.begin(call)
            vanish(server, users[number % len(users)], call, random.uniform(0, MAX_DELAY))
        load.run(1)
    records = scenario.recorder.records()
    stayed = [each for each in records if each.outcome is not None]
    gone = len(records) - len(stayed)
    measurements.add("clients vanish", summary(records) | {"vanished": gone})
    scenario.check("clients vanish", users)
    assert_all_good(stayed)
    assert children(server.process.pid) == workers
    assert " ERROR " not in server.log.read_text()


def test_connected_clients_are_served_while_no_file_descriptors_are_left(
    database: Postgres, recorder: Recorder, measurements: Measurements, tmp_path: Path
) -> None:
    with serving(database.url, tmp_path, WEB_CONCURRENCY="1") as server:
        users = [register(server) for _ in range(4)]
        (worker,) = children(server.process.pid)
        with Load(server, users, recorder, clients=8) as load:
            load.run(1)
            limit = len(list(Path(f"/proc/{worker}/fd").iterdir())) + SPARE
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (limit, limit))
            additional = [server.connect() for _ in range(CLIENTS)]
            until(lambda: "Too many open files" in server.log.read_text())
            load.run(3)
            messages = server.log.read_text().count("Too many open files")
            for each in additional:
                each.close()
            assert server.request("GET", "/livez").status == 200
        records = recorder.records()
        measurements.add("no descriptors left", summary(records) | {"log_messages": messages})
        Scenario(server, database.url, recorder, measurements).check("no descriptors left", users)
    assert_all_good(records)
    assert messages < 10
