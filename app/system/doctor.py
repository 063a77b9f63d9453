"""The findings of `flask doctor`: the state of each dependency, and how to repair it."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import namedtuple_row

from app import db
from app.config import Config
from app.db import distribution, schema
from app.db.errors import cause
from app.db.placement import DISTRIBUTED
from app.db.repository import SET_SESSION
from app.db.session import set_session
from app.ledger import triggers
from app.mail.transports import AwayError, smtp_of
from app.ratelimit.limits import open_store
from app.serving import handoff
from app.system.repository import COUNT_TROUBLED_WEBHOOKS, INSPECT_SERVER, LIST_MIGRATIONS
from app.worker.repository import COUNT_RUNNING

# Its result differs each time, and the audit compares the results of statements in sql/.
MOMENT = "SELECT clock_timestamp() AS clock, pg_backend_pid() AS backend_pid"
# What a restore by another role leaves out: triggers, and owners of SECURITY DEFINER functions. It
# reads the catalogue alone, which has no owner's rows.
LEFT_OUT = """
SELECT
    ARRAY(
        SELECT name FROM unnest(%(triggers)s::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = name)
        ORDER BY name
    ) AS triggers,
    ARRAY(
        SELECT proname::text FROM pg_proc
        JOIN pg_class ON pronamespace = relnamespace AND pg_class.oid = to_regclass('public.users')
        WHERE prosecdef AND relowner = to_regrole('ownrow_owner') AND proowner <> to_regrole(
            CASE
                WHEN proname = ANY(%(lookups)s) THEN 'ownrow_lookup'
                WHEN proname = 'record_change' THEN 'ownrow_ledger'
                ELSE 'ownrow_owner'
            END
        )
        ORDER BY proname
    ) AS functions
"""
NODES = """
SELECT nodename || ':' || nodeport AS name, isactive AS is_active, groupid = 0 AS is_coordinator
FROM pg_dist_node
WHERE noderole = 'primary'
ORDER BY groupid, name
"""
MOVES = """
SELECT description FROM pg_dist_background_job
WHERE state NOT IN ('finished', 'cancelled', 'failed')
ORDER BY job_id
"""
LOOKUPS = ["find_credential", "keep_ledger_of_living_user", "list_accounts", "password_hash_of"]
SETTINGS = "SELECT name, current_setting(name) AS value FROM unnest(%(names)s::text[]) AS name"
SET_BY_SERVICE = [column.name for column in SET_SESSION.header.columns]
HARMLESS = ("timezone", "search_path")  # differ on many a sound server
OLDEST, NEWEST = 15, 18  # major versions of PostgreSQL that the tests run on
CLOCK_TOLERANCE = 2.0  # seconds
RESTORE = "restore the backup anew, as in specs/dba.md"
LONGEST_LAG = 60  # seconds
RESERVED = 10  # connections for operators, migrations and the server itself

GOOD, NOTE, BAD = "good", "note", "bad"


@dataclass(frozen=True)
class Finding:
    """The state of one part (GOOD, NOTE or BAD), and what to do about it."""

    state: str
    part: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Database:
    """The server as a new connection sees it; the clock's difference is in seconds."""

    server: Any
    left_out: Any
    clock_difference: float
    is_pooled: bool
    applied: frozenset[str] | None
    running: Any  # workers; None before the migration that has them
    troubled: Any  # webhooks; as above
    sharding: "Sharding | None"  # None on plain PostgreSQL
    differing: dict[str, str]  # what the service sets, where sessions begin with something else


@dataclass(frozen=True)
class Sharding:
    """The nodes of a Citus, what it moves, and the tables that are not distributed yet."""

    workers: int
    inactive: list[str]
    moving: list[str]
    missing: list[str]


