"""The plan of each statement for an owner of 10,000 tasks among 1,000,000.

The rows are inserted into a scratch database, which is dropped afterwards. EXPLAIN ANALYZE runs
each statement there in a transaction that is rolled back.
"""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import psycopg
from psycopg import conninfo, sql

from app import devdb
from app.audit import cluster
from app.db import distribution, migrations

OWNER = UUID(int=1)
OWNERS = 100
ACCOUNTS = 10_000  # of which OWNERS have tasks
TASKS_PER_OWNER = 10_000
BIG_TABLE = 5_000  # rows from which on a sequential scan is a finding
LAST_ID = UUID(int=2**128 - 1)
LAST_VERSION = 2**63 - 1
LAST_NUMBER = 2**31 - 1
LEASED_UNTIL = datetime(2026, 1, 1, tzinfo=UTC)  # of all webhooks and imports
SETTINGS = {"fsync": "off", "max_wal_size": "4GB", "max_wal_senders": "0", "wal_level": "minimal"}

SEED = """
INSERT INTO users (id, email, email_key)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'user' || n || '@example.com', 'user' || n || '@example.com'
FROM generate_series(1, %(accounts)s) AS n;

INSERT INTO credentials (owner_id, password_hash) SELECT id, 'none' FROM users;
INSERT INTO ledgers (owner_id, version) SELECT id, %(tasks)s FROM users;
INSERT INTO sessions (owner_id, id, token_hash) SELECT id, id, sha256('') FROM users;
INSERT INTO sessions (owner_id, id, kind)
SELECT id, lpad(to_hex(n), 32, 'f')::uuid, 'token' FROM users CROSS JOIN generate_series(1, 2) AS n;
INSERT INTO api_tokens (owner_id, id, name, scopes, token_hash)
SELECT owner_id, id, 'Token', ARRAY['tasks:read'], sha256((owner_id::text || id::text)::bytea)
FROM sessions WHERE kind = 'token';
INSERT INTO second_factors (owner_id, confirmed_at, key_id, secret, recovery_hashes)
SELECT id, now(), 'key', sha256(''), ARRAY[sha256('')] FROM users;
INSERT INTO known_addresses (owner_id, address_hash) SELECT id, sha256('') FROM users;
INSERT INTO login_attempts (account_hash, address_hash, failures, last_failure_at)
SELECT sha256(n::text::bytea), '', 1, now() FROM generate_series(1, %(accounts)s) AS n;
INSERT INTO ended_sessions (session_id, ended_at)
SELECT gen_random_uuid(), now() - n * interval '1 second'
FROM generate_series(1, 1000) AS n;
INSERT INTO idempotency_keys (owner_id, key, request_hash, status, body)
SELECT id, 'key ' || n, sha256(''), 200, 'null' FROM users CROSS JOIN generate_series(1, 5) AS n;
INSERT INTO account_tokens (
    owner_id, purpose, hash, seed, mail_id, email_key, password_changed_at, expires_at
)
SELECT
    users.id, purpose, decode(repeat('68', 32), 'hex'), sha256(''), users.id, users.email_key,
    credentials.changed_at, now() + interval '1 hour'
FROM users INNER JOIN credentials ON users.id = credentials.owner_id
CROSS JOIN (VALUES ('verify'), ('reset')) AS purposes (purpose);
INSERT INTO reset_requests (email_key) SELECT email_key FROM users;
INSERT INTO outgoing_mail (
    owner_id, id, recipient, subject, text, html, message_id, next_step_at, sent_at
)
SELECT
    id, id, email, 'Subject', CASE WHEN n %% 100 = 1 THEN '' END,
    CASE WHEN n %% 100 = 1 THEN '' END, '<' || id || '@localhost>',
    now() - interval '1 second' + (n - 1) * interval '1 hour',
    CASE WHEN n %% 100 <> 1 THEN now() END
FROM (SELECT id, email, row_number() OVER (ORDER BY id) AS n FROM users) AS numbered;

ALTER TABLE lists DISABLE TRIGGER lists_recorded;
INSERT INTO lists (
    owner_id, id, title, title_folded, position, created_at, updated_at, archived_at, deleted_at,
    version, last_action, request_id
)
SELECT
    id, lpad(to_hex(n), 32, '0')::uuid, 'List ' || n, 'list ' || n, first_position(n), now(), now(),
    CASE WHEN n = 19 THEN now() END, CASE WHEN n = 20 THEN now() END, n,
    CASE WHEN n = 20 THEN 'delete' ELSE 'create' END, 'seed'
FROM users CROSS JOIN generate_series(1, 20) AS n;

ALTER TABLE lists ENABLE TRIGGER lists_recorded;
ALTER TABLE labels DISABLE TRIGGER labels_recorded;
INSERT INTO labels (
    owner_id, id, name, name_key, position, created_at, updated_at, deleted_at, removed_from,
    version, last_action, request_id
)
SELECT
    id, lpad(to_hex(n), 32, '0')::uuid, 'Label ' || n, sha256(n::text::bytea), first_position(n),
    now(), now(), CASE WHEN n = 20 THEN now() END, CASE WHEN n = 20 THEN 15 END, n,
    CASE WHEN n = 20 THEN 'delete' ELSE 'create' END, 'seed'
FROM users CROSS JOIN generate_series(1, 20) AS n;

ALTER TABLE labels ENABLE TRIGGER labels_recorded;
ALTER TABLE filters DISABLE TRIGGER filters_recorded;
INSERT INTO filters (
    owner_id, id, title, query, sort, position, created_at, updated_at, version, last_action,
    request_id
)
SELECT
    id, lpad(to_hex(n), 32, '0')::uuid, 'Filter ' || n, 'overdue', 'due', first_position(n), now(),
    now(), n, 'create', 'seed'
FROM users CROSS JOIN generate_series(1, 5) AS n;

ALTER TABLE filters ENABLE TRIGGER filters_recorded;
ALTER TABLE tasks DISABLE TRIGGER tasks_recorded;
INSERT INTO tasks (
    owner_id, id, title, title_folded, description_folded, position, priority, list_id, label_ids,
    due, due_at, due_begins_at, computed_zone, created_at, updated_at, completed_at, deleted_at,
    version, last_action, request_id
)
SELECT
    users.id,
    uuidv7_at(made.at),
    'Task ' || n,
    'task ' || n,
    '',
    first_position(n),
    n %% 10,
    CASE WHEN n %% 2 = 0 THEN lpad(to_hex(1 + n %% 19), 32, '0')::uuid END,
    CASE WHEN n %% 7 = 0 THEN ARRAY[lpad(to_hex(1 + n %% 19), 32, '0')::uuid] ELSE '{}' END,
    CASE WHEN n %% 4 = 0 THEN to_char(made.at AT TIME ZONE 'UTC', 'YYYY-MM-DD') END,
    CASE WHEN n %% 4 = 0 THEN date_trunc('day', made.at, 'UTC') + interval '1 day' END,
    CASE WHEN n %% 4 = 0 THEN date_trunc('day', made.at, 'UTC') END,
    CASE WHEN n %% 4 = 0 THEN 'UTC' END,
    made.at,
    made.at,
    CASE WHEN n %% 3 = 0 THEN made.at END,
    CASE WHEN n %% 20 = 0 THEN made.at END,
    n,
    CASE WHEN n %% 20 = 0 THEN 'delete' ELSE 'create' END,
    'seed'
FROM generate_series(1, %(tasks)s) AS n
CROSS JOIN (SELECT id FROM users ORDER BY id LIMIT %(owners)s) AS users
CROSS JOIN LATERAL (SELECT now() - (%(tasks)s - n) * interval '1 minute' AS at) AS made;

INSERT INTO webhooks (
    owner_id, id, url, types, secret, delivered_version, next_attempt_at, attempts
)
SELECT
    users.id, lpad(to_hex(n), 32, '0')::uuid, 'https://example.com/', ARRAY['task.created'],
    sha256(''), %(tasks)s - 100, %(leased_until)s, 100
FROM (SELECT id FROM users ORDER BY id LIMIT %(owners)s) AS users
CROSS JOIN generate_series(1, 5) AS n;
INSERT INTO webhook_attempts (
    owner_id, webhook_id, number, version, type, at, status, milliseconds
)
SELECT owner_id, id, n, n, 'task.created', now(), 204, 40
FROM webhooks CROSS JOIN generate_series(1, 100) AS n;

INSERT INTO feeds (owner_id, id, component, secret_hash)
SELECT users.id, lpad(to_hex(n), 32, '0')::uuid, 'todo', sha256((users.id::text || n)::bytea)
FROM users CROSS JOIN generate_series(1, 50) AS n;

INSERT INTO imports (
    owner_id, id, source, is_dry_run, options, file, request_id, state, next_step_at, finished_at
)
SELECT
    users.id, lpad(to_hex(n), 32, '0')::uuid, 'csv', FALSE, '{}',
    CASE WHEN n <= 5 THEN decode('00', 'hex') END, 'seed',
    CASE WHEN n <= 5 THEN 'running' ELSE 'done' END,
    %(leased_until)s, CASE WHEN n > 5 THEN now() END
FROM (SELECT id FROM users ORDER BY id LIMIT %(owners)s) AS users
CROSS JOIN generate_series(1, 20) AS n;
INSERT INTO import_rows (owner_id, import_id, number, line, kind, outcome)
SELECT owner_id, id, n, n, 'task', 'created'
FROM imports CROSS JOIN generate_series(1, 100) AS n;
INSERT INTO import_refs (owner_id, source, key, kind, item_id)
SELECT owner_id, 'csv', sha256(id::text::bytea), 'task', id FROM tasks WHERE last_action = 'create';

ALTER TABLE tasks ENABLE TRIGGER tasks_recorded;
INSERT INTO ledger_entries (
    owner_id, version, kind, item_id, action, at, request_id, item, hash
)
SELECT
    owner_id, version, 'task', id, last_action, updated_at, 'seed',
    CASE WHEN deleted_at IS NULL THEN '{}'::json END, sha256('')
FROM tasks;

ANALYZE;
"""


