"""Assistants of the users."""

import pytest

from tests.support.api_user import ApiUser
from tests.support.mcp import Assistant


@pytest.fixture
def assistant(alice: ApiUser) -> Assistant:
    """Alice's assistant, with her access token."""
    return Assistant(alice)
