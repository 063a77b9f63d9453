"""Compares the recorded responses with the database."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from typing import LiteralString
from uuid import uuid4

import psycopg

from tests.support.faults.load import FEED, Client, User
from tests.support.faults.recorder import Call, Outcome, Record, Recorder
from tests.support.server import Server

SETTLE_TIMEOUT = 30.0  # seconds per write
FOLLOWED = 4  # users whose feeds are compared, as the largest load has 100 users

# By owner and request id: the ids and versions of the items.
Entries = Mapping[tuple[str, str], list[tuple[str, int]]]
# The items of a feed, in its order: id, version, and whether it is deleted.
Feed = list[tuple[str, int, bool]]

ENTRIES = "SELECT owner_id::text, request_id, item_id::text, version FROM ledger_entries"
ITEMS = """
    SELECT id::text, version, deleted_at IS NOT NULL FROM items
    WHERE owner_id = %s ORDER BY version
"""
# The number of owners whose versions after the pruned ones are not consecutive, of owners whose
# hash chain is broken, and of items that differ from their last ledger entry, but for an instant
# that follows from its owner's zone.
GAPS = """
    SELECT count(*) FROM ledgers LEFT JOIN (
        SELECT owner_id, count(*) AS entries, max(version) AS version
        FROM ledger_entries GROUP BY owner_id
    ) AS found USING (owner_id)
    WHERE ledgers.version <> coalesce(found.version, ledgers.pruned_version)
        OR ledgers.version - ledgers.pruned_version <> coalesce(found.entries, 0)
"""
BROKEN = "SELECT count(*) FROM audit_broken_ledgers"
MISMATCHED = """
    SELECT count(*)
    FROM (SELECT * FROM items INNER JOIN (
        SELECT owner_id, pruned_version FROM ledgers
    ) AS ledger USING (owner_id) WHERE version > pruned_version) AS present
    FULL JOIN (
        SELECT DISTINCT ON (owner_id, kind, item_id)
            owner_id, kind, item_id AS id, version, action, item
        FROM ledger_entries ORDER BY owner_id, kind, item_id, version DESC
    ) AS entry USING (owner_id, kind, id)
    WHERE present.version IS DISTINCT FROM entry.version
        OR present.last_action IS DISTINCT FROM entry.action
        OR (action <> 'delete' AND is_kept(entry.item, present.document) IS NOT TRUE)
"""


@dataclass(frozen=True)
class Verdict:
    """The number of violations: of writes for the first four, then of owners, last of items."""

    lost: int = 0  # acknowledged, but not in the ledger as the response says
    doubled: int = 0  # executed more than once
    refused_but_executed: int = 0
    unsettled: int = 0  # still unknown, or executed in part
    gaps: int = 0  # in the versions
    broken: int = 0  # hash chains
    wrong_feeds: int = 0  # that do not have each item once, in its last version
    mismatched: int = 0  # not as the last entry says

    @property
    def is_clean(self) -> bool:
        """Whether there is no violation."""
        return not any(getattr(self, each.name) for each in fields(self))


def settle(server: Server, users: Sequence[User], recorder: Recorder) -> dict[str, Outcome]:
    """Repeats each keyed write of unknown fate until it is known; returns these outcomes by id."""
    by_id = {user.id: user for user in users}
    settled = {}
    with (
        closing(Recorder(recorder.path.with_suffix(".settled"))) as repeats,
        closing(Client(server, repeats)) as client,
    ):
        for record in recorder.records():
            if record.call.is_keyed and _is_unknown(record):
                settled[record.call.id] = _repeat(client, by_id[record.call.user_id], record.call)
    return settled


def _is_unknown(record: Record) -> bool:
    return record.outcome is None or record.outcome.fate == "unknown"


def _repeat(client: Client, user: User, call: Call) -> Outcome:
    """The outcome of the repeated call; a 409 says that the first one is still in progress."""
    deadline = time.monotonic() + SETTLE_TIMEOUT
    while True:
        outcome, _ = client.call(user, call)
        is_known = outcome.fate != "unknown" and outcome.status != 409
        if is_known or time.monotonic() > deadline:
            return outcome
        time.sleep(0.1)


def follow(server: Server, users: Iterable[User], recorder: Recorder) -> dict[str, Feed]:
    """The whole feed of each user, by the user's id."""
    with (
        closing(Recorder(recorder.path.with_suffix(".followed"))) as reads,
        closing(Client(server, reads)) as client,
    ):
        return {user.id: _follow(client, user) for user in users}


def _follow(client: Client, user: User) -> Feed:
    feed: Feed = []
    since, has_more = "", True
    while has_more:
        call = Call(uuid4().hex, user.id, "GET", f"{FEED}?limit=200{since}")
        outcome, answer = client.call(user, call)
        assert (outcome.status, outcome.foreign) == (200, ()), outcome
        page = json.loads(answer)
        feed += [(entry["id"], entry["version"], entry["deleted"]) for entry in page["data"]]
        since, has_more = f"&since={page['meta']['sync_token']}", page["meta"]["has_more"]
    return feed


def verify(
    database_url: str,
    records: Iterable[Record],
    settled: Mapping[str, Outcome],
    feeds: Mapping[str, Feed],
) -> Verdict:
    """Compares every recorded write with the ledger, and the ledger and the feeds with the items.

    An outcome in `settled` replaces the recorded one.
    """
    entries: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    with psycopg.connect(database_url) as connection:
        for owner_id, request_id, item_id, version in connection.execute(ENTRIES):
            entries[owner_id, request_id].append((item_id, version))
        gaps, broken, mismatched = (
            _count(connection, query) for query in (GAPS, BROKEN, MISMATCHED)
        )
        wrong_feeds = sum(
            connection.execute(ITEMS, [owner_id]).fetchall() != feed
            for owner_id, feed in feeds.items()
        )
    found: dict[str, int] = defaultdict(int)
    for record in records:
        if record.call.entries:
            found[_judge(record, settled.get(record.call.id), entries)] += 1
    found.pop("good", None)
    return Verdict(
        **found, gaps=gaps, broken=broken, wrong_feeds=wrong_feeds, mismatched=mismatched
    )


def _count(connection: psycopg.Connection, query: LiteralString) -> int:
    ((number,),) = connection.execute(query).fetchall()
    return int(number)


def _judge(record: Record, repeated: Outcome | None, entries: Entries) -> str:
    """The field of Verdict that counts this write, or "good"."""
    call, outcome = record.call, repeated or record.outcome
    there = sorted(entries.get((call.user_id, call.id), []))
    if len(there) > call.entries:
        return "doubled"
    if outcome is not None and outcome.fate == "acknowledged":
        return "good" if there == sorted(outcome.results) else "lost"
    if outcome is not None and outcome.fate == "refused":
        return "refused_but_executed" if there else "good"
    is_whole = len(there) in (0, call.entries)
    return "good" if is_whole and not call.is_keyed else "unsettled"


def check(server: Server, users: Sequence[User], recorder: Recorder, database_url: str) -> Verdict:
    """Settles unknown writes; returns the verdict.

    Raises AssertionError for a violation, and for a response with a row of another owner.
    """
    settled = settle(server, users, recorder)
    records = recorder.records()
    feeds = follow(server, users[:FOLLOWED], recorder)
    verdict = verify(database_url, records, settled, feeds)
    assert verdict.is_clean, asdict(verdict)
    seen = [*(record.outcome for record in records), *settled.values()]
    assert not [outcome for outcome in seen if outcome is not None and outcome.foreign]
    return verdict
