"""What plain PostgreSQL can tell about a database that Citus shards by owner."""

import pytest

from app.audit import distribution
from app.db.placement import DISTRIBUTED, LOCAL
from app.db.statements import NoRow, parse
from tests.support.audited import TEXTS, Audits


def test_citus_would_take_every_statement(audits: Audits) -> None:
    found = {
        name: refused
        for name, text in TEXTS.items()
        if (refused := distribution.refusals(parse(name, text, NoRow), audits.catalogue))
    }
    assert not found, "\n".join(f"{name}: {each}" for name, all_ in found.items() for each in all_)
