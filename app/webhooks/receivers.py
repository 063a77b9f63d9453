"""The check of a URL that a user names: whether it leads where webhooks may lead."""

from collections.abc import Sequence
from ipaddress import ip_network

from app.errors import ValidationFailed
from app.webhooks.addresses import Address, Network, RefusedAddressError, check, target_of
from app.webhooks.resolving import Resolve, UnresolvedError, resolve

TIMEOUT = 1.0  # seconds for the name; the request waits


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks of WEBHOOK_ALLOW."""
    return tuple(map(ip_network, texts))


class Receivers:
    """Where webhooks may lead."""

    def __init__(self, allowed: Sequence[Network], *, resolve: Resolve = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve

    def require(self, url: str) -> None:
        """Raises ValidationFailed for a URL whose attempts would all be refused.

        A name that does not resolve now may do so later; each attempt checks its addresses anew.
        """
        try:
            target = target_of(url)
            check(target, self._addresses(target.host), self._allowed)
        except RefusedAddressError as error:
            raise ValidationFailed(details=[{"field": "url", "message": str(error)}]) from error

    def _addresses(self, host: str) -> Sequence[Address]:
        try:
            return self._resolve(host, TIMEOUT)
        except UnresolvedError:
            return ()
