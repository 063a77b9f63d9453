"""The same database under another role."""

import os
from urllib.parse import urlsplit

import pytest

from app import embedded

needs_log_ins = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ,
    reason="on TEST_DATABASE_URL no role of ours logs in, and may become its user again: unset it",
)


def as_role(url: str, role: str = embedded.APPLICATION) -> str:
    """`url` for that role: by default the one that the service has in production.

    The embedded server lets its user log in as anybody; on TEST_DATABASE_URL, where the roles have
    no password, the session changes into the role at its start.
    """
    parts = urlsplit(url)
    if parts.netloc == f"{embedded.OWNER}@":
        return parts._replace(netloc=f"{role}@").geturl()
    if "TEST_DATABASE_URL" not in os.environ:
        return url
    query = f"{parts.query}&" if parts.query else ""
    return parts._replace(query=f"{query}options=-c%20role%3D{role}").geturl()
