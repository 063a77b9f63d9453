"""Accounts whose address is verified, for EMAIL_VERIFICATION=required."""

from app.auth import repository
from app.values import Uuid

CAPACITY = 10_000  # accounts; a verified one is looked up once per process


class VerifiedAccounts:
    """The accounts that this process has found verified: they stay so for good."""

    def __init__(self) -> None:
        self._found: set[Uuid] = set()

    def contains(self, owner_id: Uuid) -> bool:
        """Whether the address is verified; raises psycopg.Error when that can't be known."""
        if owner_id in self._found:
            return True
        user = repository.get_user(owner_id)
        is_verified = user is not None and user.email_verified_at is not None
        if is_verified:
            if len(self._found) >= CAPACITY:
                self._found.clear()
            self._found.add(owner_id)
        return is_verified
