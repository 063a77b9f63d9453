"""Statements about the server and its schema."""

from typing import NamedTuple

from app import db


class AppliedMigration(NamedTuple):
    """A migration that was applied, and the state of the server."""

    migration_id: str
    is_read_only: bool
    has_row_security: bool


class ServerState(NamedTuple):
    """The server's version and settings, and the rights of the role that asks."""

    version_number: int
    version: str
    encoding: str
    is_read_only: bool
    statement_timeout: str
    lock_timeout: str
    max_connections: int
    log_statement: str
    log_min_duration_statement: str
    log_parameter_max_length: str
    is_superuser: bool
    role_name: str
    may_create: bool
    may_rewrite_ledger: bool
    may_change_items: bool
    has_row_security: bool


class TroubledWebhooks(NamedTuple):
    """How many webhooks fail, and how many are disabled after that."""

    failing: int
    disabled: int


COUNT_TROUBLED_WEBHOOKS = db.load("system/count_troubled_webhooks", TroubledWebhooks)
LIST_MIGRATIONS = db.load("system/list_migrations", AppliedMigration)
INSPECT_SERVER = db.load("system/inspect_server", ServerState)


def list_migrations() -> list[AppliedMigration]:
    """The applied migrations; raises UndefinedTable where there has been none."""
    return db.fetch_all(LIST_MIGRATIONS, {})