@dataclass(frozen=True)
class Plan:
    """The measurements of one run; `buffers` are pages of 8 KiB, in memory or read from disk."""

    indexes: tuple[str, ...]
    small: tuple[str, ...]  # small tables that were scanned sequentially
    sequential: tuple[str, ...]  # big ones
    rows: int
    buffers: int
    tasks: tuple[int, ...] = ()  # of Citus, for each query that it distributes

    @property
    def shape(self) -> str:
        """The plan in a few words, for the report."""
        if self.tasks:
            return f"tasks: {', '.join(map(str, self.tasks))}"
        scans = [*self.indexes, *(f"all of {table}" for table in (*self.small, *self.sequential))]
        return f"{', '.join(scans) or 'no table'}; {self.rows} rows, {self.buffers} buffers"


@contextmanager
def scratch(server_url: str | None) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a new database that has the migrations, on that server or an embedded one.

    The database is dropped, and the embedded server stopped, at the end.
    """
    with ExitStack() as parts:
        if server_url is None:
            directory = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="ownrow-")))
            server = parts.enter_context(devdb.start(directory, settings=SETTINGS))
            server_url = server.url("postgres", devdb.SUPERUSER)
        url = parts.enter_context(_database(server_url))
        parts.enter_context(cluster.joined(server_url, url))
        migrations.upgrade(url)
        yield parts.enter_context(psycopg.connect(url, autocommit=True))


def fill(
    connection: psycopg.Connection[Any], owners: int = OWNERS, tasks: int = TASKS_PER_OWNER
) -> None:
    """Inserts the rows: that many owners, each with that many tasks, among ACCOUNTS accounts.

    On Citus it then distributes them.
    """
    given = {
        "accounts": ACCOUNTS,
        "owners": owners,
        "tasks": tasks,
        "leased_until": LEASED_UNTIL,
    }
    for statement in SEED.split(";\n"):
        connection.execute(statement, given)
    if distribution.has_citus(connection):
        list(distribution.distribute(_url(connection)))


@contextmanager
def _database(server_url: str) -> Iterator[str]:
    name = f"ownrow_audit_{secrets.token_hex(6)}"
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(drop)


def explain(connection: psycopg.Connection[Any], name: str, text: str) -> Plan:
    """Runs the statement for OWNER and rolls it back. Raises psycopg.Error."""
    if distribution.has_citus(connection):
        return _explain_tasks(connection, name, text)
    with connection.transaction(force_rollback=True):
        explained = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {text}"
        row = connection.execute(explained, _parameters(connection, name)).fetchone()
        big = {
            table
            for (table,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= %s", (BIG_TABLE,)
            )
        }
    return _plan(row[0][0]["Plan"] if row else {}, big)


def _url(connection: psycopg.Connection[Any]) -> str:
    """What the connection was made by, with the password."""
    return conninfo.make_conninfo(connection.info.dsn, password=connection.info.password or None)


def _explain_tasks(connection: psycopg.Connection[Any], name: str, text: str) -> Plan:
    """Asks Citus how many tasks the statement has for OWNER; it can't measure each of them."""
    with connection.transaction(force_rollback=True):
        parameters = _parameters(connection, name)
        row = connection.execute(f"EXPLAIN (FORMAT JSON) {text}", parameters).fetchone()
    tasks = tuple(cluster.task_counts(row[0])) if row else ()
    return Plan((), (), (), 0, 0, tasks)


