"""`make bench`: the service under load, beside PostgreSQL alone with the same SQL.

In every round both get a fresh copy of the seeded database, and the service is restarted. They
take turns, and every other round begins with the other one: a ratio compares measurements of the
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
from benchmarks.load import WORKLOADS, Measurement, spread
from benchmarks.stage import SEEDED, Postgres

CHART = Path(__file__).with_name("bench.svg")
WARM_UPS, WARM_UP = 3, 1  # seconds; with new connections, so that all workers get some

Measure = Callable[[str, int], Measurement]
Rounds = dict[tuple[str, str], list[Measurement]]  # by what was measured, and the load


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
    print("\n" + load.other_programs(each for runs in rounds.values() for each in runs))
    options.chart.write_text(chart.draw([bar(rounds, name) for name in WORKLOADS], place))
    print(f"The chart is in {os.path.relpath(options.chart)}")
    return 1 if any(run.errors for runs in rounds.values() for run in runs) else 0


def measure(postgres: Postgres, folder: Path, rounds: int, seconds: int) -> Rounds:
    """Measures the service and pgbench with each load in `rounds` rounds."""
    requests = load.requests(stage.seeded_users(postgres))
    load.write_requests(requests, folder)
    found: Rounds = {}
    for number in range(rounds):
        with both(postgres, folder, requests) as measures:
            order = list(measures.items())[:: -1 if number % 2 else 1]
            postgres.checkpoint()
            for workload in WORKLOADS:
                for name, run in order:
                    measured = run(workload, seconds)
                    found.setdefault((name, workload), []).append(measured)
                    note = f"round {number + 1} of {rounds}: {workload}, {name}"
                    print(f"{note}: {measured.rate:,.0f}/s", file=sys.stderr, flush=True)
    return found


@contextmanager
def both(
    postgres: Postgres, folder: Path, requests: dict[str, list[bytes]]
) -> Iterator[dict[str, Measure]]:
    """The service and pgbench, warmed up, each with its own database."""
    for name in ("service", "pgbench"):
        postgres.create(name, SEEDED)
    with stage.service(postgres.url("service"), folder / "service") as service:
        alone = postgres.url("pgbench")
        load.probe(service, requests)
        variables = load.write_transactions(alone, load.statements(service), folder)

        def serve(workload: str, seconds: int) -> Measurement:
            processes = {"server": service.pid, "postgres": postgres.pid}
            run = partial(load.wrk, service, folder, workload, seconds)
            return load.measure(run, processes)

        def query(workload: str, seconds: int) -> Measurement:
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
    """A row for each load, in Markdown."""
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
    """The service's rate divided by pgbench's, in each round."""
    pairs = zip(rounds["service", workload], rounds["pgbench", workload], strict=True)
    return [served.rate / queried.rate for served, queried in pairs]


def bar(rounds: Rounds, workload: str) -> chart.Bar:
    """The load's bar of the chart."""
    served = rounds["service", workload]
    return chart.Bar(
        workload,
        median(shares(rounds, workload)),
        f"{median(each.rate for each in served):,.0f} requests/s, "
        f"p95 {median(each.latencies['p95'] for each in served):.0f} ms",
    )


if __name__ == "__main__":
    sys.exit(main())
