"""A log of all calls in a file of JSON lines: one when a call begins, one when it ends."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

Fate = Literal["acknowledged", "refused", "unknown"]


@dataclass(frozen=True)
class Call:
    """A request; `entries` is the number of ledger entries that it adds, 0 for reads."""

    id: str  # also its X-Request-Id, and its Idempotency-Key if `is_keyed`
    user_id: str
    method: str
    path: str
    body: str | None = None
    entries: int = 0
    is_keyed: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a call ended; times are monotonic seconds, `status` is None without a response."""

    fate: Fate
    began: float
    ended: float
    port: int  # of the client; it identifies the connection
    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    results: tuple[tuple[str, int], ...] = ()  # ids and versions of the written items
    foreign: tuple[str, ...] = ()  # other owners in the response

    @property
    def seconds(self) -> float:
        """The duration of the call."""
        return self.ended - self.began


@dataclass(frozen=True)
class Record:
    """A call and its outcome, which is None if the client was killed during the call."""

    call: Call
    outcome: Outcome | None


class Recorder:
    """Appends to the file; thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def begin(self, call: Call) -> float:
        """Records a call before it is sent; returns its begin in monotonic seconds."""
        self._write({"event": "begin", **asdict(call)})
        return monotonic()

    def end(self, call: Call, outcome: Outcome) -> None:
        """Records the outcome of a call."""
        self._write({"event": outcome.fate, "id": call.id, "outcome": asdict(outcome)})

    def records(self) -> list[Record]:
        """All records so far, read back from the file."""
        with self._lock:
            self._file.flush()
        return list(read(self.path))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        with self._lock:
            self._file.write(text)


def read(path: Path) -> Iterator[Record]:
    """The records in a file, in the order in which the calls began."""
    calls: dict[str, Call] = {}
    outcomes: dict[str, Outcome] = {}
    with path.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            if line.pop("event") == "begin":
                calls[line["id"]] = Call(**line)
            else:
                outcomes[line["id"]] = _outcome(line["outcome"])
    for name, call in calls.items():
        yield Record(call, outcomes.get(name))


def _outcome(fields: dict[str, Any]) -> Outcome:
    results = tuple((item_id, version) for item_id, version in fields.pop("results"))
    return Outcome(**{**fields, "results": results, "foreign": tuple(fields["foreign"])})


OWNER = re.compile(rb'"owner_id"\s*:\s*"([0-9a-f-]{36})"')


def foreign_owners(body: bytes, user_id: str) -> tuple[str, ...]:
    """The owner ids in a response body other than the user's."""
    return tuple({found.decode() for found in OWNER.findall(body)} - {user_id})


def fate(status: int) -> Fate:
    """What the client knows from a status; a write with a 5xx may have been executed."""
    if status >= 500:
        return "unknown"
    return "refused" if status >= 400 else "acknowledged"
