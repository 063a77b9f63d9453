"""Sharding by owner with Citus: what `flask db distribute` does, and whether it has been done.

Nothing here has an effect on plain PostgreSQL. The tables are in app/db/placement.py, and what an
operator has to know is in specs/scale.md.
"""

from collections.abc import Iterator
from typing import Any

import psycopg

from app.db import schema, session
from app.db.placement import DISTRIBUTED, LOCAL, LOCAL_FUNCTIONS

LOCK_TIMEOUT = "10s"  # for a table that is still in use
UNMADE_TRIGGER = "ledgers_kept"  # it compares a ledger with its account, which is on another node

HAS_CITUS = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
DISTRIBUTED_TABLES = """
SELECT relname::text FROM pg_dist_partition
INNER JOIN pg_class ON logicalrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND partmethod = 'h'
"""
# Migrations run as roles that other nodes may not know yet; what is nowhere else needs no message.
STOP_PROPAGATION = "SET citus.enable_ddl_propagation = off"

IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = session_user"
IS_COORDINATOR = "SELECT groupid = 0 FROM pg_dist_local_group"
WORKERS = """
SELECT count(*) FROM pg_dist_node WHERE isactive AND noderole = 'primary' AND groupid <> 0
"""
HAS_ROLES = "SELECT to_regrole('ownrow_owner') IS NOT NULL"
# Nodes speak to each other as the role that owns the table, or that calls a function: those two may
# log in, without a password, and the owner's makes shards. What 0004 made here is made on the other
# nodes. Citus lets no other node make roles but with propagation off.
MISSING_ROLES = """
SELECT count(*)::text FROM unnest(ARRAY[
    'ownrow_owner', 'ownrow_lookup', 'ownrow_ledger', 'ownrow_migrator', 'ownrow_app',
    'ownrow_auditor'
]) AS name
WHERE NOT EXISTS (
    SELECT FROM pg_roles
    WHERE
        rolname = name
        AND (rolcanlogin OR name = 'ownrow_lookup')
        AND (name <> 'ownrow_owner' OR has_schema_privilege(oid, 'public', 'CREATE'))
)
"""
MAKE_ROLES = """
DO $make$
DECLARE
    statement text;
    statements text[] := ARRAY[
        'CREATE ROLE ownrow_owner',
        'CREATE ROLE ownrow_lookup',
        'CREATE ROLE ownrow_ledger',
        'CREATE ROLE ownrow_migrator LOGIN',
        'CREATE ROLE ownrow_app LOGIN',
        'CREATE ROLE ownrow_auditor LOGIN',
        'GRANT ownrow_owner, ownrow_lookup, ownrow_ledger TO ownrow_migrator',
        'GRANT USAGE, CREATE ON SCHEMA public TO ownrow_owner',
        'ALTER ROLE ownrow_owner LOGIN',
        'ALTER ROLE ownrow_ledger LOGIN',
        'ALTER ROLE ownrow_migrator SET role = ''ownrow_owner''',
        'ALTER ROLE ownrow_app SET statement_timeout = ''2s''',
        'ALTER ROLE ownrow_app SET lock_timeout = ''1s''',
        'ALTER ROLE ownrow_app SET idle_in_transaction_session_timeout = ''10s''',
        'ALTER ROLE ownrow_auditor SET default_transaction_read_only = on'
    ];
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', TRUE);
    FOREACH statement IN ARRAY statements LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN duplicate_object THEN NULL;
        END;
    END LOOP;
END
$make$
"""
ON_WORKERS = "SELECT nodename, nodeport, success, result FROM run_command_on_workers(%(command)s)"

HAS_UNSAFE_TRIGGERS = """
SELECT count(*)::text FROM pg_db_role_setting
WHERE
    setrole = 0
    AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND 'citus.enable_unsafe_triggers=on' = ANY(setconfig)
"""
ALLOW_TRIGGERS = """
DO $allow$
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', TRUE);
    EXECUTE format(
        'ALTER DATABASE %I SET citus.enable_unsafe_triggers = ''on''', current_database()
    );
END
$allow$
"""
ALLOW_TRIGGERS_HERE = "SET citus.enable_unsafe_triggers = on"

