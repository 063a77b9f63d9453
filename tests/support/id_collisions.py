"""Id collisions: what a statement for one of two owners, whose rows have the same ids, does.

Primary keys begin with the owner's id, so two owners may have rows with the same ids. A statement
that lacks an ownership predicate then reads or changes the other owner's row. The pairs of owners
are equal, or differ in their state, to detect conditions that the other owner's row meets.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row

from app import db
from app.audit.plans import LEASED_UNTIL, PROGRESS, REFERENCES, REPORT, SAMPLES, UNDATED
from tests.support.databases import Postgres

ALICE, BOB = UUID(int=0xA11CE), UUID(int=0xB0B)
TASK, DONE, TRASHED, OLD_TRASHED = (UUID(int=number) for number in range(1, 5))
SESSION, OTHER_SESSION, EXPIRED_SESSION = (UUID(int=number) for number in range(11, 14))
API_TOKEN, OTHER_API_TOKEN = (UUID(int=number) for number in range(14, 16))
TOKEN, USED_TOKEN, ADDRESS, OLD_ADDRESS = (bytes([number]) * 32 for number in range(1, 5))
REQUEST = b"r" * 32
LAST = 2**63 - 1
LAST_ID = UUID(int=2**128 - 1)
CHANGED_AT = datetime(2026, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
MADE = UUID(int=42)
KINDS: tuple[LiteralString, ...] = ("tasks", "lists", "labels", "filters", "reminder_firings")
VERSIONS = 19  # of each owner, besides those below the offset

SEED = """
WITH registered AS (
    INSERT INTO users (id, email, email_key, disabled_at)
    VALUES (%(owner_id)s, %(email)s, %(email)s, %(disabled_at)s)
    RETURNING id
),

credential AS (
    INSERT INTO credentials (owner_id, password_hash, changed_at)
    SELECT id, %(email)s, %(changed_at)s FROM registered
),

ledger AS (
    INSERT INTO ledgers (owner_id, version, changed_at, pruned_version)
    SELECT id, CASE WHEN %(is_bare)s THEN 0 ELSE %(offset)s + %(versions)s END, now(),
        CASE WHEN %(is_bare)s THEN 0 ELSE %(offset)s + %(pruned)s END
    FROM registered
    RETURNING owner_id
),

account AS (
    SELECT owner_id AS id, owner_id FROM ledger WHERE NOT %(is_bare)s
),

session AS (
    INSERT INTO sessions (
        owner_id, id, created_at, last_used_at, user_agent, token_number, token_hash, parent_hash,
        used_numbers, used_at
    )
    SELECT account.id, given.id, now() - given.age, now() - interval '1 hour', %(email)s, 2,
        %(token)s, %(used_token)s, ARRAY[1], ARRAY[now()]
    FROM account
    CROSS JOIN (VALUES
        (%(session)s, %(session_age)s),
        (%(other_session)s, %(session_age)s),
        (%(expired_session)s, interval '100 days')
    ) AS given (id, age)
),

api_session AS (
    INSERT INTO sessions (owner_id, id, kind)
    SELECT account.id, given.id, 'token'
    FROM account CROSS JOIN (VALUES (%(api_token)s), (%(other_api_token)s)) AS given (id)
    RETURNING owner_id, id
),

api_token AS (
    INSERT INTO api_tokens (owner_id, id, name, scopes, token_hash, expires_at, last_used_at)
    SELECT owner_id, id, %(email)s, ARRAY['tasks:read'], sha256((%(email)s || id::text)::bytea),
        CASE WHEN id = %(expired_api_token)s THEN now() - interval '1 day' END, %(token_used_at)s
    FROM api_session
),

second_factor AS (
    INSERT INTO second_factors (
        owner_id, created_at, confirmed_at, key_id, secret, last_step, recovery_hashes
    )
    SELECT id, %(factor_at)s, CASE WHEN %(has_second_factor)s THEN now() END, %(email)s,
        sha256(%(email)s::bytea), CASE WHEN %(has_second_factor)s THEN 0 ELSE 9 END,
        ARRAY[%(token)s, %(used_token)s]
    FROM account
),

address AS (
    INSERT INTO known_addresses (owner_id, address_hash, last_login_at)
    SELECT account.id, given.hash, now() - given.age
    FROM account
    CROSS JOIN (VALUES
        (%(address)s, interval '0'), (%(old_address)s, interval '200 days')
    ) AS given (hash, age)
),

