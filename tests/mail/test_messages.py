"""What recipients see: headers, text and HTML; whatever text of users is in them."""

import re
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import psycopg
import pytest
from jinja2 import UndefinedError

from tests.support.api_user import ApiUser
from tests.support.mail import MESSAGES, Inbox, Outbox, delivery, enqueue, reminder

Smtp = tuple[str, Inbox]
LONG = "x" * 255


def received(smtp: Smtp, user: ApiUser, title: str, due: str | None = None) -> EmailMessage:
    """The mail about a task of that title, as the server gets it."""
    url, inbox = smtp
    enqueue(user.id, reminder(user.email, title, due))
    assert delivery(url).run_once().counts == {"sent": 1}
    return inbox.messages[-1]


def part(message: EmailMessage, kind: str) -> str:
    """The text of that alternative."""
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return str(body.get_content()).replace("\r\n", "\n")


@pytest.mark.proves("MAIL-6")
def test_a_mail_has_text_and_html_and_says_where_it_is_from(alice: ApiUser, smtp: Smtp) -> None:
    message = received(smtp, alice, "Water the plants", "2036-05-01 09:00")
    assert message.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["From"] == "Ownrow <todo@example.com>"
    assert message["To"] == alice.email
    assert message["Subject"] == "Reminder: Water the plants"
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[0-9a-f-]{36}@todo\.example\.com>", message["Message-ID"])
    assert parsedate_to_datetime(message["Date"]).utcoffset() is not None
    for kind in ("plain", "html"):
        shown = part(message, kind)
        assert "Water the plants" in shown
        assert "2036-05-01 09:00" in shown
        assert "https://todo.example.com/app/" in shown
    assert part(message, "plain").startswith("Water the plants\n\nDue: 2036-05-01 09:00\n\nOpen")


@pytest.mark.proves("MAIL-6")
def test_mail_that_can_be_switched_off_says_where(alice: ApiUser, smtp: Smtp) -> None:
    message = received(smtp, alice, "Water the plants")
    assert message["List-Unsubscribe"] == "<https://todo.example.com/app/#/settings>"
    for kind in ("plain", "html"):
        assert "https://todo.example.com/app/#/settings" in part(message, kind)


@pytest.mark.proves("MAIL-6")
def test_other_mail_does_not_say_so(alice: ApiUser, smtp: Smtp) -> None:
    url, inbox = smtp
    enqueue(alice.id, MESSAGES.render("reminder", alice.email, title="T", due=None))
    assert delivery(url).run_once().counts == {"sent": 1}
    assert inbox.messages[0]["List-Unsubscribe"] is None
    assert "settings" not in part(inbox.messages[0], "plain")


@pytest.mark.proves("MAIL-7")
@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Gießen: жук 植物 🌱", "Reminder: Gießen: жук 植物 🌱"),
        ("one\r\nBcc: eve@example.com\r\n\r\ntwo", "Reminder: one Bcc: eve@example.com two"),
        ("a\nb\u2028c\x85d\x0be\x1bf\tg", "Reminder: a b c d e f g"),
        ("=?utf-8?q?Bcc=3A_eve?=", "Reminder: = ?utf-8?q?Bcc=3A_eve?="),
        (LONG, "Reminder: " + "x" * 189 + "…"),
        ("ж" * 255, "Reminder: " + "ж" * 189 + "…"),
        ("\u202e\u200f", "Reminder:"),
        ("{{ 7 * 7 }}{% raw %}", "Reminder: {{ 7 * 7 }}{% raw %}"),
    ],
)  # fmt: skip
def test_a_subject_is_one_encoded_line_whatever_the_title_is(
    alice: ApiUser, smtp: Smtp, title: str, subject: str
) -> None:
    message = received(smtp, alice, title)
    assert message["Subject"] == subject
    assert message["Bcc"] is None
    assert sorted(set(message.keys())) == sorted(message.keys())
    content = smtp[1].envelopes[-1].content
    assert isinstance(content, bytes)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998


@pytest.mark.proves("MAIL-7")
def test_the_html_shows_text_of_users_as_text(alice: ApiUser, smtp: Smtp) -> None:
    title = """<script>alert("1")</script> & <a href='https://evil.example'>here</a>"""
    message = received(smtp, alice, title)
    html = part(message, "html")
    assert "<script" not in html
    assert "href='https://evil" not in html
    assert "&lt;script&gt;" in html
    assert title in part(message, "plain")


@pytest.mark.proves("MAIL-7")
def test_long_and_odd_lines_arrive_as_they_were(alice: ApiUser, smtp: Smtp) -> None:
    title = f"{LONG} .\n.\n..\nFrom me = 7bit\n植物"
    assert part(received(smtp, alice, title), "plain").startswith(f"{title}\n")


def test_a_template_without_one_of_its_parameters_is_an_error(alice: ApiUser) -> None:
    with pytest.raises(UndefinedError):
        MESSAGES.render("reminder", alice.email, title="T")


@pytest.mark.proves("MAIL-7")
def test_a_header_with_a_line_end_never_gets_into_the_outbox(
    alice: ApiUser, outbox: Outbox
) -> None:
    forged = reminder(f"{alice.email}\r\nBcc: eve@example.com")
    with pytest.raises(psycopg.errors.CheckViolation, match="outgoing_mail_one_line"):
        enqueue(alice.id, forged)
    assert outbox() == []
