"""What the audit reads from PostgreSQL's catalogues: rights, triggers, SECURITY DEFINER."""

import psycopg
import pytest

from app import devdb
from app.audit import access
from app.audit.access import Access, Trigger


def after(database_url: str, *statements: str) -> Access:
    """What the test's database allows after these statements, which are rolled back."""
    with psycopg.connect(database_url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        found = access.read(connection)
        connection.rollback()
    return found


def rights(found: Access, role: str, table: str) -> list[str]:
    return [str(right) for right in found.of(role, table)]


def trigger(found: Access, name: str) -> Trigger:
    (named,) = (each for each in found.triggers if each.name == name)
    return named


@pytest.mark.proves("OWN-6")
def test_the_service_may_not_read_password_hashes(database_url: str) -> None:
    found = after(database_url)
    assert rights(found, devdb.APPLICATION, "credentials") == [
        "select (owner_id, changed_at)",
        "insert (owner_id, password_hash)",
        "update (password_hash, changed_at)",
    ]
    assert rights(found, "ownrow_auditor", "credentials") == ["select (owner_id, changed_at)"]


def test_a_right_on_a_whole_table_names_no_columns(database_url: str) -> None:
    found = after(database_url)
    assert rights(found, devdb.APPLICATION, "login_attempts") == [
        "select",
        "insert",
        "update",
        "delete",
    ]
    assert rights(found, "ownrow_auditor", "audit_changes") == ["select"]
    assert rights(found, devdb.APPLICATION, "audit_changes") == []


def test_the_owner_and_who_acts_as_the_owner_have_no_list_of_privileges(database_url: str) -> None:
    found = after(database_url)
    assert rights(found, "ownrow_owner", "tasks") == ["owner"]
    assert rights(found, "ownrow_migrator", "tasks") == ["owner"]


def test_a_right_of_everybody_is_a_right_of_each_role(database_url: str) -> None:
    found = after(database_url, "GRANT SELECT (title), TRUNCATE ON tasks TO PUBLIC")
    assert rights(found, "ownrow_lookup", "tasks") == ["select (title)", "truncate"]


def test_superusers_and_postgresqls_own_roles_are_left_out(database_url: str) -> None:
    roles = after(database_url).roles
    assert {"ownrow_app", "ownrow_auditor", "ownrow_lookup", "ownrow_owner"} <= {*roles}
    assert devdb.SUPERUSER not in roles
    assert [role for role in roles if role.startswith("pg_")] == []


def test_a_trigger_has_its_event_and_the_role_that_it_runs_as(database_url: str) -> None:
    assert trigger(after(database_url), "users_closing_noted") == Trigger(
        "users",
        "users_closing_noted",
        "AFTER UPDATE OF disabled_at ON users FOR EACH ROW"
        " WHEN ((old.disabled_at IS NULL) <> (new.disabled_at IS NULL))",
        "enabled",
        "note_auth_event",
        True,
        "ownrow_owner",
    )


def test_triggers_of_foreign_keys_are_left_out(database_url: str) -> None:
    assert {each.name for each in after(database_url).triggers} == {
        "account_tokens_change_asked",
        "account_tokens_reset_asked",
        "account_tokens_reset_done",
        "credentials_noted",
        "filters_recorded",
        "labels_recorded",
        "ledger_entries_kept",
        "ledger_entries_not_truncated",
        "ledgers_kept",
        "lists_recorded",
        "reminder_firings_recorded",
        "second_factors_off_noted",
        "second_factors_on_noted",
        "second_factors_recovery_noted",
        "sessions_noted",
        "tasks_recorded",
        "users_closing_noted",
        "users_email_noted",
        "users_noted",
        "users_verification_noted",
    }


@pytest.mark.parametrize(
    ("change", "state", "is_enabled"),
    [
        ("DISABLE", "disabled", False),
        ("ENABLE REPLICA", "enabled on replicas only", False),
        ("ENABLE ALWAYS", "enabled, also on replicas", True),
    ],
)
def test_a_triggers_state(database_url: str, change: str, state: str, is_enabled: bool) -> None:
    changed = after(
        database_url, f"ALTER TABLE ledger_entries {change} TRIGGER ledger_entries_kept"
    )
    found = trigger(changed, "ledger_entries_kept")
    assert (found.state, found.is_enabled) == (state, is_enabled)


def test_a_security_definer_function_has_its_owner_and_callers(database_url: str) -> None:
    definers = {each.function: each for each in after(database_url).definers}
    assert [*definers] == [
        "count_troubled_webhooks()",
        "due_imports(integer)",
        "due_mail(integer)",
        "due_webhooks(integer)",
        "erase_auth_events(uuid,bytea[])",
        "find_api_token(bytea)",
        "find_credential(text,bytea[])",
        "list_accounts(text,integer)",
        "list_webhooks(uuid,uuid,integer)",
        "password_hash_of(uuid)",
        "tasks_with_due_reminders(integer)",
    ]
    reader = definers["password_hash_of(uuid)"]
    assert reader.owner == "ownrow_lookup"
    assert devdb.APPLICATION in reader.callers
    assert "ownrow_auditor" not in reader.callers
