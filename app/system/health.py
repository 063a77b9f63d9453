"""Readiness: whether the service can do its work, and what is in the way."""

import psycopg

from app import db
from app.db import schema
from app.errors import Detail
from app.system import repository

TIMEOUT = 1.5  # seconds; a probe waits two
HIDDEN = (
    "It is in force, but DB_ROW_SECURITY is off, so that no row can be seen: "
    "set DB_ROW_SECURITY=on, or run: flask db row-security off."
)


def problems(*, sets_owner: bool) -> list[Detail]:
    """What is not ready, by part; empty where everything is.

    `sets_owner` is DB_ROW_SECURITY: without it, row security hides every row without an error.
    """
    db.extend_deadline(TIMEOUT)
    try:
        migrations = repository.list_migrations()
    except psycopg.errors.UndefinedTable:
        return [_missing(schema.known())]
    except psycopg.Error as error:
        return [{"field": "database", "message": f"It can't be used now ({type(error).__name__})."}]
    applied = {each.migration_id for each in migrations}
    missing = [name for name in schema.known() if name not in applied]
    if missing:
        return [_missing(missing)]
    if migrations[0].is_read_only:
        return [{"field": "database", "message": "It takes no writes: it is a standby or full."}]
    if migrations[0].has_row_security and not sets_owner:
        return [{"field": "row security", "message": HIDDEN}]
    return []


def _missing(names: list[str]) -> Detail:
    return {"field": "schema", "message": f"Migrations are missing: {', '.join(names)}."}
