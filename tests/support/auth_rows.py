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


def age_tokens(database_url: str, seconds: float) -> None:
    """Moves the times of all refresh tokens back by `seconds`."""
    run(
        database_url,
        "UPDATE refresh_tokens SET created_at = created_at - make_interval(secs => %(seconds)s),"
        " used_at = used_at - make_interval(secs => %(seconds)s)",
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
