"""The job that tells webhooks what has changed, each in the order of versions, many at once."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag

from app.auth.encryption import UnknownKeyError
from app.auth.repository import verified_email
from app.auth.secrets import Secrets
from app.mail.messages import Message, Messages
from app.values import Uuid
from app.webhooks import repository
from app.webhooks.repository import Attempted, DueWebhook, NextEvent
from app.webhooks.schemas import LOST
from app.webhooks.sending import Answer, Sender
from app.webhooks.signing import Event, body_of, message_id, signature
from app.worker.jobs import Outcome

AT_ONCE = 256  # webhooks, each in a thread: receivers that hang must not delay the others
FAILING_AT_ONCE = 128  # of them, webhooks whose last attempt failed: they may hang again
EXAMINED = 500  # entries that are looked through at a time for one that is to be told
LEASE = timedelta(minutes=1)  # longer than an attempt with its statements
LONGEST_TURN = 5.0  # seconds, after which a webhook with more to be told waits for its next turn
ROUND = 0.1  # seconds that a run waits for what is in hand
# Before each further attempt; after the last one the webhook is disabled.
PAUSES = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2),
    timedelta(hours=5), timedelta(hours=10), timedelta(hours=14), timedelta(hours=20),
    timedelta(hours=24),
)  # fmt: skip
AT_ONCE_AGAIN = timedelta(0)
GONE = 410
USER_AGENT = "Ownrow-Webhooks/1.0"
UNREADABLE = "the secret can't be decrypted; rotate it"

log = logging.getLogger(__name__)


class Delivering:
    """Delivers what is due. No transaction is open while it talks to a receiver."""

    name = "webhooks"

    def __init__(self, sender: Sender, secrets: Secrets, messages: Messages) -> None:
        self._sender = sender
        self._secrets = secrets
        self._messages = messages
        self._changed = threading.Condition()
        self._in_hand: dict[tuple[Uuid, Uuid], DueWebhook] = {}
        self._counts: Counter[str] = Counter()
        self._failure: Exception | None = None
        self._is_ending = False

    def run_once(self) -> Outcome:
        """See Job; counts attempts as delivered and failed, and webhooks as disabled.

        It begins a turn of each webhook that is due, as far as there are threads, and leaves the
        turns in hand. Raises what has broken one of them: the database is away, for example.
        """
        due = [each for each in repository.list_due(2 * AT_ONCE) if _key(each) not in self._in_hand]
        begun = [each for each in due if self._takes(each)]
        for each in begun:
            threading.Thread(target=self._work, args=(each,), name="webhook", daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: not self._in_hand, ROUND)
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            counts, self._counts = self._counts, Counter()
            in_hand = len(self._in_hand)
        lag = max((each.lag.total_seconds() for each in due), default=0.0)
        return Outcome(len(begun) + in_hand, lag, counts)

    def end(self) -> None:
        """See EndingJob."""
        with self._changed:
            self._is_ending = True
            self._changed.wait_for(lambda: not self._in_hand)

    def _takes(self, due: DueWebhook) -> bool:
        """Takes the webhook in hand, unless there are enough."""
        with self._changed:
            failing = sum(each.is_failing for each in self._in_hand.values())
            if len(self._in_hand) >= AT_ONCE or (due.is_failing and failing >= FAILING_AT_ONCE):
                return False
            self._in_hand[_key(due)] = due
            return True

    def _work(self, due: DueWebhook) -> None:
        """A thread: one turn of a webhook."""
        failure = None
        try:
            self._take_turn(due)
        except Exception as error:  # noqa: BLE001  # run() raises it
            failure = error
        with self._changed:
            self._failure = failure or self._failure
            del self._in_hand[_key(due)]
            self._changed.notify_all()

    def _take_turn(self, due: DueWebhook) -> None:
        end = monotonic() + LONGEST_TURN
        leased_until = repository.claim(due.owner_id, due.id, LEASE)
        while leased_until is not None:
            found = repository.find_next(due.owner_id, due.id, leased_until, EXAMINED)
            if found is None:
                return
            event = event_of(found)
            if event is None:
                passed = max(found.examined_version, found.delivered_version)
                repository.move_on(
                    due.owner_id,
                    due.id,
                    leased_until,
                    delivered_version=passed,
                    pause=AT_ONCE_AGAIN,
                )
                return
            leased_until = self._attempt(due, leased_until, found, event, end)

    def _attempt(
        self,
        due: DueWebhook,
        leased_until: datetime,
        found: NextEvent,
        event: Event,
        end: float,
    ) -> datetime | None:
        """Sends an event; returns the end of the lease where the turn goes on, until its `end`."""
        at = datetime.now(UTC)
        answer = self._send(due, found, event, at)
        is_last = self._is_ending or monotonic() >= end
        attempted = _attempted(found, event, at, answer, is_last=is_last)
        mail = None
        if attempted.reason is not None:
            mail = self._mail(due.owner_id, found.url, attempted.reason, answer)
        lease = repository.record(due.owner_id, due.id, leased_until, attempted, mail)
        if lease is not None:
            self._count("delivered" if answer.error is None else "failed")
        if lease is not None and attempted.reason is not None:
            self._count("disabled")
            log.warning("webhook %s of user %s is disabled: %s", due.id, due.owner_id, answer.error)
        return None if is_last or answer.error is not None else lease

    def _send(self, due: DueWebhook, found: NextEvent, event: Event, at: datetime) -> Answer:
        try:
            keys = [
                self._secrets.open(due.owner_id, due.id, sealed)
                for sealed in (found.secret, found.previous_secret)
                if sealed is not None
            ]
        except (UnknownKeyError, InvalidTag):
            return Answer(None, UNREADABLE, 0)
        message, timestamp = message_id(due.id, event.version), int(at.timestamp())
        body = body_of(event)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": message,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(keys, message, timestamp, body),
        }
        return self._sender.send(found.url, headers, body)

    def _mail(self, owner_id: Uuid, url: str, reason: str, answer: Answer) -> Message | None:
        """The mail to the owner about a webhook that is disabled; it has the URL's host alone."""
        recipient = verified_email(owner_id)
        if recipient is None:
            return None
        host = urlsplit(url).hostname
        return self._messages.render(
            "webhook-disabled", recipient, host=host, reason=reason, error=answer.error
        )

    def _count(self, result: str) -> None:
        with self._changed:
            self._counts[result] += 1


