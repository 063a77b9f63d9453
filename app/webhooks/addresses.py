"""Where webhooks may lead: public addresses by https, and the networks of WEBHOOK_ALLOW.

A URL that others choose must not reach what only this machine can (server-side request forgery).
So a name is resolved once, and the connection goes to an address that was checked here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from urllib.parse import urlsplit

import idna

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2048  # characters
PUBLIC_PORTS = (443, 8443)
DEFAULT_PORTS = {"http": 80, "https": 443}
NUMBER = re.compile("[0-9]+|0[xX][0-9a-fA-F]*")  # a label that makes a host an IPv4 address
LABEL = re.compile("[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
# What older versions of Python take for global: relays (RFC 7526), documentation (RFC 9637).
NOT_HOSTS: tuple[Network, ...] = (IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))


class RefusedAddressError(Exception):
    """A URL, or an address behind it, that no webhook may lead to; says why."""


@dataclass(frozen=True)
class Target:
    """The parts of a webhook's URL; `host` is a name in ASCII, or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str) -> Target:
    """The parts of a URL; raises RefusedAddressError where they are not plain."""
    if len(url) > LONGEST_URL or not url.isprintable() or re.search(r"[\s\\]", url):
        raise RefusedAddressError("Must be an address without spaces and backslashes.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise RefusedAddressError("Must be an address whose host and port can be read.") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise RefusedAddressError("Must begin with https://.")
    if "@" in parts.netloc or "#" in url:
        raise RefusedAddressError("Must have neither user name nor fragment.")
    if port == 0 or not url.partition("?")[2].isascii() or not parts.path.isascii():
        raise RefusedAddressError("Must be percent-encoded, with a port that exists.")
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    return Target(parts.scheme, _host(host), port, path + query)


def _host(text: str) -> str:
    """The host in its usual form: IPv4 addresses have other ones, which hide what they are."""
    if ":" in text:
        return str(_literal(text))
    labels = text.rstrip(".").split(".")
    if NUMBER.fullmatch(labels[-1]):
        return str(_literal(text))
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise RefusedAddressError("Must have a host whose name is valid.") from error
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(map(LABEL.fullmatch, labels)) or NUMBER.fullmatch(labels[-1]):
        raise RefusedAddressError("Must have a host whose name is valid.")
    return name


def _literal(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise RefusedAddressError("Must have a name, or an address in its usual form.") from error
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise RefusedAddressError("Must have a name, or an address in its usual form.")
    return address


def check(target: Target, addresses: Sequence[Address], allowed: Sequence[Network]) -> None:
    """Raises RefusedAddressError unless the target may be reached at each of its addresses.

    Without addresses it tells what is known of a name that does not resolve.
    """
    if (addresses or allowed) and all(_is_in(address, allowed) for address in addresses):
        return
    if not all(_is_in(address, allowed) or is_public(address) for address in addresses):
        raise RefusedAddressError("Must lead to public addresses only.")
    if target.scheme != "https":
        raise RefusedAddressError("Must begin with https://.")
    if target.port not in PUBLIC_PORTS:
        raise RefusedAddressError(f"Must have port {' or '.join(map(str, PUBLIC_PORTS))}.")


def is_public(address: Address) -> bool:
    """Whether it is an address of one host on the Internet, and not only by its outer form."""
    inner = _inner(address)
    if isinstance(inner, IPv6Address) and inner not in GLOBAL_UNICAST:
        return False
    is_special = inner.is_multicast or inner.is_reserved or _is_in(inner, NOT_HOSTS)
    return inner.is_global and not is_special


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    inner = _inner(address)
    return any(inner.version == network.version and inner in network for network in networks)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
