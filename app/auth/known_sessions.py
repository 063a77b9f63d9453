"""Sessions that exist: a signature alone does not prove it, if the signing key was stolen."""

from app.auth import repository
from app.values import Identity

CAPACITY = 10_000  # sessions; each is looked up once per process


class KnownSessions:
    """The sessions that this process has found in the database; EndedSessions has their ends."""

    def __init__(self) -> None:
        self._found: set[Identity] = set()

    def contains(self, caller: Identity) -> bool:
        """Whether the user has that session; raises psycopg.Error when that can't be known."""
        if caller in self._found:
            return True
        is_found = repository.has_session(caller.owner_id, caller.session_id)
        if is_found:
            if len(self._found) >= CAPACITY:
                self._found.clear()
            self._found.add(caller)
        return is_found
