"""Random statements: each that the proof accepts is run for one of two owners.

500 statements, the same in each run; `make attacks` is the long form, which is random.
"""

import os
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from app.audit import ownership
from tests.support.audited import Audits
from tests.support.databases import Postgres
from tests.support.generated_statements import statements
from tests.support.statements import statement
from tests.support.two_owners import TwoOwners

STATEMENTS = int(os.environ.get("OWNERSHIP_STATEMENTS", "500"))


@pytest.mark.slow
@pytest.mark.proves("OWN-3", "OWN-4")
def test_no_accepted_statement_shows_or_changes_anything_of_another_owner(
    audits: Audits, postgres: Postgres, migrated: str
) -> None:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=STATEMENTS,
        deadline=None,
        database=None,
        derandomize="OWNERSHIP_STATEMENTS" not in os.environ,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(statements())
    def run(text: str) -> None:
        made = statement("tasks/new", text)
        objections = ownership.prove(made, audits.catalogue).objections
        if any(each.text.startswith("can't be") for each in objections):
            counts[f"not prepared: {objections[0].text}"] += 1
        elif objections:
            counts["refused"] += 1
        else:
            counts["accepted"] += 1
            note(text)
            assert list(owners.interferences(made, ordered=False)) == []

    with closing(TwoOwners(postgres, migrated)) as owners:
        run()
    print(counts.most_common(9))  # noqa: T201
    assert counts["accepted"] > STATEMENTS / 5
    assert counts["refused"] > STATEMENTS / 5