def _plan(root: Mapping[str, Any], big: set[str]) -> Plan:
    nodes = list(_nodes(root))
    indexes = {node["Index Name"] for node in nodes if "Index Name" in node}
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    read = sum(_rows_read(node) for node in nodes if "Relation Name" in node)
    buffers = root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0)
    small, sequential = sorted(scanned - big), sorted(scanned & big)
    return Plan(tuple(sorted(indexes)), tuple(small), tuple(sequential), read, buffers)


def _rows_read(node: Mapping[str, Any]) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if node:
        yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _parameters(connection: psycopg.Connection[Any], name: str) -> dict[str, Any]:
    """Sample values by the parameter's name, some of them of this statement only."""
    found = connection.execute(
        "SELECT id FROM tasks WHERE owner_id = %s AND deleted_at IS NULL AND due IS NOT NULL"
        " ORDER BY version LIMIT 1 OFFSET 10",
        (OWNER,),
    ).fetchone()
    others = ("lists/", "labels/", "filters/", "mail/")
    item_id = found[0] if found and not name.startswith(others) else OWNER  # their first one, too
    own = {"id": item_id, "ids": [item_id], "list_ids": [item_id], "task_id": item_id}
    given = {**SAMPLES, **own}
    return {**given, **PARTICULAR.get(name, {})}


