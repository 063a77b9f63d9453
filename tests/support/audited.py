"""The audit's results for this code, and mutants of its statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import psycopg

from app import db
from app.audit import statements
from app.audit.catalogue import Catalogue
from app.audit.exemptions import EXEMPTIONS
from app.audit.ownership import Predicate
from app.audit.scopes import OWNER_PARAMETER
from app.audit.statements import Audited
from tests.support.databases import Postgres

TEXTS = {
    file.relative_to(db.SQL).with_suffix("").as_posix(): file.read_text()
    for file in sorted(db.SQL.rglob("*.sql"))
}
# They list accounts, ids of what is due, and what an operator sees.
OF_ALL_OWNERS = (
    "auth/list_users", "mail/list_due", "webhooks/list_due", "webhooks/list_all",
    "imports/list_due", "system/count_troubled_webhooks", "events/list_versions",
)  # fmt: skip
# The statements that touch owned rows of one owner.
TOUCHING = [
    name
    for name, text in TEXTS.items()
    if (OWNER_PARAMETER in text or name in EXEMPTIONS) and name not in OF_ALL_OWNERS
]
OWNED = [name for name in TOUCHING if f"= {OWNER_PARAMETER}" in TEXTS[name]]


class Audits:
    """The audits of all statements, made once, and of mutants."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._mutants: dict[str, dict[str, str]] = {}

    @cached_property
    def by_name(self) -> dict[str, Audited]:
        """All statements."""
        return {each.name: each for each in statements.audit_all(self.catalogue)}

    def mutants(self, name: str) -> dict[str, str]:
        """The statement's text without an ownership predicate, by the predicates that are removed.

        One mutant for each predicate that its proof needs. Predicates that replace each other, so
        that removing one of them changes nothing, are removed together.
        """
        if name not in self._mutants:
            self._mutants[name] = {
                " and ".join(f"{each.text} at {each.start}" for each in removed): _without(
                    TEXTS[name], *removed
                )
                for removed in self.minimal_removals(name)
            }
        return self._mutants[name]

    def minimal_removals(self, name: str) -> list[tuple[Predicate, ...]]:
        """The smallest groups of predicates without which the statement's proof fails."""
        predicates = self.by_name[name].proof.predicates
        alone = [each for each in predicates if self._breaks(name, each)]
        rest = [each for each in predicates if each not in alone]
        columns = {side for each in rest for side in each.text.split(" = ")} - {OWNER_PARAMETER}
        groups = (
            tuple(each for each in rest if column in each.text.split(" = "))
            for column in sorted(columns)
        )
        return [
            *((each,) for each in alone),
            *(each for each in groups if self._breaks(name, *each)),
        ]

    def _breaks(self, name: str, *removed: Predicate) -> bool:
        """Whether the rest has a finding; one about the header where no %(owner_id)s is left."""
        text = _without(TEXTS[name], *removed)
        return bool(statements.audit_text(name, text, self.catalogue).findings)


@contextmanager
def auditing(postgres: Postgres, template: str) -> Iterator[Audits]:
    """The audits by a copy of that database, which has the migrations."""
    with (
        postgres.database(template=template) as name,
        psycopg.connect(postgres.superuser_url(name), autocommit=True) as connection,
    ):
        yield Audits(Catalogue(connection))


def _without(text: str, *predicates: Predicate) -> str:
    """The statement with these equalities replaced by TRUE."""
    for predicate in sorted(predicates, key=lambda each: -each.start):
        text = text[: predicate.start] + "TRUE" + text[predicate.end :]
    return text