mail AS (
    INSERT INTO outgoing_mail (
        owner_id, id, recipient, subject, text, html, message_id, attempts, next_step_at, sent_at
    )
    SELECT
        account.owner_id, given.id, %(email)s || '@', %(email)s, given.text, given.text,
        '<' || given.id || '>', 1, now() - interval '1 day' * given.age, given.sent_at
    FROM account
    CROSS JOIN (VALUES
        (%(task)s, %(email)s, NULL, 1),
        (%(done)s, NULL, now(), 1),
        (%(trashed)s, %(email)s, NULL, -1),
        (%(old_trashed)s, NULL, now(), -1)
    ) AS given (id, text, sent_at, age)
),

links AS (
    INSERT INTO account_tokens (
        owner_id, purpose, hash, seed, mail_id, email_key, password_changed_at, new_email,
        new_email_key, expires_at
    )
    SELECT
        account.owner_id, given.purpose, decode(repeat('68', 32), 'hex'), sha256(''), %(task)s,
        %(link_email)s, %(link_changed_at)s, given.new, given.new, now() + interval '1 hour'
    FROM account
    CROSS JOIN (VALUES
        ('verify', NULL), ('reset', NULL), ('change_email', %(email)s || '@new')
    ) AS given (purpose, new)
),

planned AS (
    SELECT account.owner_id, given.*
    FROM account
    CROSS JOIN (VALUES
        (%(task)s, 1, 'create', NULL, NULL, interval '1 day'),
        (%(done)s, 2, 'update', now(), NULL, interval '1 hour'),
        (%(trashed)s, 3, 'delete', NULL, now(), interval '1 minute'),
        (%(old_trashed)s, 0, 'delete', NULL, now() - interval '40 days', interval '40 days')
    ) AS given (id, version, action, archived_at, deleted_at, age)
),

list AS (
    INSERT INTO lists (
        owner_id, id, title, title_folded, position, archived_at, created_at, updated_at,
        deleted_at, version, last_action, request_id
    )
    SELECT
        owner_id, id, %(email)s, %(email)s, first_position(version), archived_at, now() - age,
        now() - age, deleted_at, %(offset)s + 6 + version, action, %(email)s
    FROM planned
),

label AS (
    INSERT INTO labels (
        owner_id, id, name, name_key, position, created_at, updated_at, deleted_at, removed_from,
        version, last_action, request_id
    )
    SELECT
        owner_id, id, %(email)s, sha256(id::text::bytea), first_position(version), now() - age,
        now() - age, deleted_at, version, %(offset)s + 10 + version, action, %(email)s
    FROM planned
),

filter AS (
    INSERT INTO filters (
        owner_id, id, title, query, sort, position, created_at, updated_at, deleted_at, version,
        last_action, request_id
    )
    SELECT
        owner_id, id, %(email)s, %(email)s, 'due', first_position(version), now() - age,
        now() - age, deleted_at, %(offset)s + 14 + version, action, %(email)s
    FROM planned
),

task AS (
    INSERT INTO tasks (
        owner_id, id, title, title_folded, description_folded, list_id, parent_id, root_id,
        position, priority, label_ids, due, due_at, due_begins_at, computed_zone, completed_at,
        created_at, updated_at, deleted_at, version, last_action, request_id
    )
    SELECT
        account.owner_id, given.id, %(email)s, %(email)s, '', given.list_id, given.parent_id,
        given.parent_id, first_position(given.version),
        CASE WHEN given.action = 'complete' THEN %(done_priority)s ELSE given.version END,
        ARRAY[given.id], given.due,
        given.due_at, given.due_at, CASE WHEN given.due IS NOT NULL THEN 'UTC' END,
        given.completed_at, now() - given.age, now() - given.age, given.deleted_at,
        %(offset)s + given.version, given.action, %(email)s
    FROM account
    CROSS JOIN (VALUES
        (%(task)s, 2, 'create', NULL, NULL, interval '1 day', %(task)s, NULL, '2026-10-07', now()),
        (
            %(done)s, 3, 'complete', now(), NULL, interval '1 hour', %(trashed)s, %(trashed)s,
            %(done_due)s::text, CASE WHEN %(done_due)s::text IS NOT NULL THEN now() END
        ),
        (
            %(trashed)s, 5, 'delete', NULL, now(), interval '1 minute', %(old_trashed)s, NULL,
            NULL, NULL
        ),
        (
            %(old_trashed)s, 1, 'delete', NULL, now() - interval '40 days', interval '40 days',
            %(old_trashed)s, %(trashed)s, NULL, NULL
        )
    ) AS given (
        id, version, action, completed_at, deleted_at, age, list_id, parent_id, due, due_at
    )
    RETURNING owner_id, id
),

