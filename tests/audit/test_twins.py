"""Every statement in sql/, run for one of two owners who differ in nothing but the owner.

Removing any ownership predicate from any file makes a test here fail: the mutation tests below
remove each one and look.
"""

from collections.abc import Iterator
from contextlib import closing
from functools import cache

import pytest

from app import db
from app.audit import statements
from app.audit.facts import OWNER
from app.audit.ownership import Predicate
from app.audit.statements import Audited
from tests.audit.proved import AUDITED, CATALOGUE
from tests.audit.twins import Worlds
from tests.databases import Postgres

# Those that touch owned rows; it is the work of list_users to show everybody's.
TOUCHING = [
    name
    for name, each in AUDITED.items()
    if each.exemption or {*each.reads, *each.writes} & {*CATALOGUE.owned_tables}
    if name != "auth/list_users"
]
OWNED = [name for name, each in AUDITED.items() if each.predicates]


@pytest.fixture(scope="module")
def worlds(postgres: Postgres, migrated: str) -> Iterator[Worlds]:
    with closing(Worlds(postgres, migrated)) as made:
        yield made


def without(text: str, *predicates: Predicate) -> str:
    """The statement with these equalities replaced by TRUE."""
    for predicate in sorted(predicates, key=lambda each: -each.start):
        text = text[: predicate.start] + "TRUE" + text[predicate.end :]
    return text


@cache
def mutants(name: str) -> dict[str, str]:
    """The statement without a predicate that its proof needs, for each of them, by what is gone.

    Where others stand in for it, they are removed too: alone, it changes nothing.
    """
    audited = AUDITED[name]
    return {
        " and ".join(f"{each.text} at {each.start}" for each in removed): without(
            audited.text, *removed
        )
        for removed in _minimal_removals(audited)
    }


@cache
def _minimal_removals(audited: Audited) -> list[tuple[Predicate, ...]]:
    alone = [each for each in audited.predicates if _breaks(audited, each)]
    rest = [each for each in audited.predicates if each not in alone]
    columns = {side for each in rest for side in each.text.split(" = ") if side != OWNER[1]}
    groups = (
        tuple(each for each in rest if column in each.text.split(" = "))
        for column in sorted(columns)
    )
    return [*((each,) for each in alone), *(each for each in groups if _breaks(audited, *each))]


def _breaks(audited: Audited, *removed: Predicate) -> bool:
    text = without(audited.text, *removed)
    return bool(statements.audit_text(audited.name, text, CATALOGUE).findings)


@pytest.mark.proves("OWN-3")
@pytest.mark.parametrize("name", TOUCHING)
def test_a_twins_rows_are_neither_seen_nor_touched(worlds: Worlds, name: str) -> None:
    assert list(worlds.interferences(name, db.load(name).text)) == []


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("name", OWNED)
def test_a_statement_without_an_ownership_predicate_is_noticed(worlds: Worlds, name: str) -> None:
    assert mutants(name)
    unnoticed = [
        removed
        for removed, text in mutants(name).items()
        if next(worlds.interferences(name, text), None) is None
    ]
    assert unnoticed == []


@pytest.mark.parametrize("name", OWNED)
def test_every_predicate_that_names_the_owner_is_part_of_a_mutant(name: str) -> None:
    removed = {each for group in _minimal_removals(AUDITED[name]) for each in group}
    assert {each for each in AUDITED[name].predicates if OWNER[1] in each.text} - removed == set()
