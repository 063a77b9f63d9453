"""One attempt: an HTTP request to an address that was checked, within one time for everything."""

import io
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from app.webhooks.addresses import Address, Network, RefusedAddressError, Target, check, target_of
from app.webhooks.resolving import Resolve, UnresolvedError, resolve

TIMEOUT = 15.0  # seconds for all of an attempt
LARGEST_ANSWER = 64 * 1024  # bytes that are read
# What is raised, and the reason in words of our own; the first one that fits.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (
        RefusedAddressError,
        "the address is not allowed: it is not public, or has another port or scheme",
    ),
    (UnresolvedError, "the name does not resolve"),
    (TimeoutError, f"no answer within {TIMEOUT:.0f} s"),
    (ssl.SSLCertVerificationError, "the certificate is not accepted"),
    (ssl.SSLError, "no encrypted connection can be made"),
    (ConnectionRefusedError, "the connection is refused"),
    (OSError, "the connection failed"),
    (HTTPException, "the answer is not HTTP"),
)


@dataclass(frozen=True)
class Answer:
    """What came of an attempt: the status, if there was an answer, or why there was none."""

    status: int | None
    error: str | None
    milliseconds: int


class Sender:
    """Sends events to receivers."""

    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """`allowed` are the networks of WEBHOOK_ALLOW; `tls` has the authorities to trust."""
        self._allowed = allowed
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()
        self._timeout = timeout

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts the body. Each outcome is an answer; 2xx is the only good one."""
        began = time.monotonic()
        status, error = None, None
        try:
            status = self._post(target_of(url), headers, body, began + self._timeout)
            error = None if 200 <= status < 300 else _complaint(status)
        except tuple(kind for kind, _ in REASONS) as failure:
            error = next(text for kind, text in REASONS if isinstance(failure, kind))
        return Answer(status, error, round(1000 * (time.monotonic() - began)))

    def _post(
        self, target: Target, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> int:
        addresses = self._resolve(target.host, _left(deadline))
        check(target, addresses, self._allowed)
        with _connect(addresses, target.port, deadline) as plain, self._secured(
            plain, target, deadline
        ) as connected:  # fmt: skip
            connection = self._connection(target)
            connection.sock = _Bounded(connected, deadline)
            connection.request("POST", target.path, body, {**headers, "Connection": "close"})
            with connection.getresponse() as response:
                return int(response.status)

    def _connection(self, target: Target) -> Any:
        """Writes and reads HTTP with the name as Host; it never connects by itself."""
        if target.scheme == "https":
            return HTTPSConnection(target.host, target.port, context=self._tls)
        return HTTPConnection(target.host, target.port)

    def _secured(self, plain: socket.socket, target: Target, deadline: float) -> socket.socket:
        """The connection with TLS for the name, where the scheme is https."""
        if target.scheme != "https":
            return plain
        plain.settimeout(_left(deadline))
        return self._tls.wrap_socket(plain, server_hostname=target.host)


def _connect(addresses: Sequence[Address], port: int, deadline: float) -> socket.socket:
    """A connection to the first address that accepts one; no name is looked up again."""
    failure: OSError = TimeoutError()
    for address in addresses:
        try:
            return socket.create_connection((str(address), port), _left(deadline))
        except OSError as error:
            failure = error
    raise failure


def _left(deadline: float) -> float:
    """The seconds until the deadline; raises TimeoutError behind it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _complaint(status: int) -> str:
    if 300 <= status < 400:
        return f"the receiver answered {status}: redirects are not followed"
    return f"the receiver answered {status}"


class _Bounded:
    """What http.client needs of a socket; all reads and writes together end at the deadline."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline

    def sendall(self, data: bytes) -> None:
        """Sends everything."""
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What the receiver answers."""
        return io.BufferedReader(_Answer(self._socket, self._deadline))

    def close(self) -> None:
        """Leaves the socket to its block."""


class _Answer(io.RawIOBase):
    """The bytes of an answer, which ends after LARGEST_ANSWER."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline, self._left = connected, deadline, LARGEST_ANSWER

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what is there, or waits for it until the deadline."""
        if not self._left:
            return 0  # to recv_into(), 0 is no limit
        self._socket.settimeout(_left(self._deadline))
        size = self._socket.recv_into(buffer, min(len(buffer), self._left))
        self._left -= size
        return size