def examine(config: Config) -> Iterator[Finding]:
    """All findings, part by part; each part is inspected once."""
    yield from _environment(config)
    yield from _limit_store(config)
    yield _mail(config)
    yield _events(config)
    if config.database_url is None:
        yield Finding(NOTE, "database", "DATABASE_URL is unset", "make run starts one of its own")
        return
    try:
        database = _look(config.database_url)
    except psycopg.Error as error:
        remedy = "check DATABASE_URL, the server, and the network between them"
        yield Finding(BAD, "database", f"can't be used: {cause(error)}", remedy)
        return
    for check in (
        _version,
        _schema,
        _rights,
        _row_security,
        _pooler,
        _session,
        _clock,
        _connections,
        _server_log,
        _worker,
        _webhooks,
    ):
        yield check(config, database)
    yield from _sharding(config, database)
    yield from _migration_access(config)


def obstacles(config: Config, url: str, *, writes: bool) -> list[Finding]:
    """What keeps a command from its work with the rights of `url`; raises psycopg.Error.

    A command could otherwise find no row, and take that for success.
    """
    database = _look(url)
    found = [_missing_migrations(database), _hidden_rows(config, database)]
    if writes:
        found += [_unusable(database), _without_rights(database)]
    return [each for each in found if each is not None]


def _environment(config: Config) -> Iterator[Finding]:
    yield Finding(GOOD, "environment", f"APP_ENV is {config.app_env}, every setting can be read")
    for use, keys in (("signing", config.jwt_secrets), ("encryption", config.encryption_keys)):
        yield Finding(GOOD, "secrets", f"{len(keys)} {use} key(s): {', '.join(keys)}")
    if config.app_env not in ("staging", "production"):
        return
    if not config.forwarded_allow_ips:
        yield Finding(
            NOTE,
            "proxy",
            "no proxy is trusted: behind nginx all clients would seem to have its address",
            "set FORWARDED_ALLOW_IPS to the proxy's address",
        )
    if not config.allowed_hosts:
        yield Finding(
            NOTE, "hosts", "every Host is answered for", "set ALLOWED_HOSTS to the service's names"
        )
    if urlsplit(config.public_url).hostname == "127.0.0.1":
        text = f"links in mail lead to {config.public_url}"
        yield Finding(NOTE, "links", text, "set PUBLIC_URL to where people reach the service")
    if config.metrics_token is None:
        yield Finding(NOTE, "metrics", "/metrics is a 404", "set METRICS_TOKEN to scrape it")
    else:
        text = "are of all workers under gunicorn with gunicorn.conf.py, else of one process"
        yield Finding(GOOD, "metrics", text)


def _limit_store(config: Config) -> Iterator[Finding]:
    part = "rate limits"
    if config.rate_limit is None:
        yield Finding(NOTE, part, "are off", "set RATE_LIMIT, for example to 600/minute")
        return
    scheme = urlsplit(config.rate_limit_storage_url).scheme
    if scheme == "memory":
        remedy = (
            "with several machines, or a server other than gunicorn with gunicorn.conf.py, "
            "set RATE_LIMIT_STORAGE_URL to a Redis or Valkey"
        )
        text = f"{config.rate_limit}, counted by the workers of one gunicorn, or by each process"
        yield Finding(NOTE if config.app_env == "production" else GOOD, part, text, remedy)
        return
    store = open_store(config.rate_limit_storage_url)
    try:
        store.incr("ownrow:doctor", 1)
    except store.base_exceptions as error:
        remedy = "check RATE_LIMIT_STORAGE_URL; until then requests are not limited"
        yield Finding(BAD, part, f"the {scheme} store is away: {type(error).__name__}", remedy)
    else:
        yield Finding(GOOD, part, f"{config.rate_limit}, counted in {scheme}")


def _mail(config: Config) -> Finding:
    smtp = smtp_of(config)
    if smtp is None and config.app_env in ("staging", "production"):
        remedy = "set SMTP_URL, for example to smtp://user:password@host:587"
        return Finding(NOTE, "mail", "none can be sent: SMTP_URL is unset", remedy)
    if smtp is None:
        return Finding(GOOD, "mail", "is logged by flask worker, as SMTP_URL is unset")
    try:
        smtp.check()
    except AwayError as error:
        return Finding(BAD, "mail", f"can't be sent: {error}", "check SMTP_URL, and that server")
    return Finding(GOOD, "mail", "the server takes it")


