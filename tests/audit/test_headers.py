"""Each statement's header agrees with PostgreSQL's description and with the statement's effects."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from app.audit import headers, statements
from app.db.statements import NoRow, parse
from tests.support.audited import TEXTS, Audits
from tests.support.databases import Postgres


@pytest.fixture(scope="module")
def connection(postgres: Postgres, migrated: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a migrated database of this module."""
    with (
        postgres.database(template=migrated) as name,
        psycopg.connect(postgres.url(name), autocommit=True) as made,
    ):
        yield made


def differences(connection: psycopg.Connection[Any], name: str, text: str) -> list[str]:
    """The findings about the text, as the header and statement of sql/<name>.sql."""
    with connection.transaction(force_rollback=True):
        return list(headers.differences(connection, parse(name, text, NoRow)))


def changed(name: str, old: str, new: str) -> str:
    """The text of sql/<name>.sql with a change, which is found exactly once."""
    assert TEXTS[name].count(old) == 1
    return TEXTS[name].replace(old, new)


@pytest.mark.parametrize("name", TEXTS)
def test_a_header_is_postgresqls_description_of_the_statement(
    connection: psycopg.Connection[Any], name: str
) -> None:
    assert differences(connection, name, TEXTS[name]) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        (
            "ledger/verify_items",
            "-- @param limit bigint",
            "-- @param limit integer",
            "header: @param limit is integer, PostgreSQL has bigint",
        ),
        (
            "tasks/create",
            "-- @param if_versions bigint[]",
            "-- @param if_versions bigint",
            "header: @param if_versions is bigint, PostgreSQL has bigint[]",
        ),
        (
            "ledger/lock_ledger",
            "-- @param owner_id uuid",
            "-- @param owner_id ulid",
            "header: @param owner_id is ulid, PostgreSQL has uuid",
        ),
        (
            "tasks/get",
            "-- @param owner_id uuid\n-- @param id uuid",
            "-- @param id uuid\n-- @param owner_id uuid",
            "header: @param is id, owner_id, the statement has owner_id, id",
        ),
        (
            "tasks/get",
            "version bigint",
            "version integer",
            "header: @returns version is integer, PostgreSQL has bigint",
        ),
        (
            "auth/lock_account",
            "-- @returns id uuid",
            "-- @returns id text",
            "header: @returns id is text, PostgreSQL has uuid",
        ),
        (
            "tasks/get",
            "version bigint",
            "revision bigint",
            "header: @returns is id, revision, document, the statement has id, version, document",
        ),
        (
            "tasks/get",
            "id uuid, version bigint, document json",
            "id uuid, document json, version bigint",
            "header: @returns is id, document, version, the statement has id, version, document",
        ),
        (
            "tasks/get",
            "-- @returns id uuid, version bigint, document json\n",
            "",
            "header: @returns is nothing, the statement has id, version, document",
        ),
        (
            "auth/erase_user",
            "-- @writes",
            "-- @writes\n-- @returns id uuid",
            "header: @returns is id, the statement has nothing",
        ),
    ],
)
def test_a_difference_from_the_description_is_a_finding(
    connection: psycopg.Connection[Any], name: str, old: str, new: str, finding: str
) -> None:
    assert differences(connection, name, changed(name, old, new)) == [finding]


def test_every_type_that_differs_is_a_finding(connection: psycopg.Connection[Any]) -> None:
    text = TEXTS["tasks/get"]
    text = text.replace("bigint", "integer").replace("id uuid", "id text")
    assert differences(connection, "tasks/get", text) == [
        "header: @param owner_id is text, PostgreSQL has uuid",
        "header: @param id is text, PostgreSQL has uuid",
        "header: @returns id is text, PostgreSQL has uuid",
        "header: @returns version is integer, PostgreSQL has bigint",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("-- @reads\nSELECT nothing FROM tasks", psycopg.errors.UndefinedColumn),
        ("-- @reads\nSELECT 1 AS one FROM", psycopg.errors.SyntaxError),
    ],
)
def test_a_statement_that_cant_be_prepared_is_an_error(
    connection: psycopg.Connection[Any], text: str, error: type[psycopg.Error]
) -> None:
    with pytest.raises(error):
        differences(connection, "tasks/new", text)


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("-- @param id uuid\n", "", "@param and parameters differ in id"),
        ("-- @reads\n", "", "declare one of @reads and @writes"),
        (
            "-- @reads",
            "-- @reads\n-- @writes",
            "declare one of @reads and @writes",
        ),
        ("-- @param id uuid", "-- @param id", "'id' is not a name and a type"),
    ],
)
def test_a_malformed_header_is_a_finding(audits: Audits, old: str, new: str, finding: str) -> None:
    text = changed("tasks/get", old, new)
    audited = statements.audit_text("tasks/get", text, audits.catalogue)
    assert audited.findings == (f"header: {finding}",)
    assert audited.statement is None


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        ("auth/erase_events", "calls erase_auth_events, which may write"),
        ("auth/lock_account", "locks rows"),
        ("ledger/lock_ledger", "locks rows"),
        ("idempotency/find_response", "locks rows, writes idempotency_keys"),
        ("auth/erase_user", "writes users"),
    ],
)
def test_a_statement_that_writes_and_declares_reads_is_a_finding(
    audits: Audits, name: str, effects: str
) -> None:
    text = changed(name, "-- @writes", "-- @reads")
    found = statements.audit_text(name, text, audits.catalogue).findings
    assert found == (f"header: @reads, but the statement {effects}",)


@pytest.mark.parametrize("name", TEXTS)
def test_the_wrong_one_of_reads_and_writes_is_a_finding(audits: Audits, name: str) -> None:
    text = TEXTS[name]
    declared, other = ("@writes", "@reads") if "-- @writes\n" in text else ("@reads", "@writes")
    found = statements.audit_text(
        name, changed(name, f"-- {declared}\n", f"-- {other}\n"), audits.catalogue
    )
    (finding,) = found.findings
    assert finding.startswith(f"header: {other}, but the statement ")
    assert ("only reads" in finding) == (other == "@writes")
