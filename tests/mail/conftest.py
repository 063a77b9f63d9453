"""A mail server, and the outbox as a superuser sees it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.support.api_user import ApiUser
from tests.support.mail import MAILS, Inbox, Outbox, mail_server


@pytest.fixture
def smtp() -> Iterator[tuple[str, Inbox]]:
    """A mail server without encryption: its SMTP_URL and its inbox."""
    with mail_server() as server:
        yield server


@pytest.fixture
def alice(alice: ApiUser, superuser: psycopg.Connection) -> ApiUser:
    """A registered user, without the mail that verifies the address."""
    superuser.execute("DELETE FROM outgoing_mail")
    return alice


@pytest.fixture
def bob(bob: ApiUser, superuser: psycopg.Connection) -> ApiUser:
    """Another one."""
    superuser.execute("DELETE FROM outgoing_mail")
    return bob


@pytest.fixture
def outbox(superuser: psycopg.Connection) -> Outbox:
    """Reads what is in the outbox."""

    def read() -> list[Any]:
        return superuser.cursor(row_factory=namedtuple_row).execute(MAILS).fetchall()

    return read
