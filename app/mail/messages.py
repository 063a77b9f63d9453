"""Mails made from templates: a name and parameters become subject, text and HTML.

A mail `name` has two files in templates/: `name.txt`, which extends layout.txt and sets `subject`,
and `name.html`, which extends layout.html and is told the subject. Both know `public_url`, and
`settings_url`, which is None where the mail can't be switched off.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.values import Uuid, new_uuid

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_SUBJECT = 200  # characters
SETTINGS = "/app/#/settings"


@dataclass(frozen=True)
class Message:
    """A mail to one recipient, ready for the outbox."""

    id: Uuid
    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    list_unsubscribe: str | None
    has_link: bool = False  # whose token the mail gets when it leaves


class Messages:
    """Makes mails whose links begin with PUBLIC_URL."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._host = urlsplit(public_url).hostname or "localhost"
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )

    def render(
        self, template: str, recipient: str, *, is_optional: bool = False, **parameters: object
    ) -> Message:
        """The mail of that template; one that `is_optional` tells where to switch such mail off.

        Raises jinja2.UndefinedError where a parameter is missing.
        """
        settings_url = f"{self._public_url}{SETTINGS}" if is_optional else None
        values = {**parameters, "public_url": self._public_url, "settings_url": settings_url}
        text = self._templates.get_template(f"{template}.txt").make_module(values)
        values["subject"] = subject = _one_line(vars(text)["subject"])
        mail_id = new_uuid()
        return Message(
            id=mail_id,
            message_id=f"<{mail_id}@{self._host}>",
            recipient=recipient,
            subject=subject,
            text=str(text),
            html=self._templates.get_template(f"{template}.html").render(values),
            list_unsubscribe=settings_url,
        )


def _one_line(text: str) -> str:
    """The text as a header can have it: short, without control characters and encoded words."""
    visible = "".join(each if each.isprintable() else " " for each in text)
    line = " ".join(visible.split()).replace("=?", "= ?")
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 1]}…"
