"""Holds what clients were told against what the database has."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields

import psycopg

from tests.faults.load import Client, User
from tests.faults.recorder import Call, Outcome, Record, Recorder
from tests.serving import Server

SETTLING = 30.0  # seconds

Entries = Mapping[tuple[str, str], list[tuple[str, int]]]  # owner and request: tasks and versions

ENTRIES = "SELECT owner_id::text, request_id, task_id::text, version FROM ledger_entries"
# Beyond what was pruned every owner's versions follow each other, and each task is as its last
# entry says.
GAPS = """
    SELECT count(*) FROM ledgers LEFT JOIN (
        SELECT owner_id, count(*) AS entries, max(version) AS version
        FROM ledger_entries GROUP BY owner_id
    ) AS found USING (owner_id)
    WHERE ledgers.version <> coalesce(found.version, ledgers.pruned_version)
        OR ledgers.version - ledgers.pruned_version <> coalesce(found.entries, 0)
"""
TORN = """
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
    """What is wrong: numbers of writes, of owners for `gaps`, and of tasks for `torn`."""

    lost: int = 0  # acknowledged and not there, or not as it was told
    doubled: int = 0  # there more than once
    undead: int = 0  # refused and there
    unsettled: int = 0  # still unknown, or there in part
    gaps: int = 0
    torn: int = 0

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, each.name) for each in fields(self))


def settle(server: Server, users: Sequence[User], recorder: Recorder) -> dict[str, Outcome]:
    """Repeats each keyed write of unknown fate until it is known; returns the last outcomes."""
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
    """The fate of a repeated call; 409 says that the first one is still under way."""
    deadline = time.monotonic() + SETTLING
    while True:
        outcome, _ = client.call(user, call)
        is_known = outcome.fate != "unknown" and outcome.status != 409
        if is_known or time.monotonic() > deadline:
            return outcome
        time.sleep(0.1)


def verify(database_url: str, records: Iterable[Record], settled: Mapping[str, Outcome]) -> Verdict:
    """Compares every recorded write with the ledger, and the ledger with the tasks."""
    entries: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    with psycopg.connect(database_url) as connection:
        for owner_id, request_id, task_id, version in connection.execute(ENTRIES):
            entries[owner_id, request_id].append((task_id, version))
        gaps = connection.execute(GAPS).fetchone()
        torn = connection.execute(TORN).fetchone()
    assert gaps is not None
    assert torn is not None
    found: dict[str, int] = defaultdict(int)
    for record in records:
        if record.call.entries:
            found[_judge(record, settled.get(record.call.id), entries)] += 1
    found.pop("good", None)
    return Verdict(**found, gaps=gaps[0], torn=torn[0])


def _judge(record: Record, repeated: Outcome | None, entries: Entries) -> str:
    """What is wrong with a write, or "good"."""
    call, outcome = record.call, repeated or record.outcome
    there = sorted(entries.get((call.user_id, call.id), []))
    if len(there) > call.entries:
        return "doubled"
    if outcome is not None and outcome.fate == "acknowledged":
        return "good" if there == sorted(outcome.results) else "lost"
    if outcome is not None and outcome.fate == "refused":
        return "undead" if there else "good"
    is_whole = len(there) in (0, call.entries)
    return "good" if is_whole and not call.is_keyed else "unsettled"


def check(server: Server, users: Sequence[User], recorder: Recorder, database_url: str) -> Verdict:
    """Settles what is unknown, and asserts that nothing was lost, doubled, refused but done, or
    shown to somebody else."""
    settled = settle(server, users, recorder)
    records = recorder.records()
    verdict = verify(database_url, records, settled)
    assert verdict.is_clean, asdict(verdict)
    seen = [*(record.outcome for record in records), *settled.values()]
    assert not [outcome for outcome in seen if outcome is not None and outcome.foreign]
    return verdict
