"""The statements that may touch an owned table without naming its owner, each with the reason.

An exemption covers the named tables or functions and nothing else in its statement. An exemption
that is no longer needed is a finding.
"""

from typing import NamedTuple


class Exemption(NamedTuple):
    """The tables and functions that a statement may touch, and why."""

    subjects: tuple[str, ...]
    reason: str


NO_EXEMPTION = Exemption((), "")
EXEMPTIONS = {
    "auth/erase_events": Exemption(
        ("erase_auth_events",),
        "deletes events, which the service's role may not read, of an erased account",
    ),
    "auth/find_credential": Exemption(
        ("find_credential",), "a login knows only the e-mail of its account"
    ),
    "auth/find_token": Exemption(
        ("find_api_token",), "a request knows only its API token, whose owner it is to find"
    ),
    "auth/get_credential": Exemption(
        ("password_hash_of",), "reads the given owner's password hash, which no role may select"
    ),
    "auth/record_refusal": Exemption(("auth_events",), "a refused login has no owner"),
    "auth/list_users": Exemption(
        ("list_accounts",), "an operator sees all accounts, or handles them one after the other"
    ),
    "db/set_owner_on_nodes": Exemption(
        ("set_on_nodes",), "sets the owner that the policies of row security read, on every node"
    ),
    "events/list_versions": Exemption(
        ("streamed_versions",),
        "one question for the streams of all owners, whom it names, each with a session of theirs; "
        "it gets their versions only",
    ),
    "feeds/find_feed": Exemption(
        ("find_feed",), "a request knows only the secret of its feed, whose owner it is to find"
    ),
    "imports/list_due": Exemption(
        ("due_imports",),
        "the worker looks for imports of all owners; it gets ids, and claims each by its owner",
    ),
    "mail/list_due": Exemption(
        ("due_mail",),
        "the worker looks for the mail of all owners; it gets ids, and claims each by its owner",
    ),
    "ledger/is_sharded": Exemption(
        ("pg_constraint",), "reads PostgreSQL's catalogue, no row of a user"
    ),
    "ledger/list_functions": Exemption(
        ("pg_proc",), "reads PostgreSQL's catalogue, no row of a user"
    ),
    "ledger/list_triggers": Exemption(
        ("pg_trigger", "pg_class"), "reads PostgreSQL's catalogue, no row of a user"
    ),
    "reminders/list_due": Exemption(
        ("tasks_with_due_reminders",),
        "the worker looks for what is due of all owners, and then reads it owner by owner",
    ),
    "system/count_troubled_webhooks": Exemption(
        ("count_troubled_webhooks",), "an operator is told two numbers about all accounts"
    ),
    "webhooks/list_all": Exemption(
        ("list_webhooks",), "an operator sees the webhooks of all accounts, without what is secret"
    ),
    "webhooks/list_due": Exemption(
        ("due_webhooks",),
        "the worker looks for webhooks of all owners; it gets ids, and claims each by its owner",
    ),
}