completion AS (
    INSERT INTO completions (
        owner_id, task_id, version, occurrence, completed_at, recurrence, recurrence_from
    )
    SELECT owner_id, id, %(offset)s, '2026-10-06', now(), %(email)s, '2026-10-06'
    FROM task
),

firing AS (
    INSERT INTO reminder_firings (
        owner_id, id, task_id, occurrence, reminder, at, created_at, updated_at, version,
        last_action, request_id
    )
    SELECT
        task.owner_id, task.id, task.id, '2026-10-06[]', to_json(%(email)s)::text, now(), now(),
        now(), %(offset)s + given.version, given.action, %(email)s
    FROM task
    INNER JOIN (VALUES (%(task)s, 18, 'fire'), (%(trashed)s, 19, 'miss'))
        AS given (id, version, action) ON task.id = given.id
),

webhook AS (
    INSERT INTO webhooks (
        owner_id, id, url, types, list_id, secret, previous_secret, previous_secret_until,
        delivered_version, failures, attempts, next_attempt_at, disabled_at, disabled_reason
    )
    SELECT
        account.owner_id, given.id, 'https://' || %(email)s || '.example/', given.types,
        given.list_id, %(email)s::bytea, %(email)s::bytea, now() + interval '1 day',
        %(offset)s, given.failures, 101, %(leased_until)s, given.disabled_at,
        CASE WHEN given.disabled_at IS NOT NULL THEN 'owner' END
    FROM account
    CROSS JOIN (VALUES
        (%(task)s, NULL, NULL::uuid, 0, NULL),
        (%(done)s, NULL, NULL, 0, now()),
        (%(trashed)s, NULL, %(task)s, 1, NULL),
        (%(old_trashed)s, ARRAY['task.completed'], NULL, 2, NULL)
    ) AS given (id, types, list_id, failures, disabled_at)
    RETURNING owner_id, id
),

feed AS (
    INSERT INTO feeds (owner_id, id, list_id, component, secret_hash)
    SELECT
        account.owner_id, given.id, given.list_id, 'todo',
        sha256((%(email)s || given.id)::bytea)
    FROM account
    CROSS JOIN (VALUES (%(task)s, NULL::uuid), (%(done)s, %(task)s)) AS given (id, list_id)
),

attempt AS (
    INSERT INTO webhook_attempts (
        owner_id, webhook_id, number, version, type, at, status, milliseconds, error
    )
    SELECT webhook.owner_id, webhook.id, n, %(offset)s, 'task.created', now(), 500, 1, %(email)s
    FROM webhook CROSS JOIN (VALUES (1), (101)) AS given (n)
),

import AS (
    INSERT INTO imports (
        owner_id, id, source, is_dry_run, options, file, request_id, state, failure, steps,
        next_step_at, created_at, finished_at
    )
    SELECT
        account.owner_id, given.id, 'csv', FALSE, json_build_object('list_title', %(email)s),
        CASE WHEN given.state <> 'failed' THEN %(email)s::bytea END, %(email)s, given.state,
        CASE WHEN given.state = 'failed' THEN %(email)s END, 9, %(leased_until)s,
        now() - given.age - %(key_age)s, CASE WHEN given.state = 'failed' THEN now() END
    FROM account
    CROSS JOIN (VALUES
        (%(task)s, 'running', interval '1 day'),
        (%(done)s, 'failed', interval '2 days'),
        (%(trashed)s, 'queued', interval '3 days'),
        (%(old_trashed)s, 'failed', interval '4 days')
    ) AS given (id, state, age)
    RETURNING owner_id, id
),

import_row AS (
    INSERT INTO import_rows (owner_id, import_id, number, file, line, kind, outcome, item_id, notes)
    SELECT import.owner_id, import.id, n, %(email)s, n, 'task', 'created', %(task)s,
        CASE WHEN n = 1 THEN json_build_array(%(email)s) END
    FROM import CROSS JOIN generate_series(1, 3) AS n
),

