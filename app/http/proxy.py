"""The Host header, and the client's address and scheme as trusted proxies report them."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from app.errors import BadRequest
from app.http.request import current_request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROBES = ("/livez", "/readyz")  # probes address the service by its IP, whatever ALLOWED_HOSTS says
# Labels with dots between, or an IPv6 address: what DNS and nginx accept of RFC 3986's host.
HOST = re.compile(
    r"(?:[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?"
)
# Some gateways add the client's port, which differs with each of its connections.
FORWARDED = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
NETWORK_V6 = 64  # bits of an IPv6 address that a subscriber is given; it chooses the others


def trusted_proxies(networks: Iterable[str]) -> Callable[["WSGIEnvironment"], None]:
    """Applies X-Forwarded-For and X-Forwarded-Proto of the proxies in `networks` to an environ."""
    trusts = _membership(networks)

    def apply_forwarded(environ: "WSGIEnvironment") -> None:
        if trusts(environ.get("REMOTE_ADDR", "")):
            _apply_forwarded(environ, trusts)

    return apply_forwarded


def _membership(networks: Iterable[str]) -> Callable[[str], bool]:
    trusted = [ipaddress.ip_network(network) for network in networks]

    @lru_cache(4096)
    def contains(address: str) -> bool:
        parsed = _address(address)
        if parsed is None:
            return address == ""  # a Unix socket, whose peers were let in by its file's mode
        return any(parsed.version == each.version and parsed in each for each in trusted)

    return contains


def _apply_forwarded(environ: "WSGIEnvironment", trusts: Callable[[str], bool]) -> None:
    """The client is the last address that is not a trusted proxy's.

    What stands before it was written by the client itself.
    """
    for item in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _forwarded_address(item.strip())
        if address is None:
            break
        environ["REMOTE_ADDR"] = str(address)
        if not trusts(str(address)):
            break
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme


def _forwarded_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address with or without a port: 203.0.113.5:41000, [2001:db8::1]:41000, 2001:db8::1."""
    match = FORWARDED.fullmatch(text)
    return _address((match[1] or match[2]) if match else text)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


@lru_cache(4096)
def client_network(remote_addr: str | None) -> str:
    """The network that counts as one client: an IPv4 address or an IPv6 /64."""
    text = remote_addr or "unknown"
    address = _address(text)
    if address is None or address.version == 4:
        return text if address is None else str(address)
    return str(ipaddress.ip_network((int(address), NETWORK_V6), strict=False))


def check_host() -> None:
    """400 for an HTTP/1.1 request without a Host header, or with one that names no host."""
    environ = current_request().environ
    host = environ.get("HTTP_HOST")
    is_missing = host is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
    if is_missing or (host is not None and not _is_host(host)):
        raise BadRequest("The request does not say in one Host header whom it is for")


@lru_cache(100)
def _is_host(text: str) -> bool:
    return HOST.fullmatch(text) is not None


def allowed_hosts(allowed: Sequence[str]) -> Callable[[], None]:
    """A hook that refuses (400) a Host that is not in ALLOWED_HOSTS, except to probes."""

    def check_allowed() -> None:
        request = current_request()
        if request.path not in PROBES and not _is_allowed(request.header("HOST") or "", allowed):
            raise BadRequest("This server does not answer for that Host")

    return check_allowed


def _is_allowed(host: str, allowed: Sequence[str]) -> bool:
    name = host.lower()
    if not name.endswith("]"):
        bare, colon, port = name.rpartition(":")
        name = bare if colon and port.isdigit() else name
    return name in allowed or any(
        each.startswith(".") and (name.endswith(each) or name == each[1:]) for each in allowed
    )
