"""What slows guessing down: which counters a try at a password is counted in."""

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

FREE_HERE = 5  # wrong guesses at an account from one address before the next one has to wait
FREE_FROM_ADDRESS = 50  # from one address, at any account
FREE_FROM_STRANGERS = 100  # at an account, from all addresses that it has not logged in from
UNBOUNDED = 2**31 - 1  # counted, but never a reason to wait
ANY = b""
NETWORK_V6 = 64  # bits: what one subscriber is given, and can choose addresses from


@dataclass(frozen=True, order=True)
class Counter:
    """A row of wrong guesses, by keyed hashes, and how many of them are free."""

    account_hash: bytes
    address_hash: bytes
    free: int


class Fingerprints:
    """Keyed hashes of e-mails and addresses, so that the tables of them name nobody.

    A key is made from each signing secret. Counters use the oldest secret's: a new one put in
    front leaves them as they are, and they start anew only when the oldest is taken away. What is
    kept longer is written with the newest and found with any.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        """`secrets` are the signing secrets, the newest first."""
        self._keys = [
            hmac.digest(secret.encode(), b"guess counters", hashlib.sha256) for secret in secrets
        ]

    def address(self, remote_address: str | None) -> list[bytes]:
        """One hash per secret, the newest first."""
        return [_hash(key, "address", network(remote_address)) for key in self._keys]

    def account(self, email_key: str) -> list[bytes]:
        """One hash per secret, the newest first; there need not be such an account."""
        return [_hash(key, "account", email_key) for key in self._keys]

    def counters(
        self, email_key: str, remote_address: str | None, *, is_known: bool
    ) -> list[Counter]:
        """What a try is counted in; from an address that is known, strangers hold nobody up."""
        account, address = self.account(email_key)[-1], self.address(remote_address)[-1]
        here = Counter(account, address, FREE_HERE)
        if is_known:
            return [Counter(ANY, address, UNBOUNDED), here]
        strangers = Counter(account, ANY, FREE_FROM_STRANGERS)
        return [Counter(ANY, address, FREE_FROM_ADDRESS), strangers, here]


@lru_cache(4096)
def network(remote_address: str | None) -> str:
    """Whom a client's address stands for: one customer, who has an IPv4 address or an IPv6 /64."""
    text = remote_address or "unknown"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None or address.version == 4:
        return str(mapped or address)
    return str(ipaddress.ip_network((int(address), NETWORK_V6), strict=False))


def _hash(key: bytes, kind: str, text: str) -> bytes:
    return hmac.digest(key, f"{kind}:{text}".encode(), hashlib.sha256)
