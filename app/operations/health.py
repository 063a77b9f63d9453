"""Whether the service can do its work, and what is in the way."""

import psycopg

from app import db, schema
from app.errors import Detail

SCHEMA_VERSION = db.load("operations/schema_version")
HIDDEN = (
    "It is in force, but DB_ROW_SECURITY is off, so that no row can be seen: "
    "set DB_ROW_SECURITY=on, or run: flask db row-security off."
)


def problems(*, tells_owner: bool) -> list[Detail]:
    """What is not ready, by the part that it concerns; empty where everything is.

    `tells_owner` is DB_ROW_SECURITY: without it, row security would hide all rows and say nothing.
    """
    try:
        rows = db.fetch_all(SCHEMA_VERSION, {})
    except psycopg.errors.UndefinedTable:
        return [_missing(schema.known())]
    except psycopg.Error as error:
        return [{"field": "database", "message": f"It can't be used now ({type(error).__name__})."}]
    missing = [name for name in schema.known() if name not in {row[0] for row in rows}]
    if missing:
        return [_missing(missing)]
    if rows[0].is_read_only:
        return [{"field": "database", "message": "It takes no writes: it is a standby or full."}]
    if rows[0].has_row_security and not tells_owner:
        return [{"field": "row security", "message": HIDDEN}]
    return []


def _missing(names: list[str]) -> Detail:
    return {"field": "schema", "message": f"Migrations are missing: {', '.join(names)}."}
