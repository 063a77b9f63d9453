"""Every file in sql/ keeps the rules that the audit checks."""

import pytest
from flask import Flask

from app import db
from app.audit import call_graph, statements
from app.audit.exemptions import EXEMPTIONS
from tests.support.audited import TEXTS, Audits

HEADER = "-- Reads.\n-- @reads\n-- @param owner_id uuid\n"


@pytest.mark.proves("OWN-3")
def test_every_statement_binds_each_owned_table_to_the_owner(audits: Audits) -> None:
    assert {name: each.findings for name, each in audits.by_name.items() if each.findings} == {}


@pytest.mark.proves("OWN-3")
def test_every_owned_table_is_compared_with_the_owner_directly(audits: Audits) -> None:
    bindings = [each for audited in audits.by_name.values() for each in audited.proof.bindings]
    assert len(bindings) > 90
    assert [each.path for each in bindings if each.path.count("=") > 1] == []


def test_the_exemptions_are_these_and_each_is_a_file() -> None:
    assert set(EXEMPTIONS) == {
        "auth/erase_events",
        "auth/find_credential",
        "auth/find_token",
        "auth/get_credential",
        "auth/list_users",
        "auth/record_refusal",
        "db/set_owner_on_nodes",
        "events/list_versions",
        "feeds/find_feed",
        "ledger/is_sharded",
        "ledger/list_functions",
        "ledger/list_triggers",
        "mail/list_due",
        "reminders/list_due",
        "imports/list_due",
        "system/count_troubled_webhooks",
        "webhooks/list_all",
        "webhooks/list_due",
    }
    assert set(EXEMPTIONS) <= set(TEXTS)


def test_every_statement_is_run_by_an_endpoint_or_a_command(app: Flask) -> None:
    found = call_graph.entry_points(app)
    assert set(TEXTS) - set(found) == set()


def test_an_endpoint_is_found_through_closures_and_constants(app: Flask) -> None:
    found = call_graph.entry_points(app)
    assert found["tasks/create"] == [
        "POST /api/{user_id}/batch",
        "POST /api/{user_id}/tasks",
        "POST /mcp",
        "flask import",
        "flask seed",
        "flask worker",
    ]
    assert found["tasks/export"] == ["GET /api/{user_id}/export"]
    assert found["tasks/empty_trash"] == ["flask ledger purge"]
    assert found["search/list_by_title_asc"] == ["GET /api/{user_id}/tasks", "POST /mcp"]
    assert found["ledger/list_changes"] == ["GET /api/{user_id}/changes", "POST /mcp"]
    assert "each request of tasks" in found["auth/list_ended_sessions"]


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "-- @reads\n-- @param owner_id uuid\nSELECT id FROM users WHERE id = %(owner_id)s",
            "header: does not say what the statement does",
        ),
        (f"{HEADER}SELECT * FROM users WHERE id = %(owner_id)s", "uses *"),
        (
            (
                f"{HEADER}SELECT (SELECT count(*) FROM users WHERE id = %(owner_id)s) AS n, t.*"
                " FROM tasks AS t WHERE t.owner_id = %(owner_id)s"
            ),
            "uses *",
        ),
        (f"{HEADER}SELECT users.* FROM users WHERE id = %(owner_id)s", "uses *"),
        ("-- Reads.\n-- @reads\nSELECT id FROM users", "does not bind users to the owner"),
        (
            "-- Deletes.\n-- @writes\nTRUNCATE users",
            "can't be followed: it is not one SELECT, INSERT, UPDATE or DELETE",
        ),
    ],
)
def test_a_statement_that_breaks_a_rule_is_a_finding(
    audits: Audits, text: str, finding: str
) -> None:
    assert statements.audit_text("tasks/new", text, audits.catalogue).findings == (finding,)


def test_an_exemption_covers_only_what_it_names(audits: Audits) -> None:
    text = "-- Lists.\n-- @reads\nSELECT t.id FROM list_accounts('', 9) AS a, tasks AS t"
    found = statements.audit_text("auth/list_users", text, audits.catalogue).findings
    assert found == ("does not bind tasks AS t to the owner",)


def test_an_exemption_that_is_not_needed_is_a_finding(audits: Audits) -> None:
    text = f"{HEADER}SELECT id FROM users WHERE id = %(owner_id)s"
    found = statements.audit_text("auth/list_users", text, audits.catalogue).findings
    assert found == ("needs no exemption for list_accounts",)


def test_a_statement_without_a_header_is_a_finding(audits: Audits) -> None:
    text = "SELECT id FROM users WHERE id = %(owner_id)s"
    assert statements.audit_text("tasks/new", text, audits.catalogue).findings == (
        "header: does not say what the statement does",
        "header: declare one of @reads and @writes",
    )


def test_a_statement_carries_its_file_to_the_server() -> None:
    assert db.load("tasks/get").text.startswith("/* sql/tasks/get.sql */ ")
