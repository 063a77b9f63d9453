"""What a client saw of each of its calls, in a file: one line as it begins, one as it ends."""

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
    """A request; `entries` is what it adds to its owner's ledger, 0 for one that only reads."""

    id: str  # also its X-Request-Id, and its Idempotency-Key where it carries one
    user_id: str
    method: str
    path: str
    body: str | None = None
    entries: int = 0
    is_keyed: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a call ended. Times are in monotonic seconds; no status: no answer came."""

    fate: Fate
    began: float
    ended: float
    port: int  # the client's, which tells connections apart
    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    results: tuple[tuple[str, int], ...] = ()  # ids and versions of what it wrote
    foreign: tuple[str, ...] = ()  # other owners in the answer

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Record:
    """A call and its outcome; a client that was killed leaves calls without one."""

    call: Call
    outcome: Outcome | None


class Recorder:
    """Writes the file; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def begin(self, call: Call) -> float:
        """Writes the call down before it is made; returns when it began."""
        self._write({"event": "begin", **asdict(call)})
        return monotonic()

    def end(self, call: Call, outcome: Outcome) -> None:
        self._write({"event": outcome.fate, "id": call.id, "outcome": asdict(outcome)})

    def records(self) -> list[Record]:
        """Everything written so far, read back from the file."""
        with self._lock:
            self._file.flush()
        return list(read(self.path))

    def close(self) -> None:
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        with self._lock:
            self._file.write(text)


def read(path: Path) -> Iterator[Record]:
    """The calls of a file in the order in which they began."""
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
    results = tuple((task_id, version) for task_id, version in fields.pop("results"))
    return Outcome(**{**fields, "results": results, "foreign": tuple(fields["foreign"])})


OWNER = re.compile(rb'"owner_id"\s*:\s*"([0-9a-f-]{36})"')


def foreign_owners(body: bytes, user_id: str) -> tuple[str, ...]:
    """The owners that an answer names and that are not the user."""
    return tuple({found.decode() for found in OWNER.findall(body)} - {user_id})


def fate(status: int) -> Fate:
    """What the client knows: an error of the server may have come after the write was made."""
    if status >= 500:
        return "unknown"
    return "refused" if status >= 400 else "acknowledged"