import_ref AS (
    INSERT INTO import_refs (owner_id, source, key, kind, item_id)
    SELECT account.owner_id, 'csv', given.key, 'task', given.item_id
    FROM account
    CROSS JOIN (VALUES (%(token)s, %(task)s), (%(used_token)s, %(trashed)s))
        AS given (key, item_id)
)

INSERT INTO idempotency_keys (owner_id, key, request_hash, status, body, created_at)
SELECT account.owner_id, given.key, %(request)s, 200, %(email)s, now() - given.age
FROM account
CROSS JOIN (VALUES
    ('key', %(key_age)s), ('old key', interval '2 days'), (%(other_key)s, %(other_key_age)s)
) AS given (key, age)
"""  # fmt: skip
ADD_CROWD = """
WITH session AS (
    INSERT INTO sessions (owner_id, id, last_used_at, token_hash)
    SELECT %(owner_id)s, lpad(to_hex(1000 + n), 32, '0')::uuid, now() - n * interval '1 minute',
        sha256('')
    FROM generate_series(1, %(crowd)s) AS n
)

INSERT INTO known_addresses (owner_id, address_hash, last_login_at)
SELECT %(owner_id)s, sha256(n::text::bytea), now() - n * interval '1 minute'
FROM generate_series(1, %(crowd)s) AS n
"""
ADD_TOKENS = """
WITH session AS (
    INSERT INTO sessions (owner_id, id, kind)
    SELECT %(owner_id)s, lpad(to_hex(5000 + n), 32, '0')::uuid, 'token'
    FROM generate_series(1, %(crowd)s) AS n
    RETURNING owner_id, id
)

INSERT INTO api_tokens (owner_id, id, name, scopes, token_hash)
SELECT owner_id, id, 'n', ARRAY['tasks:read'], sha256(id::text::bytea)
FROM session
"""
ADD_ENTRY = """
INSERT INTO ledger_entries (
    owner_id, version, kind, item_id, action, at, request_id, item, hash
)
SELECT
    %(owner_id)s, entry.version, entry.kind, entry.item_id, entry.action, entry.at, %(email)s,
    entry.item,
    ledger_hash(
        coalesce(before.hash, sha256('')), entry.version, entry.kind, entry.item_id, entry.action,
        entry.at, %(email)s, NULL, entry.item
    )
FROM (
    SELECT
        version, kind, id AS item_id, last_action AS action, updated_at AS at,
        CASE WHEN last_action <> 'delete' THEN document END AS item
    FROM items WHERE owner_id = %(owner_id)s
    UNION ALL
    SELECT version + 1, 'task', %(trashed)s, 'create', now(), document FROM tasks
    WHERE owner_id = %(owner_id)s AND id = %(done)s
) AS entry
LEFT JOIN ledger_entries AS before
    ON before.owner_id = %(owner_id)s AND before.version = entry.version - 1
WHERE entry.version = %(version)s
"""
SET_HEAD = """
UPDATE ledgers SET hash = ledger_entries.hash FROM ledger_entries
WHERE ledgers.owner_id = %(owner_id)s AND ledger_entries.owner_id = %(owner_id)s
    AND ledger_entries.version = ledgers.version
