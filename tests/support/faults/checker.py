"""Compares the recorded responses with the database."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields

import psycopg

from tests.support.faults.load import Client, User
from tests.support.faults.recorder import Call, Outcome, Record, Recorder
from tests.support.server import Server

SETTLE_TIMEOUT = 30.0  # seconds per write

# By owner and request id: the ids and versions of the tasks.
Entries = Mapping[tuple[str, str], list[tuple[str, int]]]

ENTRIES = "SELECT owner_id::text, request_id, task_id::text, version FROM ledger_entries"
# The number of owners whose versions after the pruned ones are not consecutive, and of tasks that
# differ from their last ledger entry.
GAPS = """
    SELECT count(*) FROM ledgers LEFT JOIN (
        SELECT owner_id, count(*) AS entries, max(version) AS version
        FROM ledger_entries GROUP BY owner_id
    ) AS found USING (owner_id)
    WHERE ledgers.version <> coalesce(found.version, ledgers.pruned_version)
        OR ledgers.version - ledgers.pruned_version <> coalesce(found.entries, 0)
"""
MISMATCHED = """
    SELECT count(*)
    FROM (SELECT * FROM tasks INNER JOIN (
        SELECT owner_id, pruned_version FROM ledgers
    ) AS ledger USING (owner_id) WHERE version > pruned_version) AS task
    FULL JOIN (
        SELECT DISTINCT ON (owner_id, task_id) owner_id, task_id AS id, version, action, task
        FROM ledger_entries ORDER BY owner_id, task_id, version DESC
    ) AS entry USING (owner_id, id)
    WHERE task.version IS DISTINCT FROM entry.version
        OR task.last_action IS DISTINCT FROM entry.action
        OR (action <> 'delete' AND task.document::text IS DISTINCT FROM entry.task::text)
"""


@dataclass(frozen=True)
class Verdict:
    """The number of violations: of owners for `gaps`, of tasks for `mismatched`, else of writes."""

    lost: int = 0  # acknowledged, but not in the ledger as the response says
    doubled: int = 0  # executed more than once
    refused_but_executed: int = 0
    unsettled: int = 0  # still unknown, or executed in part
    gaps: int = 0
    mismatched: int = 0

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


def verify(database_url: str, records: Iterable[Record], settled: Mapping[str, Outcome]) -> Verdict:
    """Compares every recorded write with the ledger, and the ledger with the tasks.

    An outcome in `settled` replaces the recorded one.
    """
    entries: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    with psycopg.connect(database_url) as connection:
        for owner_id, request_id, task_id, version in connection.execute(ENTRIES):
            entries[owner_id, request_id].append((task_id, version))
        gaps = connection.execute(GAPS).fetchone()
        mismatched = connection.execute(MISMATCHED).fetchone()
    assert gaps is not None
    assert mismatched is not None
    found: dict[str, int] = defaultdict(int)
    for record in records:
        if record.call.entries:
            found[_judge(record, settled.get(record.call.id), entries)] += 1
    found.pop("good", None)
    return Verdict(**found, gaps=gaps[0], mismatched=mismatched[0])


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
    verdict = verify(database_url, records, settled)
    assert verdict.is_clean, asdict(verdict)
    seen = [*(record.outcome for record in records), *settled.values()]
    assert not [outcome for outcome in seen if outcome is not None and outcome.foreign]
    return verdict
