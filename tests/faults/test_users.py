"""The load that the service is designed for: 100 concurrent users with 10,000 tasks each."""

from pathlib import Path

import psycopg

from tests.support.databases import VOLATILE_SETTINGS
from tests.support.faults.load import Load, register
from tests.support.faults.measurements import Measurements, latencies, outcomes, summary
from tests.support.faults.postgres import postgres
from tests.support.faults.recorder import Recorder
from tests.support.faults.scenario import Scenario
from tests.support.server import serving
from tests.support.task_rows import unrecorded

USERS = 100
THINK_TIME = 0.5  # seconds between two calls of one user
MAX_P95 = 500.0  # milliseconds

SEED = """
    INSERT INTO tasks (
        owner_id, id, title, description, title_folded, description_folded, completed_at,
        position, created_at, updated_at, version, last_action, request_id
    )
    SELECT
        users.id, uuidv7_at(at), 'Task ' || n, notes, 'task ' || n, notes,
        CASE WHEN n %% 3 = 0 THEN at END, first_position(n), at, at, n, 'create', 'seed'
    FROM generate_series(1, %(tasks)s) AS n
    CROSS JOIN users
    CROSS JOIN LATERAL (SELECT
        timestamptz '2025-01-01 00:00:00+00' + n * interval '1 minute' AS at,
        rpad('notes on task ' || n, 80, ' buy milk, call the bank') AS notes
    ) AS task
"""
COUNT = "UPDATE ledgers SET version = %(tasks)s, pruned_version = %(tasks)s"


def test_a_hundred_users_with_ten_thousand_tasks_have_a_p95_below_half_a_second(
    directory: Path, recorder: Recorder, measurements: Measurements, tmp_path: Path, is_full: bool
) -> None:
    tasks, seconds = (10_000, 30) if is_full else (500, 8)
    settings = {**VOLATILE_SETTINGS, "shared_buffers": "512MB"}
    with (
        postgres(directory / "database", settings=settings) as database,
        serving(database.url, tmp_path) as server,
    ):
        users = [register(server) for _ in range(USERS)]
        with psycopg.connect(database.admin_url, autocommit=True) as admin:
            with unrecorded(admin):
                admin.execute(SEED, {"tasks": tasks})
            admin.execute(COUNT, {"tasks": tasks})
            admin.execute("VACUUM (ANALYZE)")
        with Load(server, users, recorder, clients=USERS, pause=THINK_TIME) as load:
            load.run(seconds)
        records = recorder.records()
        found = latencies(records)
        name = f"100 users, {tasks} tasks each"
        measurements.add(name, {**summary(records), **found, "per_second": len(records) / seconds})
        Scenario(server, database.url, recorder, measurements).check(name, users)
    assert not [each for each in outcomes(records) if each.fate == "unknown"]
    assert float(found["p95_ms"]) < MAX_P95
