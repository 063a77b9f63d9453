"""A mail of the outbox as MIME: its headers, and text and HTML as alternatives."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from app.mail.repository import ClaimedMail

ENCODING = "quoted-printable"  # readable in the source, and never 8-bit


def compose(mail: ClaimedMail, sender: Address) -> EmailMessage:
    """The message; raises ValueError for a header with a line end.

    EmailMessage encodes what is not ASCII in a header (RFC 2047).
    """
    message = EmailMessage(SMTP)
    message["From"] = sender
    message["To"] = address_of(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = mail.created_at
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    if mail.list_unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{mail.list_unsubscribe}>"
    message.set_content(mail.text, cte=ENCODING)
    message.add_alternative(mail.html, subtype="html", cte=ENCODING)
    return message


def address_of(recipient: str) -> Address:
    """The address with its domain in ASCII (IDNA), which every server takes."""
    local_part, _, domain = recipient.rpartition("@")
    return Address(username=local_part, domain=domain.encode("idna").decode())
