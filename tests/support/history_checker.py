"""Records the responses to concurrent clients, and compares them with the ledger.

The ledger must contain each successful call exactly as its response says, and no refused call. A
call without a response, or with a 503, may be in the ledger or not. Clients must send only writes
that change something.
"""

import http.client
import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import class_row

from tests.support.remote_user import RemoteUser

CONNECTION_ERRORS = (ConnectionError, http.client.HTTPException, TimeoutError)


@dataclass(frozen=True)
class Entry:
    """A ledger entry."""

    version: int
    item_id: str
    action: str
    request_id: str


@dataclass(frozen=True)
class Call:
    """A write and its response; times in monotonic seconds, `status` None without a response."""

    request_id: str
    began: float
    ended: float
    status: int | None
    versions: tuple[int, ...]  # of the items in the response
    if_match: int | None

    @property
    def is_ok(self) -> bool:
        """Whether the write succeeded."""
        return self.status in (200, 201)

    @property
    def is_refused(self) -> bool:
        """Whether the response is a 4xx."""
        return self.status is not None and 400 <= self.status < 500


@dataclass
class History:
    """All calls of a test; thread-safe."""

    calls: list[Call] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(
        self,
        user: RemoteUser,
        method: str,
        path: str,
        body: Any = None,
        if_match: int | None = None,
    ) -> Any:
        """Sends the write and records it; returns the `data` of a success, else None."""
        with self._lock:
            request_id = f"call-{next(self._numbers)}"
        headers = {"X-Request-Id": request_id}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        began = time.monotonic()
        try:
            answer = user.call(method, path, body, headers)
        except CONNECTION_ERRORS:
            self._record(Call(request_id, began, time.monotonic(), None, (), if_match))
            return None
        ended = time.monotonic()
        data = answer.json["data"] if answer.status in (200, 201) else None
        self._record(Call(request_id, began, ended, answer.status, _versions(data), if_match))
        return data

    def _record(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)


def _versions(data: Any) -> tuple[int, ...]:
    if data is None:
        return ()
    return tuple(result["version"] for result in data.get("results", [data]))


def read_ledger(connection: psycopg.Connection, owner_id: str) -> list[Entry]:
    """All ledger entries of the owner, by version."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(
            "SELECT version, item_id::text, action, request_id FROM ledger_entries"
            " WHERE owner_id = %s ORDER BY version",
            [owner_id],
        ).fetchall()


def check(calls: Sequence[Call], entries: Sequence[Entry], setup: Sequence[str] = ()) -> None:
    """Raises AssertionError for a contradiction; `setup` are request ids of earlier writes."""
    assert [entry.version for entry in entries] == list(range(1, len(entries) + 1)), "a gap"
    written: dict[str, list[int]] = {}
    for entry in entries:
        written.setdefault(entry.request_id, []).append(entry.version)
    known = {call.request_id for call in calls} | set(setup)
    assert written.keys() <= known, "an entry without a call"
    for call in calls:
        _check_outcome(call, written.get(call.request_id, []))
    _check_order([call for call in calls if call.is_ok])
    _check_nothing_overwritten(calls, entries, written)


def _check_outcome(call: Call, versions: Sequence[int]) -> None:
    if call.is_refused:
        assert not versions, f"refused, but done: {call}"
    if call.is_ok:
        assert tuple(versions) == call.versions, f"not in the ledger as answered: {call}"


def _check_order(calls: Sequence[Call]) -> None:
    """Real-time order: a call that ended before another began has the lower versions."""
    ended = iter(sorted(calls, key=lambda call: call.ended))
    earlier, highest = next(ended), 0
    for call in sorted(calls, key=lambda call: call.began):
        while earlier.ended < call.began:
            highest = max(highest, *earlier.versions)
            earlier = next(ended)
        assert min(call.versions) > highest, f"version is not above those of earlier calls: {call}"


def _check_nothing_overwritten(
    calls: Sequence[Call], entries: Sequence[Entry], written: Mapping[str, Sequence[int]]
) -> None:
    """A write with If-Match changed exactly the version that it names."""
    previous: dict[int, int] = {}
    newest: dict[str, int] = {}
    for entry in entries:
        previous[entry.version] = newest.get(entry.item_id, 0)
        newest[entry.item_id] = entry.version
    for call in calls:
        for version in written.get(call.request_id, []):
            if call.if_match is not None:
                assert previous[version] == call.if_match, f"overwrote a newer version: {call}"
