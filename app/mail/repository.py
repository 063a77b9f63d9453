"""The outbox: mail is put into it by the transaction of its cause, and sent after the commit."""

from datetime import datetime, timedelta
from typing import NamedTuple

from app import db
from app.mail.messages import Message
from app.values import Uuid


class DueMail(NamedTuple):
    """A mail whose next step is due: to be sent or, if finished, to be deleted."""

    owner_id: Uuid
    id: Uuid
    is_finished: bool
    lag: timedelta


class ClaimedMail(NamedTuple):
    """A mail that this worker attempts to send; `attempts` includes this one."""

    recipient: str
    subject: str
    text: str
    html: str
    list_unsubscribe: str | None
    message_id: str
    created_at: datetime
    attempts: int
    has_link: bool


ENQUEUE = db.load("mail/enqueue")
LIST_DUE = db.load("mail/list_due", DueMail)
CLAIM = db.load("mail/claim", ClaimedMail)
FINISH = db.load("mail/finish")
POSTPONE = db.load("mail/postpone")
DELETE_FINISHED = db.load("mail/delete_finished")

RETENTION = timedelta(days=30)  # of rows, not of what was in the mails
LONGEST_ERROR = 500  # characters


def enqueue(owner_id: Uuid, message: Message) -> None:
    """Puts a mail to the owner into the outbox; a part of the caller's transaction."""
    db.execute(ENQUEUE, {"owner_id": owner_id, **vars(message)})


def list_due(limit: int) -> list[DueMail]:
    """Up to `limit` mails of all owners whose next step is due, the longest waiting first."""
    return db.fetch_all(LIST_DUE, {"limit": limit})


def claim(owner_id: Uuid, mail_id: Uuid, lease: timedelta) -> ClaimedMail | None:
    """Begins an attempt that ends within `lease`; None where another worker has the mail."""
    return db.fetch_one(CLAIM, {"owner_id": owner_id, "id": mail_id, "lease": lease})


def finish(owner_id: Uuid, mail_id: Uuid, error: str | None) -> None:
    """Notes that the mail was sent or, with an error, that it has failed for good."""
    params = {
        "owner_id": owner_id,
        "id": mail_id,
        "last_error": _shortened(error),
        "retention": RETENTION,
    }
    db.execute(FINISH, params)


def postpone(owner_id: Uuid, mail_id: Uuid, attempts: int, error: str, pause: timedelta) -> None:
    """Notes why that attempt failed; the next one is due after the pause."""
    params = {
        "owner_id": owner_id,
        "id": mail_id,
        "attempts": attempts,
        "last_error": _shortened(error),
        "pause": pause,
    }
    db.execute(POSTPONE, params)


def delete_finished(owner_id: Uuid, mail_id: Uuid) -> None:
    """Deletes a finished mail whose retention is over."""
    db.execute(DELETE_FINISHED, {"owner_id": owner_id, "id": mail_id})


def _shortened(error: str | None) -> str | None:
    return None if error is None else error.replace("\0", "")[:LONGEST_ERROR]
