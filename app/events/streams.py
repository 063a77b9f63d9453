"""The open streams of a process: whose they are, what each has been told, and when it ends."""

import secrets
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from time import monotonic
from typing import Protocol

from app.errors import RateLimited
from app.events.repository import FoundVersion, Session
from app.values import Uuid

MOST_PER_USER = 10
RETRY_AFTER = 30  # seconds, in which streams of vanished clients are given up
KEEP_ALIVE_INTERVAL = 15.0  # seconds
KEEP_ALIVE = b":\n\n"  # a comment, which clients ignore
SHORTEST_RETRY, LONGEST_RETRY = 1000, 3000  # milliseconds until a client connects again
CHANGES = "changes"
LOST = "changes.lost"  # as of webhooks: entries were pruned that the client has not been told of


class Client(Protocol):
    """The connection that a stream is written to."""

    def write(self, data: bytes) -> None:
        """Sends a part of the stream."""

    def end(self, reason: str) -> None:
        """Ends the stream in order; `reason` is for the log."""


class Stream:
    """A stream, and the version that its client knows; None: none yet."""

    __slots__ = ("client", "opened_at", "request_id", "session", "told", "written_at")

    def __init__(self, session: Session, request_id: str, last_event_id: int | None) -> None:
        self.session, self.request_id, self.told = session, request_id, last_event_id
        self.client: Client | None = None
        self.opened_at = self.written_at = monotonic()

    def news(self, found: FoundVersion) -> bytes:
        """What is to be written now that the ledger is found there; empty where it is known.

        `changes.lost` comes first where the client can't read on from what it knows: the ledger was
        pruned behind that, or is behind it, as after the restore of a backup.
        """
        told, version = self.told, found.version
        self.told = version
        if told == version:
            return b""
        is_lost = told is not None and not found.pruned_version <= told <= version
        return (_event(LOST, version) if is_lost else b"") + _event(CHANGES, version)


def _event(name: str, version: int) -> bytes:
    return f'id: {version}\nevent: {name}\ndata: {{"version":{version}}}\n\n'.encode()


def beginning() -> bytes:
    """The first lines of a stream: clients come back at different times after a restart."""
    retry = SHORTEST_RETRY + secrets.randbelow(LONGEST_RETRY - SHORTEST_RETRY)
    return f"retry: {retry}\n\n".encode()


class Streams:
    """All streams of the process. Requests open them in threads; the rest is the event loop's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._per_user: Counter[Uuid] = Counter()
        self._streams: set[Stream] = set()

    def require_room(self, owner_id: Uuid) -> None:
        """Raises RateLimited where the user has MOST_PER_USER streams."""
        if self._per_user[owner_id] >= MOST_PER_USER:
            raise RateLimited(RETRY_AFTER)

    def open(self, session: Session, request_id: str, last_event_id: int | None) -> Stream:
        """Adds a stream; raises RateLimited where the user has MOST_PER_USER."""
        stream = Stream(session, request_id, last_event_id)
        with self._lock:
            self.require_room(session.owner_id)
            self._per_user[session.owner_id] += 1
            self._streams.add(stream)
        return stream

    def close(self, stream: Stream) -> None:
        """Removes a stream, of which nothing more is written."""
        owner_id = stream.session.owner_id
        with self._lock:
            self._streams.discard(stream)
            self._per_user[owner_id] -= 1
            if not self._per_user[owner_id]:
                del self._per_user[owner_id]

    def __len__(self) -> int:
        return len(self._streams)

    def connected(self) -> Collection[Stream]:
        """Those that have a client by now."""
        with self._lock:
            return [each for each in self._streams if each.client is not None]


def tell(streams: Collection[Stream], found: Mapping[Session, FoundVersion]) -> None:
    """Tells each of the streams what was found; those whose session was not found end."""
    for stream in streams:
        version = found.get(stream.session)
        if version is None:
            _end(stream, "its session has ended")
        else:
            _write(stream, stream.news(version))


def keep_alive(streams: Collection[Stream]) -> None:
    """Writes a comment to those that have had nothing for KEEP_ALIVE_INTERVAL."""
    latest = monotonic() - KEEP_ALIVE_INTERVAL
    for stream in streams:
        if stream.written_at <= latest:
            _write(stream, KEEP_ALIVE)


def _write(stream: Stream, data: bytes) -> None:
    if data and stream.client is not None:
        stream.written_at = monotonic()
        stream.client.write(data)


def _end(stream: Stream, reason: str) -> None:
    if stream.client is not None:
        stream.client.end(reason)
