"""Load, by wrk on the service and by pgbench on PostgreSQL alone, and the measurements of both.

pgbench runs the service's own statements: the files of sql/ that the service's log names for the
requests that wrk sends.
"""

import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from app import db, devdb
from app.audit.plans import LAST_ID, PARTICULAR, SAMPLES
from app.tasks.repository import NEW, NO_TEXTS
from benchmarks import patches
from benchmarks.stage import TIMEOUT, Service, cpu_seconds, machine_seconds, memory
from benchmarks.tokens import User

CONNECTIONS = 100
CLIENTS = 16  # of pgbench: enough to keep PostgreSQL busy while some wait for the disk
WARM_UP = 3  # seconds
CLIENT, MACHINE = "client", "machine"  # beside the processes that a command names
SCRIPT = Path(__file__).with_name("wrk.lua")
GENERIC_PLANS = {"PGOPTIONS": "-c plan_cache_mode=force_generic_plan"}  # as the service has them

MIX = {"list": 50, "get": 25, "create": 10, "toggle": 10, "update": 5}
# Reads first, as writes add rows.
WORKLOADS: Mapping[str, Mapping[str, int]] = {
    "get": {"get": 1},
    "list": {"list": 1},
    "mix": MIX,
    "toggle": {"toggle": 1},
    "create": {"create": 1},
}

TITLE = "Buy milk on the way home"
NOTES = "Two litres, and ask whether the bakery next door still has the dark bread left."
OF_TASKS = ("tasks/", "search/")  # statements that read or write tasks, below sql/
MARK = "#" * 10  # wrk.lua writes a number there: an update without a change would write nothing


@dataclass(frozen=True)
class Load:
    """What one run of a load generator counted."""

    requests: int
    seconds: float
    errors: int  # responses with a status above 399, lost connections, failed transactions
    latencies: Mapping[str, float]  # milliseconds by percentile; empty for pgbench


@dataclass(frozen=True)
class Measurement:
    """One run; `cpu` and `memory` are by process."""

    rate: float  # requests/s
    errors: int
    latencies: Mapping[str, float]  # milliseconds by percentile
    cpu: Mapping[str, float]  # milliseconds per request
    memory: Mapping[str, float]  # MiB
    other_cpu: float  # other programs' share of the machine's CPU


Rounds = dict[str, list[Measurement]]  # the measurements of each variant, in the order of rounds


def measure(run: Callable[[], Load], processes: Mapping[str, int]) -> Measurement:
    """Runs the load; measures `processes`, the ids of parent processes by name."""
    before, began = _cpu(processes), time.monotonic()
    load = run()
    elapsed = time.monotonic() - began
    spent = {name: seconds - before[name] for name, seconds in _cpu(processes).items()}
    total = spent.pop(MACHINE)
    others = total - sum(spent.values())
    return Measurement(
        load.requests / load.seconds,
        load.errors,
        load.latencies,
        {name: seconds * 1000 / load.requests for name, seconds in spent.items()},
        {name: memory(pid) for name, pid in processes.items()},
        max(0.0, others / elapsed / (os.cpu_count() or 1)),
    )


def _cpu(processes: Mapping[str, int]) -> dict[str, float]:
    """Seconds of CPU: of each process, of this one with the load generators, of the machine."""
    spent = {name: cpu_seconds(pid) for name, pid in processes.items()}
    return {**spent, CLIENT: sum(os.times()[:4]), MACHINE: machine_seconds()}


def other_programs(runs: Iterable[Measurement]) -> str:
    """A sentence about the share of the CPU that other programs had."""
    shares = [each.other_cpu for each in runs]
    return f"Other programs had {spread(shares, '.0%')} of the CPU meanwhile."


def warm_up(
    service: Service, found: Mapping[str, Sequence[bytes]], folder: Path, seconds: int = WARM_UP
) -> None:
    """Runs the mix on a new service; RuntimeError where it fails or does not call a patch."""
    probe(service, found)
    wrk(service, folder, "mix", seconds)
    patches.require_calls(service.log.parent)