"""

FRESH, STALE = timedelta(0), timedelta(days=100)


@dataclass(frozen=True)
class OwnerState:
    """The rows of an owner; the set of ids and keys is the same in every state."""

    is_bare: bool = False  # an account without rows
    has_entries: bool = True
    has_tasks: bool = True
    offset: int = 0  # added to the versions
    pruned: int = 0  # versions after the offset
    session_age: timedelta = FRESH
    crowd: int = 0  # further sessions, API tokens and known addresses
    expired_api_token: UUID = OTHER_API_TOKEN
    token_used_at: datetime | None = None  # when the API tokens were used last
    has_second_factor: bool = True  # else it was set up, but not confirmed
    changed_at: datetime = CHANGED_AT
    link_email: str = "alice"  # who had it when links were asked for
    disabled_at: datetime | None = None
    key_age: timedelta = FRESH
    other_key: str = "other key"
    other_key_age: timedelta = STALE
    task: UUID = TASK
    done: UUID = DONE
    trashed: UUID = TRASHED
    old_trashed: UUID = OLD_TRASHED
    done_due: str | None = None  # of the task in a list that is in the trash
    done_priority: int = 3


FULL, BARE = OwnerState(), OwnerState(is_bare=True)
DISABLED, CROWDED = OwnerState(disabled_at=CHANGED_AT), OwnerState(crowd=102)
OTHER = OwnerState(
    offset=10,
    session_age=STALE,
    expired_api_token=API_TOKEN,
    token_used_at=FUTURE,
    has_second_factor=False,
    changed_at=CHANGED_AT + timedelta(days=1),
    disabled_at=CHANGED_AT,
    key_age=STALE,
    other_key_age=FRESH,
    task=TRASHED,
    done=OLD_TRASHED,
    trashed=TASK,
    old_trashed=DONE,
)
PAIRS = (
    (FULL, FULL),
    (BARE, FULL),
    (FULL, OTHER),
    (OwnerState(done_due="2026-10-07", done_priority=0), OTHER),
    (OTHER, FULL),
    (FULL, OwnerState(pruned=1)),
    (OwnerState(has_entries=False, pruned=2, has_second_factor=False), FULL),
    (OwnerState(has_tasks=False), OTHER),
    (DISABLED, CROWDED),
    (OwnerState(changed_at=CHANGED_AT + timedelta(days=1)), FULL),  # alice's links are dead
    (OwnerState(link_email="bob"), FULL),  # the same
    (CROWDED, CROWDED),
)

# The parameters of all statements, by name: the audit's samples, except those about the rows above.
# PARTICULAR has the parameters of single statements, one run for each.
PARAMETERS: Mapping[str, Any] = {
    **SAMPLES,
    "owner_id": ALICE,
    "id": TASK,
    "mail_id": TASK,
    "email_key": "alice",
    "password_changed_at": CHANGED_AT,
    "session_id": SESSION,
    "kept_session_id": SESSION,
    "token_hash": TOKEN,
    "created_at": CHANGED_AT,
    "recovery_hash": TOKEN,
    "account_hash": ADDRESS,
    "account_hashes": [ADDRESS],
    "address_hash": ADDRESS,
    "address_hashes": [ADDRESS],
    "free": [5],
    "before": datetime.now(UTC) - timedelta(days=30),
    "key": "key",
    "since": 0,
    "ids": [TASK],
    "label_id": TASK,
    "task_id": TASK,
    "import_id": TASK,
    "anchor_id": DONE,
    "name_keys": [hashlib.sha256(str(TASK).encode()).digest()],
    "from_version": 0,
    "to_version": LAST,
    "tasks": orjson.dumps(
        [
            {"ordinal": 1, "id": MADE, "title": "made", "title_folded": "made",
             "description_folded": "", "is_parent": False, "priority": 0, "label_ids": [],
             "created_at": FUTURE, "updated_at": FUTURE, "action": "create"},
            {"ordinal": 2, "id": TASK, "title": "changed", "title_folded": "changed",
             "description_folded": "", "is_parent": False, "priority": 0, "label_ids": [],
             "created_at": FUTURE, "updated_at": FUTURE + timedelta(seconds=1),
             "action": "update"},
        ]
    ).decode(),
}  # fmt: skip
PARTICULAR: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "auth/register": [{"owner_id": UUID(int=0xC0DE)}],
    "auth/start_session": [{"session_id": UUID(int=99), "token_hash": b"n" * 32}],
    "auth/create_token": [{"id": MADE, "token_hash": b"n" * 32}],
    "auth/note_token_use": [{"id": API_TOKEN}],
    "auth/find_token": [{"token_hash": hashlib.sha256(f"alice{API_TOKEN}".encode()).digest()}],
    "auth/end_session": [
        {"session_id": SESSION, "kind": "login"},
        {"session_id": API_TOKEN, "kind": "token"},
    ],
    "seed/store_tasks": [{"after_version": VERSIONS}],
    "seed/store_lists": [{"after_version": VERSIONS}],
    "seed/store_labels": [{"after_version": VERSIONS}],
    "db/set_owner": [{"owner_id": str(ALICE)}],
    "search/list_by_created_desc": [{"after_id": LAST_ID}],
    "search/list_by_updated_desc": [{"after_version": LAST}],
    "search/list_by_title_desc": [{"after_title": "~", "after_id": LAST_ID}],
    "search/list_by_position_desc": [{"after_position": "~", "after_id": LAST_ID}],
    "search/list_by_due_desc": [
        {"after_due_at": "infinity", "after_id": LAST_ID, "after_other_id": LAST_ID}
    ],
    "search/list_by_priority_desc": [
        {"after_priority": 10, "after_id": LAST_ID, "after_other_id": LAST_ID}
    ],
    "tasks/create": [UNDATED],
    "tasks/store": [UNDATED],
    "tasks/get": [{"id": TASK}, {"id": DONE}],
    "tasks/update": [{"id": TASK}, {"id": DONE}],
    "tasks/complete": [{"id": TASK}, {"id": DONE}],
    "tasks/find": [{"id": TASK}, {"id": DONE}],
    "tasks/count_children": [{"parent_id": TRASHED}, {"parent_id": OLD_TRASHED}],
    "tasks/find_trees": [{"ids": [TASK]}, {"ids": [TRASHED]}, {"ids": [DONE]}],
    "tasks/set_root": [{"ids": [OLD_TRASHED], "root_id": MADE}],
    "tasks/move_instants": [
        {
            **{name: [FUTURE] for name in ("due_at", "due_begins_at")},
            **{name: [None] for name in ("start_at", "next_reminder_at", "computed_reminder_time")},
            "computed_zone": ["UTC"],
        },
    ],
    "tasks/undo_completion": [{"completed_version": version} for version in (0, 10)],
    "tasks/list_completions": [{"id": TASK}, {"id": DONE}],
    "reminders/fire": [{"action": "fire"}],
    "reminders/set_next": [{"next_reminder_at": [None]}],
    "reminders/find_due": [{"ids": [TASK, DONE, TRASHED, OLD_TRASHED]}],
    "feeds/delete_of_lists": [{"list_ids": [TASK]}, {"list_ids": [TRASHED]}],
    "feeds/create": [{"id": MADE, "component": "event", "secret_hash": b"n" * 32}],
    "feeds/find_feed": [{"secret_hash": hashlib.sha256(f"alice{TASK}".encode()).digest()}],
    "feeds/get_state": [{"id": TASK}, {"id": DONE}],
    "feeds/get_tag": [{"list_id": None}, {"list_id": TASK}],
    "lists/find_existing": [{"ids": [TASK, TRASHED]}],
    "feeds/list_tasks": [
        {"list_id": list_id, "with_archived": with_archived}
        for list_id in (None, TASK, DONE, TRASHED, OLD_TRASHED)
        for with_archived in (False, True)
    ],
    "webhooks/check_terms": [{"list_id": None}, {"list_id": TASK}],
    "webhooks/create": [{"id": MADE}],
    "webhooks/claim": [{"id": TASK}, {"id": DONE}],
    "webhooks/update": [{"id": TASK, "enabled": False}, {"id": DONE, "enabled": True}],
    "webhooks/replay": [{"since": 0}, {"since": 25}],
    "webhooks/find_next": [{"id": each} for each in (TASK, DONE, TRASHED, OLD_TRASHED)],
    "imports/create": [{"id": MADE}],
    "imports/claim": [{"id": TASK}, {"id": DONE}, {"id": TRASHED}],
    "imports/advance": [{**PROGRESS, "steps": 9}],
    "imports/finish": [{"failure": None}, {"failure": "broken"}],
    "imports/record_rows": [{**REPORT, "number": [9], "item_id": [TASK]}],
    "imports/store_refs": [
        {**REFERENCES, "item_id": [TASK]},
        {**REFERENCES, "key": [TOKEN], "item_id": [DONE]},
    ],
    "imports/find_refs": [{"keys": [TOKEN, USED_TOKEN]}],
    "ledger/find_siblings": [
        {"kind": kind, "anchor_id": anchor, "id": MADE, "list_id": list_id}
        for kind, list_id in (("task", TASK), ("task", None), ("list", None))
        for anchor in (TASK, DONE, None)
    ],
    "ledger/list_places": [
        {"kind": kind, "id": MADE, "list_id": list_id}
        for kind, list_id in (("task", TASK), ("task", None), ("list", None), ("label", None))
    ],
    "ledger/prune_ledger": [
        {"limit": limit, "before": datetime.now(UTC) + timedelta(days=1)} for limit in (1, 40)
    ],
    "idempotency/store_response": [{"key": "new key"}],
    "auth/find_link": [{"purpose": each} for each in ("verify", "reset", "change_email")],
    "auth/issue_link": [{"purpose": each} for each in ("verify", "reset")],
    "mail/enqueue": [{"id": MADE}],
    "mail/finish": [{"last_error": None}, {"last_error": "refused"}],
    "mail/delete_finished": [{"id": TASK}, {"id": DONE}],
    "ledger/verify_entries": [{"after_version": 0}, {"after_version": 1}],
}
# What a statement requires: run before it, in the same transaction.
PRUNED = ("UPDATE ledgers SET pruned_version = least(version, pruned_version + 1)",)
BEFORE: Mapping[str, Sequence[LiteralString]] = {
    "ledger/delete_pruned_entries": PRUNED,
    **dict.fromkeys((f"{kind}/empty_trash" for kind in ("tasks", "lists", "labels")), PRUNED),
    "filters/empty_trash": (
        "UPDATE ledgers SET pruned_version = least(version, pruned_version + 15)",
    ),
    "reminders/delete_pruned": (
        "UPDATE ledgers SET pruned_version = least(version, pruned_version + 18)",
    ),
    "reminders/find_due": (
        "ALTER TABLE tasks DISABLE TRIGGER tasks_recorded",
        "UPDATE tasks SET next_reminder_at = now() - interval '1 day', reminders = '{1}'",
    ),
}

TABLES = (
    "users", "credentials", "sessions", "api_tokens", "second_factors", "known_addresses",
    "ledgers", *KINDS, "completions", "ledger_entries", "idempotency_keys", "outgoing_mail",
    "account_tokens", "webhooks", "webhook_attempts", "feeds", "imports", "import_rows",
    "import_refs",
)  # fmt: skip
# xmax is the transaction that has locked a row: alice's statement may lock her rows, not bob's.
ROWS = {
    owner_id: " UNION ALL ".join(
        f"SELECT '{table}', t::text, {lock} FROM {table} AS t WHERE {column} = %(owner_id)s"
        for table in TABLES
        for column in ["id" if table == "users" else "owner_id"]
    )
    + " ORDER BY 1, 2"
    for owner_id, lock in {ALICE: "NULL", BOB: "t.xmax::text"}.items()
}
UUIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|\+00(:00)?)?")
SECONDS = re.compile(r"(?<=\W)1\d{9}(\.\d+)?(?=\W)")  # since 1970, in facets
DIGESTS = re.compile(r"\\\\?x[0-9a-f]{64}")


class Collisions:
    """A database for each pair of states, in a transaction that is never committed.

    Each run of a statement is rolled back, so that the rows are inserted once. now() stays the
    time of their insertion.
    """

    def __init__(self, postgres: Postgres, template: str) -> None:
        self._postgres, self._template = postgres, template
        self._parts = ExitStack()
        self._databases: dict[tuple[OwnerState, ...], psycopg.Connection[Any]] = {}
        self._known: dict[tuple[str, str | None, OwnerState], dict[str, Any]] = {}

    def close(self) -> None:
        """Drops the databases."""
        self._parts.close()

    def interferences(self, name: str, text: str, *, role: str | None = None) -> Iterator[str]:
        """The effects of bob's rows on alice's statement, and of the statement on bob's rows.

        `text` is the statement `name` or a mutant. Its result and alice's rows are compared with
        those of the statement in a database without bob. Locking a row of bob is an effect, too.
        With `role` the statement runs as that role, with row security's owner set.
        """
        for alice, bob in PAIRS:
            alone = self._alone(name, role, alice)
            together = self._run(name, text, role, alice, bob)
            if alone["result"] != together["result"]:
                yield f"{together['result']} instead of {alone['result']}"
            if alone["alice"] != together["alice"]:
                yield "alice's rows depend on bob's"
            if together["bob before"] != together["bob after"]:
                yield "bob's rows are changed"

    def _alone(self, name: str, role: str | None, alice: OwnerState) -> dict[str, Any]:
        """The outcome without bob, computed once for all mutants and pairs."""
        asked = name, role, alice
        if asked not in self._known:
            self._known[asked] = self._run(name, db.load(name).text, role, alice)
        return self._known[asked]

    def _run(self, name: str, text: str, role: str | None, *states: OwnerState) -> dict[str, Any]:
        """Runs the statement for alice, who has the first state, and rolls it back."""
        if states not in self._databases:
            self._databases[states] = self._make(states)
        connection = self._databases[states]
        with connection.transaction(force_rollback=True):
            for statement in BEFORE.get(name, ()):
                connection.execute(statement)
            before = _rows(connection, BOB)
            # A subtransaction: its id tells its locks from those of the rows' insertion.
            try:
                with connection.transaction(), _as(connection, role, name):
                    result: Any = [_result(connection, text, given) for given in _parameters(name)]
            except (psycopg.errors.IntegrityError, psycopg.errors.CardinalityViolation) as error:
                result = type(error).__name__
            after = _rows(connection, BOB)
            rows = _plain(_rows(connection, ALICE))
        return {"result": result, "alice": rows, "bob before": before, "bob after": after}

    def _make(self, states: tuple[OwnerState, ...]) -> psycopg.Connection[Any]:
        """A database with alice, and with bob where there are two states."""
        database = self._parts.enter_context(self._postgres.database(template=self._template))
        url = self._postgres.url(database)
        connection = self._parts.enter_context(psycopg.connect(url, autocommit=True))
        self._parts.enter_context(connection.transaction(force_rollback=True))
        for owner_id, state in zip((ALICE, BOB), states, strict=False):
            with connection.transaction():
                _seed(connection, owner_id, state)
        return connection


@contextmanager
def _as(connection: psycopg.Connection[Any], role: str | None, name: str) -> Iterator[None]:
    """Runs the block as that role, with the statement's owner set for row security."""
    if role is not None:
        owner_id = str(_parameters(name)[0]["owner_id"])
        connection.execute("SELECT set_config('app.owner_id', %s, TRUE)", (owner_id,))
        connection.execute("SELECT set_config('role', %s, TRUE)", (role,))
    yield
    if role is not None:
        connection.execute("SELECT set_config('role', 'none', TRUE)")


