"""Mail of the outbox is sent once, and retried or given up as the mail server answers."""

import logging
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from app import db
from app.mail import repository
from app.mail.delivery import LEASE, PAUSES
from app.values import Uuid
from tests.support.api_user import ApiUser
from tests.support.mail import (
    PASSWORD,
    USER,
    Inbox,
    Outbox,
    delivery,
    enqueue,
    mail_server,
    make_due,
    reminder,
)  # fmt: skip
from tests.support.services import free_port, program

Smtp = tuple[str, Inbox]


@pytest.mark.proves("MAIL-1")
def test_a_mail_is_sent_once_and_its_content_is_removed(
    alice: ApiUser, smtp: Smtp, outbox: Outbox
) -> None:
    url, inbox = smtp
    sent = enqueue(alice.id, reminder(alice.email))
    outcome = delivery(url).run_once()
    assert (outcome.done, outcome.counts) == (1, {"sent": 1})
    assert delivery(url).run_once().done == 0
    assert inbox.ids() == [sent.message_id]
    assert inbox.envelopes[0].mail_from == "todo@example.com"
    assert inbox.envelopes[0].rcpt_tos == [alice.email]
    (mail,) = outbox()
    assert (mail.is_finished, mail.html, mail.failed_at) == (True, None, None)
    assert mail.sent_at is not None


@pytest.mark.proves("MAIL-1")
def test_mail_of_a_transaction_that_is_rolled_back_is_not_sent(alice: ApiUser, smtp: Smtp) -> None:
    url, inbox = smtp

    def interrupted() -> None:
        with db.transaction():
            repository.enqueue(Uuid(alice.id), reminder(alice.email))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert delivery(url).run_once().done == 0
    assert inbox.messages == []


@pytest.mark.proves("MAIL-2")
@pytest.mark.parametrize("refusing", ["recipient_reply", "data_reply"])
def test_a_mail_that_is_refused_for_now_is_sent_later(
    alice: ApiUser, smtp: Smtp, outbox: Outbox, superuser: psycopg.Connection, refusing: str
) -> None:
    url, inbox = smtp
    setattr(inbox, refusing, "451 Come back later")
    sent = enqueue(alice.id, reminder(alice.email))
    assert delivery(url).run_once().counts == {"postponed": 1}
    (mail,) = outbox()
    assert (mail.attempts, mail.last_error) == (1, "451 Come back later")
    assert timedelta(seconds=55) < mail.pause <= timedelta(minutes=1)
    setattr(inbox, refusing, "")
    assert delivery(url).run_once().done == 0, "it is tried again only after the pause"
    make_due(superuser)
    assert delivery(url).run_once().counts == {"sent": 1}
    assert inbox.ids() == [sent.message_id]


