"""The ownership proof refuses statements that leak, and accepts strange ones that do not.

Each of both is run for one of two owners whose rows have the same ids, to show what it does.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from app.audit import ownership
from app.audit.catalogue import Catalogue
from app.audit.ownership import Proof
from app.db.statements import HeaderError, Statement
from tests.audit.attacks import (
    ACCEPTED,
    ACCEPTED_OF_ROWS,
    BEYOND,
    LEAKS,
    LEAKS_OF_ROWS,
    LEAKS_OF_SOME,
    REFUSED,
    REFUSED_OF_ROWS,
    ROW_FUNCTIONS,
)
from tests.support.audited import Audits
from tests.support.databases import Postgres
from tests.support.statements import statement
from tests.support.two_owners import TwoOwners, run

LACKING = ("0A000", "42601", "42P01")  # a build without XML, a version without that syntax


@pytest.fixture(scope="module")
def owners(postgres: Postgres, migrated: str) -> Iterator[TwoOwners]:
    """The databases of this module, with functions of rows."""
    with closing(TwoOwners(postgres, migrated)) as made:
        for connection in (made.alone, made.both):
            connection.execute(ROW_FUNCTIONS.encode())
        yield made


@pytest.fixture(scope="module")
def beyond(postgres: Postgres, migrated: str) -> Iterator[Catalogue]:
    """A database that has more than the migrations make."""
    with (
        postgres.database(template=migrated) as name,
        psycopg.connect(postgres.superuser_url(name), autocommit=True) as connection,
    ):
        for each in BEYOND.split(";\n"):
            connection.execute(each.encode())
        connection.execute(ROW_FUNCTIONS.encode())
        yield Catalogue(connection)


def made(text: str) -> Statement[Any]:
    return statement("tasks/new", text)


def prove(catalogue: Catalogue, text: str) -> Proof:
    return ownership.prove(made(text), catalogue)


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_a_statement_that_leaks_is_refused(audits: Audits, owners: TwoOwners, text: str) -> None:
    assert run(owners.both, made(text)).error == ""
    assert list(owners.interferences(made(text))) != []
    objections = [each.text for each in prove(audits.catalogue, text).objections]
    assert objections
    assert not [each for each in objections if each.startswith("can't be")]


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("text", LEAKS_OF_SOME.values(), ids=LEAKS_OF_SOME)
def test_a_statement_that_leaks_on_some_servers_is_refused(
    audits: Audits, owners: TwoOwners, text: str
) -> None:
    assert prove(audits.catalogue, text).objections
    if not run(owners.both, made(text)).error.startswith(LACKING):
        assert list(owners.interferences(made(text))) != []


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_statement_beyond_the_schema_or_the_proof_is_refused(
    beyond: Catalogue, text: str
) -> None:
    assert prove(beyond, text).objections


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_a_strange_statement_that_binds_all_its_rows_is_accepted(
    audits: Audits, owners: TwoOwners, text: str
) -> None:
    assert prove(audits.catalogue, text).objections == []
    assert run(owners.both, made(text)).error == ""
    assert list(owners.interferences(made(text))) == []


@pytest.mark.proves("OWN-70")
@pytest.mark.parametrize("text", ACCEPTED_OF_ROWS.values(), ids=ACCEPTED_OF_ROWS)
def test_a_function_of_a_whole_bound_row_is_accepted(
    beyond: Catalogue, owners: TwoOwners, text: str
) -> None:
    assert prove(beyond, text).objections == []
    outcome = run(owners.both, made(text))
    assert outcome.error == ""
    assert outcome.rows
    assert list(owners.interferences(made(text))) == []


@pytest.mark.proves("OWN-4", "OWN-70")
@pytest.mark.parametrize("text", LEAKS_OF_ROWS.values(), ids=LEAKS_OF_ROWS)
def test_a_function_of_a_row_that_leaks_is_refused(
    beyond: Catalogue, owners: TwoOwners, text: str
) -> None:
    assert run(owners.both, made(text)).error == ""
    assert list(owners.interferences(made(text))) != []
    assert prove(beyond, text).objections


@pytest.mark.proves("OWN-70")
@pytest.mark.parametrize("text", REFUSED_OF_ROWS.values(), ids=REFUSED_OF_ROWS)
def test_a_function_of_a_row_with_an_effect_is_refused(beyond: Catalogue, text: str) -> None:
    assert prove(beyond, text).objections


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\u202e", "\u200b", "\xa0"])
def test_a_text_that_readers_could_split_in_other_ways_is_no_statement(char: str) -> None:
    with pytest.raises(HeaderError, match="can't be seen"):
        made(f"SELECT title FROM tasks WHERE owner_id = %(owner_id)s -- mine{char} OR TRUE")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)s AND title LIKE 'a%'",
        "SELECT title FROM tasks WHERE owner_id = %(owner_id)b",
        "SELECT title FROM tasks WHERE title LIKE 'a%%'",
    ],
)
def test_a_percent_sign_that_is_no_parameter_is_an_error(text: str) -> None:
    with pytest.raises(HeaderError, match="a % that is no parameter"):
        made(text)


def test_nothing_below_the_header_is_read_but_by_postgresql() -> None:
    text = "\n  SELECT title\n-- @reads\nFROM tasks WHERE owner_id = %(owner_id)s -- \u00e4\n\n"
    assert made(text).text == f"/* sql/tasks/new.sql */ {text}"


def test_a_binding_has_the_equalities_that_lead_to_the_owner(audits: Audits) -> None:
    proof = prove(audits.catalogue, ACCEPTED["an inner join by the owner"])
    paths = {binding.table: binding.path for binding in proof.bindings}
    assert paths == {
        "tasks": "t.owner_id = %(owner_id)s",
        "ledger_entries": "e.owner_id = t.owner_id = %(owner_id)s",
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "SELECT 'ä%%', title\nFROM tasks AS t WHERE id = %(id)s\nAND t.owner_id = %(owner_id)s",
            ["t.owner_id = %(owner_id)s"],
        ),
        (
            'SELECT "t" . title FROM tasks AS "t" WHERE %(owner_id)s /* ä */ = "t" . "owner_id"',
            ['%(owner_id)s /* ä */ = "t" . "owner_id"'],
        ),
        (
            (
                "SELECT t.title FROM users AS u LEFT JOIN tasks AS t ON t.owner_id = u.id"
                " WHERE (%(owner_id)s::uuid = u.id)"
            ),
            ["%(owner_id)s::uuid = u.id", "t.owner_id = u.id"],
        ),
        ("SELECT title FROM tasks JOIN ledgers USING (owner_id) WHERE title = ''", []),
    ],
)
def test_a_predicate_has_its_position_in_the_text(
    audits: Audits, text: str, found: list[str]
) -> None:
    sent = made(text)
    predicates = ownership.prove(sent, audits.catalogue).predicates
    assert [each.text for each in predicates] == found
    assert [sent.text[each.start : each.end] for each in predicates] == found


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("SELECT title FROM tasks WHERE owner_id = %(owner_id)s", []),
        ("SELECT id FROM find_credential('', '{}')", []),
        ("SELECT set_config('lock_timeout', '', TRUE) AS value", []),
        ("DELETE FROM sessions WHERE owner_id = %(owner_id)s", ["writes sessions"]),
        ("WITH d AS (DELETE FROM sessions RETURNING id) SELECT id FROM d", ["writes sessions"]),
        (
            (
                "WITH t AS (SELECT id FROM tasks) INSERT INTO ended_sessions (session_id)"
                " SELECT id FROM t"
            ),
            ["writes ended_sessions"],
        ),
        ("UPDATE ONLY tasks AS t SET title = '' FROM ledgers", ["writes tasks"]),
        ("SELECT id FROM (SELECT id FROM tasks FOR UPDATE) AS t", ["locks rows"]),
        ("SELECT id FROM tasks FOR NO KEY UPDATE", ["locks rows"]),
        ("SELECT id FROM tasks AS t FOR KEY SHARE OF t SKIP LOCKED", ["locks rows"]),
        (
            "SELECT erase_auth_events(%(owner_id)s, '{}') AS erased",
            ["calls erase_auth_events, which may write"],
        ),
        (
            "SELECT n FROM public.ERASE_auth_events(%(owner_id)s, '{}') AS e (n)",
            ["calls erase_auth_events, which may write"],
        ),
        ("this is no SQL", None),
        ("TRUNCATE tasks", None),
    ],
)
def test_the_effects_of_a_statement_besides_reading(
    audits: Audits, text: str, effects: list[str] | None
) -> None:
    assert prove(audits.catalogue, text).effects == effects


def test_the_proof_leaves_the_connection_as_it_was(audits: Audits) -> None:
    shown: list[psycopg.errors.Diagnostic] = []
    connection = audits.catalogue._connection
    connection.add_notice_handler(shown.append)
    prove(audits.catalogue, "SELECT title FROM tasks")
    shown.clear()
    connection.execute("SELECT title FROM tasks")
    connection.remove_notice_handler(shown.append)
    assert shown == []