def _seed(connection: psycopg.Connection[Any], owner_id: UUID, state: OwnerState) -> None:
    given = {
        **vars(state),
        "owner_id": owner_id,
        "email": "alice" if owner_id == ALICE else "bob",
        "session": SESSION,
        "other_session": OTHER_SESSION,
        "expired_session": EXPIRED_SESSION,
        "api_token": API_TOKEN,
        "other_api_token": OTHER_API_TOKEN,
        "token": TOKEN,
        "used_token": USED_TOKEN,
        "address": ADDRESS,
        "old_address": OLD_ADDRESS,
        "factor_at": CHANGED_AT,
        "request": REQUEST,
        "versions": VERSIONS,
        "link_changed_at": CHANGED_AT,
        "leased_until": LEASED_UNTIL,
    }
    for table in KINDS:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_recorded")
    connection.execute(SEED, given)
    connection.execute(ADD_CROWD, given)
    connection.execute(ADD_TOKENS, given)
    for table in KINDS:
        connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_recorded")
    for version in (
        range(state.offset + 1, state.offset + VERSIONS + 1) if state.has_entries else ()
    ):
        connection.execute(ADD_ENTRY, {**given, "version": version})
    connection.execute(SET_HEAD, given)
    if not state.has_tasks:
        connection.execute("DELETE FROM tasks WHERE owner_id = %s", (owner_id,))


def _parameters(name: str) -> list[dict[str, Any]]:
    return [{**PARAMETERS, **given} for given in PARTICULAR.get(name, ({},))]


def _result(connection: psycopg.Connection[Any], text: str, parameters: Mapping[str, Any]) -> Any:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(text, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return cursor.rowcount, _plain(rows)


def _rows(connection: psycopg.Connection[Any], owner_id: UUID) -> list[str]:
    """The owner's rows of all tables, in one query as it runs about 6,000 times."""
    return [str(row) for row in connection.execute(ROWS[owner_id], {"owner_id": owner_id})]


def _text(value: Any) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> str:
    """The value as text, with placeholders for generated ids, times and hashes."""
    known = {str(UUID(int=number)) for number in range(20)} | {str(ALICE), str(BOB)}
    text = orjson.dumps(value, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()
    text = UUIDS.sub(lambda match: match[0] if match[0] in known else "<id>", text)
    return DIGESTS.sub("<digest>", SECONDS.sub("<time>", TIMES.sub("<time>", text)))