# The rows of a transaction that distributes several tables go over one connection for each node.
SEQUENTIALLY = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
FUNCTIONS = """
SELECT pg_proc.oid::regprocedure::text FROM pg_proc
WHERE
    pronamespace = 'public'::regnamespace
    AND proname <> ALL(%(local)s)
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
    )
    AND NOT EXISTS (
        SELECT FROM pg_dist_object WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid
    )
ORDER BY 1
"""
DISTRIBUTE_FUNCTION = "SELECT create_distributed_function(%(name)s::regprocedure)"
# No foreign key leads from a distributed table to one of the coordinator, or back.
FOREIGN_KEYS = """
SELECT conname::text, format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname)
FROM pg_constraint
INNER JOIN pg_class AS own ON conrelid = own.oid
INNER JOIN pg_class AS other ON confrelid = other.oid
WHERE
    contype = 'f'
    AND own.relnamespace = 'public'::regnamespace
    AND (
        (own.relname = ANY(%(distributed)s) AND other.relname = ANY(%(local)s))
        OR (own.relname = ANY(%(local)s) AND other.relname = ANY(%(distributed)s))
    )
ORDER BY 1
"""
TRIGGERS = """
SELECT
    tgname::text,
    format('DROP TRIGGER %%I ON %%s', tgname, tgrelid::regclass),
    pg_get_triggerdef(pg_trigger.oid)
FROM pg_trigger
INNER JOIN pg_class ON tgrelid = pg_class.oid
WHERE
    relnamespace = 'public'::regnamespace
    AND relname = ANY(%(tables)s)
    AND NOT tgisinternal
ORDER BY tgname
"""
DISTRIBUTE_TABLE = """
SELECT create_distributed_table(
    to_regclass(%(table)s), 'owner_id', colocate_with => %(with)s
)
"""
# What was copied to the shards is still here, where no statement reads it. The trigger that keeps
# entries from being truncated is gone at the time, and foreign keys have no say.
REPLACE_ROLE = "SET LOCAL session_replication_role = replica"
RESTORE_ROLE = "SET LOCAL session_replication_role = origin"
EMPTY_LOCAL = "SELECT truncate_local_data_after_distributing_table(to_regclass(%(table)s))"
# Citus names all columns in what it sends to a shard, those with a default, too.
GRANTS = """
SELECT relname::text, format('GRANT INSERT ON %%s TO ownrow_app', pg_class.oid::regclass)
FROM pg_class
WHERE
    relnamespace = 'public'::regnamespace
    AND relname = ANY(%(tables)s)
    AND has_any_column_privilege('ownrow_app', pg_class.oid, 'INSERT')
    AND NOT has_table_privilege('ownrow_app', pg_class.oid, 'INSERT')
ORDER BY relname
"""


class RefusedError(Exception):
    """A database that can't be distributed, and what to do about it."""


