"""What the tests do to the database behind the service's back."""

from typing import Any

import psycopg


def run(database_url: str, statement: str, **params: Any) -> list[tuple[Any, ...]]:
    """Runs it with all rights; returns its rows, if it has any."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), params)
        return [] if cursor.description is None else cursor.fetchall()


def count(database_url: str, rows: str, **params: Any) -> int:
    """How many there are; `rows` is what follows FROM."""
    ((found,),) = run(database_url, f"SELECT count(*) FROM {rows}", **params)
    return int(found)


def age_tokens(database_url: str, seconds: float) -> None:
    """Lets time pass for every refresh token."""
    run(
        database_url,
        "UPDATE refresh_tokens SET created_at = created_at - make_interval(secs => %(seconds)s),"
        " spent_at = spent_at - make_interval(secs => %(seconds)s)",
        seconds=seconds,
    )


def age_sessions(database_url: str, seconds: float) -> None:
    """Lets time pass for every session."""
    run(
        database_url,
        "UPDATE sessions SET created_at = created_at - make_interval(secs => %(seconds)s),"
        " last_used_at = last_used_at - make_interval(secs => %(seconds)s)",
        seconds=seconds,
    )


def age_guesses(database_url: str, seconds: float) -> None:
    """Lets time pass for every counter of wrong guesses."""
    run(
        database_url,
        "UPDATE guesses SET last_failure_at = last_failure_at - make_interval(secs => %(seconds)s)",
        seconds=seconds,
    )


def dump(database_url: str) -> str:
    """All rows of all tables as text."""
    tables = run(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        str(row[0])
        for (table,) in tables
        for row in run(database_url, f'SELECT t::text FROM "{table}" AS t')
    ]
    return "\n".join(rows)
