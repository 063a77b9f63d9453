"""The job that sends the mail of the outbox, with retries, and deletes what is old."""

import logging
from collections import Counter
from datetime import timedelta
from time import monotonic
from typing import Protocol

from app.mail import repository
from app.mail.repository import ClaimedMail, DueMail
from app.mail.transports import AwayError, DeferredError, RefusedError, Transport
from app.values import Uuid
from app.worker.jobs import Outcome

BATCH = 20  # mails that are looked for at a time
LONGEST_RUN = 2.0  # seconds, after which no further mail is begun: other jobs wait
AWAY_PAUSE = 10.0  # seconds in which a server that is away is left alone
LEASE = timedelta(minutes=3)  # longer than an attempt, whose steps have 10 s each
# Before each further attempt; after the last one the mail has failed.
PAUSES = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
    timedelta(hours=5), timedelta(hours=10), timedelta(hours=24),
)  # fmt: skip

log = logging.getLogger(__name__)


class Links(Protocol):
    """Completes the mails that have a link."""

    def complete(self, owner_id: Uuid, mail_id: Uuid, mail: ClaimedMail) -> ClaimedMail | None:
        """The mail with its link; None where that is not good any more."""


class Delivery:
    """Sends what is due. No transaction is open while it talks to the mail server."""

    name = "mail"

    def __init__(self, transport: Transport, links: Links) -> None:
        self._transport = transport
        self._links = links
        self._resume_at = 0.0  # monotonic seconds

    def run_once(self) -> Outcome:
        """See Job; counts mails as sent, dropped, postponed, failed and deleted."""
        due = repository.list_due(BATCH)
        lag = due[0].lag.total_seconds() if due else 0.0
        counts: Counter[str] = Counter()
        end = monotonic() + LONGEST_RUN
        try:
            for mail in due:
                if monotonic() >= end or monotonic() < self._resume_at:
                    break
                counts[self._take_step(mail)] += 1
        finally:
            self._transport.close()
        del counts[""]
        return Outcome(counts.total(), lag, counts)

    def _take_step(self, due: DueMail) -> str:
        """What became of the mail; an empty text where another worker has it."""
        if due.is_finished:
            repository.delete_finished(due.owner_id, due.id)
            return "deleted"
        mail = repository.claim(due.owner_id, due.id, LEASE)
        return "" if mail is None else self._attempt(due, mail)

    def _attempt(self, due: DueMail, mail: ClaimedMail) -> str:
        if mail.attempts > len(PAUSES) + 1:  # a worker has ended in each of them
            return _fail(due, "no attempt has come to its end")
        complete = self._links.complete(due.owner_id, due.id, mail) if mail.has_link else mail
        if complete is None:
            repository.finish(due.owner_id, due.id, "not sent: its link was used or replaced")
            return "dropped"
        try:
            self._transport.send(complete)
        except RefusedError as error:
            return _fail(due, str(error))
        except DeferredError as error:
            return _postpone(due, mail, str(error))
        except AwayError as error:
            self._resume_at = monotonic() + AWAY_PAUSE
            log.warning("no mail leaves: the server: %s; trying again in %d s", error, AWAY_PAUSE)
            return _postpone(due, mail, str(error))
        repository.finish(due.owner_id, due.id, None)
        return "sent"


def _postpone(due: DueMail, mail: ClaimedMail, error: str) -> str:
    """Has a failed attempt be followed by another one, unless it was the last."""
    if mail.attempts > len(PAUSES):
        return _fail(due, error)
    pause = PAUSES[mail.attempts - 1]
    repository.postpone(due.owner_id, due.id, mail.attempts, error, pause)
    return "postponed"


def _fail(due: DueMail, error: str) -> str:
    """The log has neither address nor text; what the server said, which may, is in the row."""
    repository.finish(due.owner_id, due.id, error)
    log.error("mail %s of user %s has failed for good", due.id, due.owner_id)
    return "failed"