def _look(url: str) -> Database:
    with psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=db.CONNECT_TIMEOUT,
        row_factory=namedtuple_row,
        prepare_threshold=None,
        application_name="ownrow doctor",
    ) as connection:
        differing = _differing(connection)
        server: Any = connection.execute(INSPECT_SERVER.text).fetchone()
        needed = {"triggers": list(triggers.made()), "lookups": LOOKUPS}
        left_out: Any = connection.execute(LEFT_OUT, needed).fetchone()
        before = time.time()
        moment: Any = connection.execute(MOMENT).fetchone()
        difference = moment.clock.timestamp() - (before + time.time()) / 2
        is_pooled = connection.info.backend_pid != moment.backend_pid
        try:
            rows: list[Any] = connection.execute(LIST_MIGRATIONS.text).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return Database(
                server, left_out, difference, is_pooled, None, None, None, None, differing
            )
        applied = frozenset(row[0] for row in rows)
        running = _counted(connection, COUNT_RUNNING)
        troubled = _counted(connection, COUNT_TROUBLED_WEBHOOKS)
        sharding = _sharding_of(connection)
        return Database(
            server, left_out, difference, is_pooled, applied, running, troubled, sharding, differing
        )


def _sharding_of(connection: psycopg.Connection[Any]) -> Sharding | None:
    if not distribution.has_citus(connection):
        return None
    nodes = connection.execute(NODES).fetchall()
    distributed = distribution.distributed_tables(connection)
    jobs: list[Any] = connection.execute(MOVES).fetchall()
    return Sharding(
        workers=sum(not node.is_coordinator for node in nodes),
        inactive=[node.name for node in nodes if not node.is_active],
        moving=[job.description for job in jobs],
        missing=[table for table in DISTRIBUTED if table not in distributed],
    )


def _counted(connection: psycopg.Connection[Any], statement: db.Statement[Any]) -> Any:
    """The row of a statement; None where the database does not have its table or function yet."""
    try:
        return connection.execute(statement.text).fetchone()
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.InsufficientPrivilege,
    ):
        return None


