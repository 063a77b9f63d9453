"""How mail leaves: by SMTP, or into the log where no server is set."""

import os
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Protocol
from urllib.parse import urlsplit

from app.config import Config, SmtpAddress, mail_sender, smtp_address
from app.mail.mime import compose
from app.mail.repository import ClaimedMail
from app.observability.logs import RENDERERS, STDERR

STEP_TIMEOUT = 10.0  # seconds for each answer of the server
REFUSED = 500  # replies from here on are final, those below it temporary
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What the libraries raise, and the reason in words of our own; the first one that fits.
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "it does not accept the user name and the password"),
    (smtplib.SMTPNotSupportedError, "it does not offer what SMTP_URL asks for"),
    (smtplib.SMTPServerDisconnected, "it has ended the connection"),
    (ConnectionRefusedError, "the connection is refused"),
    (TimeoutError, "it does not answer in time"),
    (socket.gaierror, "its host has no address"),
    (ssl.SSLCertVerificationError, "its certificate is not accepted"),
    (ssl.SSLError, "no encrypted connection can be made"),
    (smtplib.SMTPException, "it answers as no mail server does"),
)


class RefusedError(Exception):
    """The server will never take this mail."""


class DeferredError(Exception):
    """The server does not take this mail now."""


class AwayError(Exception):
    """No mail can be sent now, for a reason that quotes no part of SMTP_URL."""


class Transport(Protocol):
    """Takes mails one after the other."""

    def send(self, mail: ClaimedMail) -> None:
        """Hands the mail over. Raises RefusedError, DeferredError or AwayError."""

    def close(self) -> None:
        """Ends a connection that send() has opened; does nothing where there is none."""


class MailLog:
    """Writes mails to the log, for development. The log's own way would cut links out."""

    def __init__(self, log_format: str) -> None:
        self._render = RENDERERS[log_format]

    def send(self, mail: ClaimedMail) -> None:
        """Writes one line with subject and text."""
        line = {
            "time": datetime.now(UTC),
            "level": "info",
            "logger": __name__,
            "message": "mail, not sent as SMTP_URL is unset",
            "subject": mail.subject,
            "text": mail.text,
        }
        os.write(STDERR, self._render(line))

    def close(self) -> None:
        """Does nothing."""


class Smtp:
    """Sends mails to a server; keeps its connection until close()."""

    def __init__(self, address: SmtpAddress, sender: Address, own_host: str) -> None:
        self._address = address
        self._sender = sender
        self._own_host = own_host
        self._connection: smtplib.SMTP | None = None

    def send(self, mail: ClaimedMail) -> None:
        """See Transport."""
        try:
            message = compose(mail, self._sender)
        except ValueError as error:
            raise RefusedError(f"it can't be written as a mail: {error}") from error
        with _told_apart():
            if self._connection is None or self._connection.sock is None:
                self._connection = self._connect()
            self._deliver(self._connection, message)

    def check(self) -> None:
        """Connects, logs in and leaves; raises AwayError."""
        with _told_apart():
            self._connection = self._connect()
        self.close()

    def close(self) -> None:
        """See Transport."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                connection.quit()
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        """A connection on which mail can be sent. Raises OSError and SMTPException."""
        address, tls = self._address, ssl.create_default_context()
        connection: smtplib.SMTP
        if address.uses_tls:
            connection = smtplib.SMTP_SSL(
                address.host, address.port, self._own_host, timeout=STEP_TIMEOUT, context=tls
            )
        else:
            connection = smtplib.SMTP(
                address.host, address.port, self._own_host, timeout=STEP_TIMEOUT
            )
        try:
            self._secure(connection, tls)
            if address.user:
                connection.login(address.user, address.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _secure(self, connection: smtplib.SMTP, tls: ssl.SSLContext) -> None:
        """STARTTLS where it is offered or required; no password goes out without encryption."""
        address, is_local = self._address, self._address.host in LOOPBACK
        connection.ehlo_or_helo_if_needed()
        if address.uses_tls:
            return
        if address.requires_starttls or (connection.has_extn("starttls") and not is_local):
            connection.starttls(context=tls)
            connection.ehlo_or_helo_if_needed()
        elif address.user and not is_local:
            raise smtplib.SMTPNotSupportedError("no STARTTLS: the password would be readable")

    def _deliver(self, connection: smtplib.SMTP, message: EmailMessage) -> None:
        """Raises RefusedError for a recipient or a content that is refused for good."""
        recipient = message["To"].addresses[0].addr_spec
        options, policy = [], SMTP
        if not recipient.isascii():
            if not connection.has_extn("smtputf8"):
                raise RefusedError("the server takes no addresses that are not ASCII")
            options, policy = ["SMTPUTF8", "BODY=8BITMIME"], SMTPUTF8
        content = message.as_bytes(policy=policy)
        try:
            connection.sendmail(self._sender.addr_spec, [recipient], content, options)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(*error.recipients[recipient]) from error
        except smtplib.SMTPDataError as error:
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPSenderRefused as error:  # the operator can mend it
            raise DeferredError(_reply(error.smtp_code, error.smtp_error)) from error


def smtp_of(config: Config) -> Smtp | None:
    """The server of SMTP_URL; None where that is unset."""
    if config.smtp_url is None:
        return None
    own_host = urlsplit(config.public_url).hostname or "localhost"
    return Smtp(smtp_address(config.smtp_url), mail_sender(config.mail_from), own_host)


@contextmanager
def _told_apart() -> Iterator[None]:
    """What is not about one mail is an AwayError."""
    try:
        yield
    except (OSError, smtplib.SMTPException) as error:
        raise AwayError(_reason(error)) from error


def _reason(error: Exception) -> str:
    for kind, reason in REASONS:
        if isinstance(error, kind):
            return reason
    return "the network has no way to it"


def _refusal(code: int, text: bytes | str) -> RefusedError | DeferredError:
    reply = _reply(code, text)
    return RefusedError(reply) if code >= REFUSED else DeferredError(reply)


def _reply(code: int, text: bytes | str) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(shown.split())}"
