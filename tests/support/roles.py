"""URLs of the same database for other roles."""

import os
from urllib.parse import urlsplit

import pytest

from app import devdb

needs_logins = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ,
    reason="needs logins of the service's roles, which TEST_DATABASE_URL does not have: unset it",
)


def as_role(url: str, role: str = devdb.APPLICATION) -> str:
    """`url` for that role; by default that of the service in production.

    The embedded server accepts every role from the user that started it. On TEST_DATABASE_URL the
    roles have no passwords: the session sets its role at the start.
    """
    parts = urlsplit(url)
    if parts.netloc == f"{devdb.OWNER}@":
        return parts._replace(netloc=f"{role}@").geturl()
    if "TEST_DATABASE_URL" not in os.environ:
        return url
    query = f"{parts.query}&" if parts.query else ""
    return parts._replace(query=f"{query}options=-c%20role%3D{role}").geturl()
