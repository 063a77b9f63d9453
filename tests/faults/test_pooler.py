"""Behind PgBouncer in transaction mode, where each transaction may meet another connection."""

from pathlib import Path

from tests.faults.figures import Figures, latencies, summary
from tests.faults.load import Load, register
from tests.faults.postgres import Postgres
from tests.faults.recorder import Recorder
from tests.faults.rides import Ride, assert_all_good
from tests.operations import parts
from tests.serving import serving


def test_thousands_of_mixed_requests_pass_a_transaction_pooler(
    database: Postgres,
    directory: Path,
    recorder: Recorder,
    figures: Figures,
    tmp_path: Path,
    is_full: bool,
) -> None:
    wanted = 10_000 if is_full else 1_000
    settings = directory / "pgbouncer"
    settings.mkdir()
    with (
        parts.pgbouncer(database.url, settings) as url,
        serving(url, tmp_path, DB_PREPARE="off") as server,
    ):
        users = [register(server) for _ in range(8)]
        with Load(server, users, recorder, pause=0.001) as load:
            while load.calls < wanted:
                load.run(0.2)
        records = recorder.records()
        figures.add("PgBouncer", summary(records) | latencies(records))
        Ride(server, database.url, recorder, figures).check("PgBouncer", users)
    assert len(records) >= wanted
    assert_all_good(records)
