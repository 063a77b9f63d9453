"""The audit's results for this code, computed once per process, and mutants of its statements."""

from functools import cache

from app.audit import catalogue, ownership, statements
from app.audit.facts import OWNER
from app.audit.ownership import Predicate
from app.audit.statements import Audited

CATALOGUE = catalogue.from_migrations()
AUDITED = {each.name: each for each in statements.audit_all(CATALOGUE)}

# The statements that touch owned rows, except list_users, which lists the accounts of all owners.
TOUCHING = [
    name
    for name, each in AUDITED.items()
    if each.exemption or {*each.reads, *each.writes} & {*CATALOGUE.owned_tables}
    if name != "auth/list_users"
]
OWNED = [name for name, each in AUDITED.items() if each.predicates]


@cache
def mutants(name: str) -> dict[str, str]:
    """The statement's text without an ownership predicate, by the predicates that are removed.

    One mutant for each predicate that its proof needs. Predicates that replace each other, so that
    removing one of them changes nothing, are removed together.
    """
    audited = AUDITED[name]
    return {
        " and ".join(f"{each.text} at {each.start}" for each in removed): _without(
            audited.text, *removed
        )
        for removed in minimal_removals(audited)
    }


@cache
def minimal_removals(audited: Audited) -> list[tuple[Predicate, ...]]:
    """The smallest groups of predicates without which the statement's proof fails."""
    alone = [each for each in audited.predicates if _breaks(audited, each)]
    rest = [each for each in audited.predicates if each not in alone]
    columns = {side for each in rest for side in each.text.split(" = ") if side != OWNER[1]}
    groups = (
        tuple(each for each in rest if column in each.text.split(" = "))
        for column in sorted(columns)
    )
    return [*((each,) for each in alone), *(each for each in groups if _breaks(audited, *each))]


def _without(text: str, *predicates: Predicate) -> str:
    """The statement with these equalities replaced by TRUE."""
    for predicate in sorted(predicates, key=lambda each: -each.start):
        text = text[: predicate.start] + "TRUE" + text[predicate.end :]
    return text


def _breaks(audited: Audited, *removed: Predicate) -> bool:
    proof = ownership.prove(_without(audited.text, *removed), CATALOGUE)
    return any(statements.ownership_findings(audited.name, proof))
