"""Positions of the sync feed: a version, or a position in the first load of a pruned ledger.

A bare version among the pruned ones would say that the client has seen what was pruned. The first
load of a pruned ledger is therefore at FIRST_LOAD + prune count + version, side by side in decimal
digits, below the 2**53 up to which JSON numbers are exact.
"""

from typing import NamedTuple

FIRST_LOAD, PRUNE_COUNTS, VERSIONS = 10**15, 10**5, 10**10


class LedgerState(NamedTuple):
    """How far the owner's ledger goes, up to which version it was pruned, and how often."""

    version: int
    pruned_version: int
    prune_count: int


def encode(ledger: LedgerState, version: int) -> int:
    """The position behind `version`."""
    if version >= ledger.pruned_version:
        return version
    return FIRST_LOAD + _prune_count(ledger) * VERSIONS + version


def decode(position: int) -> tuple[int | None, int]:
    """The prune count, None outside a first load, and the version."""
    if position < FIRST_LOAD:
        return None, position
    return divmod(position - FIRST_LOAD, VERSIONS)


def is_expired(ledger: LedgerState, prune_count: int | None, version: int) -> bool:
    """Whether the ledger no longer reaches back to the position, or not yet up to it."""
    if version > ledger.version:
        return True
    if prune_count is None:
        return 0 < version < ledger.pruned_version
    return prune_count != _prune_count(ledger) or version >= ledger.pruned_version


def _prune_count(ledger: LedgerState) -> int:
    return ledger.prune_count % PRUNE_COUNTS
