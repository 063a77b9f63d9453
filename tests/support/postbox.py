"""What a worker sends, as it arrives at a mail server."""

import re
from email.message import EmailMessage

from app.auth.mailed_links import MailedLinks
from app.auth.reset_requests import ResetRequests
from tests.support.mail import LINKS, Inbox, delivery

LINK = re.compile(r"^(\S+/app/#/[a-z-]+)\?token=(\S+)$", re.MULTILINE)


class Postbox:
    """The jobs of a worker, and the server that takes its mail."""

    def __init__(self, url: str, inbox: Inbox, made_by: MailedLinks = LINKS) -> None:
        self.url, self.inbox, self._made_by = url, inbox, made_by

    def collect(self) -> list[EmailMessage]:
        """Runs the jobs until nothing is due; returns what has arrived since the last time."""
        begun = len(self.inbox.messages)
        while ResetRequests(self._made_by).run_once().done:
            pass
        job = delivery(self.url, self._made_by)
        while job.run_once().done:
            pass
        return self.inbox.messages[begun:]

    def links(self) -> list[tuple[str, str]]:
        """Address and token of each link that has arrived since."""
        return [found for mail in self.collect() for found in LINK.findall(text_of(mail))]

    def token(self) -> str:
        """The token of the one link that has arrived since."""
        ((_, token),) = self.links()
        return token


def text_of(mail: EmailMessage) -> str:
    """The plain text of the mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return "\n".join(body.get_content().splitlines())


def html_of(mail: EmailMessage) -> str:
    """The HTML of the mail."""
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())
