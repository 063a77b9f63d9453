"""Whether the service can do its work, and what is in the way."""

import psycopg

from app import db, migrations
from app.errors import Detail

SCHEMA_VERSION = db.load("operations/schema_version")


def problems() -> list[Detail]:
    """What is not ready, by the part that it concerns; empty where everything is."""
    try:
        rows = db.fetch_all(SCHEMA_VERSION, {})
    except psycopg.errors.UndefinedTable:
        return [_missing(migrations.known())]
    except psycopg.Error as error:
        return [{"field": "database", "message": f"It can't be used now ({type(error).__name__})."}]
    missing = [name for name in migrations.known() if name not in {row[0] for row in rows}]
    if missing:
        return [_missing(missing)]
    if rows[0].is_read_only:
        return [{"field": "database", "message": "It takes no writes: it is a standby or full."}]
    return []


def _missing(names: list[str]) -> Detail:
    return {"field": "schema", "message": f"Migrations are missing: {', '.join(names)}."}