def take_turns(
    services: Mapping[str, Service],
    processes: Mapping[str, int],
    folder: Path,
    rounds: int,
    seconds: int,
) -> Rounds:
    """Measures the mix on each service in turn; every other round takes them in reverse."""
    found: Rounds = {name: [] for name in services}
    for number in range(rounds):
        for name in list(services)[:: -1 if number % 2 else 1]:
            service = services[name]
            run = partial(wrk, service, folder, "mix", seconds)
            found[name].append(measure(run, {"server": service.pid, **processes}))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def requests(users: Sequence[User]) -> dict[str, list[bytes]]:
    """Complete requests of each kind, for every user and task."""
    found: dict[str, list[bytes]] = {kind: [] for kind in MIX}
    new = {"title": TITLE, "description": NOTES}
    changed = {"title": f"Buy milk {MARK}", "description": NOTES}
    for user in users:
        tasks = f"/api/{user['user_id']}/tasks"
        found["list"].append(_request(user, "GET", f"{tasks}?limit=50"))
        found["create"].append(_request(user, "POST", tasks, new))
        for task in user["tasks"]:
            found["get"].append(_request(user, "GET", f"{tasks}/{task}"))
            found["toggle"].append(_request(user, "PATCH", f"{tasks}/{task}/complete"))
            found["update"].append(_request(user, "PUT", f"{tasks}/{task}", changed))
    return found


def _request(user: User, method: str, path: str, body: object = None) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {user['token']}",
    ]
    content = b"" if body is None else json.dumps(body).encode()
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def write_requests(found: Mapping[str, Sequence[bytes]], folder: Path) -> None:
    """A file for each kind, as wrk.lua reads them."""
    for kind, pool in found.items():
        (folder / f"{kind}.requests").write_bytes(b"".join(text + b"\0" for text in pool))


def probe(service: Service, found: Mapping[str, Sequence[bytes]]) -> None:
    """Sends one request of each kind; RuntimeError where a response is not as expected."""
    for kind, pool in found.items():
        mark = f"\r\nX-Request-Id: probe-{kind}\r\n\r\n".encode()
        status, answer = _send(service, pool[0].replace(b"\r\n\r\n", mark, 1))
        if status not in (200, 201) or not json.loads(answer)["success"]:
            raise RuntimeError(f"the response to {kind} is {status}: {answer.decode()}")
        if kind == "list" and len(json.loads(answer)["data"]) != 50:
            raise RuntimeError("the list does not have 50 tasks")


def statements(service: Service) -> dict[str, str]:
    """The statement that the probe of each kind of request ran, by its name in sql/."""
    return {kind: _logged_statement(service.log, f"probe-{kind}") for kind in MIX}


def _send(service: Service, request: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", service.port), TIMEOUT) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


def _logged_statement(log: Path, request_id: str) -> str:
    """The one statement of that request; its line may be written after the response."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        for line in log.read_text().split("\n")[:-1]:
            if f'"{request_id}"' in line:
                names = [each["name"] for each in json.loads(line)["statements"]]
                (found,) = [name for name in names if name.startswith(OF_TASKS)]
                return str(found)
        time.sleep(0.02)
    raise RuntimeError(f"the service's log has no line of {request_id}")


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk, the load generator, is not installed: apt-get install wrk")


def wrk(service: Service, folder: Path, workload: str, seconds: int) -> Load:
    """Load on the service, by CONNECTIONS connections with one request under way on each."""
    shares = [
        text
        for kind, share in WORKLOADS[workload].items()
        for text in (str(share), str(folder / f"{kind}.requests"))
    ]
    options = ["--threads=1", f"--connections={CONNECTIONS}", "--timeout=10s"]
    options += [f"--duration={seconds}s", f"--script={SCRIPT}"]
    output = _run(["wrk", *options, service.url, "--", *shares])
    return Load(**json.loads(_find(r"^RESULT (.*)$", output)))


PARAMETER = re.compile(r"%\((\w+)\)s")  # psycopg's


class Expression(str):
    """A parameter's value that pgbench computes for each transaction."""

    __slots__ = ()


# The formulas of seed.sql, with random numbers: every 20th task of every user, as wrk has them.
VARIABLES = r"""\set owner 8000000000000000 + random(1, 100)
\set place 10000 + 20 * random(1, 100)
\set number random(1, 1000000000)
"""
OWNER = Expression("('1000000000004000' || :owner::text)::uuid")
TASK = Expression("('0194' || :place::text || '0007000' || :owner::text)::uuid")
NUMBER = Expression(":number")

CREATED = {"title": TITLE, "title_folded": TITLE.lower()}
ALL_TASKS = {"list_id": None, "words": None, "filter": None, "filter_values": None}
UPDATED = {"fields": ["title", "description"], "title": NUMBER, "title_folded": NUMBER}
DESCRIBED = {"description": NOTES, "description_folded": NOTES.lower()}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "list": {**ALL_TASKS, "after_id": LAST_ID, "known_tags": [], "known_tag": None},
    "create": {**NEW, **CREATED, **DESCRIBED},
    "update": {**NO_TEXTS, **UPDATED, **DESCRIBED},
}


