"""The addresses of a name, within a time: the system's resolver knows no limit."""

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from app.webhooks.addresses import Address

Resolve = Callable[[str, float], Sequence[Address]]


class UnresolvedError(Exception):
    """The name has no address, or that is not known in time."""


def resolve(host: str, timeout: float) -> Sequence[Address]:
    """The addresses of a name, or the one that `host` is. Raises UnresolvedError."""
    found: list[Sequence[Address]] = []
    thread = threading.Thread(target=_look_up, args=(host, found), name="resolver", daemon=True)
    thread.start()
    thread.join(max(0.0, timeout))
    if not found or not found[0]:
        raise UnresolvedError
    return found[0]


def _look_up(host: str, found: list[Sequence[Address]]) -> None:
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found.append(())
        return
    texts = dict.fromkeys(str(address[0]) for *_, address in rows)
    found.append([ip_address(text) for text in texts])
