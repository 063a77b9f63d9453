"""Clients go away in the middle: the others do not notice, and what was begun is done once."""

import json
import random
import resource
import socket
import struct
from pathlib import Path
from time import sleep
from uuid import uuid4

from tests.faults.figures import Figures, summary
from tests.faults.load import TASKS, Load, User, register
from tests.faults.postgres import Postgres
from tests.faults.recorder import Call, Recorder
from tests.faults.rides import Ride, assert_all_good
from tests.processes import children, until
from tests.serving import Server, serving

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what close() sends is no farewell
LONGEST = 0.02  # seconds that such a client stays, before, while or after it is answered


def vanish(server: Server, user: User, call: Call, seconds: float) -> None:
    """Makes the call, and resets the connection without a look at the answer."""
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
    body = json.dumps({"title": "by somebody who has gone"})
    return Call(uuid4().hex, user.id, "POST", TASKS, body, entries=1, is_keyed=True)


def test_clients_that_vanish_disturb_nobody_and_their_writes_are_settled_by_their_keys(
    ride: Ride, server: Server, figures: Figures, is_full: bool
) -> None:
    users = [register(server) for _ in range(4)]
    workers, dice = children(server.process.pid), random.Random(0)
    with Load(server, users, ride.recorder, clients=8) as load:
        load.run(1)
        for number in range(2_000 if is_full else 200):
            call = create(users[number % len(users)])
            ride.recorder.begin(call)
            vanish(server, users[number % len(users)], call, dice.uniform(0, LONGEST))
        load.run(1)
    records = ride.recorder.records()
    stayed = [each for each in records if each.outcome is not None]
    gone = len(records) - len(stayed)
    figures.add("clients vanish", summary(records) | {"vanished": gone})
    ride.check("clients vanish", users)
    assert_all_good(stayed)
    assert children(server.process.pid) == workers
    assert " ERROR " not in server.log.read_text()


SPARE = 20  # connections that a worker has room for
CROWD = 60


def test_a_crowd_that_takes_all_descriptors_stops_nobody_who_is_connected(
    database: Postgres, recorder: Recorder, figures: Figures, tmp_path: Path
) -> None:
    with serving(database.url, tmp_path, WEB_CONCURRENCY="1") as server:
        users = [register(server) for _ in range(4)]
        (worker,) = children(server.process.pid)
        with Load(server, users, recorder, clients=8) as load:
            load.run(1)
            limit = len(list(Path(f"/proc/{worker}/fd").iterdir())) + SPARE
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (limit, limit))
            crowd = [server.connect() for _ in range(CROWD)]
            until(lambda: "Too many open files" in server.log.read_text())
            load.run(3)
            complaints = server.log.read_text().count("Too many open files")
            for each in crowd:
                each.close()
            assert server.request("GET", "/livez").status == 200
        records = recorder.records()
        figures.add("no descriptors left", summary(records) | {"complaints": complaints})
        Ride(server, database.url, recorder, figures).check("no descriptors left", users)
    assert_all_good(records)
    assert complaints < 10