@dataclass(frozen=True)
class Transaction:
    """A script for pgbench without its last character, and the variables that it needs."""

    text: str
    variables: Mapping[str, str]


def transaction(kind: str, name: str, text: str) -> Transaction:
    """The statement `name` as a script; psycopg's parameters become pgbench's.

    pgbench's values can't be NULL: a NULL is written into the text, which saves PostgreSQL the
    conditions on it. pgbench's rate is slightly too high because of that.
    """
    given = values(kind, name)
    variables: dict[str, str] = {}

    def place(found: re.Match[str]) -> str:
        value = given[found[1]]
        if value is None:
            return "NULL"
        if isinstance(value, Expression):
            return value
        variable = f"{kind}_{found[1]}"
        variables[variable] = _literal(value)
        return f":{variable}"

    return Transaction(VARIABLES + PARAMETER.sub(place, text), variables)


def values(kind: str, name: str) -> dict[str, Any]:
    """The parameters of the statement `name` for that kind of request."""
    given = {"owner_id": OWNER, "session_id": OWNER, "id": TASK, **VALUES.get(kind, {})}
    return {**SAMPLES, **PARTICULAR.get(name, {}), **given}


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return "{" + ",".join(map(str, value)) + "}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def write_transactions(url: str, names: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Writes a script for each kind of request; returns the variables of all.

    Runs each once, in the form for which pgbench requires a row.
    """
    variables: dict[str, str] = {}
    for kind, name in names.items():
        made = transaction(kind, name, db.load(name).text)
        script, trial = folder / f"{kind}.sql", folder / f"{kind}.trial.sql"
        script.write_text(f"{made.text};\n")
        trial.write_text(f"{made.text} \\gset\n")
        variables |= made.variables
        output = _pgbench(url, variables, "--transactions=1", f"--file={trial}")
        if "number of failed transactions: 0 " not in output:
            raise RuntimeError(f"{name} returns no row:\n{output}")
    return variables


def pgbench(
    url: str, folder: Path, variables: Mapping[str, str], workload: str, seconds: int
) -> Load:
    """Load on PostgreSQL alone: each transaction is one prepared statement."""
    options = [f"--client={CLIENTS}", "--jobs=2", f"--time={seconds}"]
    shares = WORKLOADS[workload].items()
    options += [f"--file={folder / kind}.sql@{share}" for kind, share in shares]
    output = _pgbench(url, variables, *options)
    done = int(_find(r"^number of transactions actually processed: (\d+)", output))
    failed = int(_find(r"^number of failed transactions: (\d+)", output))
    rate = float(_find(r"^tps = ([\d.]+)", output))
    return Load(done, done / rate, failed, {})


def _pgbench(url: str, variables: Mapping[str, str], *options: str) -> str:
    defined = [f"--define={name}={value}" for name, value in variables.items()]
    command = [devdb.program("pgbench"), "--no-vacuum", "--protocol=prepared", *defined]
    return _run([*command, *options, url], GENERIC_PLANS)


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    run = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{run.stdout}{run.stderr}")
    return run.stdout


def _find(pattern: str, output: str) -> str:
    found = re.search(pattern, output, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"no {pattern} in this:\n{output}")
    return found[1]


def spread(values: Sequence[float], form: str) -> str:
    """The median; of several values also the lowest and the highest."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}}–{max(values):{form}})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(line(cells) for cells in (header, rule, *rows))


COLUMNS: Mapping[str, tuple[str, Callable[[Measurement], float]]] = {
    "requests/s": (",.0f", lambda run: run.rate),
    "server CPU ms": (".3f", lambda run: run.cpu["server"]),
    "PostgreSQL CPU ms": (".3f", lambda run: run.cpu["postgres"]),
}


def comparison(title: str, rounds: Rounds, bases: Mapping[str, str]) -> str:
    """A table of medians, and of their ratios to the variants `bases` within each round.

    `bases` maps the title of a column of ratios to the variant.
    """
    header = [title, *(cell for column in COLUMNS for cell in (column, *bases)), "errors"]
    rows = []
    for name, runs in rounds.items():
        row = [name]
        for form, read in COLUMNS.values():
            row.append(format(statistics.median(map(read, runs)), form))
            for base in bases.values():
                pairs = zip(map(read, runs), map(read, rounds[base]), strict=True)
                row.append(spread([value / unit for value, unit in pairs], ".0%"))
        rows.append([*row, str(sum(run.errors for run in runs))])
    return table(header, rows)
