"""`make bench-duties`: what each duty of the service costs on the mix.

There is a server with all duties, one for each duty that lacks just that, and one without any. All
stay up, and take turns in many short rounds: what is compared was measured within seconds. Where
there is no setting for a duty, duties_wsgi.py leaves it out; what PostgreSQL does for row security
and the ledger is left out in databases of their own. Prints medians of the rounds, and what every
round says about a server beside the one with all duties, with the lowest and highest.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from uuid import UUID

from app import embedded, migrations
from app.auth.tokens import AccessTokens
from app.config import Config
from app.fields import Uuid
from benchmarks import load, stage
from benchmarks.load import Figures, spread
from benchmarks.stage import PATIENCE, SEEDED, Postgres, Service

WITHOUT_LEDGER = Path(__file__).with_name("without_ledger.sql")
APPLICATION = "benchmarks.duties_wsgi:app"
ALL = "all duties"
WARM_UP = 3  # seconds
TOKENS = 1000

NO_RATE_LIMIT = {"RATE_LIMIT": "off"}
NO_LOGS = {"LOG_LEVEL": "warning"}


@dataclass(frozen=True)
class Variant:
    """A service without some duties: by settings, by duties_wsgi.py, or by its database."""

    settings: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    has_ledger: bool = True
    has_row_security: bool = True

    @property
    def database(self) -> str:
        return f"ledger_{self.has_ledger}_security_{self.has_row_security}".lower()


VARIANTS = {
    ALL: Variant(),
    "JWT": Variant(left_out=("jwt",)),
    "session check": Variant(left_out=("sessions",)),
    "ledger": Variant(has_ledger=False),
    "logs": Variant(NO_LOGS),
    "metrics": Variant(left_out=("metrics",)),
    "rate limit": Variant(NO_RATE_LIMIT),
    "row security": Variant(has_row_security=False),
    "none of them": Variant(
        {**NO_LOGS, **NO_RATE_LIMIT},
        ("jwt", "sessions", "metrics"),
        has_ledger=False,
        has_row_security=False,
    ),
}

Rounds = dict[str, list[Figures]]


def main() -> int:
    """Prints the table; 1 where a request failed."""
    parser = argparse.ArgumentParser(prog="make bench-duties ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=2, help="of each variant in each round")
    options = parser.parse_args()
    load.require_wrk()
    with (
        stage.workspace() as folder,
        stage.postgres(folder) as postgres,
        redis() as (store, store_pid),
    ):
        postgres.seed()
        requests = load.requests(stage.seeded_users(postgres))
        load.write_requests(requests, folder)
        for variant in VARIANTS.values():
            make_database(postgres, variant)
        with ExitStack() as stack:
            services = {
                name: stack.enter_context(serve(postgres, store, folder / name, variant))
                for name, variant in VARIANTS.items()
            }
            for name, service in services.items():
                load.probe(service, requests)
                load.wrk(service, folder, "mix", WARM_UP)
                require_left_out(folder / name, VARIANTS[name])
            parts = {"postgres": postgres.pid, "redis": store_pid}
            rounds = measure(services, parts, folder, options.rounds, options.seconds)
    place = f"{os.cpu_count()} cores, {load.CONNECTIONS} connections"
    print(f"{place}, {options.rounds} rounds x {options.seconds} s of the mix\n")
    print(table(rounds))
    print(
        f"\nRedis itself: {median(each.cpu['redis'] for each in rounds[ALL]):.3f} ms per request."
    )
    print(f"A token that a worker has not seen yet: {verification_ms():.3f} ms of its CPU.")
    return 1 if sum(figures.errors for runs in rounds.values() for figures in runs) else 0


def make_database(postgres: Postgres, variant: Variant) -> None:
    """A copy of the seeded database, as the variant has it."""
    postgres.create(variant.database, SEEDED)
    migrations.switch_row_security(
        postgres.url(variant.database, embedded.SUPERUSER), on=variant.has_row_security
    )
    if not variant.has_ledger:
        with postgres.connect(variant.database) as connection:
            connection.execute(WITHOUT_LEDGER.read_text().encode())


@contextmanager
def serve(postgres: Postgres, store: str, folder: Path, variant: Variant) -> Iterator[Service]:
    settings = {
        "RATE_LIMIT_STORAGE_URL": store,
        "DB_ROW_SECURITY": "on" if variant.has_row_security else "off",
        "LEFT_OUT": ",".join(variant.left_out),
        "PYTHONHASHSEED": "0",  # chance shall not make one server's dictionaries quicker
        **variant.settings,
    }
    url = postgres.url(variant.database)
    with stage.service(url, folder, APPLICATION, **settings) as service:
        yield service


def require_left_out(folder: Path, variant: Variant) -> None:
    for duty in variant.left_out:
        if not (folder / duty).exists():
            sys.exit(f"the service no longer does {duty} where duties_wsgi.py leaves it out")


@contextmanager
def redis() -> Iterator[tuple[str, int]]:
    """A Redis (or Valkey) without any data: its address, and its process."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        sys.exit("Redis is not installed: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _await_listener(port, process)
            yield f"redis://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


def _await_listener(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def measure(
    services: Mapping[str, Service],
    parts: Mapping[str, int],
    folder: Path,
    rounds: int,
    seconds: int,
) -> Rounds:
    found: Rounds = {}
    for number in range(rounds):
        for name in list(services)[:: -1 if number % 2 else 1]:
            service = services[name]
            run = partial(load.wrk, service, folder, "mix", seconds)
            figures = load.measure(run, {"server": service.pid, **parts})
            found.setdefault(name, []).append(figures)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


BESIDE = "of all duties"
HEADER = [
    *("without", "requests/s", BESIDE, "server CPU ms", BESIDE),
    *("PostgreSQL CPU ms", BESIDE, "errors"),
]
COLUMNS: Sequence[tuple[str, Callable[[Figures], float]]] = (
    (",.0f", lambda each: each.rate),
    (".3f", lambda each: each.cpu["server"]),
    (".3f", lambda each: each.cpu["postgres"]),
)


def table(rounds: Rounds) -> str:
    rows = []
    for name, runs in rounds.items():
        row = ["nothing" if name == ALL else name]
        for form, read in COLUMNS:
            values, bases = ([read(each) for each in of] for of in (runs, rounds[ALL]))
            ratios = [value / base for value, base in zip(values, bases, strict=True)]
            row += [format(median(values), form), spread(ratios, ".0%")]
        rows.append([*row, str(sum(each.errors for each in runs))])
    return load.table(HEADER, rows)


def verification_ms() -> float:
    """CPU of checking one token for the first time."""
    environ = {**stage.PRODUCTION, "DATABASE_URL": "postgresql://"}
    verifier = AccessTokens(Config.from_env(environ))
    made = [verifier.issue(*[Uuid(str(UUID(int=n)))] * 2) for n in range(TOKENS)]
    began = time.process_time()
    for token in made:
        verifier.verify(token)
    return (time.process_time() - began) * 1000 / TOKENS


if __name__ == "__main__":
    sys.exit(main())
