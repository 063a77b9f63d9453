"""Users whose outbox is empty."""

import psycopg
import pytest

from tests.support.api_user import ApiUser


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
