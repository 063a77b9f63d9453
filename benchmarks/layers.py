"""`make bench-layers`: the gain of each layer that replaces a library's own code, on the mix.

The stock server is the same application with Flask's dispatch, gunicorn's gthread worker, psycopg's
cursors and psycopg_pool's own list, without group commit and page cache. One server for each layer
adds it to the stock server, one server has all layers, and one for each layer lacks just that one;
neighbouring layers are also added and removed together. All servers share one database and take
turns. Prints medians of the rounds, and ratios within each round to the stock server and to all.
"""

import argparse
import os
import sys
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from benchmarks import load, stage
from benchmarks.patches import LEFT_OUT
from benchmarks.stage import SEEDED, Service

APPLICATION = "benchmarks.layers_wsgi:app"
STOCK, ALL = "stock", "all"
WORKER = "fast worker"
LAYERS = (
    "dispatch table",
    WORKER,
    "libpq statements",
    "idle connections",
    "group commit",
    "page cache",
)
NEIGHBOURS = (
    ("libpq statements", "idle connections"),
    ("libpq statements", "group commit"),
)
GTHREAD = {"GUNICORN_CMD_ARGS": "--worker-class gthread"}
DATABASE = "layers"
SETTINGS = {"max_connections": "1200"}  # each server's pool keeps its own


def variants() -> dict[str, set[str]]:
    """The layers that each server lacks."""
    groups = [*((layer,) for layer in LAYERS), *NEIGHBOURS]
    return {
        STOCK: set(LAYERS),
        **{f"stock + {' + '.join(group)}": set(LAYERS) - set(group) for group in groups},
        ALL: set(),
        **{f"all - {' - '.join(group)}": set(group) for group in groups},
    }


def main() -> int:
    """Prints the table; 1 where a request failed."""
    parser = argparse.ArgumentParser(prog="make bench-layers ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=3, help="of each server in each round")
    options = parser.parse_args()
    load.require_wrk()
    with stage.workspace() as folder, stage.postgres(folder, **SETTINGS) as postgres:
        postgres.seed()
        postgres.create(DATABASE, SEEDED)
        requests = load.requests(stage.seeded_users(postgres))
        load.write_requests(requests, folder)
        with ExitStack() as stack:
            services = {}
            for name, left_out in variants().items():
                running = serve(postgres.url(DATABASE), folder / name, left_out)
                services[name] = stack.enter_context(running)
                load.warm_up(services[name], requests, folder)
            postgres.checkpoint()
            processes = {"postgres": postgres.pid}
            rounds = load.take_turns(services, processes, folder, options.rounds, options.seconds)
    place = f"{os.cpu_count()} cores, {load.CONNECTIONS} connections"
    print(f"{place}, {options.rounds} rounds x {options.seconds} s of the mix\n")
    print(load.comparison("server", rounds, {"of stock": STOCK, "of all": ALL}))
    print("\n" + load.other_programs(run for runs in rounds.values() for run in runs))
    return 1 if any(run.errors for runs in rounds.values() for run in runs) else 0


def serve(url: str, folder: Path, left_out: Collection[str]) -> AbstractContextManager[Service]:
    """Starts a service without those layers on the database at `url`."""
    settings = {
        LEFT_OUT: ",".join(left_out),
        **stage.SAME_HASHES,
        **(GTHREAD if WORKER in left_out else {}),
    }
    return stage.service(url, folder, APPLICATION, **settings)


if __name__ == "__main__":
    sys.exit(main())