def _differing(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The settings that set_session changes, with the values that it gives them; sets them."""
    began = dict(connection.execute(SETTINGS, {"names": SET_BY_SERVICE}).fetchall())
    set_session(connection)
    wanted = dict(connection.execute(SETTINGS, {"names": SET_BY_SERVICE}).fetchall())
    return {name: value for name, value in wanted.items() if value != began[name]}


def _unusable(database: Database) -> Finding | None:
    server = database.server
    if server.version_number // 10000 < OLDEST:
        remedy = f"use PostgreSQL {OLDEST} to {NEWEST}"
        return Finding(BAD, "database", f"PostgreSQL {server.version} is too old", remedy)
    if server.encoding != "UTF8":
        remedy = "make the database anew: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        return Finding(BAD, "database", f"its encoding is {server.encoding}", remedy)
    if server.is_read_only:
        remedy = "connect to the primary: target_session_attrs=read-write in DATABASE_URL"
        return Finding(BAD, "database", "it takes no writes", remedy)
    return None


def _version(_config: Config, database: Database) -> Finding:
    unusable = _unusable(database)
    if unusable is not None:
        return unusable
    server, major = database.server, database.server.version_number // 10000
    state = GOOD if major <= NEWEST else NOTE
    return Finding(state, "database", f"PostgreSQL {server.version}, {server.encoding}")


def _missing_migrations(database: Database) -> Finding | None:
    if database.applied is None:
        return Finding(BAD, "schema", "no migration can be seen", "run: flask db upgrade")
    missing = [name for name in schema.known() if name not in database.applied]
    if missing:
        return Finding(BAD, "schema", f"missing: {', '.join(missing)}", "run: flask db upgrade")
    return None


def _schema(_config: Config, database: Database) -> Finding:
    missing = _missing_migrations(database)
    if missing is not None:
        return missing
    if (database.applied or frozenset()).difference(schema.known()):
        return Finding(GOOD, "schema", "newer than this code")
    unmade = [each for each in database.left_out.triggers if not _is_unmade(database, each)]
    if unmade:
        text = f"without its triggers {', '.join(unmade)}"
        return Finding(BAD, "schema", text, RESTORE)
    return Finding(GOOD, "schema", "as this code needs it")


def _is_unmade(database: Database, trigger: str) -> bool:
    """Whether sharding is what has dropped the trigger."""
    is_sharded = database.sharding is not None and not database.sharding.missing
    return is_sharded and trigger == distribution.UNMADE_TRIGGER


def _without_rights(database: Database) -> Finding | None:
    if database.server.may_change_items:
        return None
    text = f"{database.server.role_name} may not change items"
    remedy = "connect as ownrow_app or as the schema's owner, or run: flask db upgrade"
    return Finding(BAD, "rights", text, remedy)


def _rights(_config: Config, database: Database) -> Finding:
    server = database.server
    without = _without_rights(database)
    if without is not None:
        return without
    if database.left_out.functions:
        text = f"functions that are not their role's: {', '.join(database.left_out.functions)}"
        return Finding(BAD, "rights", text, RESTORE)
    excess = [
        what
        for what, may in (
            ("is a superuser", server.is_superuser),
            ("may create tables", server.may_create),
            ("may rewrite the ledger", server.may_rewrite_ledger),
        )
        if may
    ]
    if excess:
        text = f"{server.role_name} {', '.join(excess)}"
        return Finding(NOTE, "rights", text, "let the service connect as ownrow_app")
    return Finding(GOOD, "rights", f"{server.role_name} may do what the service does, and no more")


def _hidden_rows(config: Config, database: Database) -> Finding | None:
    if config.db_row_security or not database.server.has_row_security:
        return None
    text = "is in force, but DB_ROW_SECURITY is off: no row can be seen"
    remedy = "set DB_ROW_SECURITY=on, or run: flask db row-security off"
    return Finding(BAD, "row security", text, remedy)


def _row_security(config: Config, database: Database) -> Finding:
    hidden = _hidden_rows(config, database)
    if hidden is not None:
        return hidden
    part, is_on, is_in_force = (
        "row security",
        config.db_row_security,
        database.server.has_row_security,
    )
    if is_on and not is_in_force:
        text = f"DB_ROW_SECURITY is on, but nothing binds {database.server.role_name}"
        remedy = "connect as ownrow_app, and run: flask db row-security on"
        return Finding(NOTE, part, text, remedy)
    return Finding(GOOD, part, "is in force" if is_in_force else "is off, here and there")


def _pooler(config: Config, database: Database) -> Finding:
    server = database.server
    if not database.is_pooled:
        return Finding(GOOD, "pooler", "none: connections are the server's own")
    if server.statement_timeout == "0" or server.lock_timeout == "0":
        text = "one is in between, and the role has no deadlines of its own"
        role = server.role_name
        remedy = f"ALTER ROLE {role} SET statement_timeout = '2s'; and SET lock_timeout = '1s'"
        return Finding(NOTE, "pooler", text, remedy)
    if config.db_prepare:
        text = "one is in between, and DB_PREPARE is on"
        remedy = "set DB_PREPARE=off, unless it can hold prepared statements (PgBouncer from 1.22)"
        return Finding(NOTE, "pooler", text, remedy)
    return Finding(GOOD, "pooler", "one is in between; nothing here depends on its connections")


def _session(_config: Config, database: Database) -> Finding:
    names = [name for name in database.differing if name not in HARMLESS]
    if not names:
        return Finding(GOOD, "settings", "sessions begin as the service needs them")
    text = f"sessions begin with another {', '.join(names)}"
    if not database.is_pooled:
        return Finding(GOOD, "settings", f"{text}; the service sets its own")
    role = database.server.role_name
    remedy = "; ".join(
        f"ALTER ROLE {role} SET {name} = '{database.differing[name]}'" for name in names
    )
    return Finding(NOTE, "settings", f"{text}, and a pooler may hand out such a session", remedy)


def _clock(_config: Config, database: Database) -> Finding:
    difference = database.clock_difference
    text = f"the database's is {abs(difference):.1f} s {'ahead' if difference > 0 else 'behind'}"
    if abs(difference) > CLOCK_TOLERANCE:
        return Finding(BAD, "clock", text, "let NTP set both: tokens and sessions depend on it")
    return Finding(GOOD, "clock", text)


def _connections(config: Config, database: Database) -> Finding:
    wanted = config.db_pool_size * config.web_concurrency
    limit = database.server.max_connections
    text = f"up to {wanted} of the server's {limit}"
    if not database.is_pooled and wanted > limit - RESERVED:
        remedy = "lower DB_POOL_SIZE or WEB_CONCURRENCY, or raise max_connections"
        return Finding(BAD, "connections", text, remedy)
    return Finding(GOOD, "connections", text)


def _server_log(_config: Config, database: Database) -> Finding:
    server = database.server
    logs_statements = server.log_statement != "none" or server.log_min_duration_statement != "-1"
    if logs_statements and server.log_parameter_max_length != "0":
        text = "the server logs statements with their values: people's texts and e-mails"
        return Finding(NOTE, "server log", text, "set log_parameter_max_length = 0 there")
    return Finding(GOOD, "server log", "holds no values of statements")


def _sharding(_config: Config, database: Database) -> Iterator[Finding]:
    """Nothing on plain PostgreSQL."""
    part, sharding = "sharding", database.sharding
    if sharding is None:
        return
    if sharding.inactive:
        text = f"nodes that are not active: {', '.join(sharding.inactive)}"
        remedy = "SELECT citus_activate_node('host', 5432), as in specs/scale.md"
        yield Finding(BAD, part, text, remedy)
    if sharding.missing:
        text = f"not distributed: {', '.join(sharding.missing)}"
        yield Finding(BAD, part, text, "run: flask db distribute")
    if sharding.moving:
        text = f"in progress: {'; '.join(sharding.moving)}"
        yield Finding(NOTE, part, text, "see SELECT * FROM citus_rebalance_status()")
    if not (sharding.inactive or sharding.missing):
        yield Finding(GOOD, part, f"Citus with {sharding.workers} worker nodes, all active")


def _worker(_config: Config, database: Database) -> Finding:
    running = database.running
    if running is None or not running.workers:
        remedy = "start flask worker beside the service, as make run and compose.yaml do"
        return Finding(NOTE, "worker", "none is running: no mail is sent", remedy)
    if running.lag_seconds > LONGEST_LAG:
        text = f"what is due waits for {running.lag_seconds} s"
        return Finding(NOTE, "worker", text, "see its log, or start another flask worker")
    return Finding(GOOD, "worker", f"{running.workers} running, {running.lag_seconds} s behind")


def _webhooks(_config: Config, database: Database) -> Finding:
    troubled = database.troubled
    if troubled is None or not (troubled.failing or troubled.disabled):
        return Finding(GOOD, "webhooks", "none fails")
    text = f"{troubled.failing} fail, {troubled.disabled} are disabled after failures"
    return Finding(NOTE, "webhooks", text, "see flask webhooks list --troubled")


def _events(config: Config) -> Finding:
    """Asks the process, which is on the same machine: nothing of it is in the database."""
    part, port, path = "event streams", config.events_port, config.events_socket
    if port is None and path is None:
        remedy = "set EVENTS_PORT or EVENTS_SOCKET, and start flask events"
        return Finding(NOTE, part, "are not configured here: clients have to ask again", remedy)
    if path is not None and handoff.is_listening(path):
        return Finding(GOOD, part, f"flask events takes them over at {path}")
    if port is not None and _is_open(config.host, port):
        return Finding(GOOD, part, f"flask events listens on port {port}")
    remedy = "start flask events beside the service, as make run and compose.yaml do"
    return Finding(NOTE, part, "flask events is not running here: no client is told", remedy)


def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _migration_access(config: Config) -> Iterator[Finding]:
    url = config.migration_database_url
    if url is None or url == config.database_url:
        return
    try:
        _look(url)
    except psycopg.Error as error:
        text = f"can't be used: {cause(error)}"
        yield Finding(BAD, "migrations", text, "check MIGRATION_DATABASE_URL")
    else:
        yield Finding(GOOD, "migrations", "their connection works")