SAMPLES: Mapping[str, Any] = {
    "owner_id": OWNER,
    "email": "new@example.com",
    "email_key": "user1@example.com",
    "password_hash": "hash",
    "new_password_hash": "hash",
    "password_changed_at": datetime.now(UTC),
    "session_id": OWNER,
    "kept_session_id": None,
    "scopes": ["tasks:read"],
    "expires_at": None,
    "token_hash": b"t" * 32,
    "successor_hash": b"s" * 32,
    "created_at": datetime.now(UTC),
    "key_id": "key",
    "secret": b"s" * 60,
    "step": 1,
    "recovery_hash": b"r" * 32,
    "recovery_hashes": [b"r" * 32],
    "user_agent": None,
    "address_hash": b"a" * 32,
    "address_hashes": [b"", b"a" * 32],
    "account_hashes": [b"b" * 32, b"b" * 32],
    "free": [5, 5],
    "event": "refused",
    "account_hash": b"b" * 32,
    "is_right": True,
    "seconds": 31,
    "after": "",
    "after_id": UUID(int=0),
    "after_title": "",
    "after_version": 0,
    "before_version": LAST_VERSION,
    "since": 100,
    "limit": 50,
    "is_completed": None,
    "words": None,
    "known_hash": None,
    "known_tags": [],
    "if_versions": None,
    "fields": ["title"],
    "title": "New",
    "title_folded": "new",
    "description": None,
    "description_folded": "",
    "request_id": "audit",
    "key": "new key",
    "request_hash": b"r" * 32,
    "status": 200,
    "etag": None,
    "location": None,
    "body": "null",
    "older_than": timedelta(days=30),
    "before": datetime.now(UTC) - timedelta(days=1),
    "is_first": True,
    "statement_timeout": "2s",
    "lock_timeout": "1s",
    "idle_timeout": "10s",
    "time_zone": "Europe/Madrid",
    "reminder_time": "08:00",
    "query": "overdue",
    "sort": "due",
    "position": "00000000000zh",
    "after_position": "",
    "is_archived": None,
    "is_deleted": False,
    "action": "update",
    "name": "New",
    "name_key": b"n" * 32,
    "name_keys": [b"n" * 32],
    "color": None,
    "label_id": OWNER,
    "from_version": 15,
    "to_version": 20,
    "removed_from": None,
    "deleted_from": None,
    "list_id": None,
    "parent_id": None,
    "root_id": None,
    "anchor_id": OWNER,
    "priority": 1,
    "label_ids": [],
    "due": None,
    "start": None,
    "due_at": None,
    "due_begins_at": None,
    "start_at": None,
    "computed_zone": None,
    "recurrence": None,
    "recurrence_basis": "due",
    "recurrence_from": None,
    "recurrence_left": None,
    "reminders": [],
    "next_reminder_at": None,
    "computed_reminder_time": None,
    "mail": None,
    "occurrence": "2026-10-07",
    "task_id": OWNER,
    "reminder": '{"offset":"-PT30M","relative_to":"due"}',
    "at": datetime.now(UTC),
    "completed_version": 1,
    "filter": None,
    "filter_values": None,
    "known_tag": None,
    "after_due_at": "-infinity",
    "after_priority": 0,
    "after_other_id": UUID(int=0),
    "kind": "task",
    "kinds": ["task"],
    "tasks": orjson.dumps(
        [
            {"ordinal": 1, "id": LAST_ID, "title": "New", "title_folded": "new",
             "description_folded": "", "is_parent": False, "priority": 0, "label_ids": [],
             "created_at": datetime.now(UTC), "updated_at": datetime.now(UTC),
             "action": "create"},
        ]
    ).decode(),
    "lists": orjson.dumps(
        [{"ordinal": 1, "id": LAST_ID, "title": "New", "title_folded": "new",
          "created_at": datetime.now(UTC)}]
    ).decode(),
    "recipient": "user1@example.com",
    "subject": "Subject",
    "text": "Text",
    "html": "<p>Text</p>",
    "list_unsubscribe": None,
    "message_id": "<1@localhost>",
    "last_error": None,
    "attempts": 1,
    "lease": timedelta(minutes=3),
    "pause": timedelta(minutes=1),
    "retention": timedelta(days=30),
    "has_link": False,
    "purpose": "verify",
    "hash": b"h" * 32,
    "seed": b"s" * 32,
    "mail_id": OWNER,
    "new_email": None,
    "new_email_key": None,
    "worker_id": OWNER,
    "url": "https://example.com/",
    "types": None,
    "grace": timedelta(hours=24),
    "enabled": None,
    "reason": None,
    "leased_until": LEASED_UNTIL,
    "delivered_version": 1,
    "failures": 0,
    "version": 1,
    "type": "task.created",
    "milliseconds": 40,
    "error": None,
    "after_owner_id": UUID(int=0),
    "lag_seconds": 0,
    "source": "csv",
    "is_dry_run": False,
    "options": "{}",
    "file": b"title",
    "steps": 1,
    "created": 1,
    "skipped": 0,
    "failed": 0,
    "errors": 0,
    "warnings": 0,
    "failure": None,
    "import_id": OWNER,
    "after_number": 0,
    "keys": [b"k" * 32],
    "component": "todo",
    "secret_hash": b"s" * 32,
    "with_archived": False,
    "owner_ids": [OWNER],
    "session_ids": [OWNER],
    "labels": orjson.dumps(
        [{"ordinal": 1, "id": LAST_ID, "name": "New", "name_key": "\\x" + "00" * 32,
          "created_at": datetime.now(UTC)}]
    ).decode(),
}  # fmt: skip
WEBHOOK = {"id": OWNER}
IMPORT = {"id": OWNER}
PROGRESS = {"steps_done": 1, "lists": 0, "labels": 0, "filters": 0}
REPORT = {
    "number": [LAST_NUMBER],
    "file": [None],
    "line": [1],
    "kind": ["task"],
    "outcome": ["created"],
    "item_id": [LAST_ID],
    "notes": [None],
}
REFERENCES = {"key": [b"k" * 32], "kind": ["task"], "item_id": [LAST_ID]}
UNDATED = {"time_zone": None}  # a zone needs a time
PARTICULAR: Mapping[str, Mapping[str, Any]] = {
    "auth/register": {"owner_id": LAST_ID, "email_key": "new@example.com"},
    "auth/start_session": {"session_id": LAST_ID},
    "auth/create_token": {"id": LAST_ID},
    "auth/end_session": {"kind": "login"},
    "auth/note_token_use": {"id": UUID("f" * 31 + "1")},
    "db/set_owner": {"owner_id": str(OWNER)},
    "feeds/create": {"id": LAST_ID},
    "imports/create": {"id": LAST_ID},
    "imports/claim": IMPORT,
    "imports/delete": IMPORT,
    "imports/get": IMPORT,
    "imports/get_file": IMPORT,
    "imports/set_lease": IMPORT,
    "imports/finish": IMPORT,
    "imports/advance": {**IMPORT, **PROGRESS},
    "imports/record_rows": REPORT,
    "imports/store_refs": REFERENCES,
    "mail/enqueue": {"id": LAST_ID},
    "seed/store_tasks": {"after_version": TASKS_PER_OWNER},
    "seed/store_lists": {"after_version": TASKS_PER_OWNER},
    "seed/store_labels": {"after_version": TASKS_PER_OWNER},
    "search/list_by_created_desc": {"after_id": LAST_ID},
    "search/list_by_updated_desc": {"after_version": LAST_VERSION},
    "search/list_by_title_desc": {"after_title": "\U0010ffff", "after_id": LAST_ID},
    "search/list_by_position_desc": {"after_position": "~", "after_id": LAST_ID},
    "search/list_by_due_desc": {
        "after_due_at": "infinity",
        "after_id": LAST_ID,
        "after_other_id": LAST_ID,
    },
    "search/list_by_priority_desc": {
        "after_priority": 10,
        "after_id": LAST_ID,
        "after_other_id": LAST_ID,
    },
    "tasks/create": UNDATED,
    "tasks/store": UNDATED,
    "tasks/move_instants": {
        "due_at": [datetime.now(UTC)],
        "due_begins_at": [datetime.now(UTC)],
        "start_at": [None],
        "computed_zone": ["UTC"],
        "next_reminder_at": [None],
        "computed_reminder_time": [None],
    },
    "reminders/fire": {"action": "fire"},
    "reminders/set_next": {"next_reminder_at": [None]},
    "tasks/record_completion": {"recurrence": "FREQ=DAILY", "recurrence_from": "2026-10-07"},
    "tasks/set_root": {"root_id": None},
    "webhooks/claim": WEBHOOK,
    "webhooks/delete": WEBHOOK,
    "webhooks/find_next": WEBHOOK,
    "webhooks/get": WEBHOOK,
    "webhooks/list_attempts": WEBHOOK,
    "webhooks/move_on": WEBHOOK,
    "webhooks/record_attempt": WEBHOOK,
    "webhooks/replay": WEBHOOK,
    "webhooks/rotate": WEBHOOK,
    "webhooks/update": WEBHOOK,
    "webhooks/create": {"id": LAST_ID},
}
