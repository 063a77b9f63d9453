"""A TCP proxy to a Unix socket that counts round trips, drops traffic, and alters responses."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Proxy:
    """Listens on a free port of 127.0.0.1."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[_Pair] = []
        self._silences_new = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """The port that the proxy listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def round_trips(self) -> int:
        """The number of requests, or pipelines of requests, that clients have sent."""
        return sum(pair.round_trips for pair in self._pairs)

    def silence(self, *, new_connections: bool) -> None:
        """Drops all data on open connections from now on, and on new ones if `new_connections`."""
        self._silences_new = new_connections
        for pair in self._pairs:
            pair.is_silent = True

    def heal(self) -> None:
        """Forwards data on new connections again; silenced connections stay silent."""
        self._silences_new = False

    def corrupt(self, request: bytes, change: Callable[[bytes], bytes]) -> None:
        """On open connections, changes the response to data that contains `request`, and closes
        the connection after it."""
        for pair in self._pairs:
            pair.corruption = (request, change)

    def close(self) -> None:
        """Closes the listener and all connections."""
        self._listener.close()
        for pair in self._pairs:
            pair.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            pair = _Pair(client, self._target, is_silent=self._silences_new)
            self._pairs.append(
                pair
            )  # before it is started, so that silence() and corrupt() find it
            pair.start()


class _Pair:
    """A client's connection and the corresponding one to the target."""

    def __init__(self, client: socket.socket, target: str, *, is_silent: bool) -> None:
        self.is_silent = is_silent
        self.corruption: tuple[bytes, Callable[[bytes], bytes]] | None = None
        self.round_trips = 0
        self._header = b""  # of a message of the client, as far as it has come
        self._rest = 0  # bytes of the message behind its header that are still to come
        self._has_begun = False  # the first message has no type
        self._is_requested = False  # the response that is to be changed
        server = socket.socket(socket.AF_UNIX)
        self._ends = (client, server)
        with suppress(OSError):  # the target does not listen: _pump then closes the pair
            server.connect(target)

    def start(self) -> None:
        """Starts a thread per direction that forwards the data."""
        for source, sink in (self._ends, self._ends[::-1]):
            threading.Thread(target=self._pump, args=[source, sink], daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # either end is closed
            while data := source.recv(65536):
                is_client = source is self._ends[0]
                if is_client:
                    self._is_requested |= self.corruption is not None and self.corruption[0] in data
                elif self.corruption is not None and self._is_requested:
                    sink.sendall(self.corruption[1](data))
                    break
                if not self.is_silent:
                    if is_client:  # before a response can come: the count includes its request
                        self._count(data)
                    sink.sendall(data)
        if not self.is_silent:
            self.close()

    def _count(self, data: bytes) -> None:
        """Counts what the client waits for: simple queries and the ends of pipelines (Sync).

        A long pipeline comes in parts, and the server answers the first ones before it has all.
        """
        while data:
            skipped, data = data[: self._rest], data[self._rest :]
            self._rest -= len(skipped)
            size = 5 if self._has_begun else 4
            missing = size - len(self._header)
            self._header, data = self._header + data[:missing], data[missing:]
            if len(self._header) == size:
                self.round_trips += self._has_begun and self._header[:1] in (b"Q", b"S")
                self._rest = int.from_bytes(self._header[-4:]) - 4
                self._header, self._has_begun = b"", True

    def close(self) -> None:
        """Shuts down and closes both ends."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def proxied(target: Path) -> Iterator[Proxy]:
    """A proxy to that Unix socket, closed at the end of the block."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
