"""`make bench-duties`: the cost of each duty (logs, limits, ledger and the like) on the mix.

One server has all duties, one server for each duty lacks just that one, and one has none. All run
at the same time and take turns in many short rounds. duties_wsgi.py leaves out the duties without
a setting; PostgreSQL's part of row security and the ledger is left out in separate databases.
Prints medians of the rounds, and ratios within each round to the server with all duties.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from uuid import UUID

from app import devdb
from app.auth.access_tokens import AccessTokens
from app.config import Config
from app.db import migrations
from app.values import Uuid
from benchmarks import load, stage
from benchmarks.patches import LEFT_OUT
from benchmarks.stage import SEEDED, TIMEOUT, Postgres, Service

WITHOUT_LEDGER = Path(__file__).with_name("without_ledger.sql")
APPLICATION = "benchmarks.duties_wsgi:app"
NOTHING = "nothing"
TOKENS = 1000

NO_RATE_LIMIT = {"RATE_LIMIT": "off"}
NO_LOGS = {"LOG_LEVEL": "warning"}


@dataclass(frozen=True)
class Variant:
    """A service without some duties, by settings, by duties_wsgi.py or by its database."""

    settings: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    has_ledger: bool = True
    has_row_security: bool = True

    @property
    def database(self) -> str:
        """The name of the database, which variants of the same kind share."""
        return f"ledger_{self.has_ledger}_security_{self.has_row_security}".lower()


VARIANTS = {
    NOTHING: Variant(),
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
            services = {}
            for name, variant in VARIANTS.items():
                running = serve(postgres, store, folder / name, variant)
                services[name] = stack.enter_context(running)
                load.warm_up(services[name], requests, folder)
            processes = {"postgres": postgres.pid, "redis": store_pid}
            rounds = load.take_turns(services, processes, folder, options.rounds, options.seconds)
    place = f"{os.cpu_count()} cores, {load.CONNECTIONS} connections"
    print(f"{place}, {options.rounds} rounds x {options.seconds} s of the mix\n")
    print(load.comparison("without", rounds, {"of all duties": NOTHING}))
    redis_ms = median(run.cpu["redis"] for run in rounds[NOTHING])
    print(f"\nRedis itself: {redis_ms:.3f} ms per request.")
    print(f"A token that a worker has not seen yet: {verification_ms():.3f} ms of its CPU.")
    return 1 if any(run.errors for runs in rounds.values() for run in runs) else 0


def make_database(postgres: Postgres, variant: Variant) -> None:
    """Creates the variant's database from the seeded one."""
    postgres.create(variant.database, SEEDED)
    migrations.switch_row_security(
        postgres.url(variant.database, devdb.SUPERUSER), on=variant.has_row_security
    )
    if not variant.has_ledger:
        with postgres.connect(variant.database) as connection:
            connection.execute(WITHOUT_LEDGER.read_text().encode())


@contextmanager
def serve(postgres: Postgres, store: str, folder: Path, variant: Variant) -> Iterator[Service]:
    """Starts the variant's service; `store` is the URL of the rate limit's counters."""
    settings = {
        "RATE_LIMIT_STORAGE_URL": store,
        "DB_ROW_SECURITY": "on" if variant.has_row_security else "off",
        LEFT_OUT: ",".join(variant.left_out),
        **stage.SAME_HASHES,
        **variant.settings,
    }
    url = postgres.url(variant.database)
    with stage.service(url, folder, APPLICATION, **settings) as service:
        yield service


@contextmanager
def redis() -> Iterator[tuple[str, int]]:
    """Starts an empty Redis (or Valkey); its URL and its process id."""
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
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def verification_ms() -> float:
    """Milliseconds of CPU for verifying a token that is not in the cache."""
    environ = {**stage.PRODUCTION, "DATABASE_URL": "postgresql://"}
    verifier = AccessTokens(Config.from_env(environ))
    made = [verifier.issue(*[Uuid(str(UUID(int=n)))] * 2) for n in range(TOKENS)]
    began = time.process_time()
    for token in made:
        verifier.verify(token)
    return (time.process_time() - began) * 1000 / TOKENS


if __name__ == "__main__":
    sys.exit(main())
