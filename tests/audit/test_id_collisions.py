"""Each statement in sql/, run for one of two owners whose rows have the same ids.

The mutation tests remove every ownership predicate in turn, and require that it is detected.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from app import db
from app.audit.facts import OWNER
from tests.support.audited import AUDITED, OWNED, TOUCHING, minimal_removals, mutants
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
    collisions: Collisions, name: str
) -> None:
    assert mutants(name)
    undetected = [
        removed
        for removed, text in mutants(name).items()
        if next(collisions.interferences(name, text), None) is None
    ]
    assert undetected == []


@pytest.mark.parametrize("name", OWNED)
def test_every_predicate_that_names_the_owner_is_part_of_a_mutant(name: str) -> None:
    removed = {each for group in minimal_removals(AUDITED[name]) for each in group}
    assert {each for each in AUDITED[name].predicates if OWNER[1] in each.text} - removed == set()
