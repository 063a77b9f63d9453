"""The history checker accepts a correct history, and reports each kind of contradiction."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.support.history_checker import Call, Entry, check

FIRST = Call("a", 0.0, 1.0, 201, (1,), None)
SECOND = Call("b", 2.0, 3.0, 200, (2,), 1)
LEDGER = [Entry(1, "task", "create", "a"), Entry(2, "task", "update", "b")]


def test_a_history_that_fits_the_ledger_passes() -> None:
    lost = Call("c", 4.0, 5.0, None, (), None)
    refused = Call("d", 4.0, 5.0, 412, (), 1)
    check([FIRST, SECOND, lost, refused], LEDGER)
    check([FIRST, SECOND, lost], [*LEDGER, Entry(3, "task", "delete", "c")])


@pytest.mark.parametrize(
    ("calls", "entries", "complaint"),
    [
        ([FIRST, SECOND], [LEDGER[0], replace(LEDGER[1], version=3)], "a gap"),
        ([FIRST], LEDGER, "without a call"),
        ([FIRST, SECOND], LEDGER[:1], "not in the ledger as answered"),
        ([FIRST, replace(SECOND, versions=(3,))], LEDGER, "not in the ledger as answered"),
        ([FIRST, replace(SECOND, status=412, versions=())], LEDGER, "refused, but done"),
        ([FIRST, replace(SECOND, if_match=7)], LEDGER, "overwrote a newer version"),
        ([replace(FIRST, began=4.0, ended=5.0), SECOND], LEDGER, "version is not above"),
    ],
)
def test_each_contradiction_is_reported(
    calls: Sequence[Call], entries: Sequence[Entry], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check(calls, entries)
