"""The worker's job that answers requests of a password reset.

The request itself only notes the address, so that it costs the same with an account and without.
"""

from collections import Counter

from app.auth import repository
from app.auth.mailed_links import MailedLinks, Purpose
from app.worker.jobs import Outcome

BATCH = 20  # requests that are looked for at a time


class ResetRequests:
    """Puts the mail with the link into the outbox where the address has an account."""

    name = "resets"

    def __init__(self, links: MailedLinks) -> None:
        self._links = links

    def run_once(self) -> Outcome:
        """See Job; counts requests as answered and unknown."""
        requests = repository.list_reset_requests(BATCH)
        lag = requests[0].lag.total_seconds() if requests else 0.0
        counts = Counter(self._answer(each.email_key) for each in requests)
        return Outcome(counts.total(), lag, counts)

    def _answer(self, email_key: str) -> str:
        user = repository.find_credential(email_key)
        if user is None or user.is_disabled:
            repository.drop_reset_request(email_key)
            return "unknown"
        repository.answer_reset(email_key, self._links.make(Purpose.RESET, user.id, user.email))
        return "answered"
