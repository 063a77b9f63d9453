"""SQL that tests run on the database directly, without the service."""

from typing import Any

import psycopg


def run(database_url: str, statement: str, **params: Any) -> list[tuple[Any, ...]]:
    """Runs the statement in autocommit mode; returns its rows, or an empty list if it has none."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), params)
        return [] if cursor.description is None else cursor.fetchall()


def count(database_url: str, rows: str, **params: Any) -> int:
    """The number of rows; `rows` is the text after FROM."""
    ((found,),) = run(database_url, f"SELECT count(*) FROM {rows}", **params)
    return int(found)


def rows_per_table(database_url: str) -> dict[str, int]:
    """The number of rows of each table in the schema `public`."""
    tables = run(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {table: count(database_url, f'"{table}"') for (table,) in tables}


def buffers(database_url: str, statement: str, **params: Any) -> int:
    """The pages that the statement reads, in memory or from disk; it is rolled back."""
    with psycopg.connect(database_url) as connection:
        explained = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
        ((plans,),) = connection.execute(explained.encode(), params).fetchall()
        connection.rollback()
    plan = plans[0]["Plan"]
    triggers = sum(each["Calls"] for each in plans[0]["Triggers"])
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] + triggers)


def age_tokens(database_url: str, seconds: float) -> None:
    """Moves the times of all refresh tokens back by `seconds`; those of the sessions stay."""
    run(
        database_url,
        "UPDATE sessions SET last_used_at = last_used_at - make_interval(secs => %(seconds)s),"
        " used_at = ARRAY("
        "SELECT at - make_interval(secs => %(seconds)s)"
        " FROM unnest(used_at) WITH ORDINALITY AS used (at, place) ORDER BY place)",
        seconds=seconds,
    )


def age_logins(database_url: str, seconds: float) -> None:
    """Moves the starts of all sessions back by `seconds`; the times of their tokens stay."""
    run(
        database_url,
        "UPDATE sessions SET created_at = created_at - make_interval(secs => %(seconds)s)",
        seconds=seconds,
    )


def age_sessions(database_url: str, seconds: float) -> None:
    """Moves the times of all sessions back by `seconds`."""
    run(
        database_url,
        "UPDATE sessions SET created_at = created_at - make_interval(secs => %(seconds)s),"
        " last_used_at = last_used_at - make_interval(secs => %(seconds)s)",
        seconds=seconds,
    )


def age_attempts(database_url: str, seconds: float) -> None:
    """Moves the times of all counters of failed logins back by `seconds`."""
    run(
        database_url,
        "UPDATE login_attempts"
        " SET last_failure_at = last_failure_at - make_interval(secs => %(seconds)s)",
        seconds=seconds,
    )


def dump(database_url: str) -> str:
    """All rows of all tables in the schema `public`, as text."""
    tables = run(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        str(row[0])
        for (table,) in tables
        for row in run(database_url, f'SELECT t::text FROM "{table}" AS t')
    ]
    return "\n".join(rows)
