"""Throttling of login attempts: the counters that an attempt is counted in."""

import hashlib
import hmac
from collections.abc import Sequence

from app.auth.repository import AttemptCounter
from app.http.proxy import client_network

FREE_HERE = 5  # wrong attempts at an account from one address before the next one has to wait
FREE_FROM_ADDRESS = 50  # from one address, at any account
FREE_FROM_STRANGERS = 100  # at an account, from all addresses that it has not logged in from
UNBOUNDED = 2**31 - 1  # counted, but never a reason to wait
ANY = b""
FREE_MAILS = 5  # with links to one address, before the next one has to wait
FREE_MAILS_HERE = 50  # that one client asks for, to any address


class KeyedHashes:
    """HMAC-SHA-256 of e-mail keys and addresses, so that no table holds them in clear.

    A key is made from each signing secret. Counters use the oldest secret: a new secret in front
    leaves them as they are; they start anew when the oldest is removed. Rows that are kept longer
    are written with the newest key and found with any.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        """`secrets` are the signing secrets, the newest first."""
        self._keys = [
            hmac.digest(secret.encode(), b"attempt counters", hashlib.sha256) for secret in secrets
        ]

    def address(self, remote_address: str | None) -> list[bytes]:
        """One hash of the client's network per secret, the newest first."""
        return [_hash(key, "address", client_network(remote_address)) for key in self._keys]

    def account(self, email_key: str) -> list[bytes]:
        """One hash per secret, the newest first, whether or not the account exists."""
        return [_hash(key, "account", email_key) for key in self._keys]

    def mailed(self, email_key: str) -> list[bytes]:
        """The same of an address that links were mailed to: another counter than for log-ins."""
        return [_hash(key, "mailed", email_key) for key in self._keys]

    def mail_counters(
        self, email_keys: Sequence[str], remote_address: str | None
    ) -> list[AttemptCounter]:
        """The counters of a mail with a link: the client's, and one per address."""
        client = _hash(self._keys[-1], "mailing", client_network(remote_address))
        addresses = [
            AttemptCounter(self.mailed(each)[-1], ANY, FREE_MAILS)
            for each in dict.fromkeys(email_keys)
        ]
        return [AttemptCounter(ANY, client, FREE_MAILS_HERE), *addresses]

    def counters(
        self, email_key: str, remote_address: str | None, *, is_known: bool
    ) -> list[AttemptCounter]:
        """The counters of an attempt; an address that is known is not slowed by strangers."""
        account, address = self.account(email_key)[-1], self.address(remote_address)[-1]
        here = AttemptCounter(account, address, FREE_HERE)
        if is_known:
            return [AttemptCounter(ANY, address, UNBOUNDED), here]
        strangers = AttemptCounter(account, ANY, FREE_FROM_STRANGERS)
        return [AttemptCounter(ANY, address, FREE_FROM_ADDRESS), strangers, here]


def _hash(key: bytes, kind: str, text: str) -> bytes:
    return hmac.digest(key, f"{kind}:{text}".encode(), hashlib.sha256)