def _key(due: DueWebhook) -> tuple[Uuid, Uuid]:
    return due.owner_id, due.id


def event_of(found: NextEvent) -> Event | None:
    """What the webhook is to be told now; None where these entries are not for it.

    Entries that were pruned can't be told: that they are lost is an event of its own.
    """
    if found.pruned_version > found.delivered_version and is_wanted(LOST, found.types):
        return Event(LOST, datetime.now(UTC).isoformat(), found.pruned_version)
    if found.version is None or found.type is None or found.at is None:
        return None
    return Event(
        found.type, found.at, found.version, found.kind, found.item_id, found.action, found.item
    )


def is_wanted(event_type: str, types: Sequence[str] | None) -> bool:
    """Whether a webhook with these types is told such events."""
    return types is None or event_type in types


def _attempted(
    found: NextEvent, event: Event, at: datetime, answer: Answer, *, is_last: bool
) -> Attempted:
    """What the attempt changes: a good one moves the webhook on, a bad one has it wait."""
    is_good = answer.error is None
    failures = 0 if is_good else found.failures + 1
    reason = None
    if not is_good and answer.status == GONE:
        reason = "gone"
    elif failures > len(PAUSES):
        reason = "failed"
    if is_good:
        pause = AT_ONCE_AGAIN if is_last else LEASE
    else:
        pause = AT_ONCE_AGAIN if reason else PAUSES[failures - 1]
    version = event.version if is_good else found.delivered_version
    return Attempted(
        event.version, event.type, at, answer.status, answer.milliseconds, answer.error, version,
        failures, pause, reason,
    )  # fmt: skip