@pytest.mark.proves("MAIL-2")
def test_mail_waits_for_a_mail_server_that_is_away(
    alice: ApiUser, outbox: Outbox, superuser: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    first, second = (enqueue(alice.id, reminder(alice.email)) for _ in range(2))
    job = delivery(f"smtp://127.0.0.1:{port}")
    assert job.run_once().counts == {"postponed": 1}
    assert job.run_once().counts == {}, "a server that is away is left alone for a while"
    assert [mail.attempts for mail in outbox()] == [1, 0]
    assert "the connection is refused" in caplog.text
    assert str(port) not in caplog.text
    make_due(superuser)
    with mail_server(port) as (url, inbox):
        assert delivery(url).run_once().counts == {"sent": 2}
    assert sorted(inbox.ids()) == sorted([first.message_id, second.message_id])


@pytest.mark.proves("MAIL-2")
def test_a_mail_fails_after_the_last_of_its_attempts(
    alice: ApiUser,
    smtp: Smtp,
    outbox: Outbox,
    superuser: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, inbox = smtp
    inbox.recipient_reply = f"450 {alice.email} is busy"
    enqueue(alice.id, reminder(alice.email, "A secret title"))
    pauses = []
    for _ in PAUSES:
        assert delivery(url).run_once().counts == {"postponed": 1}
        pauses.append(outbox()[0].pause)
        make_due(superuser)
    assert [round(pause.total_seconds() / 60) for pause in pauses] == [
        1,
        5,
        30,
        120,
        300,
        600,
        1440,
    ]
    with caplog.at_level(logging.ERROR):
        assert delivery(url).run_once().counts == {"failed": 1}
    (mail,) = outbox()
    assert (mail.is_finished, mail.sent_at, mail.attempts) == (True, None, 8)
    assert mail.failed_at is not None
    assert mail.last_error == inbox.recipient_reply
    assert "has failed for good" in caplog.text
    for secret in (alice.email, "secret"):
        assert secret not in caplog.text


@pytest.mark.proves("MAIL-2")
@pytest.mark.parametrize("refusing", ["recipient_reply", "data_reply"])
def test_a_mail_that_is_refused_for_good_is_not_tried_again(
    alice: ApiUser, smtp: Smtp, outbox: Outbox, refusing: str
) -> None:
    url, inbox = smtp
    setattr(inbox, refusing, "550 There is no such person")
    enqueue(alice.id, reminder(alice.email))
    assert delivery(url).run_once().counts == {"failed": 1}
    (mail,) = outbox()
    assert (mail.is_finished, mail.attempts) == (True, 1)
    assert mail.last_error == "550 There is no such person"
    setattr(inbox, refusing, "")
    assert delivery(url).run_once().done == 0
    assert inbox.messages == []


@pytest.mark.proves("MAIL-2")
@pytest.mark.parametrize("takes_utf8", [False, True])
def test_an_address_that_the_server_cannot_take_does_not_keep_other_mail(
    alice: ApiUser, bob: ApiUser, *, takes_utf8: bool
) -> None:
    special = enqueue(alice.id, reminder("zo\u00eb@b\u00fccher.example"))
    plain = enqueue(bob.id, reminder(bob.email))
    with mail_server(takes_utf8=takes_utf8) as (url, inbox):
        counts = delivery(url).run_once().counts
    if takes_utf8:
        assert counts == {"sent": 2}
        assert inbox.ids() == [special.message_id, plain.message_id]
        assert inbox.envelopes[0].rcpt_tos == ["zo\u00eb@xn--bcher-kva.example"]
    else:
        assert counts == {"failed": 1, "sent": 1}
        assert inbox.ids() == [plain.message_id]


@pytest.mark.proves("MAIL-3")
def test_an_attempt_whose_worker_ended_is_repeated_with_the_same_message_id(
    alice: ApiUser, smtp: Smtp, outbox: Outbox, superuser: psycopg.Connection
) -> None:
    url, inbox = smtp
    sent = enqueue(alice.id, reminder(alice.email))
    (due,) = repository.list_due(9)
    assert repository.claim(due.owner_id, due.id, LEASE) is not None  # and then it is killed
    assert delivery(url).run_once().done == 0, "another worker may be sending it"
    assert LEASE - timedelta(seconds=5) < outbox()[0].pause <= LEASE
    make_due(superuser)
    assert delivery(url).run_once().counts == {"sent": 1}
    assert inbox.ids() == [sent.message_id]


@pytest.mark.proves("MAIL-3")
def test_a_mail_that_ends_every_worker_is_given_up(
    alice: ApiUser, smtp: Smtp, superuser: psycopg.Connection
) -> None:
    url, inbox = smtp
    enqueue(alice.id, reminder(alice.email))
    superuser.execute("UPDATE outgoing_mail SET attempts = 8")
    assert delivery(url).run_once().counts == {"failed": 1}
    assert inbox.messages == []


@pytest.mark.proves("MAIL-3")
def test_a_mail_that_one_worker_has_claimed_is_not_another_ones(alice: ApiUser) -> None:
    enqueue(alice.id, reminder(alice.email))
    (due,) = repository.list_due(9)
    claims = [repository.claim(due.owner_id, due.id, LEASE) for _ in range(2)]
    assert [claim is not None for claim in claims] == [True, False]


@pytest.mark.proves("MAIL-3")
def test_a_failure_that_is_told_too_late_does_not_disturb_a_later_attempt(
    alice: ApiUser, outbox: Outbox, superuser: psycopg.Connection
) -> None:
    enqueue(alice.id, reminder(alice.email))
    (due,) = repository.list_due(9)
    for _ in range(2):
        assert repository.claim(due.owner_id, due.id, LEASE) is not None
        make_due(superuser)
    repository.postpone(due.owner_id, due.id, 1, "late", timedelta(hours=5))
    assert (outbox()[0].last_error, outbox()[0].pause <= timedelta(0)) == (None, True)


@pytest.mark.proves("MAIL-4")
def test_what_is_finished_is_deleted_after_30_days(
    alice: ApiUser, smtp: Smtp, outbox: Outbox, superuser: psycopg.Connection
) -> None:
    url, _ = smtp
    enqueue(alice.id, reminder(alice.email))
    assert delivery(url).run_once().counts == {"sent": 1}
    assert timedelta(days=29) < outbox()[0].pause <= timedelta(days=30)
    make_due(superuser)
    assert delivery(url).run_once().counts == {"deleted": 1}
    assert outbox() == []


def test_lag_is_how_long_the_oldest_mail_has_waited(
    alice: ApiUser, smtp: Smtp, superuser: psycopg.Connection
) -> None:
    url, _ = smtp
    for minutes in (3, 5):
        enqueue(alice.id, reminder(alice.email))
        superuser.execute(
            "UPDATE outgoing_mail SET next_step_at = now() - %s WHERE next_step_at > now() - "
            "interval '1 minute'",
            (timedelta(minutes=minutes),),
        )
    assert 300 <= delivery(url).run_once().lag < 330
    assert delivery(url).run_once().lag == 0


# --- encryption ---------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate of localhost and 127.0.0.1 that this process trusts."""
    key, signed = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", signed],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(signed))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed, key)
    return context


def login(url: str, password: str = PASSWORD) -> str:
    """The SMTP_URL with user and password, and with STARTTLS demanded."""
    encoded = password.replace(" ", "%20")
    return f"{url.replace('://', f'://{USER}:{encoded}@')}?starttls=required"


@pytest.mark.proves("MAIL-5")
def test_starttls_and_login_are_used(alice: ApiUser, certificate: ssl.SSLContext) -> None:
    enqueue(alice.id, reminder(alice.email))
    with mail_server(tls=certificate, asks_login=True) as (url, inbox):
        assert delivery(login(url)).run_once().counts == {"sent": 1}
    assert inbox.encrypted == [True]


@pytest.mark.proves("MAIL-5")
def test_smtps_is_tls_from_the_start(
    alice: ApiUser, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    with mail_server(tls=certificate, begins_with_tls=True) as (url, inbox):
        sent = enqueue(alice.id, reminder(alice.email))
        assert delivery(url).run_once().counts == {"sent": 1}
        monkeypatch.delenv("SSL_CERT_FILE")
        enqueue(alice.id, reminder(alice.email))
        assert delivery(url).run_once().counts == {"postponed": 1}
    assert inbox.ids() == [sent.message_id]
    assert outbox()[1].last_error == "its certificate is not accepted"


@pytest.mark.proves("MAIL-5")
def test_a_wrong_password_is_no_failure_of_the_mail(
    alice: ApiUser, certificate: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    enqueue(alice.id, reminder(alice.email))
    with mail_server(tls=certificate, asks_login=True) as (url, inbox):
        assert delivery(login(url, "canary")).run_once().counts == {"postponed": 1}
    assert inbox.messages == []
    assert "does not accept the user name and the password" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.proves("MAIL-5")
@pytest.mark.usefixtures("certificate")
def test_nothing_is_sent_without_the_starttls_that_is_required(
    alice: ApiUser, smtp: Smtp, outbox: Outbox
) -> None:
    url, inbox = smtp
    enqueue(alice.id, reminder(alice.email))
    assert delivery(f"{url}?starttls=required").run_once().counts == {"postponed": 1}
    assert inbox.messages == []
    assert outbox()[0].last_error == "it does not offer what SMTP_URL asks for"


@pytest.mark.proves("MAIL-5")
def test_a_certificate_that_nobody_trusts_is_not_accepted(
    alice: ApiUser, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    enqueue(alice.id, reminder(alice.email))
    with mail_server(tls=certificate) as (url, inbox):
        assert delivery(f"{url}?starttls=required").run_once().counts == {"postponed": 1}
    assert inbox.messages == []
    assert outbox()[0].last_error == "its certificate is not accepted"


@pytest.mark.proves("MAIL-5")
def test_a_password_does_not_go_to_another_host_without_encryption(
    alice: ApiUser, outbox: Outbox
) -> None:
    """127.0.0.2 is not among the names of this machine."""
    enqueue(alice.id, reminder(alice.email))
    port = free_port()
    with mail_server(port, asks_login=True, host="127.0.0.2") as (url, inbox):
        assert "127.0.0.2" in url
        address = login(url).partition("?")[0]
        assert delivery(address).run_once().counts == {"postponed": 1}
    assert (inbox.logins, inbox.messages) == ([], [])
    assert outbox()[0].last_error == "it does not offer what SMTP_URL asks for"