def has_citus(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database has the extension."""
    return bool(_value(connection, HAS_CITUS))


def distributed_tables(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """The tables that are distributed; empty on plain PostgreSQL."""
    if not has_citus(connection):
        return frozenset()
    return frozenset(row[0] for row in connection.execute(DISTRIBUTED_TABLES))


def set_propagation(connection: psycopg.Connection[Any]) -> None:
    """Keeps what migrations do on this node while no table is distributed."""
    if has_citus(connection) and not distributed_tables(connection):
        connection.execute(STOP_PROPAGATION)


def distribute(url: str) -> Iterator[str]:
    """Distributes what is not distributed yet; says what it has done, a sentence for each thing.

    All that concerns tables is one transaction. Raises RefusedError before it has changed a table.
    """
    with session.connect(url, "ownrow migration") as connection:
        _require_citus(connection)
        connection.execute(
            "SELECT pg_advisory_lock(%s)", [schema.LOCK]
        )  # nothing migrates meanwhile
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        yield from _share_roles(connection)
        yield from _allow_triggers(connection)
        with connection.transaction():
            connection.execute(SEQUENTIALLY)
            done = [*_distribute_functions(connection), *_distribute_tables(connection)]
        yield from done


def _require_citus(connection: psycopg.Connection[Any]) -> None:
    if not has_citus(connection):
        raise RefusedError(
            "the database has no extension citus. Without it there is nothing to do: one "
            "PostgreSQL has all tables. With it: put citus first in shared_preload_libraries on "
            "each server, restart, and run CREATE EXTENSION citus in this database on each."
        )
    if not _value(connection, IS_SUPERUSER):
        raise RefusedError(
            "the role is no superuser, which truncating the local copies and making roles on nodes "
            "need; set MIGRATION_DATABASE_URL to one for this command."
        )
    if not _value(connection, IS_COORDINATOR):
        raise RefusedError("this node is a worker; connect to the coordinator.")
    if not _value(connection, WORKERS):
        raise RefusedError(
            "Citus has no worker node. Add one: SELECT citus_add_node('host', 5432), or "
            "specs/scale.md for all steps."
        )


def _share_roles(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Makes the roles on the nodes that lack some, and lets nodes connect as the owner's role."""
    if not _value(connection, HAS_ROLES):
        return
    if _value(connection, MISSING_ROLES) != "0":
        connection.execute(MAKE_ROLES)
        yield "let ownrow_owner and ownrow_ledger log in, without a password, for nodes to connect"
    lacking = [node for node, found in _on_workers(connection, MISSING_ROLES) if found != "0"]
    if lacking:
        _on_workers(connection, MAKE_ROLES)
        yield f"made the roles on {', '.join(lacking)}"


def _allow_triggers(connection: psycopg.Connection[Any]) -> Iterator[str]:
    here = _value(connection, HAS_UNSAFE_TRIGGERS) != "0"
    if not here:
        connection.execute(ALLOW_TRIGGERS)
    there = _on_workers(connection, HAS_UNSAFE_TRIGGERS)
    if any(found == "0" for _, found in there):
        _on_workers(connection, ALLOW_TRIGGERS)
    if not here or any(found == "0" for _, found in there):
        yield "set citus.enable_unsafe_triggers on the database, on every node"
    connection.execute(ALLOW_TRIGGERS_HERE)


def _distribute_functions(connection: psycopg.Connection[Any]) -> Iterator[str]:
    names = connection.execute(FUNCTIONS, {"local": list(LOCAL_FUNCTIONS)}).fetchall()
    for (name,) in names:
        connection.execute(DISTRIBUTE_FUNCTION, {"name": name})
    if names:
        yield f"distributed {len(names)} functions"


def _distribute_tables(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """What concerns tables, in the order that Citus needs."""
    distributed = distributed_tables(connection)
    missing = [each for each in DISTRIBUTED if each not in distributed]
    sides = {"distributed": list(DISTRIBUTED), "local": list(LOCAL)}
    for name, drop in connection.execute(FOREIGN_KEYS, sides).fetchall():
        _run(connection, drop)
        yield f"dropped the foreign key {name}"
    triggers = connection.execute(TRIGGERS, {"tables": missing}).fetchall()
    for _, drop, _ in triggers:
        _run(connection, drop)
    for table in missing:
        together = "none" if table == DISTRIBUTED[0] else DISTRIBUTED[0]
        connection.execute(DISTRIBUTE_TABLE, {"table": f"public.{table}", "with": together})
        yield f"distributed {table} by owner_id"
    connection.execute(REPLACE_ROLE)
    for table in missing:
        connection.execute(EMPTY_LOCAL, {"table": f"public.{table}"})
    connection.execute(RESTORE_ROLE)
    yield from _make_triggers(connection, triggers)
    yield from _grant(connection)


def _make_triggers(connection: psycopg.Connection[Any], triggers: list[Any]) -> Iterator[str]:
    for name, _, create in triggers:
        if name == UNMADE_TRIGGER:
            yield f"dropped the trigger {name}"
        else:
            _run(connection, create)
            yield f"made the trigger {name} on every shard"


def _grant(connection: psycopg.Connection[Any]) -> Iterator[str]:
    if _value(connection, HAS_ROLES):
        for table, grant in connection.execute(GRANTS, {"tables": list(DISTRIBUTED)}).fetchall():
            _run(connection, grant)
            yield f"let ownrow_app insert into all columns of {table}"


def _on_workers(connection: psycopg.Connection[Any], command: str) -> list[tuple[str, str]]:
    """Each worker node, and what the command has returned there; raises RefusedError."""
    found = connection.execute(ON_WORKERS, {"command": command}).fetchall()
    for host, port, is_success, result in found:
        if not is_success:
            raise RefusedError(f"{host}:{port} says: {result}")
    return [(f"{host}:{port}", result) for host, port, _, result in found]


def _run(connection: psycopg.Connection[Any], statement: str) -> None:
    """Runs a statement that PostgreSQL has written."""
    connection.execute(statement.encode())


def _value(connection: psycopg.Connection[Any], query: str) -> Any:
    """The one value of a query; None where it has no row."""
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]
