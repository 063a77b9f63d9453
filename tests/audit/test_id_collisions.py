"""Each statement in sql/, run for one of two owners whose rows have the same ids.

The mutation tests remove every ownership predicate in turn, and require that it is detected.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from app import db
from app.audit.scopes import OWNER_PARAMETER
from tests.support.audited import OWNED, TOUCHING, Audits
from tests.support.databases import Postgres
from tests.support.id_collisions import Collisions


@pytest.fixture(scope="module")
def collisions(postgres: Postgres, migrated: str) -> Iterator[Collisions]:
    with closing(Collisions(postgres, migrated)) as made:
        yield made


@pytest.mark.proves("OWN-3")
@pytest.mark.parametrize("name", TOUCHING)
def test_rows_of_another_owner_with_the_same_ids_are_neither_read_nor_changed(
    collisions: Collisions, name: str
) -> None:
    assert list(collisions.interferences(name, db.load(name).text)) == []


@pytest.mark.proves("OWN-4")
@pytest.mark.parametrize("name", OWNED)
def test_a_statement_without_an_ownership_predicate_is_detected(
    collisions: Collisions, audits: Audits, name: str
) -> None:
    mutants = audits.mutants(name)
    assert mutants
    undetected = [
        removed
        for removed, text in mutants.items()
        if next(collisions.interferences(name, text), None) is None
    ]
    assert undetected == []


@pytest.mark.parametrize("name", OWNED)
def test_every_predicate_that_names_the_owner_is_part_of_a_mutant(
    audits: Audits, name: str
) -> None:
    removed = {each for group in audits.minimal_removals(name) for each in group}
    predicates = audits.by_name[name].proof.predicates
    assert {each for each in predicates if OWNER_PARAMETER in each.text} - removed == set()


def test_every_statement_about_owned_rows_is_run(audits: Audits) -> None:
    owned = {*audits.catalogue.owned_tables}
    for name, each in audits.by_name.items():
        assert name in TOUCHING or not owned & each.proof.tables
        assert name in OWNED or not any(
            OWNER_PARAMETER in part.text for part in each.proof.predicates
        )
