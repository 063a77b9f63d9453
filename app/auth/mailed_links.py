"""Mailed links: their tokens, and the mails that bring them.

A token is made of a random seed, which is stored, and a key of JWT_SECRETS, which is not. The mail
waits in the outbox with a placeholder; the worker puts the token there when it sends the mail. So
neither the database nor a dump of it holds a link that works, and a link's lifetime begins when its
mail leaves, however long the mail server was away.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from app.auth import repository
from app.auth.repository import NewAddress, NewLink
from app.mail.messages import Messages
from app.mail.repository import ClaimedMail
from app.values import Uuid

SECRET_BYTES = 32
OWNER_BYTES = 16
PLACEHOLDER = "\N{OBJECT REPLACEMENT CHARACTER}"  # in these mails it stands for nothing else


class Purpose(StrEnum):
    """What a link is for."""

    VERIFY = "verify"
    RESET = "reset"
    CHANGE_EMAIL = "change_email"


TEMPLATES = {
    Purpose.VERIFY: "verify_email",
    Purpose.RESET: "reset_password",
    Purpose.CHANGE_EMAIL: "change_email",
}


@dataclass(frozen=True)
class LinkToken:
    """The owner, whom each statement names, and 256 bits that nobody can guess."""

    owner_id: Uuid
    secret: bytes

    @property
    def text(self) -> str:
        """The token as links have it: 64 characters of base64url."""
        return base64.urlsafe_b64encode(self._raw).decode()

    @property
    def hash(self) -> bytes:
        """What the database stores of it."""
        return hashlib.sha256(self._raw).digest()

    @property
    def _raw(self) -> bytes:
        return UUID(self.owner_id).bytes + self.secret


def parse(text: str) -> LinkToken | None:
    """The token, or None where the text can't be one."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(raw) != OWNER_BYTES + SECRET_BYTES:
        return None
    token = LinkToken(Uuid(str(UUID(bytes=raw[:OWNER_BYTES]))), raw[OWNER_BYTES:])
    return token if token.text == text else None


class MailedLinks:
    """Makes links with their mails, and completes the mails as they leave."""

    def __init__(self, messages: Messages, signing_secrets: Sequence[str]) -> None:
        """`signing_secrets` has the newest first, which makes the tokens."""
        self._messages = messages
        self._keys = [
            hmac.digest(secret.encode(), b"mailed link", hashlib.sha256)
            for secret in signing_secrets
        ]

    def make(
        self,
        purpose: Purpose,
        owner_id: Uuid,
        recipient: str,
        new_address: NewAddress | None = None,
    ) -> NewLink:
        """A new link and its mail, neither of which is stored yet."""
        seed = secrets.token_bytes(SECRET_BYTES)
        token = _token(self._keys[0], owner_id, seed)
        message = self._messages.render(TEMPLATES[purpose], recipient, token=PLACEHOLDER)
        mail = replace(message, has_link=True)
        return NewLink(owner_id, purpose, token.hash, seed, mail, new_address)

    def complete(self, owner_id: Uuid, mail_id: Uuid, mail: ClaimedMail) -> ClaimedMail | None:
        """The mail with its link, whose lifetime begins; None where there is none any more.

        That is a link that a newer one has replaced, or whose key is no longer in JWT_SECRETS.
        """
        link = repository.send_link(owner_id, mail_id)
        if link is None:
            return None
        tokens = (_token(key, owner_id, link.seed) for key in self._keys)
        token = next((each.text for each in tokens if each.hash == link.hash), None)
        if token is None:
            return None
        return mail._replace(
            text=mail.text.replace(PLACEHOLDER, token), html=mail.html.replace(PLACEHOLDER, token)
        )


def _token(key: bytes, owner_id: Uuid, seed: bytes) -> LinkToken:
    return LinkToken(owner_id, hmac.digest(key, UUID(owner_id).bytes + seed, hashlib.sha256))
