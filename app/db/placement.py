"""Where each table is in a database that Citus shards by owner; specs/scale.md has the reasons.

On plain PostgreSQL all tables are together, and nothing here has an effect.
"""

# Rows of the owner's shard, in the order in which tables are distributed: a table behind those that
# its foreign keys refer to. All are colocated with the first one.
DISTRIBUTED = (
    "ledgers",
    "ledger_entries",
    "idempotency_keys",
    "lists",
    "labels",
    "filters",
    "tasks",
    "completions",
    "reminder_firings",
    "webhooks",
    "webhook_attempts",
    "import_refs",
)

# Tables of the coordinator: accounts, which are looked for by more than their owner, and what is
# written together with them.
LOCAL = (
    "users",
    "credentials",
    "sessions",
    "ended_sessions",
    "known_addresses",
    "login_attempts",
    "auth_events",
    "api_tokens",
    "second_factors",
    "account_tokens",
    "reset_requests",
    "outgoing_mail",
    "worker_heartbeats",
    "feeds",
    "imports",
    "import_rows",
)

# Functions of the coordinator: they read its tables, or look for something across owners. All
# others are on every node, as columns, constraints, policies and triggers call them there.
LOCAL_FUNCTIONS = (
    "count_troubled_webhooks",
    "due_imports",
    "due_mail",
    "due_webhooks",
    "erase_auth_events",
    "find_api_token",
    "find_credential",
    "find_feed",
    "keep_ledger_of_living_user",
    "list_accounts",
    "list_webhooks",
    "note_auth_event",
    "note_link_event",
    "password_hash_of",
    "streamed_versions",
    "tasks_with_due_reminders",
)
