"""`make bench`: the service under load, beside what PostgreSQL does with the same SQL alone.

In every round both get a fresh copy of the seeded database, and the service is started anew. They
take turns, and in the next round the other one begins: what is compared was measured within the
same seconds. Prints medians of the rounds with the lowest and highest, and draws a chart.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import chart, load, stage
from benchmarks.load import WORKLOADS, Figures, spread
from benchmarks.stage import SEEDED, Postgres

CHART = Path(__file__).with_name("bench.svg")
WARM_UPS, WARM_UP = 3, 1  # seconds; new connections each time, so that every worker gets its share

Measure = Callable[[str, int], Figures]
Rounds = dict[tuple[str, str], list[Figures]]


def main() -> int:
    """Prints the table; 1 where a request failed."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each load in each round")
    parser.add_argument("--chart", type=Path, default=CHART, help="the SVG file to write")
    options = parser.parse_args()
    load.require_wrk()
    with stage.workspace() as folder, stage.postgres(folder) as postgres:
        postgres.seed()
        rounds = measure(postgres, folder, options.rounds, options.seconds)
        with postgres.connect() as connection:
            version = connection.info.parameter_status("server_version")
    place = f"{os.cpu_count()} cores, PostgreSQL {version}"
    print(f"{place}, {load.CONNECTIONS} connections, {options.rounds} x {options.seconds} s\n")
    print(table(rounds))
    print("\n" + load.disturbance(each for runs in rounds.values() for each in runs))
    options.chart.write_text(chart.draw([bar(rounds, name) for name in WORKLOADS], place))
    print(f"The chart is in {os.path.relpath(options.chart)}")
    return 1 if sum(figures.errors for runs in rounds.values() for figures in runs) else 0


def measure(postgres: Postgres, folder: Path, rounds: int, seconds: int) -> Rounds:
    """The figures of each round, by who was measured and the load."""
    requests = load.requests(stage.seeded_users(postgres))
    load.write_requests(requests, folder)
    found: Rounds = {}
    for number in range(rounds):
        with both(postgres, folder, requests) as measures:
            order = list(measures.items())[:: -1 if number % 2 else 1]
            postgres.settle()
            for workload in WORKLOADS:
                for name, run in order:
                    figures = run(workload, seconds)
                    found.setdefault((name, workload), []).append(figures)
                    note = f"round {number + 1} of {rounds}: {workload}, {name}"
                    print(f"{note}: {figures.rate:,.0f}/s", file=sys.stderr, flush=True)
    return found


@contextmanager
def both(
    postgres: Postgres, folder: Path, requests: dict[str, list[bytes]]
) -> Iterator[dict[str, Measure]]:
    """The service and pgbench, each warm and on a database of its own."""
    for name in ("service", "pgbench"):
        postgres.create(name, SEEDED)
    with stage.service(postgres.url("service"), folder / "service") as service:
        alone = postgres.url("pgbench")
        load.probe(service, requests)
        variables = load.write_transactions(alone, load.statements(service), folder)

        def serve(workload: str, seconds: int) -> Figures:
            parts = {"server": service.pid, "postgres": postgres.pid}
            run = partial(load.wrk, service, folder, workload, seconds)
            return load.measure(run, parts)

        def query(workload: str, seconds: int) -> Figures:
            run = partial(load.pgbench, alone, folder, variables, workload, seconds)
            return load.measure(run, {"postgres": postgres.pid})

        for _ in range(WARM_UPS):
            serve("mix", WARM_UP)
            query("mix", WARM_UP)
        yield {"service": serve, "pgbench": query}


HEADER = [
    *("load", "requests/s", "pgbench's", "share", "p50 ms", "p95 ms", "p99 ms"),
    *("server CPU ms", "PostgreSQL CPU ms", "pgbench's", "RSS MiB", "errors"),
]


def table(rounds: Rounds) -> str:
    rows = []
    for workload in WORKLOADS:
        served, queried = rounds["service", workload], rounds["pgbench", workload]
        rows.append(
            [
                workload,
                spread([each.rate for each in served], ",.0f"),
                spread([each.rate for each in queried], ",.0f"),
                spread(shares(rounds, workload), ".0%"),
                *(
                    format(median(each.latencies[name] for each in served), ".1f")
                    for name in ("p50", "p95", "p99")
                ),
                spread([each.cpu["server"] for each in served], ".3f"),
                spread([each.cpu["postgres"] for each in served], ".3f"),
                format(median(each.cpu["postgres"] for each in queried), ".3f"),
                format(max(each.memory["server"] for each in served), ".0f"),
                str(sum(each.errors for each in served)),
            ]
        )
    return load.table(HEADER, rows)


def shares(rounds: Rounds, workload: str) -> list[float]:
    """What part of pgbench's rate the service reaches, round by round."""
    pairs = zip(rounds["service", workload], rounds["pgbench", workload], strict=True)
    return [served.rate / queried.rate for served, queried in pairs]


def bar(rounds: Rounds, workload: str) -> chart.Bar:
    served = rounds["service", workload]
    return chart.Bar(
        workload,
        median(shares(rounds, workload)),
        f"{median(each.rate for each in served):,.0f} requests/s, "
        f"p95 {median(each.latencies['p95'] for each in served):.0f} ms",
    )


if __name__ == "__main__":
    sys.exit(main())
