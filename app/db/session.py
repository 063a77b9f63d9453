"""Sessions beside the pool's: of migrations, of `flask doctor` and of `flask audit`."""

from typing import Any

import psycopg

from app.db.repository import SET_SESSION


def connect(url: str, application_name: str, **options: Any) -> psycopg.Connection[Any]:
    """A connection in autocommit mode with the settings that our statements depend on."""
    connection = psycopg.connect(url, autocommit=True, application_name=application_name, **options)
    try:
        set_session(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def set_session(connection: psycopg.Connection[Any]) -> None:
    """Sets what statements and their results depend on."""
    connection.execute(SET_SESSION.text)
