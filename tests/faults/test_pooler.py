"""PgBouncer in transaction mode: each transaction may have another server connection."""

from pathlib import Path

from tests.support import services
from tests.support.faults.load import Load, register
from tests.support.faults.measurements import Measurements, latencies, summary
from tests.support.faults.postgres import Postgres
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import Scenario, assert_all_good
from tests.support.server import serving


def test_no_call_fails_behind_a_transaction_pooler(
    database: Postgres,
    directory: Path,
    recorder: Recorder,
    measurements: Measurements,
    tmp_path: Path,
    is_full: bool,
) -> None:
    wanted = 10_000 if is_full else 1_000
    settings = directory / "pgbouncer"
    settings.mkdir()
    with (
        services.pgbouncer(database.url, settings) as url,
        serving(url, tmp_path, DB_PREPARE="off") as server,
    ):
        users = [register(server) for _ in range(8)]
        with Load(server, users, recorder, pause=0.001) as load:
            while load.calls < wanted:
                load.run(0.2)
        records = recorder.records()
        measurements.add("PgBouncer", summary(records) | latencies(records))
        Scenario(server, database.url, recorder, measurements).check("PgBouncer", users)
    assert len(records) >= wanted
    assert_all_good(records)
