"""When autovacuum visits the tables that grow or change most."""

import psycopg
import pytest

# The share of a table that has to be dead, or new, as autovacuum takes it.
SHARES = """
SELECT relname::text, option_name, option_value::float
FROM pg_class CROSS JOIN pg_options_to_table(reloptions)
WHERE relnamespace = 'public'::regnamespace AND option_name LIKE 'autovacuum%'
"""


@pytest.mark.proves("SCALE-50")
def test_large_tables_are_visited_long_before_a_fifth_has_changed(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        shares = {(table, name): share for table, name, share in connection.execute(SHARES)}
    entries, dead = "ledger_entries", "autovacuum_vacuum_scale_factor"
    assert shares[entries, dead] == shares[entries, "autovacuum_vacuum_insert_scale_factor"] == 0.02
    for table in ("tasks", "ledgers", "idempotency_keys"):
        assert shares[table, dead] == 0.05, table
