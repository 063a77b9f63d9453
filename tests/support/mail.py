"""A mail server on a free port, and mail of a user in the outbox."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Lock
from typing import Any, cast

import psycopg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app import db
from app.auth.mailed_links import MailedLinks
from app.config import mail_sender, smtp_address
from app.mail import repository
from app.mail.delivery import Delivery
from app.mail.messages import Message, Messages
from app.mail.transports import Smtp
from app.values import Uuid
from tests.support.services import free_port

MESSAGES = Messages("https://todo.example.com")
LINKS = MailedLinks(MESSAGES, ["7d0e9b0c5a3f4e6182d4b6c8fa1e3957"])  # the key of the tests
Outbox = Callable[[], list[Any]]  # the fixture `outbox`: reads MAILS
USER, PASSWORD = "ownrow", "seven quiet rivers"
SENDER = "Ownrow <todo@example.com>"
# What the outbox has of all mails, in the order of their making.
MAILS = """
    SELECT text IS NULL AS is_finished, attempts, sent_at, failed_at, last_error, next_step_at,
        html, next_step_at - now() AS pause, message_id
    FROM outgoing_mail ORDER BY created_at, message_id
"""


class Inbox:
    """What a mail server has accepted, and how it answers."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.logins: list[LoginPassword] = []
        self.recipient_reply = self.data_reply = ""  # instead of 250
        self._lock = Lock()

    async def handle_RCPT(  # noqa: N802  # a name of aiosmtpd
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.recipient_reply:
            return self.recipient_reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # a name of aiosmtpd
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data_reply:
            return self.data_reply
        content = cast("bytes", envelope.content)
        with self._lock:
            self.messages.append(message_from_bytes(content, policy=default))
            self.envelopes.append(envelope)
            self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, login: LoginPassword
    ) -> AuthResult:
        """Lets USER in with PASSWORD."""
        self.logins.append(login)
        is_right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)

    def ids(self) -> list[str]:
        """The Message-ID of each accepted mail."""
        return [str(each["Message-ID"]) for each in self.messages]


@contextmanager
def mail_server(
    port: int | None = None,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    begins_with_tls: bool = False,
    asks_login: bool = False,
    takes_utf8: bool = True,
) -> Iterator[tuple[str, Inbox]]:
    """A mail server of this machine; yields its SMTP_URL and its inbox."""
    inbox, port = Inbox(), port or free_port()
    options: dict[str, Any] = {"enable_SMTPUTF8": takes_utf8}
    if begins_with_tls:
        options["ssl_context"] = tls
    elif tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    if asks_login:
        options["authenticator"] = inbox.authenticate
        options |= {"auth_required": tls is not None, "auth_require_tls": tls is not None}
    controller = Controller(inbox, host, port, **options)
    controller.start()
    try:
        yield f"{'smtps' if begins_with_tls else 'smtp'}://{host}:{port}", inbox
    finally:
        controller.stop()


def delivery(url: str, links: MailedLinks = LINKS) -> Delivery:
    """The job, with the mail server of that SMTP_URL."""
    return Delivery(Smtp(smtp_address(url), mail_sender(SENDER), "todo.example.com"), links)


def reminder(recipient: str, title: str = "Water the plants", due: str | None = None) -> Message:
    """A mail about a task."""
    return MESSAGES.render("reminder", recipient, is_optional=True, title=title, due=due)


def enqueue(owner_id: str, message: Message) -> Message:
    """Puts the mail into the outbox, in a transaction of its own; returns it."""
    with db.transaction():
        repository.enqueue(Uuid(owner_id), message)
    return message


def make_due(connection: psycopg.Connection[Any]) -> None:
    """Lets no mail wait any longer."""
    connection.execute("UPDATE outgoing_mail SET next_step_at = now()")
