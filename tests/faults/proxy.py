"""A TCP proxy in front of a Unix socket: counts round trips; connections can go silent, or mad."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Proxy:
    """Listens on 127.0.0.1; silent, it takes everything and passes nothing on."""

    def __init__(self, target: Path) -> None:
        self._target = str(target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[_Pair] = []
        self._silent_from_the_start = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def round_trips(self) -> int:
        """How often a client has spoken since the target last did, on all connections together."""
        return sum(pair.round_trips for pair in self._pairs)

    def silence(self, *, newcomers: bool) -> None:
        """From now on nothing passes on today's connections, or on those of newcomers either."""
        self._silent_from_the_start = newcomers
        for pair in self._pairs:
            pair.is_silent = True

    def heal(self) -> None:
        """Lets newcomers through again; those that were silenced stay so."""
        self._silent_from_the_start = False

    def spoil(self, asked: bytes, change: Callable[[bytes], bytes]) -> None:
        """Each of today's connections ends with the answer to that, changed in that way."""
        for pair in self._pairs:
            pair.spoil = (asked, change)

    def close(self) -> None:
        self._listener.close()
        for pair in self._pairs:
            pair.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            pair = _Pair(client, self._target, is_silent=self._silent_from_the_start)
            self._pairs.append(pair)  # before anybody can hear of the connection
            pair.start()


class _Pair:
    """A client's connection and the one to the target."""

    def __init__(self, client: socket.socket, target: str, *, is_silent: bool) -> None:
        self.is_silent = is_silent
        self.spoil: tuple[bytes, Callable[[bytes], bytes]] | None = None
        self.round_trips = 0
        self._client_has_spoken = False
        self._is_asked = False  # for what is to be spoilt
        server = socket.socket(socket.AF_UNIX)
        self._ends = (client, server)
        with suppress(OSError):  # the target is away: its end of the pair is closed at once
            server.connect(target)

    def start(self) -> None:
        """Begins to pass on what either end says."""
        for source, sink in (self._ends, self._ends[::-1]):
            threading.Thread(target=self._pump, args=[source, sink], daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # either end has gone
            while data := source.recv(65536):
                is_client = source is self._ends[0]
                if is_client:
                    self._is_asked |= self.spoil is not None and self.spoil[0] in data
                elif self.spoil is not None and self._is_asked:
                    sink.sendall(self.spoil[1](data))
                    break
                if not self.is_silent:
                    self._note(is_client=is_client)
                    sink.sendall(data)
        if not self.is_silent:
            self.close()

    def _note(self, *, is_client: bool) -> None:
        """Before it is passed on, so that whoever has the answer finds it counted."""
        if is_client and not self._client_has_spoken:
            self.round_trips += 1
        self._client_has_spoken = is_client

    def close(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def proxied(target: Path) -> Iterator[Proxy]:
    """A proxy to that Unix socket."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
